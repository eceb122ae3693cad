//! Whether an object has the status that it should have, seen without making it: what is asked of every object again and again.
//!
//! A yes is certain; after a no the status is made, and compared as it would be written.

use super::condition::{Condition, PASSING};
use super::{Desired, ListenerStatus, merge};
use crate::api::Object;
use crate::api::gateway::{AddressType, ListenerStatus as ListenerStatusSpec};
use crate::api::meta::Condition as ConditionSpec;
use crate::api::reference::ParentReference;
use crate::api::status::{PolicyStatus, RouteStatus};

/// The entries of a route.
pub(super) fn parents(object: &Object) -> Option<&RouteStatus> {
    match object {
        Object::HttpRoute(route) => route.status.as_ref(),
        Object::GrpcRoute(route) => route.status.as_ref(),
        Object::TlsRoute(route) => route.status.as_ref(),
        Object::TcpRoute(route) => route.status.as_ref(),
        Object::UdpRoute(route) => route.status.as_ref(),
        _ => None,
    }
}

/// The entries of a policy or an XBackend.
pub(super) fn ancestors(object: &Object) -> Option<&PolicyStatus> {
    match object {
        Object::BackendTlsPolicy(policy) => policy.status.as_ref(),
        Object::XBackend(backend) => backend.status.as_ref(),
        Object::XBackendTrafficPolicy(policy) => policy.status.as_ref(),
        Object::XTelemetryPolicy(policy) => policy.status.as_ref(),
        _ => None,
    }
}

/// Whether an object whose status has no field that is not known surely has this status; `ours` tells our controller's name.
pub(super) fn holds(
    object: &Object,
    desired: &Desired,
    generation: i64,
    ours: impl Fn(&str) -> bool,
) -> bool {
    let conditions = |own: &[ConditionSpec], wanted: &[Condition]| same(own, wanted, generation);
    match (object, desired) {
        (
            Object::Gateway(object),
            Desired::Gateway {
                addresses,
                conditions: wanted,
                listeners: wanted_listeners,
                attached_sets,
            },
        ) => {
            let Some(status) = &object.status else {
                return false;
            };
            let own = status.addresses.as_deref().unwrap_or_default();
            let listed = status.addresses.is_some() && status.listeners.is_some();
            let sets = status.attached_listener_sets.map(i64::from);
            listed
                && own.len() == addresses.len()
                && own.iter().zip(addresses).all(|(own, address)| {
                    own.value == *address
                        && own.address_type == Some(AddressType::IpAddress)
                        && address.parse::<std::net::IpAddr>().is_ok()
                        && own.routability.is_none()
                })
                && sets == Some(i64::from(*attached_sets))
                && conditions(status.conditions.as_deref().unwrap_or_default(), wanted)
                && listeners(status.listeners.as_deref(), wanted_listeners, conditions)
        }
        (
            Object::ListenerSet(object),
            Desired::ListenerSet {
                conditions: wanted,
                listeners: wanted_listeners,
            },
        ) => object.status.as_ref().is_some_and(|status| {
            conditions(status.conditions.as_deref().unwrap_or_default(), wanted)
                && listeners(status.listeners.as_deref(), wanted_listeners, conditions)
        }),
        (_, Desired::Entries { list, entries }) => {
            let room = merge::room(list, object.kind());
            if let Some(status) = parents(object) {
                let all = status.parents.iter().map(|entry| {
                    let conditions = entry.conditions.as_deref();
                    (&entry.parent_ref, &*entry.controller_name, conditions)
                });
                return all_entries(all, entries, room, conditions, ours);
            }
            ancestors(object).is_some_and(|status| {
                let all = status.ancestors.iter().map(|entry| {
                    let conditions = entry.conditions.as_deref();
                    (&entry.ancestor_ref, &*entry.controller_name, conditions)
                });
                all_entries(all, entries, room, conditions, ours)
            })
        }
        _ => false,
    }
}

/// Those of others first, then ours as they should be.
fn all_entries<'s>(
    all: impl ExactSizeIterator<Item = (&'s ParentReference, &'s str, Option<&'s [ConditionSpec]>)>,
    wanted: &[(std::sync::Arc<ParentReference>, Vec<Condition>)],
    room: usize,
    conditions: impl Fn(&[ConditionSpec], &[Condition]) -> bool,
    ours: impl Fn(&str) -> bool,
) -> bool {
    let twice = repeated(wanted, |(one, _), (two, _)| one == two);
    if all.len() > room || twice {
        return false;
    }
    let mut wanted = wanted.iter();
    let mut begun = false;
    for (own, controller, own_conditions) in all {
        if !ours(controller) {
            if begun {
                return false;
            }
            continue;
        }
        begun = true;
        let Some((reference, wanted)) = wanted.next() else {
            return false;
        };
        let held = own_conditions.is_some_and(|own| conditions(own, wanted));
        if !held || !spelled_out(own, reference) {
            return false;
        }
    }
    begun && wanted.next().is_none()
}

/// Whether a reference is another one with group and kind spelled out.
fn spelled_out(own: &ParentReference, reference: &ParentReference) -> bool {
    own.group.as_deref() == Some(reference.group())
        && own.kind.as_deref() == Some(reference.kind())
        && own.name == reference.name
        && own.namespace == reference.namespace
        && own.section_name == reference.section_name
        && own.port == reference.port
}

fn listeners(
    own: Option<&[ListenerStatusSpec]>,
    wanted: &[ListenerStatus],
    conditions: impl Fn(&[ConditionSpec], &[Condition]) -> bool,
) -> bool {
    let Some(own) = own.filter(|own| own.len() == wanted.len()) else {
        return false;
    };
    if repeated(wanted, |one, two| one.name == two.name) {
        return false;
    }
    own.iter().zip(wanted).all(|(own, wanted)| {
        let kinds = own.supported_kinds.as_deref().is_some_and(|own| {
            own.len() == wanted.kinds.len()
                && own.iter().zip(&wanted.kinds).all(|(own, kind)| {
                    own.group.as_deref() == Some(kind.group()) && own.kind == kind.as_str()
                })
        });
        own.name == wanted.name
            && i64::from(own.attached_routes) == i64::from(wanted.attached)
            && kinds
            && conditions(&own.conditions, &wanted.conditions)
    })
}

/// Ours first, in their order; then others, none of a type that is ours.
fn same(own: &[ConditionSpec], wanted: &[Condition], generation: i64) -> bool {
    let Some((ours, foreign)) = own.split_at_checked(wanted.len()) else {
        return false;
    };
    let equal = |(own, wanted): (&ConditionSpec, &Condition)| {
        own.condition_type == wanted.kind.as_str()
            && own.status == if wanted.status { "True" } else { "False" }
            && own.reason == wanted.reason.as_str()
            && own.message == wanted.message
            && own.observed_generation == Some(generation)
    };
    let strange = |own: &ConditionSpec| {
        let is = |kind: &str| kind == own.condition_type;
        !PASSING.iter().any(|kind| is(kind.as_str()))
            && !wanted.iter().any(|wanted| is(wanted.kind.as_str()))
    };
    ours.iter().zip(wanted).all(equal) && foreign.iter().all(strange)
}

/// Whether two are the same: then what was written for the first counts for both.
fn repeated<T>(all: &[T], same: impl Fn(&T, &T) -> bool) -> bool {
    let mut rest = all;
    while let [first, more @ ..] = rest {
        if more.iter().any(|one| same(first, one)) {
            return true;
        }
        rest = more;
    }
    false
}
