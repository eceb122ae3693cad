//! Backend references: where a request may go, and why not.

use std::collections::BTreeSet;

use super::finding::{Finding, Reason};
use super::grant;
use crate::api::reference::BackendObjectReference;
use crate::key::{Kind, ObjectKey};
use crate::resources::Resources;
use crate::rule::{BackendDestination, BackendProtocol, InvalidBackend, ServicePort};

/// Resolves a reference of a route; permission is asked before existence.
///
/// # Errors
///
/// If it may not be referred to, is of a kind that is not served, or is not there.
pub fn destination(
    resources: &Resources,
    from: &ObjectKey,
    reference: &BackendObjectReference,
    ports: &mut BTreeSet<ServicePort>,
) -> Result<BackendDestination, Finding> {
    if !reference.group().is_empty() || reference.kind() != "Service" {
        let message = format!(
            "backend `{}` is a {} of group `{}`, expected a Service of the core group",
            reference.name,
            reference.kind(),
            reference.group()
        );
        return Err(Finding::new(Reason::InvalidKind, message));
    }
    let namespace = reference.namespace(&from.namespace);
    let to = (Kind::Service, namespace, reference.name.as_str());
    if !grant::permits(resources, from, to) {
        let message = format!(
            "{from} may not refer to Service `{namespace}/{}`: {}",
            reference.name,
            grant::advice(from, to)
        );
        return Err(Finding::new(Reason::RefNotPermitted, message));
    }
    let missing = |message: String| Finding::new(Reason::BackendNotFound, message);
    let service = resources
        .service(namespace, &reference.name)
        .ok_or_else(|| {
            missing(format!(
                "Service `{namespace}/{}` does not exist",
                reference.name
            ))
        })?;
    if service.spec.service_type.as_deref() == Some("ExternalName") {
        let message = format!(
            "Service `{namespace}/{}` is of type ExternalName, which is not served",
            reference.name
        );
        return Err(Finding::new(Reason::InvalidKind, message));
    }
    let ports_of = service.spec.ports.as_deref().unwrap_or_default();
    let wanted = ports_of
        .iter()
        .find(|port| Some(port.port) == reference.port);
    let Some((port, number)) = wanted.and_then(|port| Some((port, u16::try_from(port.port).ok()?)))
    else {
        let there: Vec<String> = ports_of.iter().map(|port| port.port.to_string()).collect();
        let asked = reference.port.map_or_else(
            || "no port is named".to_owned(),
            |port| format!("there is no port {port}"),
        );
        let message = format!(
            "Service `{namespace}/{}`: {asked}; it has {}",
            reference.name,
            there.join(", ")
        );
        return Err(missing(message));
    };
    let protocol = protocol(from.kind, port.app_protocol.as_deref()).map_err(|message| {
        Finding::new(
            Reason::UnsupportedProtocol,
            format!("Service `{namespace}/{}`: {message}", reference.name),
        )
    })?;
    let port = ServicePort {
        kind: Kind::Service,
        namespace: namespace.into(),
        name: reference.name.as_str().into(),
        port: number,
    };
    ports.insert(port.clone());
    Ok(BackendDestination {
        port,
        protocol,
        tls: None,
        session: None,
    })
}

/// `Service.spec.ports[].appProtocol` (digest 3.12).
fn protocol(route: Kind, app_protocol: Option<&str>) -> Result<BackendProtocol, String> {
    let web = matches!(route, Kind::HttpRoute | Kind::GrpcRoute);
    match app_protocol {
        Some("kubernetes.io/h2c") if web => Ok(BackendProtocol::Http2),
        Some("kubernetes.io/ws") if route == Kind::HttpRoute => Ok(BackendProtocol::WebSocket),
        Some(name @ ("kubernetes.io/h2c" | "kubernetes.io/ws")) => {
            Err(format!("appProtocol `{name}` cannot serve a {route}"))
        }
        Some(name @ "kubernetes.io/wss") if web => {
            Err(format!("appProtocol `{name}` needs a BackendTLSPolicy"))
        }
        _ => Ok(BackendProtocol::Unspecified),
    }
}

/// The finding as the table keeps it.
pub fn invalid(finding: &Finding) -> InvalidBackend {
    InvalidBackend {
        reason: finding.reason.as_str(),
        message: finding.message.as_str().into(),
    }
}
