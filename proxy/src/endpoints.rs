//! Addresses per Service port, with a turn for each.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gatepost::controller::Resolution;
use gatepost::rule::ServicePort;

/// The usable addresses of all Service ports that routes refer to.
#[derive(Debug, Default)]
pub struct EndpointTable {
    ports: BTreeMap<ServicePort, Arc<Addresses>>,
}

/// The addresses of one port.
#[derive(Debug, Default)]
pub struct Addresses {
    list: Vec<SocketAddr>,
    turn: AtomicUsize,
}

impl EndpointTable {
    /// What a resolution says, and for ports without any address what the user says.
    pub fn new(
        resolution: &Resolution,
        overrides: &BTreeMap<String, Vec<SocketAddr>>,
    ) -> EndpointTable {
        let addresses =
            |(port, endpoints): (&ServicePort, &Arc<gatepost::resolve::endpoints::Endpoints>)| {
                let mut list: Vec<SocketAddr> = endpoints
                    .usable()
                    .map(|endpoint| endpoint.address)
                    .collect();
                if list.is_empty() {
                    list = overrides
                        .get(&port.to_string())
                        .cloned()
                        .unwrap_or_default();
                }
                (
                    port.clone(),
                    Arc::new(Addresses {
                        list,
                        turn: AtomicUsize::new(0),
                    }),
                )
            };
        EndpointTable {
            ports: resolution.all_endpoints().map(addresses).collect(),
        }
    }

    /// The addresses of a port.
    pub fn get(&self, port: &ServicePort) -> Option<&Arc<Addresses>> {
        self.ports.get(port)
    }
}

impl Addresses {
    /// All addresses, beginning with the one whose turn it is.
    pub fn in_turn(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        let start = if self.list.is_empty() {
            0
        } else {
            self.turn.fetch_add(1, Ordering::Relaxed) % self.list.len()
        };
        let (before, after) = self.list.split_at(start);
        after.iter().chain(before).copied()
    }
}
