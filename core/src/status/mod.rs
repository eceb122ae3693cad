//! Findings and facts → `.status` objects, as a conformant controller writes them (digest 4).
//!
//! Nothing here knows of tables. Time is the caller's: a condition keeps its `lastTransitionTime` as long as its status
//! does not flip. What other controllers wrote stays as it is, byte for byte.

pub mod condition;
pub mod facts;
mod features;
mod gateways;
mod merge;
mod routes;
mod same;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::api::Object;
use crate::api::reference::ParentReference;
use crate::key::{Channel, Kind, ObjectKey};
use crate::resolve::Resolved;
use crate::resources::{Resource, Resources};
use crate::timestamp::Timestamp;
use condition::Condition;
pub use facts::Facts;
pub use features::{SUPPORTED_FEATURES, supported_features};

/// The finalizer of a GatewayClass that a Gateway names (digest 4.5).
pub const CLASS_FINALIZER: &str = "gateway-exists-finalizer.gateway.networking.k8s.io";

/// The statuses of objects that are ours, without time.
#[derive(Clone, Debug, Default)]
pub struct Statuses {
    controller_name: String,
    /// Whether what is not here is not ours.
    whole: bool,
    desired: BTreeMap<ObjectKey, Desired>,
}

#[derive(Clone, Debug, PartialEq)]
enum Desired {
    Class {
        conditions: Vec<Condition>,
        channel: Channel,
        used: bool,
    },
    Gateway {
        addresses: Vec<String>,
        conditions: Vec<Condition>,
        listeners: Vec<ListenerStatus>,
        attached_sets: u32,
    },
    ListenerSet {
        conditions: Vec<Condition>,
        listeners: Vec<ListenerStatus>,
    },
    /// Routes and policies: entries that controllers share.
    Entries {
        list: &'static str,
        entries: Vec<(Arc<ParentReference>, Vec<Condition>)>,
    },
}

#[derive(Clone, Debug, PartialEq)]
struct ListenerStatus {
    name: String,
    attached: u32,
    kinds: Vec<Kind>,
    conditions: Vec<Condition>,
}

fn desired(key: &ObjectKey, resolved: &Resolved, facts: &Facts) -> Option<Desired> {
    match key.kind {
        Kind::GatewayClass => {
            let class = resolved
                .classes
                .get(&key.name)
                .filter(|class| class.defined)?;
            Some(gateways::class(class))
        }
        Kind::Gateway => gateways::gateway(&key.namespaced_name(), resolved, facts),
        Kind::ListenerSet => gateways::listener_set(&key.namespaced_name(), resolved, facts),
        kind if kind.is_route() => Some(routes::route(resolved.routes.get(key)?)),
        _ => Some(routes::policy(key, resolved.policies.get(key)?)),
    }
}

impl Statuses {
    /// What every status should be.
    pub fn all(resolved: &Resolved, controller_name: &str, facts: &Facts) -> Statuses {
        let classes = resolved.classes.keys();
        let classes = classes.map(|name| ObjectKey::new(Kind::GatewayClass, "", name.clone()));
        let gateways = resolved
            .gateways
            .keys()
            .map(|name| ObjectKey::new(Kind::Gateway, name.namespace.clone(), name.name.clone()));
        let sets = resolved.listener_sets.keys().map(|name| {
            ObjectKey::new(Kind::ListenerSet, name.namespace.clone(), name.name.clone())
        });
        let routes = resolved.routes.iter().map(|(key, _)| key);
        let rest = routes.chain(resolved.policies.keys().map(AsRef::as_ref));
        let rest = rest.cloned();
        let keys = classes.chain(gateways).chain(sets).chain(rest);
        Statuses {
            controller_name: controller_name.to_owned(),
            whole: true,
            desired: keys
                .filter_map(|key| {
                    let desired = desired(&key, resolved, facts)?;
                    Some((key, desired))
                })
                .collect(),
        }
    }

    /// What the statuses of some objects should be. Of a route or policy that is not ours any more, entries of ours go.
    pub fn of<'k>(
        keys: impl IntoIterator<Item = &'k ObjectKey>,
        resolved: &Resolved,
        controller_name: &str,
        facts: &Facts,
    ) -> Statuses {
        let one = |key: &'k ObjectKey| {
            let desired = desired(key, resolved, facts).or_else(|| nothing(key.kind))?;
            Some((key.clone(), desired))
        };
        Statuses {
            controller_name: controller_name.to_owned(),
            whole: false,
            desired: keys.into_iter().filter_map(one).collect(),
        }
    }

    /// The objects that have a status of ours.
    pub fn keys(&self) -> impl Iterator<Item = &ObjectKey> {
        self.desired.keys()
    }

    /// The whole `.status` of an object, merged into what its resource holds.
    pub fn status(&self, key: &ObjectKey, resources: &Resources, now: Timestamp) -> Option<Value> {
        self.desired.get(key)?;
        let resource = resources.get(key)?;
        let old = resource.status_json();
        let generation = resource.object().metadata().generation();
        self.over(key, &old.unwrap_or_default(), generation, now)
    }

    /// The whole `.status` of an object, merged into `old`; `generation` is the one that was resolved.
    ///
    /// Of a route or policy that is not ours any more the entries of ours are taken out; `None` if there is none, and of
    /// anything else that is not ours.
    pub fn over(
        &self,
        key: &ObjectKey,
        old: &Value,
        generation: i64,
        now: Timestamp,
    ) -> Option<Value> {
        let left = match self.desired.get(key) {
            Some(_) => None,
            None => nothing(key.kind),
        };
        let desired = self.desired.get(key).or(left.as_ref())?;
        merge::status((key, desired), old, &self.controller_name, generation, now)
    }

    /// The objects whose statuses should be others than before, those that are not ours any more among them.
    pub fn differing<'s>(&'s self, before: &'s Statuses) -> impl Iterator<Item = &'s ObjectKey> {
        let new = self.desired.iter();
        let new = new.filter(|(key, desired)| before.desired.get(key) != Some(desired));
        let gone = before.desired.keys();
        let gone = gone.filter(|key| !self.desired.contains_key(key));
        new.map(|(key, _)| key).chain(gone)
    }

    /// Takes up what the statuses of some objects should be now ([`Statuses::of`] the same keys); the keys of those that are
    /// others than before are given back.
    pub fn update(
        &mut self,
        keys: impl IntoIterator<Item = ObjectKey>,
        mut newer: Statuses,
    ) -> Vec<ObjectKey> {
        let mut differing = Vec::new();
        for key in keys {
            let new = newer.desired.remove(&key);
            let new = new.filter(|new| nothing(key.kind).as_ref() != Some(new));
            let changed = match new {
                Some(new) => {
                    let changed = self.desired.get(&key) != Some(&new);
                    self.desired.insert(key.clone(), new);
                    changed
                }
                None => self.desired.remove(&key).is_some(),
            };
            if changed {
                differing.push(key);
            }
        }
        differing
    }

    /// The statuses that differ from what the resources hold, to be written.
    ///
    /// Routes and policies that hold entries of ours although no parent of them is ours are among them, if these are all
    /// statuses.
    pub fn changes(&self, resources: &Resources, now: Timestamp) -> Vec<(ObjectKey, Value)> {
        let changed = |key: &ObjectKey| {
            let resource = resources.get(key)?;
            let generation = resource.object().metadata().generation();
            // Most are as they should be, and to see that takes no JSON.
            let wanted = self.desired.get(key);
            if wanted.is_some_and(|wanted| self.holds(resource, wanted, generation)) {
                return None;
            }
            let old = resource.status_json();
            let new = self.over(key, old.as_ref().unwrap_or(&Value::Null), generation, now)?;
            (old.as_ref() != Some(&new)).then(|| (key.clone(), new))
        };
        let all = self.whole.then(|| resources.iter()).into_iter().flatten();
        let left = all.filter(|(key, resource)| {
            !self.desired.contains_key(key) && self.has_entry(resource.object())
        });
        let mut changes: Vec<(ObjectKey, Value)> = self
            .keys()
            .chain(left.map(|(key, _)| key))
            .filter_map(changed)
            .collect();
        changes.sort_by(|(one, _), (two, _)| one.cmp(two));
        changes
    }

    /// Whether a resource surely has the status that it should have.
    fn holds(&self, resource: &Resource, wanted: &Desired, generation: i64) -> bool {
        let ours = |name: &str| name == self.controller_name;
        !resource.has_unknown_status() && same::holds(resource.object(), wanted, generation, ours)
    }

    fn has_entry(&self, object: &Object) -> bool {
        let parents = same::parents(object).into_iter();
        let ancestors = same::ancestors(object).into_iter();
        let mut parents = parents.flat_map(|status| &status.parents);
        let mut ancestors = ancestors.flat_map(|status| &status.ancestors);
        parents.any(|entry| entry.controller_name == self.controller_name)
            || ancestors.any(|entry| entry.controller_name == self.controller_name)
    }

    /// The `metadata.finalizers` that a GatewayClass should have, if they are others than it has: while a Gateway names the
    /// class it carries [`CLASS_FINALIZER`]. Finalizers of others stay.
    pub fn finalizers(&self, key: &ObjectKey, resources: &Resources) -> Option<Vec<String>> {
        let Desired::Class { used, .. } = self.desired.get(key)? else {
            return None;
        };
        let metadata = resources.get(key)?.object().metadata();
        let has = metadata.finalizers.clone().unwrap_or_default();
        let mut wanted = has.clone();
        match (used, has.iter().any(|name| name == CLASS_FINALIZER)) {
            (true, false) => wanted.push(CLASS_FINALIZER.to_owned()),
            (false, true) => wanted.retain(|name| name != CLASS_FINALIZER),
            _ => return None,
        }
        Some(wanted)
    }
}

/// What is left of a status that is not ours any more.
fn nothing(kind: Kind) -> Option<Desired> {
    let list = routes::shared_list(kind)?;
    Some(Desired::Entries {
        list,
        entries: Vec::new(),
    })
}
