//! Resources → what attaches to what: listeners with their routes, endpoints, and findings for statuses.
//!
//! Resolution is total: whatever the resources are, tables and findings come out. It is the only part that sees both what
//! users write ([`crate::api`]) and what runs ([`crate::rule`]).
//!
//! Steps: `class` says which Gateways are ours, `gateway` and `listener` which listeners serve and `conflict` which
//! cannot stand beside each other, `attach` which routes hang on them, `rule`, `filter` and `backend` make
//! rules of them; `policy` and `telemetry` are about backends and Gateways, `grant` answers for references between
//! namespaces, `certificate` and `trust` read Secrets and ConfigMaps, [`endpoints`] turns EndpointSlices into addresses.
//! `state` runs them, over what a change touches.

mod attach;
mod backend;
mod certificate;
mod class;
mod conflict;
mod context;
mod destinations;
pub mod endpoints;
mod filter;
pub mod finding;
mod frontend;
mod gateway;
mod grant;
mod graph;
mod listener;
mod policy;
mod route_findings;
mod rule;
mod state;
mod telemetry;
mod trust;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::filter::FilterType;
use crate::key::{Kind, NamespacedName, ObjectKey};
use crate::pattern::PatternLimits;
use crate::rule::{Listener, ServicePort};
pub use backend::Reached;
use endpoints::Endpoints;
use finding::{ClassFinding, GatewayFinding, ListenerSetFinding, PolicyFinding};
pub use route_findings::RouteFindings;
pub(crate) use state::{Changed, State, Touched};

/// What resolution is told besides the resources.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// `GatewayClass.spec.controllerName` of the classes that are ours.
    pub controller_name: String,
    /// A class of ours that exists although no resource defines it.
    pub implicit_class: Option<String>,
    /// Whether Gateways without `spec.addresses` share one address (outside Kubernetes they do).
    pub shared_address: bool,
    /// What a regular expression may cost.
    pub pattern_limits: PatternLimits,
    /// Types of filters that the caller's data plane does not carry out: rules that use them are invalid.
    pub unsupported_filters: Vec<FilterType>,
    /// Whether the caller's data plane sends spans.
    pub tracing: bool,
}

/// What resolution came to.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Resolved {
    /// GatewayClasses of ours, by name.
    pub classes: BTreeMap<String, ClassFinding>,
    /// Gateways of ours.
    pub gateways: BTreeMap<NamespacedName, GatewayFinding>,
    /// ListenerSets of Gateways of ours.
    pub listener_sets: BTreeMap<NamespacedName, ListenerSetFinding>,
    /// Routes that name a Gateway or ListenerSet of ours as parent.
    pub routes: RouteFindings,
    /// How many routes hang on each listener, by the object that holds them, in the order of its listeners.
    pub attached: BTreeMap<Arc<ObjectKey>, Vec<usize>>,
    /// Policies and XBackends; one that no Gateway of ours reaches has no ancestor.
    pub policies: BTreeMap<Arc<ObjectKey>, PolicyFinding>,
    /// The listeners that serve, by Gateway.
    pub listeners: BTreeMap<NamespacedName, Vec<Arc<Listener>>>,
    /// The addresses of every port that is referred to.
    pub endpoints: BTreeMap<ServicePort, Arc<Endpoints>>,
}

impl Resolved {
    /// Whether there is a finding of an object.
    pub fn finds(&self, key: &ObjectKey) -> bool {
        match key.kind {
            Kind::GatewayClass => self.classes.contains_key(&key.name),
            Kind::Gateway => self.gateways.contains_key(&key.namespaced_name()),
            Kind::ListenerSet => self.listener_sets.contains_key(&key.namespaced_name()),
            kind if kind.is_route() => self.routes.get(key).is_some(),
            _ => self.policies.contains_key(key),
        }
    }
}
