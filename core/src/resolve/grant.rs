//! ReferenceGrants: references from one namespace to another (digest 5).

use super::context::Context;
use super::graph::GrantQuery;
use crate::api::reference_grant::ReferenceGrant;
use crate::key::{Kind, ObjectKey};
use crate::resources::Resources;

/// Whether an object may refer to another. Inside one namespace it always may.
///
/// One grant beside the target has to have a matching `from` and a matching `to`; groups, kinds, namespaces and names are
/// compared exactly.
pub(super) fn permits(context: &Context<'_>, from: &ObjectKey, to: (Kind, &str, &str)) -> bool {
    let (kind, namespace, name) = to;
    if from.namespace == namespace {
        return true;
    }
    context.look_for_grants(|| GrantQuery {
        namespace: namespace.to_owned(),
        from_group: from.kind.group(),
        from_kind: from.kind.as_str(),
        from_namespace: from.namespace.clone(),
        to_group: kind.group(),
        to_kind: kind.as_str(),
        to_name: name.to_owned(),
    });
    granted(context.resources, from, to)
}

fn granted(resources: &Resources, from: &ObjectKey, to: (Kind, &str, &str)) -> bool {
    let (kind, namespace, name) = to;
    let mut grants = resources.reference_grants_in(namespace);
    grants.any(|grant| {
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

/// The references that a grant of a namespace is about: from where each, to what; a `to` without name is about all.
pub(super) fn about(namespace: &str, grant: &ReferenceGrant) -> impl Iterator<Item = GrantQuery> {
    let pairs = grant.spec.from.iter().flat_map(move |from| {
        grant.spec.to.iter().filter_map(move |to| {
            // What is not a kind that is known has never been looked for.
            let from_kind = Kind::from_group_kind(&from.group, &from.kind)?;
            let to_kind = Kind::from_group_kind(&to.group, &to.kind)?;
            Some(GrantQuery {
                namespace: namespace.to_owned(),
                from_group: from_kind.group(),
                from_kind: from_kind.as_str(),
                from_namespace: from.namespace.clone(),
                to_group: to_kind.group(),
                to_kind: to_kind.as_str(),
                to_name: to.name.clone().unwrap_or_default(),
            })
        })
    });
    pairs.collect::<Vec<_>>().into_iter()
}

/// What to add so that the reference is permitted.
pub(super) fn advice(from: &ObjectKey, to: (Kind, &str, &str)) -> String {
    let (kind, namespace, name) = to;
    format!(
        "a ReferenceGrant in namespace `{namespace}` has to allow it: from group `{}`, kind {}, namespace `{}`; to group `{}`, kind {kind}, name `{name}`",
        from.kind.group(),
        from.kind,
        from.namespace,
        kind.group(),
    )
}
