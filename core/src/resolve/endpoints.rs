//! Addresses behind Service ports: a pure function of Services and EndpointSlices (digest 2.7).

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::api::endpoint_slice::EndpointSlice;
use crate::resources::Resources;
use crate::rule::ServicePort;

/// The label by which an EndpointSlice names its Service.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// The addresses of one port, ordered, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoints {
    /// The addresses.
    pub endpoints: Vec<Endpoint>,
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

/// The addresses of every port asked for.
pub fn of_ports(
    resources: &Resources,
    ports: BTreeSet<ServicePort>,
) -> BTreeMap<ServicePort, Arc<Endpoints>> {
    let mut slices: BTreeMap<(&str, &str), Vec<&EndpointSlice>> = BTreeMap::new();
    for (key, slice) in resources.endpoint_slices() {
        if let Some(service) = slice.metadata.label(SERVICE_NAME) {
            slices
                .entry((&key.namespace, service))
                .or_default()
                .push(slice);
        }
    }
    let of = |port: &ServicePort| {
        let slices = slices
            .get(&(&*port.namespace, &*port.name))
            .map_or(&[][..], Vec::as_slice);
        of_port(resources, port, slices)
    };
    ports
        .into_iter()
        .map(|port| (port.clone(), Arc::new(of(&port))))
        .collect()
}

fn of_port(resources: &Resources, port: &ServicePort, slices: &[&EndpointSlice]) -> Endpoints {
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
    let mut found: BTreeMap<SocketAddr, Endpoint> = BTreeMap::new();
    for slice in slices {
        let ports = slice.ports.as_deref().unwrap_or_default();
        let numbers = ports
            .iter()
            .filter(|candidate| candidate.name.as_deref().unwrap_or("") == name);
        for number in numbers.filter_map(|candidate| u16::try_from(candidate.port?).ok()) {
            for endpoint in slice.endpoints.iter().flatten() {
                for address in endpoint
                    .addresses
                    .iter()
                    .filter_map(|text| text.parse::<IpAddr>().ok())
                {
                    let address = SocketAddr::new(address, number);
                    let (ready, serving, terminating) =
                        (endpoint.ready(), endpoint.serving(), endpoint.terminating());
                    let entry = found.entry(address).or_insert(Endpoint {
                        address,
                        ready,
                        serving,
                        terminating,
                    });
                    // The same address in two slices, while it moves from one to the other: the better news counts.
                    entry.ready |= ready;
                    entry.serving |= serving;
                    entry.terminating &= terminating;
                }
            }
        }
    }
    Endpoints {
        endpoints: found.into_values().collect(),
    }
}
