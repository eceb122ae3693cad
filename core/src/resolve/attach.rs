//! What a route comes to: which listeners it hangs on, and why not (digest 2.3).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::backend::Reached;
use super::context::{Context, Looked};
use super::finding::{
    Finding, GatewayFinding, ListenerFinding, ListenerSetFinding, ParentFinding, Reason,
    RouteFinding,
};
use super::rule;
use super::view::RouteView;
use crate::api::reference::ParentReference;
use crate::hostname::Hostname;
use crate::key::{GATEWAY_GROUP, Kind, NamespacedName, ObjectKey};
use crate::rule::Route;

/// A listener: the Gateway or ListenerSet that holds it, and its position there.
pub(super) type ListenerId = (ObjectKey, usize);

/// A route with a parent of ours.
#[derive(Clone, Debug)]
pub(super) struct Attached {
    pub(super) route: Arc<Route>,
    pub(super) finding: RouteFinding,
    pub(super) listeners: BTreeSet<ListenerId>,
    /// The Gateways whose listeners those are.
    pub(super) gateways: BTreeSet<NamespacedName>,
    pub(super) reached: Reached,
}

/// What routes attach to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parents<'p> {
    pub(super) gateways: &'p BTreeMap<NamespacedName, GatewayFinding>,
    pub(super) sets: &'p BTreeMap<NamespacedName, ListenerSetFinding>,
}

struct Parent<'p> {
    key: ObjectKey,
    gateway: NamespacedName,
    listeners: &'p [ListenerFinding],
    rejected: Option<&'p Finding>,
}

impl<'p> Parents<'p> {
    fn find(&self, key: ObjectKey) -> Option<Parent<'p>> {
        let name = key.namespaced_name();
        if key.kind == Kind::Gateway {
            let gateway = self.gateways.get(&name)?;
            return Some(Parent {
                key,
                gateway: name,
                listeners: &gateway.listeners,
                rejected: None,
            });
        }
        let set = self.sets.get(&name)?;
        Some(Parent {
            key,
            gateway: set.gateway.clone(),
            listeners: &set.listeners,
            rejected: set.rejected.as_ref(),
        })
    }
}

/// Compiles and attaches a route; `None` if no parent of it is ours.
pub(super) fn route(
    context: &Context<'_>,
    view: &RouteView<'_>,
    parents: Parents<'_>,
) -> Option<Attached> {
    let ours = ours(context, view, parents);
    if ours.is_empty() {
        return None;
    }
    let compiled = rule::compile(context, view);
    let (hostnames, bad_hostname) = hostnames(view);
    let route = Route {
        key: view.key.clone(),
        created: view.metadata.created(),
        hostnames,
        rules: compiled.rules,
    };
    let unusable = bad_hostname.or(compiled.rejected);
    let mut findings = Vec::new();
    let mut listeners: BTreeSet<ListenerId> = BTreeSet::new();
    let mut gateways = BTreeSet::new();
    for (reference, parent) in ours {
        let rejected = match candidates(context, view, &route, &reference, &parent) {
            Err(finding) => Some(finding),
            Ok(_) if unusable.is_some() => unusable.clone(),
            Ok(numbers) => {
                listeners.extend(
                    numbers
                        .into_iter()
                        .map(|number| (parent.key.clone(), number)),
                );
                gateways.insert(parent.gateway);
                None
            }
        };
        findings.push(ParentFinding {
            reference,
            rejected,
        });
    }
    Some(Attached {
        route: Arc::new(route),
        finding: RouteFinding {
            parents: findings,
            unresolved: compiled.unresolved,
            dropped: compiled.dropped,
        },
        listeners,
        gateways,
        reached: compiled.reached,
    })
}

/// The parents that are ours: those that are named, then default Gateways that are not.
fn ours<'p>(
    context: &Context<'_>,
    view: &RouteView<'_>,
    parents: Parents<'p>,
) -> Vec<(ParentReference, Parent<'p>)> {
    let mut ours = Vec::new();
    for reference in view.parents {
        let kind = match (reference.group(), reference.kind()) {
            (GATEWAY_GROUP, "Gateway") => Kind::Gateway,
            (GATEWAY_GROUP, "ListenerSet") => Kind::ListenerSet,
            _ => continue,
        };
        let namespace = reference.namespace(&view.key.namespace);
        let key = ObjectKey::new(kind, namespace, reference.name.clone());
        context.look(Looked::Parent(key.clone()));
        if let Some(parent) = parents.find(key) {
            ours.push((reference.clone(), parent));
        }
    }
    if view.default_gateways {
        context.look(Looked::DefaultGateways);
        let defaults = parents
            .gateways
            .iter()
            .filter(|(_, gateway)| gateway.default_scope);
        for (name, _) in defaults {
            let key = ObjectKey::new(Kind::Gateway, name.namespace.clone(), name.name.clone());
            if ours.iter().any(|(_, parent)| parent.key == key) {
                continue;
            }
            context.look(Looked::Parent(key.clone()));
            let reference = ParentReference::to_gateway(&name.namespace, &name.name);
            ours.extend(parents.find(key).map(|parent| (reference, parent)));
        }
    }
    ours
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

/// The listeners of a parent that a reference attaches to, by position.
fn candidates(
    context: &Context<'_>,
    view: &RouteView<'_>,
    route: &Route,
    reference: &ParentReference,
    parent: &Parent<'_>,
) -> Result<Vec<usize>, Finding> {
    let key = &parent.key;
    if let Some(why) = parent.rejected {
        let message = format!("{key} has no listener that serves: {}", why.message);
        return Err(Finding::new(Reason::NoMatchingParent, message));
    }
    let all = parent.listeners.iter().enumerate();
    let named: Vec<(usize, &ListenerFinding)> = all
        .filter(|(_, listener)| {
            let section = reference
                .section_name
                .as_deref()
                .is_none_or(|section| section == &*listener.name);
            let port = reference
                .port
                .is_none_or(|port| port == i32::from(listener.port));
            section && port
        })
        .collect();
    if named.is_empty() {
        return Err(no_listener(reference, parent));
    }
    let kinds: Vec<_> = named
        .iter()
        .filter(|(_, listener)| listener.kinds.contains(&view.key.kind))
        .collect();
    let allowed: Vec<_> = kinds
        .iter()
        .filter(|(_, listener)| {
            let namespaces = &listener.namespaces;
            context.namespace_meant(
                &namespaces.from,
                namespaces.selector.as_ref(),
                &view.key.namespace,
                &key.namespace,
            )
        })
        .collect();
    if allowed.is_empty() {
        let why = if kinds.is_empty() {
            format!(
                "no listener of {key} that is meant serves {}",
                view.key.kind
            )
        } else {
            format!(
                "no listener of {key} that is meant admits routes of namespace `{}` (allowedRoutes.namespaces)",
                view.key.namespace
            )
        };
        return Err(Finding::new(Reason::NotAllowedByListeners, why));
    }
    let meeting: Vec<usize> = allowed
        .iter()
        .filter(|(_, listener)| meets(listener, route, view))
        .map(|(number, _)| *number)
        .collect();
    if meeting.is_empty() {
        let own: Vec<&str> = view.hostnames.iter().map(String::as_str).collect();
        let theirs: Vec<&str> = allowed
            .iter()
            .filter_map(|(_, listener)| listener.hostname.as_ref())
            .map(Hostname::as_str)
            .collect();
        let message = format!(
            "no hostname of the route ({}) meets one of the listeners of {key} ({})",
            own.join(", "),
            theirs.join(", ")
        );
        return Err(Finding::new(Reason::NoMatchingListenerHostname, message));
    }
    Ok(meeting)
}

fn no_listener(reference: &ParentReference, parent: &Parent<'_>) -> Finding {
    let there: Vec<String> = parent
        .listeners
        .iter()
        .map(|listener| format!("`{}` on port {}", listener.name, listener.port))
        .collect();
    let wanted = match (&reference.section_name, reference.port) {
        (Some(section), Some(port)) => format!("no listener `{section}` on port {port}"),
        (Some(section), None) => format!("no listener `{section}`"),
        (None, Some(port)) => format!("no listener on port {port}"),
        (None, None) => "no listener".to_owned(),
    };
    let has = if there.is_empty() {
        "none".to_owned()
    } else {
        there.join(", ")
    };
    let message = format!("{} has {wanted}; it has {has}", parent.key);
    Finding::new(Reason::NoMatchingParent, message)
}

fn meets(listener: &ListenerFinding, route: &Route, view: &RouteView<'_>) -> bool {
    // TCPRoutes and UDPRoutes have no hostnames; a route whose hostnames are all unreadable meets nothing.
    match &listener.hostname {
        None => true,
        Some(_) if view.hostnames.is_empty() => true,
        Some(own) => route.hostnames.iter().any(|name| own.intersects(name)),
    }
}
