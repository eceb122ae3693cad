//! Classes, Gateways, ListenerSets and telemetry: judged by themselves, then beside each other.

use std::collections::{BTreeMap, BTreeSet};

use crate::key::{Kind, NamespacedName, ObjectKey};
use crate::resolve::backend::Reached;
use crate::resolve::context::{Context, Looked};
use crate::resolve::finding::{ClassFinding, GatewayFinding, ListenerFinding, ListenerSetFinding};
use crate::resolve::telemetry;
use crate::resolve::{Settings, class, gateway};
use crate::resources::Resources;

use super::{Changed, State, Work};

impl State {
    pub(super) fn update_classes(
        &mut self,
        resources: &Resources,
        settings: &Settings,
        changes: &[Changed],
        work: &mut Work,
    ) {
        let about = |change: &Changed| {
            matches!(
                change.key.kind,
                Kind::GatewayClass | Kind::CustomResourceDefinition | Kind::Gateway
            )
        };
        if !changes.iter().any(about) && !self.resolved.classes.is_empty() {
            return;
        }
        let mut classes = class::classes(resources, settings);
        for (_, gateway) in resources.gateways() {
            if let Some(class) = classes.get_mut(&gateway.spec.gateway_class_name) {
                class.used = true;
            }
        }
        let old = std::mem::replace(&mut self.resolved.classes, classes);
        let new = &self.resolved.classes;
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let served =
            |class: Option<&ClassFinding>| class.is_some_and(|class| class.rejected.is_none());
        let mut others = BTreeSet::new();
        for name in names {
            let (before, after) = (old.get(name), new.get(name));
            if before != after {
                let key = ObjectKey::new(Kind::GatewayClass, "", name.clone());
                work.touched.findings.insert(key);
            }
            if served(before) != served(after) {
                others.insert(name);
            }
        }
        let gateways = resources.gateways();
        let gateways =
            gateways.filter(|(_, gateway)| others.contains(&gateway.spec.gateway_class_name));
        work.dirty.extend(gateways.map(|(key, _)| key.clone()));
    }

    pub(super) fn update_gateways(
        &mut self,
        resources: &Resources,
        settings: &Settings,
        work: &mut Work,
    ) {
        let policies = std::mem::take(&mut self.policies);
        let context = Context::new(resources, settings, &policies);
        let gateways = Self::dirty_of(work, &[Kind::Gateway]);
        for key in &gateways {
            let found = resources
                .gateway(&key.namespace, &key.name)
                .filter(|found| {
                    let class = self.resolved.classes.get(&found.spec.gateway_class_name);
                    class.is_some_and(|class| class.rejected.is_none())
                });
            match found {
                Some(found) => {
                    let finding = gateway::judge(&context, key, found);
                    self.gateways.insert(key.namespaced_name(), finding);
                }
                None => {
                    self.gateways.remove(&key.namespaced_name());
                }
            }
            self.set_looked(key, context.take_looked());
            self.mark_lookers(&Looked::Object(key.clone()), work);
        }
        let sets = Self::dirty_of(work, &[Kind::ListenerSet]);
        for key in &sets {
            self.judge_set(&context, key);
        }
        let telemetry = !Self::dirty_of(work, &[Kind::XTelemetryPolicy]).is_empty();
        if !gateways.is_empty() || telemetry {
            self.update_telemetry(&context, work);
        }
        self.policies = policies;
        if gateways.is_empty() && sets.is_empty() && !telemetry {
            return;
        }
        let (mut merged, mut merged_sets) = (self.gateways.clone(), self.sets.clone());
        gateway::merge(resources, settings, &mut merged, &mut merged_sets);
        for (name, winner) in &self.telemetry.winners {
            if let Some(gateway) = merged.get_mut(name) {
                gateway.telemetry = Some(winner.clone());
            }
        }
        self.take_merged(merged, merged_sets, work);
    }

    pub(super) fn judge_set(&mut self, context: &Context<'_>, key: &ObjectKey) {
        let name = key.namespaced_name();
        let set = context.resources.listener_set(&key.namespace, &key.name);
        let parent = set.and_then(|set| Some((set, gateway::parent(key, set)?)));
        let finding = parent.and_then(|(set, parent)| {
            context.look(Looked::Object(parent.clone()));
            let judged = self.gateways.get(&parent.namespaced_name())?;
            let spec = context.resources.gateway(&parent.namespace, &parent.name)?;
            let rejected = judged.rejected.as_ref();
            Some(gateway::judge_set(
                context,
                key,
                set,
                (&parent, spec),
                rejected,
            ))
        });
        match finding {
            Some(finding) => self.sets.insert(name, finding),
            None => self.sets.remove(&name),
        };
        self.set_looked(key, context.take_looked());
    }

    pub(super) fn update_telemetry(&mut self, context: &Context<'_>, work: &mut Work) {
        let new = telemetry::all(context, |name| self.gateways.contains_key(name));
        let looked = context.take_looked();
        let old = std::mem::replace(&mut self.telemetry, new);
        // All policies are judged together, so each stands for all that was looked at.
        let keys: BTreeSet<ObjectKey> = old
            .findings
            .keys()
            .chain(self.telemetry.findings.keys())
            .cloned()
            .collect();
        for key in &keys {
            let here = self.telemetry.findings.contains_key(key);
            self.set_looked(key, if here { looked.clone() } else { Vec::new() });
        }
        for (key, reached) in &old.reached {
            let gateways = old
                .findings
                .get(key)
                .map(|finding| finding.ancestors.clone());
            self.release(reached, &gateways.unwrap_or_default(), work);
        }
        let new: Vec<(Reached, BTreeSet<NamespacedName>)> = self
            .telemetry
            .reached
            .iter()
            .map(|(key, reached)| {
                let finding = self.telemetry.findings.get(key);
                let gateways = finding.map(|finding| finding.ancestors.clone());
                (reached.clone(), gateways.unwrap_or_default())
            })
            .collect();
        for (reached, gateways) in new {
            self.hold(&reached, &gateways, work);
        }
        for key in keys {
            let finding = self.telemetry.findings.get(&key).cloned();
            self.set_policy(key, finding, work);
        }
    }

    /// Takes findings up that were put beside each other, and marks the routes that hang on those that are others.
    pub(super) fn take_merged(
        &mut self,
        gateways: BTreeMap<NamespacedName, GatewayFinding>,
        sets: BTreeMap<NamespacedName, ListenerSetFinding>,
        work: &mut Work,
    ) {
        let old = std::mem::replace(&mut self.resolved.gateways, gateways);
        let old_sets = std::mem::replace(&mut self.resolved.listener_sets, sets);
        let mut routes = Vec::new();
        let mut reached: Vec<(Reached, NamespacedName, bool)> = Vec::new();
        let new = &self.resolved.gateways;
        let names: BTreeSet<&NamespacedName> = old.keys().chain(new.keys()).collect();
        let scoped = |all: &BTreeMap<NamespacedName, GatewayFinding>| {
            let scoped = all.iter().filter(|(_, gateway)| gateway.default_scope);
            scoped
                .map(|(name, _)| name.clone())
                .collect::<BTreeSet<_>>()
        };
        if scoped(&old) != scoped(new) {
            routes.push(Looked::DefaultGateways);
        }
        let mut note = |finding: &[ListenerFinding], gateway: &NamespacedName, hold: bool| {
            for listener in finding {
                reached.push((listener.reached.clone(), gateway.clone(), hold));
            }
        };
        for name in names {
            let (before, after) = (old.get(name), new.get(name));
            if before == after {
                continue;
            }
            let key = ObjectKey::new(Kind::Gateway, name.namespace.clone(), name.name.clone());
            let (a, b) = (
                before.map_or(&[][..], |finding| &finding.listeners),
                after.map_or(&[][..], |finding| &finding.listeners),
            );
            note(a, name, false);
            note(b, name, true);
            if before.is_some() != after.is_some() || !same_for_routes(a, b) {
                routes.push(Looked::Parent(key.clone()));
            }
            work.touched.gateways.insert(name.clone());
            work.owners.insert(key);
        }
        let new = &self.resolved.listener_sets;
        let names: BTreeSet<&NamespacedName> = old_sets.keys().chain(new.keys()).collect();
        for name in names {
            let (before, after) = (old_sets.get(name), new.get(name));
            if before == after {
                continue;
            }
            let key = ObjectKey::new(Kind::ListenerSet, name.namespace.clone(), name.name.clone());
            let (a, b) = (
                before.map_or(&[][..], |finding| &finding.listeners),
                after.map_or(&[][..], |finding| &finding.listeners),
            );
            for (finding, list, hold) in [(before, a, false), (after, b, true)] {
                if let Some(finding) = finding {
                    note(list, &finding.gateway, hold);
                    work.touched.gateways.insert(finding.gateway.clone());
                }
            }
            let head = |finding: Option<&ListenerSetFinding>| {
                finding.map(|finding| (finding.gateway.clone(), finding.rejected.clone()))
            };
            if head(before) != head(after) || !same_for_routes(a, b) {
                routes.push(Looked::Parent(key.clone()));
            }
            work.owners.insert(key);
        }
        for looked in routes {
            self.mark_lookers(&looked, work);
        }
        for (reached, gateway, hold) in reached {
            let gateways = BTreeSet::from([gateway]);
            match hold {
                true => self.hold(&reached, &gateways, work),
                false => self.release(&reached, &gateways, work),
            }
        }
        work.touched.findings.extend(work.owners.iter().cloned());
    }
}

/// Whether routes come to the same on both.
fn same_for_routes(one: &[ListenerFinding], two: &[ListenerFinding]) -> bool {
    one.len() == two.len()
        && one.iter().zip(two).all(|(a, b)| {
            a.name == b.name
                && a.port == b.port
                && a.hostname == b.hostname
                && a.kinds == b.kinds
                && a.namespaces == b.namespaces
        })
}
