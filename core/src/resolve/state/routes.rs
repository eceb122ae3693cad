//! Routes: compiled, hung on listeners, counted; and the listeners that are others for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::key::{Kind, NamespacedName, ObjectKey};
use crate::resolve::attach::{self, Attached, ListenerId, Parents};
use crate::resolve::backend::Reached;
use crate::resolve::context::{Context, Looked};
use crate::resolve::finding::{GatewayFinding, ListenerFinding, ListenerSetFinding};
use crate::resolve::{Settings, view};
use crate::resources::Resources;
use crate::rule::{Listener, Route};

use super::{Links, State, Work};

impl State {
    pub(super) fn update_routes(
        &mut self,
        resources: &Resources,
        settings: &Settings,
        work: &mut Work,
    ) {
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

    pub(super) fn take_route(
        &mut self,
        key: ObjectKey,
        attached: Option<Attached>,
        work: &mut Work,
    ) {
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

    pub(super) fn unhang(&mut self, key: &ObjectKey, from: &BTreeSet<ListenerId>, work: &mut Work) {
        for (owner, number) in from {
            let listeners = self.attached.get_mut(owner);
            if let Some(routes) = listeners.and_then(|listeners| listeners.get_mut(*number)) {
                routes.remove(key);
            }
            work.listeners.insert((owner.clone(), *number));
        }
    }

    /// Counts what something refers to.
    pub(super) fn hold(
        &mut self,
        reached: &Reached,
        gateways: &BTreeSet<NamespacedName>,
        work: &mut Work,
    ) {
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

    pub(super) fn release(
        &mut self,
        reached: &Reached,
        gateways: &BTreeSet<NamespacedName>,
        work: &mut Work,
    ) {
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
    pub(super) fn update_listeners(&mut self, work: &mut Work) {
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
