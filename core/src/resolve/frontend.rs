//! What a Gateway asks of clients: `spec.tls.frontend` (digest 3.13).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::context::Context;
use super::finding::{Finding, Reason};
use super::trust::{self, CaReference};
use crate::api::gateway::{FrontendTlsValidation, FrontendValidationModeType, Gateway};
use crate::key::ObjectKey;
use crate::rule::{ClientValidation, TrustAnchors};

/// `spec.tls.frontend`, resolved; of the ports that name their own the default does not hold.
#[derive(Debug, Default)]
pub(super) struct Frontend {
    default: Asked,
    ports: BTreeMap<u16, Asked>,
}

/// What is asked of the clients of a port.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) validation: Option<Arc<ClientValidation>>,
    pub(super) rejected: Option<Finding>,
    pub(super) unresolved: Option<Finding>,
}

impl Frontend {
    pub(super) fn read(context: &Context<'_>, key: &ObjectKey, gateway: &Gateway) -> Frontend {
        let Some(spec) = gateway
            .spec
            .tls
            .as_ref()
            .and_then(|tls| tls.frontend.as_ref())
        else {
            return Frontend::default();
        };
        let asked = |validation: Option<&FrontendTlsValidation>| match validation {
            Some(validation) => asked(context, key, validation),
            None => Asked::default(),
        };
        let ports = spec.per_port.iter().flatten().filter_map(|entry| {
            let port = u16::try_from(entry.port).ok()?;
            Some((port, asked(entry.tls.validation.as_ref())))
        });
        Frontend {
            default: asked(spec.default.validation.as_ref()),
            ports: ports.collect(),
        }
    }

    /// What is asked at a port.
    pub(super) fn at(&self, port: u16) -> &Asked {
        self.ports.get(&port).unwrap_or(&self.default)
    }

    /// Whether clients without a valid certificate are served somewhere.
    pub(super) fn insecure(&self) -> bool {
        let mut all = self.ports.values().chain([&self.default]);
        all.any(|asked| {
            let validation = asked.validation.as_ref();
            validation.is_some_and(|validation| validation.insecure_fallback)
        })
    }
}

fn asked(context: &Context<'_>, key: &ObjectKey, spec: &FrontendTlsValidation) -> Asked {
    let references = spec
        .ca_certificate_refs
        .iter()
        .map(|reference| CaReference {
            group: &reference.group,
            kind: &reference.kind,
            name: &reference.name,
            namespace: reference.namespace.as_deref(),
        });
    let authorities = trust::read(context, key, references, Reason::InvalidCACertificateKind);
    let insecure_fallback = match spec.mode() {
        FrontendValidationModeType::AllowValidOnly => false,
        FrontendValidationModeType::AllowInsecureFallback => true,
        FrontendValidationModeType::Other(other) => {
            let message = format!(
                "tls.frontend: mode `{}` is not known, expected AllowValidOnly or AllowInsecureFallback",
                crate::problem::excerpt(other)
            );
            return Asked {
                rejected: Some(Finding::new(Reason::UnsupportedValue, message)),
                ..Asked::default()
            };
        }
    };
    let none = authorities.certificates.is_empty().then(|| {
        let why = authorities.unresolved.as_ref();
        let why = why.map_or("caCertificateRefs is empty", |finding| &finding.message);
        let message = format!("no certificate of an authority can be used: {why}");
        Finding::new(Reason::NoValidCACertificate, message)
    });
    Asked {
        validation: Some(Arc::new(ClientValidation {
            trust: TrustAnchors::Certificates(authorities.certificates),
            insecure_fallback,
        })),
        rejected: none,
        unresolved: authorities.unresolved,
    }
}
