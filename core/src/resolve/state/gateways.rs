//! Classes, Gateways, ListenerSets and telemetry: judged by themselves, then beside each other.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::key::{Kind, NamespacedName, ObjectKey};
use crate::resolve::backend::Reached;
use crate::resolve::context::{Context, Inputs};
use crate::resolve::finding::{ClassFinding, GatewayFinding, ListenerFinding, ListenerSetFinding};
use crate::resolve::graph::Graph;
use crate::resolve::telemetry::{self, Telemetry};
use crate::resolve::{class, gateway};

use super::{Changed, State, Work};

impl State {
    pub(super) fn update_classes(
        &mut self,
        inputs: Inputs<'_>,
        changes: &[Changed],
        work: &mut Work,
    ) {
        let resources = inputs.resources;
        let about = |change: &Changed| {
            matches!(
                change.key.kind,
                Kind::GatewayClass | Kind::CustomResourceDefinition | Kind::Gateway
            )
        };
        if !changes.iter().any(about) && !self.resolved.classes.is_empty() {
            return;
        }
        let mut classes = class::classes(resources, inputs.settings);
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
                work.touch(&Arc::new(key));
            }
            if served(before) != served(after) {
                others.insert(name);
            }
        }
        for (key, gateway) in resources.gateways() {
            if others.contains(&gateway.spec.gateway_class_name) {
                work.mark([&Arc::new(key.clone())]);
            }
        }
    }

    pub(super) fn update_gateways(&mut self, inputs: Inputs<'_>, work: &mut Work) {
        let Inputs {
            resources,
            settings,
            graph,
            ..
        } = inputs;
        let policies = std::mem::take(&mut self.policies);
        let context = Context::new(inputs, &policies);
        let gateways = work.dirty(Kind::Gateway, resources);
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
            let mut graph = graph.borrow_mut();
            graph.set([(key.clone(), context.take_looked())]);
            work.mark(graph.lookers(key));
        }
        let sets = work.dirty(Kind::ListenerSet, resources);
        for key in &sets {
            self.judge_set(&context, key);
            let looked = context.take_looked();
            graph.borrow_mut().set([(key.clone(), looked)]);
        }
        let telemetry = !work.dirty(Kind::XTelemetryPolicy, resources).is_empty();
        if !gateways.is_empty() || telemetry {
            self.update_telemetry(&context, graph, work);
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
        self.take_merged(&mut graph.borrow_mut(), merged, merged_sets, work);
    }

    pub(super) fn judge_set(&mut self, context: &Context<'_>, key: &ObjectKey) {
        let name = key.namespaced_name();
        let set = context.resources.listener_set(&key.namespace, &key.name);
        let parent = set.and_then(|set| Some((set, gateway::parent(key, set)?)));
        let finding = parent.and_then(|(set, parent)| {
            context.resource((parent.kind, &parent.namespace, &parent.name));
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
    }

    pub(super) fn update_telemetry(
        &mut self,
        context: &Context<'_>,
        graph: &RefCell<Graph>,
        work: &mut Work,
    ) {
        let new = telemetry::all(context, |name| self.gateways.contains_key(name));
        let looked = context.take_looked();
        let old = std::mem::replace(&mut self.telemetry, new);
        let new = &self.telemetry;
        // All policies are judged together, so each stands for all that was looked at.
        let keys: BTreeSet<&ObjectKey> = old.findings.keys().chain(new.findings.keys()).collect();
        let keys: Vec<Arc<ObjectKey>> = keys.into_iter().cloned().map(Arc::new).collect();
        let mut graph = graph.borrow_mut();
        graph.set(keys.iter().map(|key| {
            let here = new.findings.contains_key(&**key);
            let looked = if here { looked.clone() } else { Vec::new() };
            (key.clone(), looked)
        }));
        let gateways = |telemetry: &Telemetry, key: &ObjectKey| -> Vec<Arc<NamespacedName>> {
            let finding = telemetry.findings.get(key).into_iter();
            let ancestors = finding.flat_map(|finding| &finding.ancestors);
            ancestors.cloned().map(Arc::new).collect()
        };
        for (key, reached) in &old.reached {
            graph.release(reached, &gateways(&old, key), &mut work.shifted);
        }
        for (key, reached) in &new.reached {
            graph.hold(reached, &gateways(new, key), &mut work.shifted);
        }
        for key in keys {
            let finding = self.telemetry.findings.get(&*key).cloned();
            self.set_policy(key, finding, work);
        }
    }

    /// Takes findings up that were put beside each other, and marks the routes that hang on those that are others.
    pub(super) fn take_merged(
        &mut self,
        graph: &mut Graph,
        gateways: BTreeMap<NamespacedName, GatewayFinding>,
        sets: BTreeMap<NamespacedName, ListenerSetFinding>,
        work: &mut Work,
    ) {
        let old = std::mem::replace(&mut self.resolved.gateways, gateways);
        let old_sets = std::mem::replace(&mut self.resolved.listener_sets, sets);
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
            work.mark(graph.default_seekers());
        }
        let mut note = |finding: &[ListenerFinding], gateway: &NamespacedName, hold: bool| {
            for listener in finding {
                reached.push((listener.reached.clone(), gateway.clone(), hold));
            }
        };
        let mut others: BTreeSet<&NamespacedName> = BTreeSet::new();
        for name in names {
            let (before, after) = (old.get(name), new.get(name));
            if before == after {
                continue;
            }
            let key = ObjectKey::new(Kind::Gateway, name.namespace.clone(), name.name.clone());
            let key = Arc::new(key);
            let (a, b) = (
                before.map_or(&[][..], |finding| &finding.listeners),
                after.map_or(&[][..], |finding| &finding.listeners),
            );
            note(a, name, false);
            note(b, name, true);
            if before.is_some() != after.is_some() || !same_for_routes(a, b) {
                work.mark(graph.seekers(&key));
            }
            work.touched.gateways.insert(name.clone());
            work.owners.insert(key);
            others.insert(name);
        }
        let new = &self.resolved.listener_sets;
        // Whether a ListenerSet is programmed is up to its Gateway, too.
        for (name, _) in new.iter().filter(|(_, set)| others.contains(&set.gateway)) {
            let key = ObjectKey::new(Kind::ListenerSet, name.namespace.clone(), name.name.clone());
            work.owners.insert(Arc::new(key));
        }
        let names: BTreeSet<&NamespacedName> = old_sets.keys().chain(new.keys()).collect();
        for name in names {
            let (before, after) = (old_sets.get(name), new.get(name));
            if before == after {
                continue;
            }
            let key = ObjectKey::new(Kind::ListenerSet, name.namespace.clone(), name.name.clone());
            let key = Arc::new(key);
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
                work.mark(graph.seekers(&key));
            }
            work.owners.insert(key);
        }
        for (reached, gateway, hold) in reached {
            let gateways = [Arc::new(gateway)];
            match hold {
                true => graph.hold(&reached, &gateways, &mut work.shifted),
                false => graph.release(&reached, &gateways, &mut work.shifted),
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
