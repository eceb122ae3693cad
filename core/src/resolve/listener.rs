//! Listeners of Gateways: which serve, and what they are in conflict with.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Settings;
use super::certificate;
use super::finding::{ClassFinding, Finding, GatewayFinding, ListenerFinding, Reason};
use crate::api::gateway::{
    AddressType, Gateway, Listener as ListenerSpec, ProtocolType, TlsModeType,
};
use crate::hostname::Hostname;
use crate::key::{Kind, NamespacedName, ObjectKey};
use crate::resources::Resources;
use crate::rule::{Certificate, Listener, ListenerTls, Protocol, Route, TlsMode};

/// The Gateways of our classes with their listeners judged; no routes yet.
pub fn gateways(
    resources: &Resources,
    settings: &Settings,
    classes: &BTreeMap<String, ClassFinding>,
) -> BTreeMap<NamespacedName, GatewayFinding> {
    let accepted = |gateway: &Gateway| {
        classes
            .get(&gateway.spec.gateway_class_name)
            .is_some_and(|class| class.rejected.is_none())
    };
    let mut ours: Vec<(&ObjectKey, &Gateway)> = resources
        .gateways()
        .filter(|(_, gateway)| accepted(gateway))
        .collect();
    // Older Gateways keep what conflicts at a shared address.
    ours.sort_by(|(a, one), (b, two)| {
        let age = |gateway: &Gateway| {
            (
                gateway.metadata.created().is_none(),
                gateway.metadata.created(),
            )
        };
        age(one)
            .cmp(&age(two))
            .then_with(|| a.tie_break().cmp(b.tie_break()))
    });
    let mut shared = Claims::default();
    let mut found = BTreeMap::new();
    for (key, gateway) in ours {
        let mut finding = judge(resources, key, gateway);
        conflicts_inside(&mut finding.listeners);
        if settings.shared_address && finding.addresses.is_empty() {
            shared.admit(key, &mut finding.listeners);
        }
        found.insert(key.namespaced_name(), finding);
    }
    found
}

fn judge(resources: &Resources, key: &ObjectKey, gateway: &Gateway) -> GatewayFinding {
    let mut addresses = Vec::new();
    let mut rejected = None;
    for address in gateway.spec.addresses.iter().flatten() {
        match (address.address_type(), address.value.as_deref()) {
            (AddressType::IpAddress, Some(value)) => addresses.push(value.to_owned()),
            (AddressType::IpAddress, None) => {}
            (other, value) => {
                let message = format!(
                    "address `{}` has type {other}, expected IPAddress",
                    value.unwrap_or_default()
                );
                rejected = Some(Finding::new(Reason::UnsupportedAddress, message));
            }
        }
    }
    if let Some(parameters) = gateway
        .spec
        .infrastructure
        .as_ref()
        .and_then(|i| i.parameters_ref.as_ref())
    {
        let message = format!(
            "infrastructure.parametersRef names {} `{}`: no kind of parameters is supported, so remove the reference",
            parameters.kind, parameters.name
        );
        rejected = Some(Finding::new(Reason::InvalidParameters, message));
    }
    let listeners = gateway
        .spec
        .listeners
        .iter()
        .map(|listener| listener_finding(resources, key, listener))
        .collect();
    GatewayFinding {
        addresses,
        rejected,
        listeners,
    }
}

fn listener_finding(
    resources: &Resources,
    owner: &ObjectKey,
    spec: &ListenerSpec,
) -> ListenerFinding {
    let mut finding = ListenerFinding {
        name: spec.name.as_str().into(),
        port: u16::try_from(spec.port).unwrap_or(0),
        protocol: None,
        hostname: None,
        kinds: Vec::new(),
        rejected: None,
        conflict: None,
        unresolved: None,
        tls: None,
        attached: 0,
    };
    let protocol = match spec.protocol {
        ProtocolType::Http => Protocol::Http,
        ProtocolType::Https => Protocol::Https,
        ProtocolType::Tls => Protocol::Tls,
        ProtocolType::Tcp => Protocol::Tcp,
        ProtocolType::Udp => Protocol::Udp,
        ProtocolType::Other(ref other) => {
            let message = format!(
                "protocol `{other}` is not served, expected one of HTTP, HTTPS, TLS, TCP, UDP"
            );
            finding.rejected = Some(Finding::new(Reason::UnsupportedProtocol, message));
            return finding;
        }
    };
    finding.protocol = Some(protocol);
    match spec.hostname().map(Hostname::parse).transpose() {
        Ok(hostname) => finding.hostname = hostname,
        Err(error) => {
            finding.rejected = Some(Finding::new(
                Reason::UnsupportedValue,
                format!("hostname: {error}"),
            ))
        }
    }
    kinds(spec, protocol, &mut finding);
    if matches!(protocol, Protocol::Https | Protocol::Tls) {
        tls(resources, owner, spec, protocol, &mut finding);
    }
    finding
}

/// The kinds that the protocol serves (digest 2.3), narrowed by `allowedRoutes.kinds`.
fn kinds(spec: &ListenerSpec, protocol: Protocol, finding: &mut ListenerFinding) {
    let served: &[Kind] = match protocol {
        Protocol::Http | Protocol::Https => &[Kind::HttpRoute, Kind::GrpcRoute],
        Protocol::Tls => &[Kind::TlsRoute],
        Protocol::Tcp => &[Kind::TcpRoute],
        Protocol::Udp => &[Kind::UdpRoute],
    };
    if spec.route_kinds().is_empty() {
        finding.kinds = served.to_vec();
        return;
    }
    for wanted in spec.route_kinds() {
        match Kind::from_group_kind(wanted.group(), &wanted.kind)
            .filter(|kind| served.contains(kind))
        {
            Some(kind) if !finding.kinds.contains(&kind) => finding.kinds.push(kind),
            Some(_) => {}
            None => {
                let served: Vec<&str> = served.iter().map(|kind| kind.as_str()).collect();
                let message = format!(
                    "allowedRoutes.kinds names `{}` of group `{}`, expected {} for a listener of protocol {}",
                    wanted.kind,
                    wanted.group(),
                    served.join(" or "),
                    spec.protocol
                );
                finding
                    .unresolved
                    .get_or_insert_with(|| Finding::new(Reason::InvalidRouteKinds, message));
            }
        }
    }
}

fn tls(
    resources: &Resources,
    owner: &ObjectKey,
    spec: &ListenerSpec,
    protocol: Protocol,
    finding: &mut ListenerFinding,
) {
    let Some(tls) = &spec.tls else {
        let message = "a listener of this protocol needs `tls` with certificateRefs";
        finding
            .unresolved
            .get_or_insert_with(|| Finding::new(Reason::InvalidCertificateRef, message));
        return;
    };
    let mode = match tls.mode() {
        TlsModeType::Terminate => TlsMode::Terminate,
        TlsModeType::Passthrough if protocol == Protocol::Tls => TlsMode::Passthrough,
        other => {
            let message = format!(
                "tls.mode `{other}` is not served for protocol {}",
                spec.protocol
            );
            finding
                .rejected
                .get_or_insert_with(|| Finding::new(Reason::UnsupportedValue, message));
            finding.kinds.clear();
            return;
        }
    };
    let mut certificates: Vec<Arc<Certificate>> = Vec::new();
    if mode == TlsMode::Terminate {
        let references = tls.certificate_refs.as_deref().unwrap_or_default();
        if references.is_empty() {
            finding.unresolved.get_or_insert_with(|| {
                Finding::new(Reason::InvalidCertificateRef, "tls has no certificateRefs")
            });
        }
        for reference in references {
            match certificate::read(resources, owner, reference) {
                Ok(certificate) => certificates.push(certificate),
                Err(found) => {
                    finding.unresolved.get_or_insert(found);
                }
            }
        }
    }
    finding.tls = Some((mode, certificates));
}

/// What cannot share a port: everything but UDP is one family there.
fn family(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Udp => 0,
        Protocol::Tcp => 1,
        Protocol::Http => 2,
        // HTTPS and TLS are told apart by the server name.
        Protocol::Https | Protocol::Tls => 3,
    }
}

fn same_socket(one: Protocol, two: Protocol) -> bool {
    (one == Protocol::Udp) == (two == Protocol::Udp)
}

/// Conflicts inside one Gateway have no winner (digest 4.4).
fn conflicts_inside(listeners: &mut [ListenerFinding]) {
    let judged: Vec<Option<Finding>> = listeners
        .iter()
        .enumerate()
        .map(|(at, one)| {
            let mut others = listeners
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != at);
            others.find_map(|(_, other)| conflict(one, other, None))
        })
        .collect();
    for (listener, conflict) in listeners.iter_mut().zip(judged) {
        listener.conflict = conflict;
    }
}

fn conflict(
    one: &ListenerFinding,
    other: &ListenerFinding,
    gateway: Option<&ObjectKey>,
) -> Option<Finding> {
    let (a, b) = (one.protocol?, other.protocol?);
    if one.port != other.port || !same_socket(a, b) {
        return None;
    }
    let of = gateway.map_or_else(String::new, |key| format!(" of {key}"));
    if family(a) != family(b) {
        let message = format!(
            "port {} is used with another protocol by listener `{}`{of}",
            one.port, other.name
        );
        return Some(Finding::new(Reason::ProtocolConflict, message));
    }
    let same = one.hostname == other.hostname || matches!(a, Protocol::Tcp | Protocol::Udp);
    same.then(|| {
        let host = one
            .hostname
            .as_ref()
            .map_or("no hostname", Hostname::as_str);
        let message = format!(
            "port {} with {host} is used by listener `{}`{of} too",
            one.port, other.name
        );
        Finding::new(Reason::HostnameConflict, message)
    })
}

/// What earlier Gateways hold at the shared address.
#[derive(Default)]
struct Claims {
    held: Vec<(ObjectKey, ListenerFinding)>,
}

impl Claims {
    fn admit(&mut self, key: &ObjectKey, listeners: &mut [ListenerFinding]) {
        for listener in listeners.iter_mut().filter(|listener| listener.accepted()) {
            listener.conflict = self
                .held
                .iter()
                .find_map(|(owner, held)| conflict(listener, held, Some(owner)));
        }
        let kept = listeners.iter().filter(|listener| listener.accepted());
        self.held
            .extend(kept.map(|listener| (key.clone(), listener.clone())));
    }
}

/// The listeners of a Gateway that serve, with the routes attached to each.
pub fn serving(
    gateway: &NamespacedName,
    finding: &GatewayFinding,
    routes: &BTreeMap<(NamespacedName, usize), Vec<Arc<Route>>>,
) -> Vec<Arc<Listener>> {
    if finding.rejected.is_some() {
        return Vec::new();
    }
    let serving = finding
        .listeners
        .iter()
        .enumerate()
        .filter(|(_, listener)| listener.serves());
    let listener = |(number, listener): (usize, &ListenerFinding)| {
        Some(Arc::new(Listener {
            owner: ObjectKey::new(
                Kind::Gateway,
                gateway.namespace.clone(),
                gateway.name.clone(),
            ),
            gateway: gateway.clone(),
            name: listener.name.clone(),
            port: listener.port,
            protocol: listener.protocol?,
            hostname: listener.hostname.clone(),
            tls: listener
                .tls
                .clone()
                .map(|(mode, certificates)| ListenerTls {
                    mode,
                    certificates,
                    client_validation: None,
                }),
            backend_client_certificate: None,
            filters: Vec::new(),
            routes: routes
                .get(&(gateway.clone(), number))
                .cloned()
                .unwrap_or_default(),
        }))
    };
    serving.filter_map(listener).collect()
}
