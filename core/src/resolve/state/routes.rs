//! Routes: compiled, hung on listeners, counted; and the listeners that are others for it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::key::{Kind, NamespacedName, ObjectKey};
use crate::resolve::RouteFindings;
use crate::resolve::attach::{self, Attached, ListenerId, Parents};
use crate::resolve::context::{Context, Inputs};
use crate::resolve::finding::{GatewayFinding, ListenerFinding, ListenerSetFinding};
use crate::resolve::graph::{self, Graph, Node};
use crate::resolve::view;
use crate::resources::Resource;
use crate::rule::{Listener, Route, Routes};

use super::{Links, State, Work};

/// Routes on their way to what they hang on. Those that are not known yet are put in together: of a first resolution that
/// costs no search.
struct Hanging<'s> {
    findings: &'s mut RouteFindings,
    links: &'s mut BTreeMap<Arc<ObjectKey>, Links>,
    attached: &'s mut BTreeMap<Arc<ObjectKey>, Vec<Routes>>,
    graph: &'s RefCell<Graph>,
    work: &'s mut Work,
    new_links: Vec<(Arc<ObjectKey>, Links)>,
    /// What routes looked at.
    looks: Vec<(Arc<ObjectKey>, Vec<Node>)>,
    /// Those that do not come after all others of their listener.
    hung: BTreeMap<ListenerId, Vec<Arc<Route>>>,
}

impl State {
    pub(super) fn update_routes(&mut self, inputs: Inputs<'_>, work: &mut Work) {
        self.resize(work);
        let kinds = || Kind::all().filter(|kind| kind.is_route());
        let resources = inputs.resources;
        let once = work.once;
        let dirty: Vec<Arc<ObjectKey>> = if once {
            Vec::new()
        } else {
            kinds()
                .flat_map(|kind| work.dirty(kind, resources))
                .collect()
        };
        let context = Context::new(inputs, &self.policies);
        let parents = Parents::new(&self.resolved.gateways, &self.resolved.listener_sets);
        let mut hanging = Hanging {
            findings: &mut self.resolved.routes,
            links: &mut self.routes,
            attached: &mut self.attached,
            graph: inputs.graph,
            work,
            new_links: Vec::with_capacity(dirty.len()),
            looks: Vec::with_capacity(dirty.len()),
            hung: BTreeMap::new(),
        };
        let mut one = |key: &Arc<ObjectKey>, resource: Option<&Arc<Resource>>| {
            let view = resource.and_then(|resource| view::view(resource));
            let attached = view.and_then(|view| attach::route(&context, &view, &parents));
            hanging.take(key, attached, context.take_looked());
        };
        if once {
            let all = kinds().flat_map(|kind| resources.shared(kind));
            all.for_each(|resource| one(resource.shared_key(), Some(resource)));
        } else {
            resources.each(&dirty, one);
        }
        hanging.finish();
    }

    /// Makes room for the routes of listeners that are new.
    fn resize(&mut self, work: &Work) {
        for owner in &work.owners {
            let name = owner.namespaced_name();
            let resolved = &self.resolved;
            let count = match owner.kind {
                Kind::Gateway => resolved.gateways.get(&name).map(|g| g.listeners.len()),
                _ => {
                    let set = resolved.listener_sets.get(&name);
                    set.map(|set| set.listeners.len())
                }
            };
            match count {
                Some(count) => self
                    .attached
                    .entry(owner.clone())
                    .or_default()
                    .resize(count, Routes::default()),
                None => {
                    self.attached.remove(owner);
                }
            }
        }
    }

    /// Makes the listeners anew whose routes or findings are others; the rest stay the very same.
    pub(super) fn update_listeners(&mut self, work: &mut Work) {
        let mut owners: BTreeSet<&Arc<ObjectKey>> = work.owners.iter().collect();
        owners.extend(work.listeners.iter().map(|(owner, _)| owner));
        for owner in owners {
            work.touched.findings.push(owner.clone());
            let name = owner.namespaced_name();
            let gateway = match owner.kind {
                Kind::Gateway => Some(name),
                _ => {
                    let set = self.resolved.listener_sets.get(&name);
                    set.map(|set| set.gateway.clone())
                }
            };
            work.touched.gateways.extend(gateway);
            match self.attached.get(owner) {
                Some(listeners) => {
                    let counts = listeners.iter().map(Routes::len).collect();
                    self.resolved.attached.insert(owner.clone(), counts);
                }
                None => {
                    self.resolved.attached.remove(owner);
                }
            }
        }
        let mut sets: BTreeMap<&NamespacedName, Vec<(Arc<ObjectKey>, &ListenerSetFinding)>> =
            BTreeMap::new();
        for (name, set) in &self.resolved.listener_sets {
            if work.touched.gateways.contains(&set.gateway) && set.rejected.is_none() {
                let key =
                    ObjectKey::new(Kind::ListenerSet, name.namespace.clone(), name.name.clone());
                let key = Arc::new(key);
                sets.entry(&set.gateway).or_default().push((key, set));
            }
        }
        for name in &work.touched.gateways {
            let Some(finding) = self.resolved.gateways.get(name) else {
                self.resolved.listeners.remove(name);
                continue;
            };
            let key = ObjectKey::new(Kind::Gateway, name.namespace.clone(), name.name.clone());
            let key = Arc::new(key);
            let gateway_is_same = !work.owners.contains(&key);
            let before = self.resolved.listeners.get(name).into_iter().flatten();
            let before: BTreeMap<(&ObjectKey, &str), &Arc<Listener>> = before
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
                    let same = gateway_is_same
                        && !work.owners.contains(&owner)
                        && !work.listeners.contains(&(owner.clone(), number));
                    // Names may be there twice.
                    let own = |old: &&&Arc<Listener>| {
                        old.port == listener.port
                            && Some(old.protocol) == listener.protocol
                            && old.hostname == listener.hostname
                    };
                    let old = before.get(&(&*owner, &*listener.name)).filter(own);
                    if let Some(old) = old.filter(|_| same) {
                        serving.push((*old).clone());
                    } else if finding.rejected.is_none() && listener.serves() {
                        let routes = self.attached.get(&owner).and_then(|all| all.get(number));
                        let made = made(name, finding, &owner, listener, routes);
                        serving.extend(made.map(|made| match old {
                            Some(old) if ***old == made => (*old).clone(),
                            _ => Arc::new(made),
                        }));
                    }
                }
            }
            self.resolved.listeners.insert(name.clone(), serving);
        }
    }
}

impl Hanging<'_> {
    fn take(&mut self, key: &Arc<ObjectKey>, attached: Option<Attached>, looked: Vec<Node>) {
        if !self.work.once {
            self.looks.push((key.clone(), looked));
        }
        let old = self.links.remove(key);
        let Some(mut attached) = attached else {
            if let Some(old) = old {
                self.unhang(key, &old.places.listeners);
                self.release(&old);
                self.findings.remove(key);
                self.work.touch(key);
            }
            return;
        };
        let (mut hangs, mut holds) = (true, true);
        if let Some(old) = &old {
            let same = old.route == attached.route;
            if same {
                attached.route = old.route.clone();
            } else {
                attached.route = keep_rules(&old.route, attached.route);
            }
            let listeners = old.places.listeners == attached.places.listeners;
            hangs = !same || !listeners;
            if !listeners {
                self.unhang(key, &old.places.listeners);
            }
            holds =
                old.reached != attached.reached || old.places.gateways != attached.places.gateways;
            if holds {
                self.release(old);
            }
        }
        if hangs {
            for id in &attached.places.listeners {
                self.hang(id, &attached.route);
            }
        }
        if holds {
            let shifted = &mut self.work.shifted;
            let mut graph = self.graph.borrow_mut();
            graph.hold(&attached.reached, &attached.places.gateways, shifted);
        }
        if self.findings.set((key.clone(), attached.finding)) {
            self.work.touch(key);
        }
        if !self.work.once {
            let links = Links {
                route: attached.route,
                places: attached.places,
                reached: attached.reached,
            };
            self.new_links.push((key.clone(), links));
        }
    }

    fn release(&mut self, old: &Links) {
        let shifted = &mut self.work.shifted;
        let mut graph = self.graph.borrow_mut();
        graph.release(&old.reached, &old.places.gateways, shifted);
    }

    fn hang(&mut self, id: &ListenerId, route: &Arc<Route>) {
        let (owner, number) = id;
        let listeners = self.attached.get_mut(owner);
        if let Some(routes) = listeners.and_then(|listeners| listeners.get_mut(*number))
            && let Err(route) = routes.push(route.clone())
        {
            self.hung.entry(id.clone()).or_default().push(route);
        }
        if !self.work.listeners.contains(id) {
            self.work.listeners.insert(id.clone());
        }
    }

    fn unhang(&mut self, key: &ObjectKey, from: &[ListenerId]) {
        for id in from {
            let (owner, number) = id;
            let listeners = self.attached.get_mut(owner);
            if let Some(routes) = listeners.and_then(|listeners| listeners.get_mut(*number)) {
                routes.remove(key);
            }
            self.work.listeners.insert(id.clone());
        }
    }

    fn finish(self) {
        self.graph.borrow_mut().set(self.looks);
        graph::add_all(self.links, self.new_links);
        for ((owner, number), new) in self.hung {
            let listeners = self.attached.get_mut(&owner);
            let Some(routes) = listeners.and_then(|listeners| listeners.get_mut(number)) else {
                continue;
            };
            if new.len() < 16 + routes.len() / 8 {
                for route in new {
                    routes.insert(route);
                }
            } else {
                *routes = routes.iter().cloned().chain(new).collect();
            }
        }
    }
}

fn made(
    name: &NamespacedName,
    gateway: &GatewayFinding,
    owner: &ObjectKey,
    listener: &ListenerFinding,
    routes: Option<&Routes>,
) -> Option<Listener> {
    Some(Listener {
        owner: owner.clone(),
        gateway: name.clone(),
        name: listener.name.clone(),
        port: listener.port,
        protocol: listener.protocol?,
        hostname: listener.hostname.clone(),
        tls: listener.tls.clone(),
        backend_client_certificate: gateway.client_certificate.clone(),
        filters: listener.filters.clone(),
        routes: routes.cloned().unwrap_or_default(),
    })
}

/// A route with the rules that it had before where they are equal, so that a table sees that they are the same.
fn keep_rules(old: &Route, new: Arc<Route>) -> Arc<Route> {
    let mut new = Arc::unwrap_or_clone(new);
    for (rule, before) in new.rules.iter_mut().zip(&old.rules) {
        if rule == before {
            *rule = before.clone();
        }
    }
    Arc::new(new)
}
