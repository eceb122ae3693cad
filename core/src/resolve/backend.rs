//! Backend references: where a request may go, and why not.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::certificate;
use super::context::Context;
use super::finding::{Finding, Reason};
use super::grant;
use super::policy::{MadeTls, backend_tls};
use super::rule;
use crate::api::reference::BackendObjectReference;
use crate::api::service::Service;
use crate::api::x_backend::{XBackend, XBackendProtocol, XBackendTlsMode, XBackendType};
use crate::hostname::Hostname;
use crate::key::{EXPERIMENTAL_GROUP, Kind, ObjectKey};
use crate::rule::{BackendDestination, BackendProtocol, BackendTls, InvalidBackend, ServicePort};

/// What references of an object reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// The ports whose addresses are needed.
    pub ports: BTreeSet<ServicePort>,
    /// The Services and XBackends that are named, there or not.
    pub backends: BTreeSet<ObjectKey>,
}

/// Resolves a reference of a route, listener or policy; permission is asked before existence.
///
/// # Errors
///
/// If it may not be referred to, is of a kind that is not served, or is not there.
pub(super) fn destination(
    context: &Context<'_>,
    from: &ObjectKey,
    reference: &BackendObjectReference,
    reached: &mut Reached,
) -> Result<BackendDestination, Finding> {
    let namespace = reference.namespace(&from.namespace);
    match (reference.group(), reference.kind()) {
        ("", "Service") => {
            let key = ObjectKey::new(Kind::Service, namespace, reference.name.clone());
            of_service(context, from, &key, reference.port, reached)
        }
        (EXPERIMENTAL_GROUP, "XBackend") => {
            let key = ObjectKey::new(Kind::XBackend, namespace, reference.name.clone());
            of_x_backend(context, from, &key, reached)
        }
        (group, kind) => {
            let message = format!(
                "backend `{}` is a {kind} of group `{group}`, expected a Service of the core group or an XBackend of {EXPERIMENTAL_GROUP}",
                reference.name
            );
            Err(Finding::new(Reason::InvalidKind, message))
        }
    }
}

fn of_service(
    context: &Context<'_>,
    from: &ObjectKey,
    key: &ObjectKey,
    port: Option<i32>,
    reached: &mut Reached,
) -> Result<BackendDestination, Finding> {
    let (namespace, name) = (key.namespace.as_str(), key.name.as_str());
    let to = (Kind::Service, namespace, name);
    if !grant::permits(context, from, to) {
        let message = format!(
            "{from} may not refer to Service `{namespace}/{name}`: {}",
            grant::advice(from, to)
        );
        return Err(Finding::new(Reason::RefNotPermitted, message));
    }
    reached.backends.insert(key.clone());
    let missing = |message: String| Finding::new(Reason::BackendNotFound, message);
    let service = context
        .service(namespace, name)
        .ok_or_else(|| missing(format!("Service `{namespace}/{name}` does not exist")))?;
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
    let protocol = app_protocol(from.kind, protocol, tls.is_some()).map_err(|message| {
        Finding::new(
            Reason::UnsupportedProtocol,
            format!("Service `{namespace}/{name}`: {message}"),
        )
    })?;
    let traffic = context.policies.traffic(key);
    Ok(BackendDestination {
        port: service_port(key, number, reached),
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

fn service_port(key: &ObjectKey, number: u16, reached: &mut Reached) -> ServicePort {
    let port = ServicePort {
        kind: key.kind,
        namespace: key.namespace.as_str().into(),
        name: key.name.as_str().into(),
        port: number,
    };
    reached.ports.insert(port.clone());
    port
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
    from: &ObjectKey,
    key: &ObjectKey,
    reached: &mut Reached,
) -> Result<BackendDestination, Finding> {
    if key.namespace != from.namespace {
        let message = format!(
            "{from} may not refer to {key}: an XBackend serves its own namespace only, and no ReferenceGrant changes that"
        );
        return Err(Finding::new(Reason::RefNotPermitted, message));
    }
    reached.backends.insert(key.clone());
    let backend = context
        .x_backend(&key.namespace, &key.name)
        .ok_or_else(|| Finding::new(Reason::BackendNotFound, format!("{key} does not exist")))?;
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
    let protocol = x_protocol(from.kind, backend, tls.is_some()).map_err(|message| {
        Finding::new(Reason::UnsupportedProtocol, format!("{key}: {message}"))
    })?;
    let session = backend.spec.session_persistence.as_ref();
    let session = session
        .map(|spec| rule::session(spec, "spec"))
        .transpose()
        .map_err(|finding| {
            Finding::new(
                Reason::UnsupportedProtocol,
                format!("{key}: {}", finding.message),
            )
        })?;
    Ok(BackendDestination {
        port: service_port(key, number, reached),
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
pub(super) fn invalid(finding: &Finding) -> InvalidBackend {
    InvalidBackend {
        reason: finding.reason.as_str(),
        message: finding.message.as_str().into(),
    }
}
