//! Listeners and what hangs on them (digest 2.2, 2.3, 5), for the Gateways of the implicit class `gatepost`.

use gatepost::api::Object;
use gatepost::api::gateway::{FromNamespaces, Gateway, Listener as Spec, ProtocolType};
use gatepost::api::grpc_route::GrpcRoute;
use gatepost::api::http_route::HttpRoute;
use gatepost::api::layer4_route::Layer4Rule;
use gatepost::api::meta::ObjectMeta;
use gatepost::api::reference::ParentReference;
use gatepost::key::{Kind, ObjectKey};
use gatepost::timestamp::Timestamp;

use super::Objects;
use super::host::intersect;

/// A listener of any protocol.
pub(super) struct Listener<'o> {
    pub(super) gateway: &'o ObjectKey,
    pub(super) spec: &'o Spec,
}

impl Listener<'_> {
    pub(super) fn https(&self) -> bool {
        self.spec.protocol == ProtocolType::Https
    }
}

/// A route of any kind.
pub(super) struct Attached<'o> {
    pub(super) key: &'o ObjectKey,
    pub(super) created: Option<Timestamp>,
    pub(super) hostnames: Vec<&'o str>,
    pub(super) route: Kinds<'o>,
}

pub(super) enum Kinds<'o> {
    Http(&'o HttpRoute),
    Grpc(&'o GrpcRoute),
    Layer4(&'o [Layer4Rule]),
}

/// The listeners of all Gateways that share the address. The generator makes no listeners in conflict.
pub(super) fn listeners(objects: &Objects) -> Vec<Listener<'_>> {
    let mut found = Vec::new();
    for (gateway, object) in objects {
        let Object::Gateway(spec) = object else {
            continue;
        };
        let spec: &Gateway = spec;
        if spec.spec.gateway_class_name != "gatepost" {
            continue;
        }
        for spec in &spec.spec.listeners {
            found.push(Listener { gateway, spec });
        }
    }
    found
}

/// The most specific listener of a port and some protocols that means a host: exact, then the longest wildcard, then none.
pub(super) fn most_specific(
    listeners: &[Listener<'_>],
    port: u16,
    protocols: &[ProtocolType],
    host: Option<&str>,
) -> Option<usize> {
    let mut best: Option<(usize, (u8, usize))> = None;
    for (number, listener) in listeners.iter().enumerate() {
        if listener.spec.port != i32::from(port) || !protocols.contains(&listener.spec.protocol) {
            continue;
        }
        let rank = match (listener.spec.hostname(), host) {
            (None, _) => (0, 0),
            (Some(name), Some(host)) if super::host::means(name, host) => {
                (if name.starts_with('*') { 1 } else { 2 }, name.len())
            }
            _ => continue,
        };
        if best.is_none_or(|(_, earlier)| rank > earlier) {
            best = Some((number, rank));
        }
    }
    best.map(|(number, _)| number)
}

/// The routes attached to a listener.
pub(super) fn routes<'o>(
    objects: &'o Objects,
    listeners: &[Listener<'o>],
    chosen: usize,
) -> Vec<Attached<'o>> {
    let listener = &listeners[chosen];
    let mut attached = Vec::new();
    for (key, object) in objects {
        let Some((spec_parents, spec_hostnames, metadata, route)) = parts(object) else {
            continue;
        };
        let hostnames: Vec<&str> = spec_hostnames
            .iter()
            .flatten()
            .map(String::as_str)
            .collect();
        let names_it = spec_parents
            .iter()
            .flatten()
            .any(|parent| names(parent, key, listener));
        let meets = listener.spec.hostname().is_none_or(|own| {
            hostnames.is_empty() || hostnames.iter().any(|name| intersect(own, name))
        });
        if names_it
            && kind_allowed(listener.spec, key.kind)
            && namespace_allowed(listener, key)
            && meets
        {
            attached.push(Attached {
                key,
                created: metadata.created(),
                hostnames,
                route,
            });
        }
    }
    attached
}

type Parts<'o> = (
    &'o Option<Vec<ParentReference>>,
    &'o Option<Vec<String>>,
    &'o ObjectMeta,
    Kinds<'o>,
);

/// What attachment looks at: parents, hostnames, metadata, and the rest.
fn parts(object: &Object) -> Option<Parts<'_>> {
    use Kinds::{Grpc, Http, Layer4};
    let no = &None;
    Some(match object {
        Object::HttpRoute(r) => (&r.spec.parent_refs, &r.spec.hostnames, &r.metadata, Http(r)),
        Object::GrpcRoute(r) => (&r.spec.parent_refs, &r.spec.hostnames, &r.metadata, Grpc(r)),
        Object::TlsRoute(r) => (
            &r.spec.parent_refs,
            &r.spec.hostnames,
            &r.metadata,
            Layer4(&r.spec.rules),
        ),
        Object::TcpRoute(r) => (&r.spec.parent_refs, no, &r.metadata, Layer4(&r.spec.rules)),
        Object::UdpRoute(r) => (&r.spec.parent_refs, no, &r.metadata, Layer4(&r.spec.rules)),
        _ => return None,
    })
}

fn names(parent: &ParentReference, route: &ObjectKey, listener: &Listener<'_>) -> bool {
    parent.kind() == "Gateway"
        && parent.name == listener.gateway.name
        && parent.namespace(&route.namespace) == listener.gateway.namespace
        && parent
            .section_name
            .as_ref()
            .is_none_or(|section| *section == listener.spec.name)
        && parent.port.is_none_or(|port| port == listener.spec.port)
}

/// Digest 2.3: the kinds of the protocol, narrowed by `allowedRoutes.kinds`.
fn kind_allowed(spec: &Spec, kind: Kind) -> bool {
    let served = match spec.protocol {
        ProtocolType::Http | ProtocolType::Https => ["HTTPRoute", "GRPCRoute"],
        ProtocolType::Tls => ["TLSRoute"; 2],
        ProtocolType::Tcp => ["TCPRoute"; 2],
        _ => ["UDPRoute"; 2],
    };
    if !served.contains(&kind.as_str()) {
        return false;
    }
    let kinds = spec.route_kinds();
    kinds.is_empty()
        || kinds
            .iter()
            .any(|allowed| allowed.group() == kind.group() && allowed.kind == kind.as_str())
}

fn namespace_allowed(listener: &Listener<'_>, route: &ObjectKey) -> bool {
    match listener.spec.routes_from() {
        FromNamespaces::All => true,
        FromNamespaces::Same => listener.gateway.namespace == route.namespace,
        _ => false,
    }
}
