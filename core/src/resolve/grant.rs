//! ReferenceGrants: references from one namespace to another (digest 5).

use crate::key::{Kind, ObjectKey};
use crate::resources::Resources;

/// Whether an object may refer to another. Inside one namespace it always may.
///
/// One grant beside the target has to have a matching `from` and a matching `to`; groups, kinds, namespaces and names are
/// compared exactly.
pub fn permits(resources: &Resources, from: &ObjectKey, to: (Kind, &str, &str)) -> bool {
    let (kind, namespace, name) = to;
    if from.namespace == namespace {
        return true;
    }
    let mut grants = resources
        .reference_grants()
        .filter(|(key, _)| key.namespace == namespace);
    grants.any(|(_, grant)| {
        let from_matches = grant.spec.from.iter().any(|entry| {
            entry.group == from.kind.group()
                && entry.kind == from.kind.as_str()
                && entry.namespace == from.namespace
        });
        let to_matches = grant.spec.to.iter().any(|entry| {
            let named = entry
                .name
                .as_deref()
                .is_none_or(|own| own.is_empty() || own == name);
            entry.group == kind.group() && entry.kind == kind.as_str() && named
        });
        from_matches && to_matches
    })
}

/// What to add so that the reference is permitted.
pub fn advice(from: &ObjectKey, to: (Kind, &str, &str)) -> String {
    let (kind, namespace, name) = to;
    format!(
        "a ReferenceGrant in namespace `{namespace}` has to allow it: from group `{}`, kind {}, namespace `{}`; to group `{}`, kind {kind}, name `{name}`",
        from.kind.group(),
        from.kind,
        from.namespace,
        kind.group(),
    )
}
