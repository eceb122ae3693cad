//! Which routes hang on which listeners (digest 2.3).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Settings;
use super::finding::{
    Finding, GatewayFinding, ListenerFinding, ParentFinding, Reason, RouteFinding,
};
use super::rule;
use super::view::{RouteView, routes as views};
use crate::api::gateway::{FromNamespaces, Listener as ListenerSpec};
use crate::api::reference::ParentReference;
use crate::hostname::Hostname;
use crate::key::{GATEWAY_GROUP, NamespacedName, ObjectKey};
use crate::resources::Resources;
use crate::rule::{Route, ServicePort};

/// All routes, attached.
#[derive(Debug, Default)]
pub struct Attached {
    /// What became of each route with a parent of ours.
    pub routes: BTreeMap<ObjectKey, RouteFinding>,
    /// The routes of each listener, by Gateway and position.
    pub by_listener: BTreeMap<(NamespacedName, usize), Vec<Arc<Route>>>,
    /// Every Service port that a rule refers to.
    pub ports: BTreeSet<ServicePort>,
}

/// Attaches all routes and counts them on their listeners.
pub fn routes(
    resources: &Resources,
    settings: &Settings,
    gateways: &mut BTreeMap<NamespacedName, GatewayFinding>,
) -> Attached {
    let mut attached = Attached::default();
    for view in views(resources) {
        let ours: Vec<(&ParentReference, NamespacedName)> = view
            .parents
            .iter()
            .filter_map(|reference| {
                let is_gateway =
                    reference.group() == GATEWAY_GROUP && reference.kind() == "Gateway";
                let name = NamespacedName::new(
                    reference.namespace(&view.key.namespace),
                    reference.name.clone(),
                );
                (is_gateway && gateways.contains_key(&name)).then_some((reference, name))
            })
            .collect();
        if ours.is_empty() {
            continue;
        }
        let compiled = rule::compile(resources, settings, &view);
        let (hostnames, bad_hostname) = hostnames(&view);
        let route = Arc::new(Route {
            key: view.key.clone(),
            created: view.metadata.created(),
            hostnames,
            rules: compiled.rules,
        });
        let unusable = bad_hostname.or(compiled.rejected);
        let mut parents = Vec::new();
        let mut listeners: BTreeSet<(NamespacedName, usize)> = BTreeSet::new();
        for (reference, name) in ours {
            let found = gateways.get(&name).map_or_else(
                || Ok(Vec::new()),
                |gateway| candidates(resources, &view, &route, reference, &name, gateway),
            );
            let rejected = match found {
                Err(finding) => Some(finding),
                Ok(_) if unusable.is_some() => unusable.clone(),
                Ok(numbers) => {
                    listeners.extend(numbers.into_iter().map(|number| (name.clone(), number)));
                    None
                }
            };
            parents.push(ParentFinding {
                reference: reference.clone(),
                rejected,
            });
        }
        for (name, number) in listeners {
            if let Some(listener) = gateways
                .get_mut(&name)
                .and_then(|gateway| gateway.listeners.get_mut(number))
            {
                listener.attached = listener.attached.saturating_add(1);
            }
            attached
                .by_listener
                .entry((name, number))
                .or_default()
                .push(route.clone());
        }
        let finding = RouteFinding {
            parents,
            unresolved: compiled.unresolved,
            dropped: compiled.dropped,
        };
        attached.routes.insert(view.key.clone(), finding);
        attached.ports.extend(compiled.ports);
    }
    attached
}

fn hostnames(view: &RouteView<'_>) -> (Vec<Hostname>, Option<Finding>) {
    let mut names = Vec::new();
    let mut bad = None;
    for (index, text) in view.hostnames.iter().enumerate() {
        match Hostname::parse(text) {
            Ok(name) => names.push(name),
            Err(error) => {
                let message = format!("spec.hostnames[{index}]: {error}");
                bad.get_or_insert_with(|| Finding::new(Reason::UnsupportedValue, message));
            }
        }
    }
    (names, bad)
}

/// The listeners of a Gateway that a reference attaches to, by position.
fn candidates(
    resources: &Resources,
    view: &RouteView<'_>,
    route: &Route,
    reference: &ParentReference,
    name: &NamespacedName,
    gateway: &GatewayFinding,
) -> Result<Vec<usize>, Finding> {
    let specs = resources
        .gateway(&name.namespace, &name.name)
        .map_or(&[][..], |gateway| &gateway.spec.listeners);
    let all: Vec<(usize, &ListenerFinding, &ListenerSpec)> = gateway
        .listeners
        .iter()
        .zip(specs)
        .enumerate()
        .map(|(number, (finding, spec))| (number, finding, spec))
        .collect();
    let named: Vec<_> = all
        .iter()
        .filter(|(_, finding, _)| {
            let section = reference
                .section_name
                .as_deref()
                .is_none_or(|section| section == &*finding.name);
            let port = reference
                .port
                .is_none_or(|port| port == i32::from(finding.port));
            section && port
        })
        .collect();
    if named.is_empty() {
        let there: Vec<String> = all
            .iter()
            .map(|(_, finding, _)| format!("`{}` on port {}", finding.name, finding.port))
            .collect();
        let wanted = match (&reference.section_name, reference.port) {
            (Some(section), Some(port)) => format!("no listener `{section}` on port {port}"),
            (Some(section), None) => format!("no listener `{section}`"),
            (None, Some(port)) => format!("no listener on port {port}"),
            (None, None) => "no listener".to_owned(),
        };
        let message = format!("Gateway `{name}` has {wanted}; it has {}", there.join(", "));
        return Err(Finding::new(Reason::NoMatchingParent, message));
    }
    let kinds: Vec<_> = named
        .iter()
        .filter(|(_, finding, _)| finding.kinds.contains(&view.key.kind))
        .collect();
    let allowed: Vec<_> = kinds
        .iter()
        .filter(|(_, _, spec)| namespace_allowed(resources, spec, view.key, name))
        .collect();
    if allowed.is_empty() {
        let why = if kinds.is_empty() {
            format!(
                "no listener of Gateway `{name}` that is meant serves {}",
                view.key.kind
            )
        } else {
            format!(
                "no listener of Gateway `{name}` that is meant admits routes of namespace `{}` (allowedRoutes.namespaces)",
                view.key.namespace
            )
        };
        return Err(Finding::new(Reason::NotAllowedByListeners, why));
    }
    let meeting: Vec<usize> = allowed
        .iter()
        .filter(|(_, finding, _)| meets(finding, route, view))
        .map(|(number, _, _)| *number)
        .collect();
    if meeting.is_empty() {
        let own: Vec<&str> = view.hostnames.iter().map(String::as_str).collect();
        let theirs: Vec<&str> = allowed
            .iter()
            .filter_map(|(_, finding, _)| finding.hostname.as_ref())
            .map(Hostname::as_str)
            .collect();
        let message = format!(
            "no hostname of the route ({}) meets one of the listeners of Gateway `{name}` ({})",
            own.join(", "),
            theirs.join(", ")
        );
        return Err(Finding::new(Reason::NoMatchingListenerHostname, message));
    }
    Ok(meeting)
}

fn meets(listener: &ListenerFinding, route: &Route, view: &RouteView<'_>) -> bool {
    // TCPRoutes and UDPRoutes have no hostnames; a route whose hostnames are all unreadable meets nothing.
    match &listener.hostname {
        None => true,
        Some(_) if view.hostnames.is_empty() => true,
        Some(own) => route.hostnames.iter().any(|name| own.intersects(name)),
    }
}

/// `allowedRoutes.namespaces`.
fn namespace_allowed(
    resources: &Resources,
    spec: &ListenerSpec,
    route: &ObjectKey,
    gateway: &NamespacedName,
) -> bool {
    match spec.routes_from() {
        FromNamespaces::All => true,
        FromNamespaces::Same => route.namespace == gateway.namespace,
        FromNamespaces::Selector => spec.routes_selector().is_some_and(|selector| {
            let mut labels = resources
                .namespace("", &route.namespace)
                .and_then(|namespace| namespace.metadata.labels.clone())
                .unwrap_or_default();
            // Kubernetes puts this label on every namespace; files rarely have it.
            labels
                .entry("kubernetes.io/metadata.name".to_owned())
                .or_insert_with(|| route.namespace.clone());
            selector.matches(&labels)
        }),
        _ => false,
    }
}
