//! Candidates of GRPCRoutes by service and method.

use super::RouteTable;
use super::candidate::Range;
use super::find::Request;
use super::host::{Kind, scope};
use super::index::{Key, NONE};
use super::predicate::grpc_names;

/// What GRPCRoutes ask for below a host.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct GrpcHost {
    /// Candidates that name neither service nor method exactly.
    pub(super) rest: Range,
}

impl RouteTable {
    /// The first candidate of the GRPCRoutes of a host that a gRPC request fits.
    ///
    /// Candidates are filed by the exact names that they ask for. A number lower in order wins, so each list is left at
    /// the best candidate so far.
    pub(super) fn first_grpc(
        &self,
        host: u32,
        grpc: &GrpcHost,
        request: &mut Request<'_, '_>,
    ) -> Option<u32> {
        let path = request.head.target.path();
        let (service, _) = grpc_names(path)?;
        let (service, method) = path.split_at(service.len() + 1);
        let mut best = NONE;
        for (kind, text) in [
            (Kind::ServiceAndMethod, path),
            (Kind::Service, service),
            (Kind::Method, method),
        ] {
            let hash = self.hasher.text(text);
            let key = Key::new(&self.hasher, hash, scope(host, kind), text);
            if let Some(list) = self.paths.find(&key, &self.texts) {
                self.better(list, &mut best, request);
            }
        }
        for &number in grpc.rest.of(&self.candidates.listed) {
            if number >= best || self.fits(number, request) {
                best = best.min(number);
                break;
            }
        }
        (best != NONE).then_some(best)
    }
}
