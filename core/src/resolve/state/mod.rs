//! Resolution that follows changes: who looked at what is known, so a change walks only what it can touch.
//!
//! A first resolution is the same thing with everything changed, so the two cannot come apart. One that no change will
//! follow ([`State::once`]) leaves out what changes are followed by, and is the same in all else.

mod findings;
mod gateways;
mod mark;
mod routes;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::attach::{ListenerId, Places};
use super::backend::Reached;
use super::context::Inputs;
use super::finding::{GatewayFinding, ListenerSetFinding};
use super::graph::{Graph, Shifted};
use super::policy::BackendPolicies;
use super::telemetry::Telemetry;
use super::{Resolved, Settings};
use crate::key::{Kind, NamespacedName, ObjectKey};
use crate::resources::{Resource, Resources};
use crate::rule::{Route, Routes, ServicePort};

/// An object that is another than before.
#[derive(Clone, Debug)]
pub(crate) struct Changed {
    pub(crate) key: Arc<ObjectKey>,
    pub(crate) old: Option<Arc<Resource>>,
    pub(crate) new: Option<Arc<Resource>>,
}

/// What a change came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Touched {
    /// Gateways whose listeners are others, or gone.
    pub(crate) gateways: BTreeSet<NamespacedName>,
    /// Service ports whose addresses are others, or gone.
    pub(crate) endpoints: BTreeSet<ServicePort>,
    /// Objects whose findings are others, or gone; some more than once.
    pub(crate) findings: Vec<Arc<ObjectKey>>,
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
    routes: BTreeMap<Arc<ObjectKey>, Links>,
    /// The routes of each listener, by the position of the listener.
    attached: BTreeMap<Arc<ObjectKey>, Vec<Routes>>,
    graph: Graph,
}

/// What a route hangs on.
#[derive(Clone, Debug)]
struct Links {
    route: Arc<Route>,
    places: Arc<Places>,
    reached: Reached,
}

/// What is on its way through one update.
#[derive(Debug, Default)]
struct Work {
    /// Everything has to be judged, and no change will follow: nothing is marked or noted.
    once: bool,
    /// What has to be judged again, by kind; some more than once.
    dirty: BTreeMap<Kind, Vec<Arc<ObjectKey>>>,
    /// Listeners with other routes.
    listeners: BTreeSet<ListenerId>,
    /// Gateways and ListenerSets with other findings, or gone.
    owners: BTreeSet<Arc<ObjectKey>>,
    /// Ports that are used or served otherwise, backends that other Gateways reach or that other policies are about.
    shifted: Shifted,
    touched: Touched,
}

impl Work {
    fn mark<'k>(&mut self, keys: impl IntoIterator<Item = &'k Arc<ObjectKey>>) {
        if self.once {
            return;
        }
        for key in keys {
            self.dirty.entry(key.kind).or_default().push(key.clone());
        }
    }

    /// Notes that the finding of an object is another, or gone.
    fn touch(&mut self, key: &Arc<ObjectKey>) {
        if !self.once {
            self.touched.findings.push(key.clone());
        }
    }

    /// What is dirty of a kind, in order, each once.
    fn dirty(&self, kind: Kind, resources: &Resources) -> Vec<Arc<ObjectKey>> {
        if self.once {
            let all = resources.shared(kind);
            return all.map(|resource| resource.shared_key().clone()).collect();
        }
        let mut keys = self.dirty.get(&kind).cloned().unwrap_or_default();
        // Those of a first resolution come in order.
        if !keys.is_sorted_by(|one, two| one < two) {
            keys.sort();
            keys.dedup();
        }
        keys
    }
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
        self.run(resolved, (resources, settings), changes, Work::default())
    }

    /// Resolves all there is, for those who will follow no change.
    pub(crate) fn once(
        resolved: &mut Resolved,
        resources: &Resources,
        settings: &Settings,
    ) -> Touched {
        let work = Work {
            once: true,
            ..Work::default()
        };
        State::default().run(resolved, (resources, settings), &[], work)
    }

    fn run(
        &mut self,
        resolved: &mut Resolved,
        (resources, settings): (&Resources, &Settings),
        changes: &[Changed],
        mut work: Work,
    ) -> Touched {
        std::mem::swap(&mut self.resolved, resolved);
        let graph = RefCell::new(std::mem::take(&mut self.graph));
        let inputs = Inputs {
            resources,
            settings,
            graph: &graph,
            once: work.once,
        };
        self.mark(&graph.borrow(), changes, &mut work);
        self.update_policies(inputs, &mut work);
        self.update_classes(inputs, changes, &mut work);
        self.update_gateways(inputs, &mut work);
        self.update_routes(inputs, &mut work);
        self.update_listeners(&mut work);
        self.update_findings(inputs, &mut work);
        self.update_endpoints(inputs, &mut work);
        self.graph = graph.into_inner();
        if !work.once {
            self.graph.sweep();
        }
        std::mem::swap(&mut self.resolved, resolved);
        work.touched
    }
}
