//! One listener: what it serves, and what is wrong with it.

use std::sync::Arc;

use super::backend::Reached;
use super::certificate;
use super::context::Context;
use super::filter;
use super::finding::{Finding, ListenerFinding, Namespaces, Reason};
use super::frontend::Frontend;
use crate::api::gateway::{
    Listener as ListenerSpec, ListenerFilterType, ListenerRequestFilter, ProtocolType, TlsModeType,
};
use crate::hostname::Hostname;
use crate::key::{Kind, ObjectKey};
use crate::rule::{Certificate, Fault, ListenerFilter, ListenerTls, Protocol, TlsMode};

/// Judges a listener of a Gateway or ListenerSet by itself; conflicts come later.
pub(super) fn judge(
    context: &Context<'_>,
    owner: &ObjectKey,
    spec: &ListenerSpec,
    frontend: &Frontend,
) -> ListenerFinding {
    let mut finding = ListenerFinding {
        name: spec.name.as_str().into(),
        port: u16::try_from(spec.port).unwrap_or(0),
        protocol: None,
        hostname: None,
        kinds: Vec::new(),
        namespaces: Namespaces {
            from: spec.routes_from().clone(),
            selector: spec.routes_selector().cloned(),
        },
        rejected: None,
        conflict: None,
        unresolved: None,
        overlap: None,
        tls: None,
        filters: Vec::new(),
        reached: Reached::default(),
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
        tls(context, owner, spec, protocol, &mut finding);
    }
    if protocol == Protocol::Https {
        clients(frontend, &mut finding);
    }
    filters(context, owner, spec, protocol, &mut finding);
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
    context: &Context<'_>,
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
            match certificate::read(context, owner, reference) {
                Ok(certificate) => certificates.push(certificate),
                Err(found) => {
                    finding.unresolved.get_or_insert(found);
                }
            }
        }
    }
    finding.tls = Some(ListenerTls {
        mode,
        certificates,
        client_validation: None,
    });
}

/// What the Gateway asks of clients at this port.
fn clients(frontend: &Frontend, finding: &mut ListenerFinding) {
    let asked = frontend.at(finding.port);
    if let Some(unresolved) = &asked.unresolved {
        finding.unresolved.get_or_insert_with(|| unresolved.clone());
    }
    if let Some(rejected) = &asked.rejected {
        finding.rejected.get_or_insert_with(|| rejected.clone());
    }
    if let Some(tls) = &mut finding.tls {
        tls.client_validation = asked.validation.clone();
    }
}

/// `filters.requests`: they run in this order, and none is ever left out (digest 3.16).
fn filters(
    context: &Context<'_>,
    owner: &ObjectKey,
    spec: &ListenerSpec,
    protocol: Protocol,
    finding: &mut ListenerFinding,
) {
    let requests = spec
        .filters
        .as_ref()
        .and_then(|filters| filters.requests.as_deref());
    let requests = requests.unwrap_or_default();
    if !requests.is_empty() && !matches!(protocol, Protocol::Http | Protocol::Https) {
        let message = format!(
            "filters.requests: a listener of protocol {} has no requests, expected HTTP or HTTPS",
            spec.protocol
        );
        finding
            .rejected
            .get_or_insert_with(|| Finding::new(Reason::InvalidListenerFilter, message));
        return;
    }
    for (index, request) in requests.iter().enumerate() {
        let at = format!("filters.requests[{index}]");
        match one_filter(context, owner, request, &at, &mut finding.reached) {
            Ok((filter, unresolved)) => {
                finding.filters.push(filter);
                if let Some(unresolved) = unresolved {
                    finding.unresolved.get_or_insert(unresolved);
                }
            }
            Err(rejected) => {
                finding.rejected.get_or_insert(rejected);
            }
        }
    }
}

type OneFilter = (ListenerFilter, Option<Finding>);

fn one_filter(
    context: &Context<'_>,
    owner: &ObjectKey,
    spec: &ListenerRequestFilter,
    at: &str,
    reached: &mut Reached,
) -> Result<OneFilter, Finding> {
    let missing = || {
        let message = format!("{at}: the settings of {} are missing", spec.filter_type);
        Finding::new(Reason::InvalidListenerFilter, message)
    };
    // What cannot be asked has not agreed: requests get an error.
    let fault = |finding: Finding| {
        let reason = match finding.reason {
            Reason::RefNotPermitted => Reason::RefNotPermitted,
            _ => Reason::InvalidListenerFilterRef,
        };
        let finding = Finding::new(reason, format!("{at}: {}", finding.message));
        let filter = ListenerFilter::Fault(Fault {
            reason: finding.message.as_str().into(),
        });
        (filter, Some(finding))
    };
    match &spec.filter_type {
        ListenerFilterType::ExternalAuth => {
            let auth = spec.external_auth.as_ref().ok_or_else(missing)?;
            let field = format_args!("{at}.externalAuth");
            match filter::external_auth(context, owner, auth, field, reached)? {
                Ok(auth) => Ok((ListenerFilter::ExternalAuth(Box::new(auth)), None)),
                Err(finding) => Ok(fault(finding)),
            }
        }
        ListenerFilterType::ExtensionRef => {
            let reference = spec.extension_ref.as_ref().ok_or_else(missing)?;
            let message = format!(
                "extensionRef names {} `{}` of group `{}`: no kind of extension is known",
                reference.kind, reference.name, reference.group
            );
            Ok(fault(Finding::new(
                Reason::InvalidListenerFilterRef,
                message,
            )))
        }
        ListenerFilterType::Other(other) => {
            let shown = crate::problem::excerpt(other);
            let message = format!(
                "{at}: type `{shown}` is not supported, expected ExternalAuth or ExtensionRef"
            );
            Err(Finding::new(Reason::UnsupportedValue, message))
        }
    }
}
