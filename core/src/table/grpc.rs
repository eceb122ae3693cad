//! Candidates of GRPCRoutes by service and method.

use super::RouteTable;
use super::candidate::Served;
use super::dictionary::{Kind, key};
use super::find::Request;
use super::host::{Below, Host};
use super::predicate::grpc_names;

impl RouteTable {
    /// The first match of the GRPCRoutes of a host that a gRPC request fits.
    ///
    /// Matches are filed by the exact names that they ask for; the earliest of what is found under each wins.
    pub(super) fn first_grpc(
        &self,
        number: u32,
        host: &Host,
        request: &mut Request<'_, '_>,
    ) -> Option<Served> {
        let path = request.head.target.path();
        let (service, _) = grpc_names(path)?;
        let (service, method) = path.split_at(service.len() + 1);
        let mut best = None;
        for (below, kind, text) in [
            (Below::ServiceAndMethod, Kind::ServiceAndMethod, path),
            (Below::Service, Kind::Service, service),
            (Below::Method, Kind::Method, method),
            (Below::AnyMethod, Kind::Method, &[][..]),
        ] {
            if !host.has(below) {
                continue;
            }
            let key = key(&self.hasher, self.hasher.text(text), kind, number, text);
            if let Some((parts, value)) = self.dictionary.find(&key) {
                let found = self.first_of(parts, value, request);
                best = self.earlier(best, found);
            }
        }
        best
    }
}
