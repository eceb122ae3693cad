//! Resolution that follows changes: who looked at what is known, so a change walks only what it can touch.
//!
//! A first resolution is the same thing with everything changed, so the two cannot come apart.

mod findings;
mod gateways;
mod mark;
mod routes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::attach::ListenerId;
use super::backend::Reached;
use super::context::Looked;
use super::finding::{GatewayFinding, ListenerSetFinding};
use super::policy::BackendPolicies;
use super::telemetry::Telemetry;
use super::{Resolved, Settings};
use crate::key::{NamespacedName, ObjectKey};
use crate::resources::{Resource, Resources};
use crate::rule::{Route, ServicePort};

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
}
