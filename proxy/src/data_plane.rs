//! What a resolution asks for, carried out: tables swapped, then sockets opened and closed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use arc_swap::ArcSwap;
use gatepost::controller::Resolution;
use gatepost::key::NamespacedName;
use gatepost::rule::Protocol;
use gatepost::table::RouteTable;
use tokio::sync::Semaphore;

use crate::backend_tls::TlsClients;
use crate::endpoints::EndpointTable;
use crate::listen::{self, Sockets, Transport};
use crate::metrics::Metrics;
use crate::options::Options;
use crate::pool::Pool;
use crate::state::{Plane, Rules, Served};

/// The sockets that are open and what is served there.
#[derive(Debug)]
pub struct DataPlane {
    options: Options,
    sockets: Sockets,
    planes: BTreeMap<Vec<IpAddr>, Arc<Plane>>,
    metrics: Arc<Metrics>,
    pool: Arc<Pool>,
    tls_clients: Arc<TlsClients>,
    mirrors: Arc<Semaphore>,
    endpoints: Arc<EndpointTable>,
    failed: BTreeMap<(Transport, SocketAddr), String>,
}

/// A table and the addresses that it is served at; no address belongs to two.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a plain pair")]
pub struct Placed {
    /// Where; empty: nowhere.
    pub addresses: Vec<IpAddr>,
    /// What.
    pub table: Arc<RouteTable>,
}

impl DataPlane {
    /// A data plane that serves nothing yet.
    pub fn new(options: Options, metrics: Arc<Metrics>) -> DataPlane {
        DataPlane {
            sockets: Sockets::new(),
            planes: BTreeMap::new(),
            pool: Arc::new(Pool::new(options.connect_timeout)),
            tls_clients: Arc::default(),
            mirrors: Arc::new(Semaphore::new(options.limits.mirrors)),
            endpoints: Arc::default(),
            failed: BTreeMap::new(),
            metrics,
            options,
        }
    }

    /// Swaps tables, then opens sockets that are new and closes those that nothing asks for any more.
    pub async fn program(&mut self, resolution: &Resolution, placed: &[Placed]) {
        let endpoints =
            EndpointTable::following(&self.endpoints, resolution, &self.options.endpoints);
        self.endpoints = endpoints.clone();
        let before = self.served();
        let tables = placed.iter().filter(|placed| !placed.addresses.is_empty());
        let tables: Vec<&Arc<RouteTable>> = tables.map(|placed| &placed.table).collect();
        let mut rules = Rules::between(&before, &tables);
        let mut wanted: BTreeMap<(Transport, SocketAddr), (u16, Arc<Plane>)> = BTreeMap::new();
        let mut planes = BTreeMap::new();
        for Placed { addresses, table } in placed {
            if addresses.is_empty() {
                continue;
            }
            let plane = match self.planes.get(addresses) {
                Some(running) => {
                    let before = running.served.load();
                    if !Arc::ptr_eq(&before.table, table) {
                        let served = Served::new(table.clone(), endpoints.clone(), &mut rules);
                        running.served.store(Arc::new(served));
                    } else if !Arc::ptr_eq(&before.endpoints, &endpoints) {
                        let served = before.with_endpoints(endpoints.clone());
                        running.served.store(Arc::new(served));
                    }
                    running.clone()
                }
                None => {
                    let served = Served::new(table.clone(), endpoints.clone(), &mut rules);
                    Arc::new(self.plane(served))
                }
            };
            let ports: BTreeSet<(Transport, u16)> = table
                .listeners()
                .iter()
                .map(|listener| (transport(listener.protocol), listener.port))
                .collect();
            for (transport, port) in ports {
                for address in addresses {
                    match port.checked_add(self.options.port_offset) {
                        Some(bound) => {
                            let address = SocketAddr::new(*address, bound);
                            wanted.insert((transport, address), (port, plane.clone()));
                        }
                        None => tracing::error!(
                            port,
                            offset = self.options.port_offset,
                            "the port and the offset exceed 65535"
                        ),
                    }
                }
            }
            planes.insert(addresses.clone(), plane);
        }
        self.planes = planes;
        rules.forget(&self.served(), &self.metrics);
        self.close_unwanted(&wanted);
        self.open_wanted(wanted).await;
    }

    fn served(&self) -> Vec<Arc<Served>> {
        let planes = self.planes.values();
        planes.map(|plane| plane.served.load_full()).collect()
    }

    fn plane(&self, served: Served) -> Plane {
        Plane {
            served: ArcSwap::from_pointee(served),
            metrics: self.metrics.clone(),
            access_log: self.options.access_log,
            pool: self.pool.clone(),
            tls_clients: self.tls_clients.clone(),
            mirrors: self.mirrors.clone(),
            limits: self.options.limits,
            forwarded: self.options.forwarded,
        }
    }

    fn close_unwanted(&mut self, wanted: &BTreeMap<(Transport, SocketAddr), (u16, Arc<Plane>)>) {
        let kept = |address: &(Transport, SocketAddr), socket: &listen::Socket| {
            wanted
                .get(address)
                .is_some_and(|(_, plane)| Arc::ptr_eq(plane, socket.plane()))
        };
        let gone: Vec<(Transport, SocketAddr)> = self
            .sockets
            .iter()
            .filter(|(address, socket)| !kept(address, socket))
            .map(|(address, _)| *address)
            .collect();
        for address in gone {
            if let Some(socket) = self.sockets.remove(&address) {
                tracing::info!(transport = ?address.0, address = %address.1, "closed");
                // Requests under way end by themselves; the socket itself is closed at once.
                tokio::spawn(socket.close());
            }
        }
    }

    async fn open_wanted(&mut self, wanted: BTreeMap<(Transport, SocketAddr), (u16, Arc<Plane>)>) {
        self.failed.clear();
        for (address, (port, plane)) in wanted {
            if self.sockets.contains_key(&address) {
                continue;
            }
            match listen::open(address, port, plane, self.options.drain).await {
                Ok(socket) => {
                    tracing::info!(transport = ?address.0, address = %address.1, port, "listening");
                    self.sockets.insert(address, socket);
                }
                Err(error) => {
                    tracing::error!(transport = ?address.0, address = %address.1, port, %error, "cannot listen");
                    self.failed.insert(address, error.to_string());
                }
            }
        }
    }

    /// Whether a socket could not be opened, and is worth another try.
    pub fn failing(&self) -> bool {
        !self.failed.is_empty()
    }

    /// The ports of a Gateway at some addresses that could not be opened, and why.
    pub fn unavailable<'s>(
        &'s self,
        gateway: &'s NamespacedName,
        addresses: &'s [IpAddr],
    ) -> impl Iterator<Item = ((NamespacedName, u16), String)> + 's {
        let failed = self.failed.iter();
        let failed = failed.filter(|((_, at), _)| addresses.contains(&at.ip()));
        failed.map(|((_, at), why)| {
            // What was bound has the offset added without overflow.
            let port = at.port().saturating_sub(self.options.port_offset);
            ((gateway.clone(), port), why.clone())
        })
    }

    /// The addresses that are listened on.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.keys().map(|(_, address)| *address).collect()
    }

    /// Closes every socket and waits for requests to end.
    pub async fn close(&mut self) {
        let closing: Vec<_> = std::mem::take(&mut self.sockets)
            .into_values()
            .map(|socket| tokio::spawn(socket.close()))
            .collect();
        for close in closing {
            // A task that panicked has closed its socket too.
            let _ = close.await;
        }
    }
}

fn transport(protocol: Protocol) -> Transport {
    match protocol {
        Protocol::Udp => Transport::Udp,
        Protocol::Http | Protocol::Https | Protocol::Tls | Protocol::Tcp => Transport::Tcp,
    }
}
