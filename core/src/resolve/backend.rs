//! Backend references: where a request may go, and why not.

use std::sync::Arc;

use super::certificate;
use super::context::Context;
use super::destinations::Reference;
use super::finding::{Finding, Reason};
use super::grant;
use super::graph::Node;
use super::policy::{MadeTls, backend_tls};
use super::rule;
use crate::api::Object;
use crate::api::reference::{BackendObjectReference, BackendRef};
use crate::api::service::Service;
use crate::api::x_backend::{XBackend, XBackendProtocol, XBackendTlsMode, XBackendType};
use crate::hostname::Hostname;
use crate::key::{EXPERIMENTAL_GROUP, Kind, ObjectKey};
use crate::rule::{BackendDestination, BackendProtocol, BackendTls, InvalidBackend, ServicePort};

/// What references of an object reach: backends by their number, and the ports of them that are used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached(Vec<(Node, Option<u16>)>);

impl Reached {
    /// Each of them once, ascending.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (Node, Option<u16>)> + '_ {
        self.0.iter().copied()
    }

    fn add(&mut self, node: Node, port: Option<u16>) {
        if let Err(place) = self.0.binary_search(&(node, port)) {
            self.0.insert(place, (node, port));
        }
    }
}

/// What an object refers to.
#[derive(Clone, Copy, Debug)]
pub(super) struct BackendReference<'r> {
    pub(super) group: &'r str,
    pub(super) kind: &'r str,
    pub(super) namespace: &'r str,
    pub(super) name: &'r str,
    pub(super) port: Option<i32>,
}

impl<'r> BackendReference<'r> {
    /// A reference of an object in namespace `local`.
    pub(super) fn of(reference: &'r BackendObjectReference, local: &'r str) -> Self {
        BackendReference {
            group: reference.group(),
            kind: reference.kind(),
            namespace: reference.namespace(local),
            name: &reference.name,
            port: reference.port,
        }
    }

    /// An entry of `backendRefs`.
    pub(super) fn weighted(reference: &'r BackendRef, local: &'r str) -> Self {
        BackendReference {
            group: reference.group(),
            kind: reference.kind(),
            namespace: reference.namespace(local),
            name: &reference.name,
            port: reference.port,
        }
    }
}

/// Resolves a reference of a route, listener or policy; permission is asked before existence.
///
/// # Errors
///
/// If it may not be referred to, is of a kind that is not served, or is not there.
pub(super) fn destination(
    context: &Context<'_>,
    from: &ObjectKey,
    reference: BackendReference<'_>,
    reached: &mut Reached,
) -> Result<Arc<BackendDestination>, Finding> {
    let BackendReference {
        group, kind, name, ..
    } = reference;
    let (namespace, kind) = match (group, kind) {
        ("", "Service") => (reference.namespace, Kind::Service),
        (EXPERIMENTAL_GROUP, "XBackend") => (reference.namespace, Kind::XBackend),
        _ => {
            let message = format!(
                "backend `{name}` is a {kind} of group `{group}`, expected a Service of the core group or an XBackend of {EXPERIMENTAL_GROUP}",
            );
            return Err(Finding::new(Reason::InvalidKind, message));
        }
    };
    permitted(context, from, (kind, namespace, name))?;
    let reference = Reference {
        from: from.kind,
        namespace,
        name,
        port: reference.port,
    };
    // What an XBackend comes to hangs on further objects, which have to be looked at each time.
    let is_service = kind == Kind::Service;
    if is_service && let Some((node, destination)) = context.known(&reference) {
        reached.add(node, Some(destination.port.port));
        return Ok(destination);
    }
    let (node, found) = context.resource((kind, namespace, name));
    let destination = match found.map(|found| (found.shared_key(), found.object())) {
        Some((key, Object::Service(service))) => {
            of_service(context, from.kind, key, service, reference.port)
        }
        Some((key, Object::XBackend(backend))) => of_x_backend(context, from.kind, key, backend),
        _ if kind == Kind::XBackend => {
            let message = format!("{kind}/{namespace}/{name} does not exist");
            Err(Finding::new(Reason::BackendNotFound, message))
        }
        _ => {
            let message = format!("Service `{namespace}/{name}` does not exist");
            Err(Finding::new(Reason::BackendNotFound, message))
        }
    };
    let destination = destination.map(Arc::new);
    let port = destination.as_ref().ok();
    reached.add(node, port.map(|destination| destination.port.port));
    if let (true, Some(found), Ok(destination)) = (is_service, found, &destination) {
        let key = found.key();
        let own = Reference {
            from: from.kind,
            namespace: &key.namespace,
            name: &key.name,
            port: reference.port,
        };
        context.know(&own, node, destination.clone());
    }
    destination
}

fn permitted(
    context: &Context<'_>,
    from: &ObjectKey,
    to: (Kind, &str, &str),
) -> Result<(), Finding> {
    let (kind, namespace, name) = to;
    let message = if kind == Kind::XBackend {
        if namespace == from.namespace {
            return Ok(());
        }
        format!(
            "{from} may not refer to {kind}/{namespace}/{name}: an XBackend serves its own namespace only, and no ReferenceGrant changes that"
        )
    } else {
        if grant::permits(context, from, to) {
            return Ok(());
        }
        format!(
            "{from} may not refer to Service `{namespace}/{name}`: {}",
            grant::advice(from, to)
        )
    };
    Err(Finding::new(Reason::RefNotPermitted, message))
}

fn of_service(
    context: &Context<'_>,
    from: Kind,
    key: &ObjectKey,
    service: &Service,
    port: Option<i32>,
) -> Result<BackendDestination, Finding> {
    let (namespace, name) = (key.namespace.as_str(), key.name.as_str());
    let missing = |message: String| Finding::new(Reason::BackendNotFound, message);
    if service.spec.service_type() == "ExternalName" {
        let message =
            format!("Service `{namespace}/{name}` is of type ExternalName, which is not served");
        return Err(Finding::new(Reason::InvalidKind, message));
    }
    let number = port_number(service, port).ok_or_else(|| {
        let ports = service.spec.ports.iter().flatten();
        let there: Vec<String> = ports.map(|port| port.port.to_string()).collect();
        let asked = port.map_or_else(
            || "no port is named".to_owned(),
            |port| format!("there is no port {port}"),
        );
        let has = if there.is_empty() {
            "no port".to_owned()
        } else {
            there.join(", ")
        };
        missing(format!(
            "Service `{namespace}/{name}`: {asked}; it has {has}"
        ))
    })?;
    let spec = service
        .spec
        .ports
        .iter()
        .flatten()
        .find(|port| port.port == i32::from(number));
    let tls = spec.and_then(|spec| context.policies.tls(key, spec.name.as_deref()));
    let protocol = spec.and_then(|spec| spec.app_protocol.as_deref());
    let protocol = app_protocol(from, protocol, tls.is_some()).map_err(|message| {
        Finding::new(
            Reason::UnsupportedProtocol,
            format!("Service `{namespace}/{name}`: {message}"),
        )
    })?;
    let traffic = context.policies.traffic(key);
    Ok(BackendDestination {
        port: service_port(key, number),
        protocol,
        tls: tls.cloned(),
        session: traffic.session,
        retry_budget: traffic.retry_budget,
    })
}

fn port_number(service: &Service, wanted: Option<i32>) -> Option<u16> {
    let mut ports = service.spec.ports.iter().flatten();
    let port = ports.find(|port| Some(port.port) == wanted)?;
    u16::try_from(port.port).ok()
}

fn service_port(key: &ObjectKey, number: u16) -> ServicePort {
    ServicePort {
        kind: key.kind,
        namespace: key.namespace.as_str().into(),
        name: key.name.as_str().into(),
        port: number,
    }
}

fn is_web(kind: Kind) -> bool {
    !matches!(kind, Kind::TlsRoute | Kind::TcpRoute | Kind::UdpRoute)
}

/// `Service.spec.ports[].appProtocol` (digest 3.12).
fn app_protocol(
    from: Kind,
    app_protocol: Option<&str>,
    tls: bool,
) -> Result<BackendProtocol, String> {
    let web = is_web(from);
    match app_protocol {
        Some("kubernetes.io/h2c") if web => Ok(BackendProtocol::Http2),
        Some("kubernetes.io/ws") if web && from != Kind::GrpcRoute => {
            Ok(BackendProtocol::WebSocket)
        }
        Some(name @ ("kubernetes.io/h2c" | "kubernetes.io/ws")) => {
            Err(format!("appProtocol `{name}` cannot serve a {from}"))
        }
        Some("kubernetes.io/wss") if from == Kind::TlsRoute => Ok(BackendProtocol::Unspecified),
        Some("kubernetes.io/wss") if web && from != Kind::GrpcRoute && tls => {
            Ok(BackendProtocol::WebSocket)
        }
        Some(name @ "kubernetes.io/wss") if web && from != Kind::GrpcRoute => {
            Err(format!("appProtocol `{name}` needs a BackendTLSPolicy"))
        }
        Some(name @ "kubernetes.io/wss") => {
            Err(format!("appProtocol `{name}` cannot serve a {from}"))
        }
        _ => Ok(BackendProtocol::Unspecified),
    }
}

fn of_x_backend(
    context: &Context<'_>,
    from: Kind,
    key: &ObjectKey,
    backend: &XBackend,
) -> Result<BackendDestination, Finding> {
    if let Some(finding) = unusable(key, backend) {
        return Err(finding);
    }
    let number = backend.spec.port.number.unwrap_or_default();
    let number = u16::try_from(number).ok().filter(|number| *number > 0);
    let number = number.ok_or_else(|| {
        let message = format!("{key}: spec.port.number is missing or no port");
        Finding::new(Reason::BackendNotFound, message)
    })?;
    let tls = x_backend_tls(context, key, backend);
    let protocol = x_protocol(from, backend, tls.is_some()).map_err(|message| {
        Finding::new(Reason::UnsupportedProtocol, format!("{key}: {message}"))
    })?;
    let session = backend.spec.session_persistence.as_ref();
    let session = session
        .map(|spec| rule::session(spec, format_args!("spec")))
        .transpose()
        .map_err(|finding| {
            Finding::new(
                Reason::UnsupportedProtocol,
                format!("{key}: {}", finding.message),
            )
        })?;
    Ok(BackendDestination {
        port: service_port(key, number),
        protocol,
        tls: tls.map(|made| Arc::new(made.tls)),
        session: session.map(Arc::new),
        retry_budget: None,
    })
}

/// Why an XBackend leads nowhere, whoever refers to it.
pub(super) fn unusable(key: &ObjectKey, backend: &XBackend) -> Option<Finding> {
    let invalid = |message: String| {
        Some(Finding::new(
            Reason::InvalidKind,
            format!("{key}: {message}"),
        ))
    };
    match &backend.spec.backend_type {
        XBackendType::EndpointSelector => {
            let selector = backend.spec.endpoint_selector.as_ref();
            match selector.is_none_or(|selector| selector.match_labels.is_empty()) {
                true => invalid(
                    "spec.endpointSelector.matchLabels is empty, expected a label".to_owned(),
                ),
                false => None,
            }
        }
        XBackendType::ExternalHostname => {
            let name = backend.spec.external_hostname.as_ref();
            let name = name.map_or("", |external| external.hostname.as_str());
            let local = name.ends_with(".local") || name.split('.').any(|label| label == "svc");
            let number = name.parse::<std::net::IpAddr>().is_ok();
            match Hostname::parse(name) {
                Ok(parsed) if !parsed.is_wildcard() && !local && !number => None,
                _ => invalid(format!(
                    "spec.externalHostname.hostname `{}` is no name outside of the cluster",
                    crate::problem::excerpt(name)
                )),
            }
        }
        XBackendType::Other(other) => invalid(format!(
            "spec.type `{}` is not known, expected ExternalHostname or EndpointSelector",
            crate::problem::excerpt(other)
        )),
    }
}

/// `XBackend.spec.tls`, if it is on.
pub(super) fn x_backend_tls(
    context: &Context<'_>,
    key: &ObjectKey,
    backend: &XBackend,
) -> Option<MadeTls> {
    let spec = backend.spec.tls.as_ref()?;
    let client = match &spec.mode {
        XBackendTlsMode::None => return None,
        XBackendTlsMode::ServerOnly => false,
        XBackendTlsMode::ClientAndServer => true,
        XBackendTlsMode::Other(other) => {
            let message = format!(
                "spec.tls.mode `{}` is not known",
                crate::problem::excerpt(other)
            );
            return Some(distrust(message));
        }
    };
    let validation = spec.validation.clone().unwrap_or_default();
    let mut made = backend_tls(context, key, &validation);
    if client {
        let read = match &spec.client_certificate_ref {
            Some(reference) => certificate::read(context, key, reference),
            None => Err(Finding::new(
                Reason::InvalidCertificateRef,
                "spec.tls.clientCertificateRef is missing",
            )),
        };
        match read {
            Ok(certificate) => made.tls.client_certificate = Some(certificate),
            // Without the certificate it was told to present it presents none, and no other either.
            Err(finding) => return Some(distrust(finding.message)),
        }
    }
    Some(made)
}

fn distrust(message: String) -> MadeTls {
    MadeTls {
        tls: BackendTls {
            hostname: "".into(),
            trust: Err(message.as_str().into()),
            subject_alt_names: Vec::new(),
            client_certificate: None,
        },
        rejected: Some(Finding::new(Reason::Invalid, message)),
        unresolved: None,
    }
}

fn x_protocol(from: Kind, backend: &XBackend, tls: bool) -> Result<BackendProtocol, String> {
    let Some(protocol) = &backend.spec.protocol else {
        return Ok(BackendProtocol::Unspecified);
    };
    if from == Kind::UdpRoute {
        return Err("an XBackend cannot serve a UDPRoute".to_owned());
    }
    if !is_web(from) {
        return Ok(BackendProtocol::Tcp);
    }
    let grpc = from == Kind::GrpcRoute;
    match protocol {
        XBackendProtocol::Http | XBackendProtocol::Mcp => Ok(BackendProtocol::Unspecified),
        XBackendProtocol::Http11 if !grpc => Ok(BackendProtocol::Http1),
        XBackendProtocol::Http2 | XBackendProtocol::Grpc if tls => Ok(BackendProtocol::Http2),
        XBackendProtocol::H2c | XBackendProtocol::Grpc if !tls => Ok(BackendProtocol::Http2),
        XBackendProtocol::Wss if tls && !grpc => Ok(BackendProtocol::WebSocket),
        XBackendProtocol::Http2 | XBackendProtocol::Wss if !tls => {
            Err(format!("protocol {protocol} needs spec.tls"))
        }
        XBackendProtocol::H2c => Err("protocol H2C excludes spec.tls".to_owned()),
        other => Err(format!("protocol `{other}` cannot serve a {from}")),
    }
}

/// The finding as the table keeps it.
pub(super) fn invalid(finding: &Finding) -> Arc<InvalidBackend> {
    Arc::new(InvalidBackend {
        reason: finding.reason.as_str(),
        message: finding.message.as_str().into(),
    })
}
