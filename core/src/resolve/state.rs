//! Resolution that follows changes: who looked at what is known, so a change walks only what it can touch.
//!
//! A first resolution is the same thing with everything changed, so the two cannot come apart.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::attach::{self, Attached, ListenerId, Parents};
use super::backend::{self, Reached};
use super::context::{Context, GrantQuery, Looked};
use super::finding::{GatewayFinding, ListenerFinding, ListenerSetFinding, PolicyFinding};
use super::policy::BackendPolicies;
use super::telemetry::{self, Telemetry};
use super::{Resolved, Settings, class, endpoints, gateway, grant, view};
use crate::api::Object;
use crate::key::{Kind, NamespacedName, ObjectKey};
use crate::resources::{Resource, Resources, SERVICE_NAME};
use crate::rule::{Listener, Route, ServicePort};

/// An object that is another than before: as it was.
#[derive(Clone, Debug)]
pub(crate) struct Changed {
    pub(crate) key: ObjectKey,
    pub(crate) old: Option<Arc<Resource>>,
}

/// What a change came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Touched {
    /// Gateways whose listeners are others, or gone.
    pub(crate) gateways: BTreeSet<NamespacedName>,
    /// Service ports whose addresses are others, or gone.
    pub(crate) endpoints: BTreeSet<ServicePort>,
    /// Objects whose findings are others, or gone.
    pub(crate) findings: BTreeSet<ObjectKey>,
}

/// How what is resolved hangs together.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// Lent for the time of an update.
    resolved: Resolved,
    policies: BackendPolicies,
    telemetry: Telemetry,
    /// Gateways and ListenerSets, each judged by itself.
    gateways: BTreeMap<NamespacedName, GatewayFinding>,
    sets: BTreeMap<NamespacedName, ListenerSetFinding>,
    routes: BTreeMap<ObjectKey, Links>,
    /// The routes of each listener, by the position of the listener.
    attached: BTreeMap<ObjectKey, Vec<BTreeMap<ObjectKey, Arc<Route>>>>,
    lookers: BTreeMap<Looked, BTreeSet<ObjectKey>>,
    looked: BTreeMap<ObjectKey, Vec<Looked>>,
    /// Which Gateways reach a Service or XBackend, and over how many references.
    users: BTreeMap<ObjectKey, BTreeMap<NamespacedName, u32>>,
    /// How many objects refer to a port.
    ports: BTreeMap<ServicePort, u32>,
}

/// What a route hangs on.
#[derive(Clone, Debug)]
struct Links {
    route: Arc<Route>,
    listeners: BTreeSet<ListenerId>,
    gateways: BTreeSet<NamespacedName>,
    reached: Reached,
}

/// What is on its way through one update.
#[derive(Debug, Default)]
struct Work {
    dirty: BTreeSet<ObjectKey>,
    /// Listeners with other routes.
    listeners: BTreeSet<ListenerId>,
    /// Gateways and ListenerSets with other findings, or gone.
    owners: BTreeSet<ObjectKey>,
    /// Backends that other Gateways reach, or that other policies are about.
    backends: BTreeSet<ObjectKey>,
    ports: BTreeSet<ServicePort>,
    touched: Touched,
}

impl State {
    /// Follows changes; `resources` are those after them.
    pub(crate) fn update(
        &mut self,
        resolved: &mut Resolved,
        resources: &Resources,
        settings: &Settings,
        changes: &[Changed],
    ) -> Touched {
        let mut work = Work::default();
        std::mem::swap(&mut self.resolved, resolved);
        self.mark(resources, changes, &mut work);
        self.update_policies(resources, settings, &mut work);
        self.update_classes(resources, settings, changes, &mut work);
        self.update_gateways(resources, settings, &mut work);
        self.update_routes(resources, settings, &mut work);
        self.update_listeners(&mut work);
        self.update_findings(resources, settings, &mut work);
        self.update_endpoints(resources, &mut work);
        std::mem::swap(&mut self.resolved, resolved);
        work.touched
    }

    /// Whoever looked at something becomes dirty.
    fn mark_lookers(&self, looked: &Looked, work: &mut Work) {
        if let Some(lookers) = self.lookers.get(looked) {
            work.dirty.extend(lookers.iter().cloned());
        }
    }

    fn set_looked(&mut self, who: &ObjectKey, looked: Vec<Looked>) {
        let old = match looked.is_empty() {
            true => self.looked.remove(who),
            false => self.looked.insert(who.clone(), looked.clone()),
        };
        let old = old.unwrap_or_default();
        if old == looked {
            return;
        }
        for one in &old {
            if looked.binary_search(one).is_ok() {
                continue;
            }
            if let Some(lookers) = self.lookers.get_mut(one) {
                lookers.remove(who);
                if lookers.is_empty() {
                    self.lookers.remove(one);
                }
            }
        }
        for one in looked {
            if old.binary_search(&one).is_err() {
                self.lookers.entry(one).or_default().insert(who.clone());
            }
        }
    }

    fn mark(&self, resources: &Resources, changes: &[Changed], work: &mut Work) {
        for change in changes {
            let new = resources.get(&change.key);
            if self.resolved.finds(&change.key) {
                // Its generation may be another.
                work.touched.findings.insert(change.key.clone());
            }
            if !matters(change.old.as_deref(), new.map(AsRef::as_ref)) {
                continue;
            }
            work.dirty.insert(change.key.clone());
            self.mark_lookers(&Looked::Object(change.key.clone()), work);
            for resource in [change.old.as_ref(), new].into_iter().flatten() {
                self.mark_about(resource, work);
            }
        }
    }

    /// Marks what an object is about without being looked at by name.
    fn mark_about(&self, resource: &Resource, work: &mut Work) {
        let key = resource.key();
        match resource.object() {
            Object::ReferenceGrant(grant) => {
                for (query, all) in grant::about(&key.namespace, grant) {
                    if !all {
                        self.mark_lookers(&Looked::Grant(query), work);
                        continue;
                    }
                    let same = |other: &GrantQuery| {
                        let named = GrantQuery {
                            to_name: String::new(),
                            ..other.clone()
                        };
                        named == query
                    };
                    let lookers = self.lookers.range(Looked::Grant(query.clone())..);
                    for (looked, lookers) in lookers {
                        match looked {
                            Looked::Grant(other) if same(other) => {
                                work.dirty.extend(lookers.iter().cloned());
                            }
                            _ => break,
                        }
                    }
                }
            }
            Object::EndpointSlice(slice) => {
                if let Some(service) = slice.metadata.label(SERVICE_NAME) {
                    self.mark_ports(Kind::Service, &key.namespace, Some(service), work);
                }
            }
            Object::Service(_) => {
                self.mark_ports(Kind::Service, &key.namespace, Some(&key.name), work);
            }
            Object::XBackend(_) => {
                self.mark_ports(Kind::XBackend, &key.namespace, Some(&key.name), work);
            }
            Object::Pod(_) => self.mark_ports(Kind::XBackend, &key.namespace, None, work),
            _ => {}
        }
    }

    fn mark_ports(&self, kind: Kind, namespace: &str, name: Option<&str>, work: &mut Work) {
        let first = ServicePort {
            kind,
            namespace: namespace.into(),
            name: name.unwrap_or_default().into(),
            port: 0,
        };
        let ports = self.ports.range(first..).map(|(port, _)| port);
        let ports = ports.take_while(|port| {
            port.kind == kind
                && *port.namespace == *namespace
                && name.is_none_or(|name| *port.name == *name)
        });
        work.ports.extend(ports.cloned());
    }

    fn dirty_of(work: &Work, kinds: &[Kind]) -> Vec<ObjectKey> {
        let of = |kind: &Kind| {
            let kind = *kind;
            work.dirty
                .range(ObjectKey::new(kind, "", "")..)
                .take_while(move |key| key.kind == kind)
                .cloned()
        };
        kinds.iter().flat_map(of).collect()
    }

    fn update_policies(&mut self, resources: &Resources, settings: &Settings, work: &mut Work) {
        let none = BackendPolicies::default();
        let context = Context::new(resources, settings, &none);
        let kinds = [Kind::BackendTlsPolicy, Kind::XBackendTrafficPolicy];
        for key in Self::dirty_of(work, &kinds) {
            let backends = self.policies.update(&context, &key);
            for target in self.policies.targets(&key) {
                context.look(Looked::Object(target.clone()));
            }
            self.set_looked(&key, context.take_looked());
            for backend in backends {
                self.mark_lookers(&Looked::Object(backend.clone()), work);
                work.backends.insert(backend);
            }
        }
    }

    fn update_classes(
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
        let served = |class: Option<&super::finding::ClassFinding>| {
            class.is_some_and(|class| class.rejected.is_none())
        };
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

    fn update_gateways(&mut self, resources: &Resources, settings: &Settings, work: &mut Work) {
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

    fn judge_set(&mut self, context: &Context<'_>, key: &ObjectKey) {
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

    fn update_telemetry(&mut self, context: &Context<'_>, work: &mut Work) {
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
    fn take_merged(
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

    fn update_routes(&mut self, resources: &Resources, settings: &Settings, work: &mut Work) {
        let kinds: Vec<Kind> = Kind::all().filter(|kind| kind.is_route()).collect();
        let dirty = Self::dirty_of(work, &kinds);
        let mut found: Vec<(ObjectKey, Option<Attached>, Vec<Looked>)> =
            Vec::with_capacity(dirty.len());
        {
            let context = Context::new(resources, settings, &self.policies);
            let parents = Parents {
                gateways: &self.resolved.gateways,
                sets: &self.resolved.listener_sets,
            };
            for key in dirty {
                let view = resources
                    .get(&key)
                    .and_then(|resource| view::view(resource));
                let attached = view.and_then(|view| attach::route(&context, &view, parents));
                found.push((key, attached, context.take_looked()));
            }
        }
        for owner in &work.owners {
            let name = owner.namespaced_name();
            let count = match owner.kind {
                Kind::Gateway => self.resolved.gateways.get(&name).map(|g| g.listeners.len()),
                _ => self
                    .resolved
                    .listener_sets
                    .get(&name)
                    .map(|set| set.listeners.len()),
            };
            match count {
                Some(count) => self
                    .attached
                    .entry(owner.clone())
                    .or_default()
                    .resize(count, BTreeMap::new()),
                None => {
                    self.attached.remove(owner);
                }
            }
        }
        for (key, attached, looked) in found {
            self.set_looked(&key, looked);
            self.take_route(key, attached, work);
        }
    }

    fn take_route(&mut self, key: ObjectKey, attached: Option<Attached>, work: &mut Work) {
        let old = self.routes.remove(&key);
        let Some(mut attached) = attached else {
            if let Some(old) = old {
                self.unhang(&key, &old.listeners, work);
                self.release(&old.reached, &old.gateways, work);
                self.resolved.routes.remove(&key);
                work.touched.findings.insert(key);
            }
            return;
        };
        let same = old.as_ref().is_some_and(|old| old.route == attached.route);
        if let Some(old) = &old {
            if same {
                attached.route = old.route.clone();
            }
            if !same || old.listeners != attached.listeners {
                self.unhang(&key, &old.listeners, work);
            }
            if old.reached != attached.reached || old.gateways != attached.gateways {
                self.release(&old.reached, &old.gateways, work);
            }
        }
        let moved = |old: &Links| !same || old.listeners != attached.listeners;
        if old.as_ref().is_none_or(moved) {
            for (owner, number) in &attached.listeners {
                if let Some(routes) = self
                    .attached
                    .get_mut(owner)
                    .and_then(|listeners| listeners.get_mut(*number))
                {
                    routes.insert(key.clone(), attached.route.clone());
                    work.listeners.insert((owner.clone(), *number));
                }
            }
        }
        let reaches =
            |old: &Links| old.reached != attached.reached || old.gateways != attached.gateways;
        if old.as_ref().is_none_or(reaches) {
            self.hold(&attached.reached, &attached.gateways, work);
        }
        if self.resolved.routes.get(&key) != Some(&attached.finding) {
            work.touched.findings.insert(key.clone());
            self.resolved.routes.insert(key.clone(), attached.finding);
        }
        let links = Links {
            route: attached.route,
            listeners: attached.listeners,
            gateways: attached.gateways,
            reached: attached.reached,
        };
        self.routes.insert(key, links);
    }

    fn unhang(&mut self, key: &ObjectKey, from: &BTreeSet<ListenerId>, work: &mut Work) {
        for (owner, number) in from {
            let listeners = self.attached.get_mut(owner);
            if let Some(routes) = listeners.and_then(|listeners| listeners.get_mut(*number)) {
                routes.remove(key);
            }
            work.listeners.insert((owner.clone(), *number));
        }
    }

    /// Counts what something refers to.
    fn hold(&mut self, reached: &Reached, gateways: &BTreeSet<NamespacedName>, work: &mut Work) {
        for port in &reached.ports {
            let count = self.ports.entry(port.clone()).or_default();
            *count = count.saturating_add(1);
            if *count == 1 {
                work.ports.insert(port.clone());
            }
        }
        for backend in &reached.backends {
            let users = self.users.entry(backend.clone()).or_default();
            for gateway in gateways {
                let count = users.entry(gateway.clone()).or_default();
                *count = count.saturating_add(1);
                if *count == 1 {
                    work.backends.insert(backend.clone());
                }
            }
        }
    }

    fn release(&mut self, reached: &Reached, gateways: &BTreeSet<NamespacedName>, work: &mut Work) {
        for port in &reached.ports {
            if let Some(count) = self.ports.get_mut(port) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.ports.remove(port);
                    work.ports.insert(port.clone());
                }
            }
        }
        for backend in &reached.backends {
            let Some(users) = self.users.get_mut(backend) else {
                continue;
            };
            for gateway in gateways {
                if let Some(count) = users.get_mut(gateway) {
                    *count = count.saturating_sub(1);
                    if *count == 0 {
                        users.remove(gateway);
                        work.backends.insert(backend.clone());
                    }
                }
            }
            if users.is_empty() {
                self.users.remove(backend);
            }
        }
    }

    /// Makes the listeners anew whose routes or findings are others; the rest stay the very same.
    fn update_listeners(&mut self, work: &mut Work) {
        for (owner, number) in &work.listeners {
            work.touched.findings.insert(owner.clone());
            let name = owner.namespaced_name();
            let gateway = match owner.kind {
                Kind::Gateway => Some(name),
                _ => self
                    .resolved
                    .listener_sets
                    .get(&name)
                    .map(|set| set.gateway.clone()),
            };
            work.touched.gateways.extend(gateway);
            let count = self
                .attached
                .get(owner)
                .and_then(|listeners| listeners.get(*number))
                .map_or(0, BTreeMap::len);
            let id = (owner.clone(), *number);
            match count {
                0 => self.resolved.attached.remove(&id),
                count => self.resolved.attached.insert(id, count),
            };
        }
        let mut sets: BTreeMap<&NamespacedName, Vec<(ObjectKey, &ListenerSetFinding)>> =
            BTreeMap::new();
        for (name, set) in &self.resolved.listener_sets {
            if work.touched.gateways.contains(&set.gateway) && set.rejected.is_none() {
                let key =
                    ObjectKey::new(Kind::ListenerSet, name.namespace.clone(), name.name.clone());
                sets.entry(&set.gateway).or_default().push((key, set));
            }
        }
        for name in &work.touched.gateways {
            let Some(finding) = self.resolved.gateways.get(name) else {
                self.resolved.listeners.remove(name);
                continue;
            };
            let key = ObjectKey::new(Kind::Gateway, name.namespace.clone(), name.name.clone());
            let before = self
                .resolved
                .listeners
                .get(name)
                .filter(|_| !work.owners.contains(&key));
            let before: BTreeMap<(&ObjectKey, &str), &Arc<Listener>> = before
                .into_iter()
                .flatten()
                .map(|listener| ((&listener.owner, &*listener.name), listener))
                .collect();
            let mut owners = vec![(key, finding.listeners.as_slice())];
            let more = sets.remove(name).unwrap_or_default();
            owners.extend(
                more.into_iter()
                    .map(|(key, set)| (key, set.listeners.as_slice())),
            );
            let mut serving = Vec::new();
            for (owner, listeners) in owners {
                for (number, listener) in listeners.iter().enumerate() {
                    let same = !work.owners.contains(&owner)
                        && !work.listeners.contains(&(owner.clone(), number));
                    let kept = before.get(&(&owner, &*listener.name)).filter(|_| same);
                    if let Some(kept) = kept {
                        serving.push((*kept).clone());
                    } else if finding.rejected.is_none() && listener.serves() {
                        let routes = self.attached.get(&owner).and_then(|all| all.get(number));
                        serving.extend(made(name, finding, &owner, listener, routes));
                    }
                }
            }
            self.resolved.listeners.insert(name.clone(), serving);
        }
    }

    fn set_policy(&mut self, key: ObjectKey, finding: Option<PolicyFinding>, work: &mut Work) {
        if self.resolved.policies.get(&key) == finding.as_ref() {
            return;
        }
        match finding {
            Some(finding) => self.resolved.policies.insert(key.clone(), finding),
            None => self.resolved.policies.remove(&key),
        };
        work.touched.findings.insert(key);
    }

    fn ancestors<'k>(
        &self,
        backends: impl Iterator<Item = &'k ObjectKey>,
    ) -> BTreeSet<NamespacedName> {
        backends
            .filter_map(|backend| self.users.get(backend))
            .flat_map(|users| users.keys().cloned())
            .collect()
    }

    /// What policies and XBackends come to: which Gateways they matter to is known last.
    fn update_findings(&mut self, resources: &Resources, settings: &Settings, work: &mut Work) {
        let kinds = [Kind::BackendTlsPolicy, Kind::XBackendTrafficPolicy];
        let mut keys: BTreeSet<ObjectKey> = Self::dirty_of(work, &kinds).into_iter().collect();
        for backend in &work.backends {
            keys.extend(self.policies.about(backend));
        }
        let mut found = Vec::new();
        let context = Context::new(resources, settings, &self.policies);
        for key in keys {
            let finding = self
                .policies
                .verdict(&context, &key)
                .map(|verdict| PolicyFinding {
                    ancestors: self.ancestors(self.policies.targets(&key)),
                    rejected: verdict.rejected,
                    unresolved: verdict.unresolved,
                });
            found.push((key, finding));
        }
        let mut backends: BTreeSet<ObjectKey> = Self::dirty_of(work, &[Kind::XBackend])
            .into_iter()
            .collect();
        let users = work
            .backends
            .iter()
            .filter(|key| key.kind == Kind::XBackend);
        backends.extend(users.cloned());
        context.take_looked();
        let mut looks = Vec::new();
        for key in backends {
            let object = resources.x_backend(&key.namespace, &key.name);
            let finding = object.map(|object| {
                let tls = backend::x_backend_tls(&context, &key, object);
                PolicyFinding {
                    ancestors: self.ancestors(std::iter::once(&key)),
                    rejected: backend::unusable(&key, object)
                        .or_else(|| tls.and_then(|tls| tls.rejected)),
                    unresolved: None,
                }
            });
            looks.push((key.clone(), context.take_looked()));
            found.push((key, finding));
        }
        for (key, looked) in looks {
            self.set_looked(&key, looked);
        }
        for (key, finding) in found {
            self.set_policy(key, finding, work);
        }
    }

    fn update_endpoints(&mut self, resources: &Resources, work: &mut Work) {
        for port in std::mem::take(&mut work.ports) {
            if !self.ports.contains_key(&port) {
                if self.resolved.endpoints.remove(&port).is_some() {
                    work.touched.endpoints.insert(port);
                }
                continue;
            }
            let new = endpoints::of(resources, &port);
            if self.resolved.endpoints.get(&port).map(AsRef::as_ref) != Some(&new) {
                self.resolved.endpoints.insert(port.clone(), Arc::new(new));
                work.touched.endpoints.insert(port);
            }
        }
    }
}

fn made(
    name: &NamespacedName,
    gateway: &GatewayFinding,
    owner: &ObjectKey,
    listener: &ListenerFinding,
    routes: Option<&BTreeMap<ObjectKey, Arc<Route>>>,
) -> Option<Arc<Listener>> {
    Some(Arc::new(Listener {
        owner: owner.clone(),
        gateway: name.clone(),
        name: listener.name.clone(),
        port: listener.port,
        protocol: listener.protocol?,
        hostname: listener.hostname.clone(),
        tls: listener.tls.clone(),
        backend_client_certificate: gateway.client_certificate.clone(),
        filters: listener.filters.clone(),
        routes: routes
            .into_iter()
            .flat_map(|routes| routes.values().cloned())
            .collect(),
    }))
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

/// Whether resolution can tell the two apart: statuses and bookkeeping do not matter.
fn matters(old: Option<&Resource>, new: Option<&Resource>) -> bool {
    let (Some(old), Some(new)) = (old, new) else {
        return true;
    };
    let (a, b) = (old.object(), new.object());
    if a.metadata().created() != b.metadata().created() {
        return true;
    }
    match (a, b) {
        (Object::HttpRoute(a), Object::HttpRoute(b)) => a.spec != b.spec,
        (Object::GrpcRoute(a), Object::GrpcRoute(b)) => a.spec != b.spec,
        (Object::TlsRoute(a), Object::TlsRoute(b)) => a.spec != b.spec,
        (Object::TcpRoute(a), Object::TcpRoute(b)) => a.spec != b.spec,
        (Object::UdpRoute(a), Object::UdpRoute(b)) => a.spec != b.spec,
        (Object::GatewayClass(a), Object::GatewayClass(b)) => a.spec != b.spec,
        (Object::Gateway(a), Object::Gateway(b)) => {
            a.spec != b.spec || a.metadata.annotations != b.metadata.annotations
        }
        (Object::ListenerSet(a), Object::ListenerSet(b)) => a.spec != b.spec,
        (Object::BackendTlsPolicy(a), Object::BackendTlsPolicy(b)) => a.spec != b.spec,
        (Object::XBackend(a), Object::XBackend(b)) => a.spec != b.spec,
        (Object::XBackendTrafficPolicy(a), Object::XBackendTrafficPolicy(b)) => a.spec != b.spec,
        (Object::XTelemetryPolicy(a), Object::XTelemetryPolicy(b)) => a.spec != b.spec,
        (Object::Service(a), Object::Service(b)) => a.spec != b.spec,
        (Object::ReferenceGrant(a), Object::ReferenceGrant(b)) => a.spec != b.spec,
        (Object::Namespace(a), Object::Namespace(b)) => a.metadata.labels != b.metadata.labels,
        (a, b) => a != b,
    }
}
