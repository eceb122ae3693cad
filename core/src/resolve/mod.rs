//! Resources → what attaches to what: listeners with their routes, endpoints, and findings for statuses.
//!
//! Resolution is total: whatever the resources are, tables and findings come out. It is the only part that sees both what
//! users write ([`crate::api`]) and what runs ([`crate::rule`]).
//!
//! Steps: [`class`] says which Gateways are ours, [`listener`] which listeners serve, [`attach`] which routes hang on them,
//! [`rule`](mod@rule), [`filter`] and [`backend`] make rules of them; [`grant`] answers for references between namespaces,
//! [`certificate`] reads Secrets, [`endpoints`] turns EndpointSlices into addresses.

pub mod attach;
pub mod backend;
mod base64;
pub mod certificate;
pub mod class;
pub mod endpoints;
pub mod filter;
pub mod finding;
pub mod grant;
pub mod listener;
pub mod rule;
pub mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::filter::FilterType;
use crate::key::{NamespacedName, ObjectKey};
use crate::pattern::PatternLimits;
use crate::resources::Resources;
use crate::rule::{Listener, ServicePort};
use endpoints::Endpoints;
use finding::{ClassFinding, GatewayFinding, RouteFinding};

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
}

/// What resolution came to.
#[derive(Clone, Debug, Default)]
pub struct Resolved {
    /// GatewayClasses of ours, by name.
    pub classes: BTreeMap<String, ClassFinding>,
    /// Gateways of ours.
    pub gateways: BTreeMap<NamespacedName, GatewayFinding>,
    /// Routes that name a Gateway of ours as parent.
    pub routes: BTreeMap<ObjectKey, RouteFinding>,
    /// The listeners that serve, by Gateway.
    pub listeners: BTreeMap<NamespacedName, Vec<Arc<Listener>>>,
    /// The addresses of every Service port that a route refers to.
    pub endpoints: BTreeMap<ServicePort, Arc<Endpoints>>,
}

/// Resolves all resources.
pub fn resolve(resources: &Resources, settings: &Settings) -> Resolved {
    let classes = class::classes(resources, settings);
    let mut gateways = listener::gateways(resources, settings, &classes);
    let attached = attach::routes(resources, settings, &mut gateways);
    let listeners = gateways
        .iter()
        .map(|(name, gateway)| {
            (
                name.clone(),
                listener::serving(name, gateway, &attached.by_listener),
            )
        })
        .collect();
    let endpoints = endpoints::of_ports(resources, attached.ports);
    Resolved {
        classes,
        gateways,
        routes: attached.routes,
        listeners,
        endpoints,
    }
}
