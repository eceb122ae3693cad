//! Addresses behind Service ports: a pure function of Services and EndpointSlices (digest 2.7).

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use crate::api::x_backend::XBackendType;
use crate::key::Kind;
use crate::resources::Resources;
use crate::rule::ServicePort;

/// The label by which an EndpointSlice names its Service.
pub use crate::resources::SERVICE_NAME;

/// The addresses of one port, ordered, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoints {
    /// The addresses.
    pub endpoints: Vec<Endpoint>,
    /// A name outside of the cluster, whose addresses the caller looks up.
    pub external: Option<External>,
}

/// `XBackend.spec.externalHostname` with the port.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct External {
    /// The name to be looked up.
    pub hostname: Box<str>,
    /// The port to connect to.
    pub port: u16,
}

/// One address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Endpoint {
    /// Address and port of the pod.
    pub address: SocketAddr,
    /// Takes new requests.
    pub ready: bool,
    /// Still answers.
    pub serving: bool,
    /// Is going away.
    pub terminating: bool,
}

impl Endpoints {
    /// The addresses that take new requests: the ready ones, or, where there are none, those that still answer while they
    /// go away.
    pub fn usable(&self) -> impl Iterator<Item = &Endpoint> {
        let ready = self.endpoints.iter().any(|endpoint| endpoint.ready);
        self.endpoints.iter().filter(move |endpoint| {
            if ready {
                endpoint.ready
            } else {
                endpoint.serving && endpoint.terminating
            }
        })
    }
}

/// The addresses of a port.
pub fn of(resources: &Resources, port: &ServicePort) -> Endpoints {
    match port.kind {
        Kind::XBackend => of_x_backend(resources, port),
        _ => of_service(resources, port),
    }
}

/// Pods by label, or a name outside of the cluster (digest 3.18).
fn of_x_backend(resources: &Resources, port: &ServicePort) -> Endpoints {
    let mut endpoints = Endpoints::default();
    let Some(backend) = resources.x_backend(&port.namespace, &port.name) else {
        return endpoints;
    };
    match &backend.spec.backend_type {
        XBackendType::EndpointSelector => {
            let Some(selector) = &backend.spec.endpoint_selector else {
                return endpoints;
            };
            let mut found: BTreeMap<SocketAddr, Endpoint> = BTreeMap::new();
            for pod in resources.pods_in(&port.namespace) {
                let labels = &selector.match_labels;
                let meant = !labels.is_empty()
                    && labels
                        .iter()
                        .all(|(key, value)| pod.metadata.label(key) == Some(value));
                let Some(status) = pod.status.as_ref().filter(|_| meant) else {
                    continue;
                };
                let ended = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
                let ready = status.conditions.iter().flatten().any(|condition| {
                    condition.condition_type == "Ready" && condition.status == "True"
                });
                let terminating = pod.metadata.deletion_timestamp.is_some();
                let several = status.pod_ips.iter().flatten().map(|ip| ip.ip.as_str());
                let addresses = several.chain(status.pod_ip.as_deref());
                for address in addresses.filter_map(|text| text.parse::<IpAddr>().ok()) {
                    let address = SocketAddr::new(address, port.port);
                    if !ended {
                        found.entry(address).or_insert(Endpoint {
                            address,
                            ready: ready && !terminating,
                            serving: ready,
                            terminating,
                        });
                    }
                }
            }
            endpoints.endpoints = found.into_values().collect();
        }
        XBackendType::ExternalHostname => {
            endpoints.external = backend
                .spec
                .external_hostname
                .as_ref()
                .map(|external| External {
                    hostname: external.hostname.as_str().into(),
                    port: port.port,
                });
        }
        XBackendType::Other(_) => {}
    }
    endpoints
}

fn of_service(resources: &Resources, port: &ServicePort) -> Endpoints {
    let service = resources.service(&port.namespace, &port.name);
    let ports = service
        .and_then(|service| service.spec.ports.as_deref())
        .unwrap_or_default();
    let Some(service_port) = ports
        .iter()
        .find(|candidate| candidate.port == i32::from(port.port))
    else {
        return Endpoints::default();
    };
    // Ports are matched by name; a Service with one port may leave it empty.
    let name = service_port.name.as_deref().unwrap_or("");
    let mut found: Vec<Endpoint> = Vec::new();
    for slice in resources.slices_of(&port.namespace, &port.name) {
        let ports = slice.ports.as_deref().unwrap_or_default();
        let numbers = ports
            .iter()
            .filter(|candidate| candidate.name.as_deref().unwrap_or("") == name);
        // The API server takes any number; only these can be connected to.
        let numbers = numbers
            .filter_map(|candidate| u16::try_from(candidate.port?).ok())
            .filter(|&number| number != 0);
        for number in numbers {
            for endpoint in slice.endpoints.iter().flatten() {
                for address in endpoint
                    .addresses
                    .iter()
                    .filter_map(|text| text.parse::<IpAddr>().ok())
                {
                    let address = SocketAddr::new(address, number);
                    found.push(Endpoint {
                        address,
                        ready: endpoint.ready(),
                        serving: endpoint.serving(),
                        terminating: endpoint.terminating(),
                    });
                }
            }
        }
    }
    found.sort_by_key(|endpoint| endpoint.address);
    // The same address in two slices, while it moves from one to the other: the better news counts.
    found.dedup_by(|again, first| {
        let same = again.address == first.address;
        if same {
            first.ready |= again.ready;
            first.serving |= again.serving;
            first.terminating &= again.terminating;
        }
        same
    });
    found.shrink_to_fit();
    Endpoints {
        endpoints: found,
        external: None,
    }
}
