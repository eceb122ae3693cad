//! Whom to trust: references to certificates of authorities (digest 3.11, 3.13, 3.19).

use std::sync::Arc;

use super::certificate;
use super::context::Context;
use super::finding::{Finding, Reason};
use super::grant;
use crate::base64;
use crate::key::{Kind, ObjectKey};

/// A reference to certificates of authorities.
#[derive(Clone, Copy, Debug)]
pub(super) struct CaReference<'r> {
    pub(super) group: &'r str,
    pub(super) kind: &'r str,
    pub(super) name: &'r str,
    /// `None`: that of the object which refers.
    pub(super) namespace: Option<&'r str>,
}

/// What a list of references comes to.
#[derive(Debug, Default)]
pub(super) struct Authorities {
    /// The certificates of all that can be read.
    pub(super) certificates: Vec<Arc<[u8]>>,
    /// The first that cannot.
    pub(super) unresolved: Option<Finding>,
}

/// Reads all references; `wrong_kind` is the reason for a kind that holds no certificates.
pub(super) fn read<'r>(
    context: &Context<'_>,
    owner: &ObjectKey,
    references: impl Iterator<Item = CaReference<'r>>,
    wrong_kind: Reason,
) -> Authorities {
    let mut authorities = Authorities::default();
    for reference in references {
        match one(context, owner, reference, wrong_kind) {
            Ok(certificates) => authorities.certificates.extend(certificates),
            Err(finding) => {
                authorities.unresolved.get_or_insert(finding);
            }
        }
    }
    authorities
}

fn one(
    context: &Context<'_>,
    owner: &ObjectKey,
    reference: CaReference<'_>,
    wrong_kind: Reason,
) -> Result<Vec<Arc<[u8]>>, Finding> {
    let invalid = |message: String| Finding::new(Reason::InvalidCACertificateRef, message);
    let namespace = reference
        .namespace
        .filter(|namespace| !namespace.is_empty())
        .unwrap_or(&owner.namespace);
    match Kind::from_group_kind(reference.group, reference.kind) {
        Some(Kind::ConfigMap) => {
            let to = (Kind::ConfigMap, namespace, reference.name);
            let name = format!("ConfigMap `{namespace}/{}`", reference.name);
            if !grant::permits(context, owner, to) {
                let message = format!(
                    "{owner} may not refer to {name}: {}",
                    grant::advice(owner, to)
                );
                return Err(Finding::new(Reason::RefNotPermitted, message));
            }
            let map = context
                .config_map(namespace, reference.name)
                .ok_or_else(|| invalid(format!("{name} does not exist")))?;
            let plain = map.data.as_ref().and_then(|data| data.get("ca.crt"));
            let binary = map.binary_data.as_ref().and_then(|data| data.get("ca.crt"));
            let text = match (plain, binary) {
                (Some(text), _) => Some(text.clone().into_bytes()),
                (None, Some(text)) => base64::decode(text),
                (None, None) => None,
            };
            let text =
                text.ok_or_else(|| invalid(format!("{name} has no readable entry `ca.crt`")))?;
            certificate::authorities(&text).ok_or_else(|| {
                invalid(format!(
                    "{name}: `ca.crt` holds no PEM certificate that can be read"
                ))
            })
        }
        Some(Kind::ClusterTrustBundle) => {
            let name = format!("ClusterTrustBundle `{}`", reference.name);
            let bundle = context
                .trust_bundle(reference.name)
                .ok_or_else(|| invalid(format!("{name} does not exist")))?;
            certificate::authorities(bundle.spec.trust_bundle.as_bytes()).ok_or_else(|| {
                invalid(format!(
                    "{name}: `spec.trustBundle` holds no PEM certificate that can be read"
                ))
            })
        }
        _ => {
            let message = format!(
                "caCertificateRefs names {} `{}` of group `{}`, expected a ConfigMap of the core group or a ClusterTrustBundle of certificates.k8s.io",
                reference.kind, reference.name, reference.group
            );
            Err(Finding::new(wrong_kind, message))
        }
    }
}
