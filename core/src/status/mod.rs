//! Findings and facts → `.status` objects, as a conformant controller writes them (digest 4).
//!
//! Nothing here knows of tables. Time is the caller's: a condition keeps its `lastTransitionTime` as long as its status
//! does not flip. What other controllers wrote stays as it is, byte for byte.

pub mod condition;
pub mod facts;
mod features;
mod merge;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::key::{Kind, ObjectKey};
use crate::resolve::Resolved;
use crate::resolve::finding::{
    ClassFinding, Finding, GatewayFinding, ListenerFinding, ParentFinding, Reason, RouteFinding,
};
use crate::resources::Resources;
use crate::timestamp::Timestamp;
use condition::{Condition, Type};
pub use facts::Facts;
pub use features::SUPPORTED_FEATURES;

/// The statuses of all objects that are ours, without time.
#[derive(Clone, Debug, Default)]
pub struct Statuses {
    controller_name: String,
    desired: BTreeMap<ObjectKey, Desired>,
}

#[derive(Clone, Debug, PartialEq)]
enum Desired {
    Class {
        conditions: Vec<Condition>,
    },
    Gateway {
        addresses: Vec<String>,
        conditions: Vec<Condition>,
        listeners: Vec<ListenerStatus>,
    },
    Route {
        parents: Vec<(Value, Vec<Condition>)>,
    },
}

#[derive(Clone, Debug, PartialEq)]
struct ListenerStatus {
    name: String,
    attached: u32,
    kinds: Vec<Kind>,
    conditions: Vec<Condition>,
}

/// Says what every status should be.
pub fn statuses(resolved: &Resolved, controller_name: &str, facts: &Facts) -> Statuses {
    let mut desired = BTreeMap::new();
    for (name, class) in resolved.classes.iter().filter(|(_, class)| class.defined) {
        let key = ObjectKey::new(Kind::GatewayClass, "", name.clone());
        desired.insert(
            key,
            Desired::Class {
                conditions: class_conditions(class),
            },
        );
    }
    for (name, gateway) in &resolved.gateways {
        let unavailable =
            |listener: &ListenerFinding| facts.unavailable.get(&(name.clone(), listener.port));
        let addresses = facts
            .addresses
            .get(name)
            .unwrap_or(&facts.default_addresses)
            .clone();
        let listeners: Vec<ListenerStatus> = gateway
            .listeners
            .iter()
            .map(|listener| listener_status(listener, unavailable(listener)))
            .collect();
        let unusable = facts.unusable.get(name);
        let conditions = gateway_conditions(gateway, &addresses, unusable, &listeners);
        let key = ObjectKey::new(Kind::Gateway, name.namespace.clone(), name.name.clone());
        desired.insert(
            key,
            Desired::Gateway {
                addresses,
                conditions,
                listeners,
            },
        );
    }
    for (key, route) in &resolved.routes {
        let parents = route.parents.iter().map(|parent| {
            let reference = merge::reference(&parent.reference);
            (reference, parent_conditions(parent, route))
        });
        desired.insert(
            key.clone(),
            Desired::Route {
                parents: parents.collect(),
            },
        );
    }
    Statuses {
        controller_name: controller_name.to_owned(),
        desired,
    }
}

impl Statuses {
    /// The objects that have a status of ours.
    pub fn keys(&self) -> impl Iterator<Item = &ObjectKey> {
        self.desired.keys()
    }

    /// The whole `.status` of an object, merged into what its resource holds.
    pub fn status(&self, key: &ObjectKey, resources: &Resources, now: Timestamp) -> Option<Value> {
        self.desired.get(key)?;
        let resource = resources.get(key)?;
        let old = resource
            .to_json()
            .get("status")
            .cloned()
            .unwrap_or_default();
        let generation = resource.object().metadata().generation();
        self.over(key, &old, generation, now)
    }

    /// The whole `.status` of an object, merged into `old`; `generation` is the one that was resolved.
    ///
    /// Of a route that is not ours any more the entries of ours are taken out; `None` of anything else that is not ours.
    pub fn over(
        &self,
        key: &ObjectKey,
        old: &Value,
        generation: i64,
        now: Timestamp,
    ) -> Option<Value> {
        let nothing = Desired::Route {
            parents: Vec::new(),
        };
        let left = || key.kind.is_route().then_some(&nothing);
        let desired = self.desired.get(key).or_else(left)?;
        Some(merge::status(
            desired,
            old,
            &self.controller_name,
            generation,
            now,
        ))
    }

    /// The objects whose statuses should be others than before, those that are not ours any more among them.
    pub fn differing<'s>(&'s self, before: &'s Statuses) -> impl Iterator<Item = &'s ObjectKey> {
        let new = self.desired.iter();
        let new = new.filter(|(key, desired)| before.desired.get(key) != Some(desired));
        let gone = before.desired.keys();
        let gone = gone.filter(|key| !self.desired.contains_key(key));
        new.map(|(key, _)| key).chain(gone)
    }

    /// The statuses that differ from what the resources hold, to be written.
    pub fn changes(&self, resources: &Resources, now: Timestamp) -> Vec<(ObjectKey, Value)> {
        let changed = |key: &ObjectKey| {
            let new = self.status(key, resources, now)?;
            let old = resources.get(key)?.to_json();
            (old.get("status") != Some(&new)).then(|| (key.clone(), new))
        };
        self.keys().filter_map(changed).collect()
    }
}

fn class_conditions(class: &ClassFinding) -> Vec<Condition> {
    let accepted = match &class.rejected {
        Some(finding) => Condition::no(Type::Accepted, finding),
        None => Condition::yes(Type::Accepted, Reason::Accepted, "the class is served"),
    };
    vec![
        accepted,
        Condition::yes(
            Type::SupportedVersion,
            Reason::SupportedVersion,
            "Gateway API v1.7 is supported",
        ),
    ]
}

fn gateway_conditions(
    gateway: &GatewayFinding,
    addresses: &[String],
    unusable: Option<&String>,
    listeners: &[ListenerStatus],
) -> Vec<Condition> {
    let good = |listener: &&ListenerFinding| listener.accepted() && listener.unresolved.is_none();
    let bad: Vec<String> = gateway
        .listeners
        .iter()
        .filter(|l| !good(l))
        .map(|l| format!("`{}`", l.name))
        .collect();
    let usable = gateway.listeners.iter().any(ListenerFinding::accepted);
    let accepted = match &gateway.rejected {
        Some(finding) => Condition::no(Type::Accepted, finding),
        None if !usable => {
            let message = format!("no listener is valid: {}", bad.join(", "));
            Condition::no(
                Type::Accepted,
                &Finding::new(Reason::ListenersNotValid, message),
            )
        }
        None if bad.is_empty() => {
            Condition::yes(Type::Accepted, Reason::Accepted, "the Gateway is accepted")
        }
        None => Condition::yes(
            Type::Accepted,
            Reason::ListenersNotValid,
            &format!("not valid: {}", bad.join(", ")),
        ),
    };
    let serving = listeners.iter().any(|listener| {
        listener
            .conditions
            .iter()
            .any(|c| c.kind == Type::Programmed && c.status)
    });
    let programmed = if gateway.rejected.is_some() || !usable {
        Condition::no(
            Type::Programmed,
            &Finding::new(Reason::Invalid, "the Gateway is not accepted"),
        )
    } else if let Some(why) = unusable {
        let finding = Finding::new(Reason::AddressNotUsable, why.clone());
        Condition::no(Type::Programmed, &finding)
    } else if addresses.is_empty() {
        Condition::no(
            Type::Programmed,
            &Finding::new(Reason::AddressNotAssigned, "no address is assigned"),
        )
    } else if serving {
        Condition::yes(
            Type::Programmed,
            Reason::Programmed,
            "the data plane serves it",
        )
    } else {
        Condition::no(
            Type::Programmed,
            &Finding::new(Reason::Invalid, "no listener serves"),
        )
    };
    vec![accepted, programmed]
}

fn listener_status(listener: &ListenerFinding, unavailable: Option<&String>) -> ListenerStatus {
    let mut conditions = Vec::new();
    let port = unavailable.map(|why| {
        Finding::new(
            Reason::PortUnavailable,
            format!("port {}: {why}", listener.port),
        )
    });
    let rejected = listener.rejected.as_ref().or(listener.conflict.as_ref());
    let accepted = match rejected {
        Some(finding) => Condition::no(Type::Accepted, finding),
        None => Condition::yes(Type::Accepted, Reason::Accepted, "the listener is valid"),
    };
    let programmed = if rejected.is_some() {
        Condition::no(
            Type::Programmed,
            &Finding::new(Reason::Invalid, "the listener is not accepted"),
        )
    } else if !listener.serves() {
        Condition::no(
            Type::Programmed,
            &Finding::new(Reason::Invalid, "its certificates cannot be used"),
        )
    } else if let Some(finding) = &port {
        Condition::no(Type::Programmed, finding)
    } else {
        Condition::yes(
            Type::Programmed,
            Reason::Programmed,
            "the data plane serves it",
        )
    };
    let resolved = match &listener.unresolved {
        Some(finding) => Condition::no(Type::ResolvedRefs, finding),
        None => Condition::yes(
            Type::ResolvedRefs,
            Reason::ResolvedRefs,
            "all references resolve",
        ),
    };
    conditions.extend([accepted, programmed, resolved]);
    // Negative polarity: present only when True.
    conditions.extend(
        listener
            .conflict
            .as_ref()
            .map(|finding| Condition::yes(Type::Conflicted, finding.reason, &finding.message)),
    );
    ListenerStatus {
        name: listener.name.to_string(),
        attached: listener.attached,
        kinds: listener.kinds.clone(),
        conditions,
    }
}

fn parent_conditions(parent: &ParentFinding, route: &RouteFinding) -> Vec<Condition> {
    let accepted = match &parent.rejected {
        Some(finding) => Condition::no(Type::Accepted, finding),
        None => Condition::yes(Type::Accepted, Reason::Accepted, "the route is attached"),
    };
    let resolved = match &route.unresolved {
        Some(finding) => Condition::no(Type::ResolvedRefs, finding),
        None => Condition::yes(
            Type::ResolvedRefs,
            Reason::ResolvedRefs,
            "all references resolve",
        ),
    };
    let partly = route.dropped.as_ref().filter(|_| parent.rejected.is_none());
    let partly = partly
        .map(|finding| Condition::yes(Type::PartiallyInvalid, finding.reason, &finding.message));
    [accepted, resolved].into_iter().chain(partly).collect()
}
