//! Statuses of routes, policies and XBackends.

use std::sync::Arc;

use super::Desired;
use super::condition::{Condition, Type};
use crate::api::reference::ParentReference;
use crate::key::{Kind, NamespacedName, ObjectKey};
use crate::resolve::finding::{ParentFinding, PolicyFinding, Reason, RouteFinding};

pub(super) fn route(route: &RouteFinding) -> Desired {
    let parents = route.parents.iter().map(|parent| {
        let reference = parent.reference.clone();
        (reference, parent_conditions(parent, route))
    });
    Desired::Entries {
        list: "parents",
        entries: parents.collect(),
    }
}

fn parent_conditions(parent: &ParentFinding, route: &RouteFinding) -> Vec<Condition> {
    let mut conditions = vec![
        Condition::unless(
            Type::Accepted,
            parent.rejected.as_ref(),
            Reason::Accepted,
            "the route is attached",
        ),
        Condition::unless(
            Type::ResolvedRefs,
            route.unresolved.as_ref(),
            Reason::ResolvedRefs,
            "all references resolve",
        ),
    ];
    let partly = route.dropped.as_ref().filter(|_| parent.rejected.is_none());
    conditions.extend(partly.map(|finding| {
        Condition::yes(
            Type::PartiallyInvalid,
            finding.reason,
            finding.message.clone(),
        )
    }));
    conditions
}

/// One entry for each Gateway that it matters to.
pub(super) fn policy(key: &ObjectKey, policy: &PolicyFinding) -> Desired {
    let mut conditions = vec![Condition::unless(
        Type::Accepted,
        policy.rejected.as_ref(),
        Reason::Accepted,
        "it is carried out",
    )];
    if matches!(key.kind, Kind::BackendTlsPolicy | Kind::XTelemetryPolicy) {
        conditions.push(Condition::unless(
            Type::ResolvedRefs,
            policy.unresolved.as_ref(),
            Reason::ResolvedRefs,
            "all references resolve",
        ));
    }
    let entry = |gateway: &NamespacedName| {
        let reference = ParentReference::to_gateway(&gateway.namespace, &gateway.name);
        (Arc::new(reference), conditions.clone())
    };
    Desired::Entries {
        list: "ancestors",
        entries: policy.ancestors.iter().map(entry).collect(),
    }
}

/// The name of the list of entries that controllers share in the status of a kind.
pub(super) fn shared_list(kind: Kind) -> Option<&'static str> {
    match kind {
        kind if kind.is_route() => Some("parents"),
        Kind::BackendTlsPolicy
        | Kind::XBackend
        | Kind::XBackendTrafficPolicy
        | Kind::XTelemetryPolicy => Some("ancestors"),
        _ => None,
    }
}
