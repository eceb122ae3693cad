//! What a route comes to: which listeners it hangs on, and why not (digest 2.3).

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use super::backend::Reached;
use super::context::Context;
use super::finding::{
    Finding, GatewayFinding, ListenerFinding, ListenerSetFinding, ParentFinding, Reason,
    RouteFinding,
};
use super::graph::Node;
use super::rule;
use super::view::RouteView;
use crate::api::reference::ParentReference;
use crate::hostname::Hostname;
use crate::key::{AsKey, GATEWAY_GROUP, Kind, NamespacedName, ObjectKey};
use crate::rule::Route;

/// A listener: the Gateway or ListenerSet that holds it, and its position there.
pub(super) type ListenerId = (Arc<ObjectKey>, usize);

/// A route with a parent of ours.
#[derive(Debug)]
pub(super) struct Attached {
    pub(super) route: Arc<Route>,
    pub(super) finding: Arc<RouteFinding>,
    pub(super) places: Arc<Places>,
    pub(super) reached: Reached,
}

/// Where a route hangs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Places {
    /// Ascending, each once.
    pub(super) listeners: Vec<ListenerId>,
    /// The Gateways whose listeners those are; ascending, each once.
    pub(super) gateways: Vec<Arc<NamespacedName>>,
}

/// What routes attach to.
#[derive(Debug)]
pub(super) struct Parents<'p> {
    gateways: &'p BTreeMap<NamespacedName, GatewayFinding>,
    sets: &'p BTreeMap<NamespacedName, ListenerSetFinding>,
    /// What was looked for so far: many routes look for the same.
    found: RefCell<BTreeMap<Arc<ObjectKey>, Found<'p>>>,
    /// The last of them: most routes look for the same as the one before.
    last: RefCell<Option<(Arc<ObjectKey>, Found<'p>)>>,
    /// References and places that were met lately.
    references: RefCell<Recent<ParentReference>>,
    places: RefCell<Recent<Places>>,
    findings: RefCell<Recent<RouteFinding>>,
    /// Where the route at hand hangs, what became of its references, and its parents.
    at_hand: RefCell<Places>,
    finding: RefCell<RouteFinding>,
    ours: RefCell<Ours<'p>>,
}

/// References of a route with the parents that they name.
type Ours<'p> = Vec<(Arc<ParentReference>, Rc<Parent<'p>>)>;

type Found<'p> = (Node, Option<Rc<Parent<'p>>>);

#[derive(Debug)]
struct Parent<'p> {
    key: Arc<ObjectKey>,
    gateway: Arc<NamespacedName>,
    listeners: &'p [ListenerFinding],
    rejected: Option<&'p Finding>,
}

/// Equal values that routes share: many routes hang on the same listeners by the same references.
#[derive(Debug)]
struct Recent<T>(VecDeque<Arc<T>>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Recent(VecDeque::new())
    }
}

impl<T: Clone + PartialEq> Recent<T> {
    /// How many are kept.
    const ROOM: usize = 8;

    fn share(&mut self, value: &T) -> Arc<T> {
        if let Some(same) = self.0.iter().find(|same| ***same == *value) {
            return same.clone();
        }
        let new = Arc::new(value.clone());
        self.0.truncate(Self::ROOM - 1);
        self.0.push_front(new.clone());
        new
    }
}

impl<'p> Parents<'p> {
    pub(super) fn new(
        gateways: &'p BTreeMap<NamespacedName, GatewayFinding>,
        sets: &'p BTreeMap<NamespacedName, ListenerSetFinding>,
    ) -> Parents<'p> {
        Parents {
            gateways,
            sets,
            found: RefCell::default(),
            last: RefCell::default(),
            references: RefCell::default(),
            places: RefCell::default(),
            findings: RefCell::default(),
            at_hand: RefCell::default(),
            finding: RefCell::default(),
            ours: RefCell::default(),
        }
    }

    /// Looks for a parent.
    fn find(&self, context: &Context<'_>, key: (Kind, &str, &str)) -> Option<Rc<Parent<'p>>> {
        let mut last = self.last.borrow_mut();
        let same = last.as_ref().filter(|(own, _)| own.parts() == key);
        if let Some((_, (node, parent))) = same {
            context.look(*node);
            return parent.clone();
        }
        let mut all = self.found.borrow_mut();
        let (key, (node, parent)) = match all.get_key_value(&key as &dyn AsKey) {
            Some((key, found)) => (key.clone(), found.clone()),
            None => {
                let key = Arc::new(ObjectKey::new(key.0, key.1, key.2));
                let node = context.parent(&key);
                let parent = self.parent(key.clone()).map(Rc::new);
                all.insert(key.clone(), (node, parent.clone()));
                (key, (node, parent))
            }
        };
        context.look(node);
        *last = Some((key, (node, parent.clone())));
        parent
    }

    fn parent(&self, key: Arc<ObjectKey>) -> Option<Parent<'p>> {
        let name = key.namespaced_name();
        if key.kind == Kind::Gateway {
            let gateway = self.gateways.get(&name)?;
            return Some(Parent {
                key,
                gateway: Arc::new(name),
                listeners: &gateway.listeners,
                rejected: None,
            });
        }
        let set = self.sets.get(&name)?;
        Some(Parent {
            key,
            gateway: Arc::new(set.gateway.clone()),
            listeners: &set.listeners,
            rejected: set.rejected.as_ref(),
        })
    }

    fn share(&self, reference: &ParentReference) -> Arc<ParentReference> {
        self.references.borrow_mut().share(reference)
    }

    /// What routes of which nothing is wrong came to is shared: it is the same for many.
    fn finding(&self, finding: &mut RouteFinding) -> Arc<RouteFinding> {
        let sound = finding.unresolved.is_none()
            && finding.dropped.is_none()
            && finding.parents.iter().all(|one| one.rejected.is_none());
        if sound {
            self.findings.borrow_mut().share(finding)
        } else {
            Arc::new(std::mem::take(finding))
        }
    }
}

/// Compiles and attaches a route; `None` if no parent of it is ours.
pub(super) fn route(
    context: &Context<'_>,
    view: &RouteView<'_>,
    parents: &Parents<'_>,
) -> Option<Attached> {
    let mut ours = parents.ours.borrow_mut();
    find_ours(context, view, parents, &mut ours);
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
    let mut finding = parents.finding.borrow_mut();
    finding.parents.clear();
    let mut places = parents.at_hand.borrow_mut();
    places.listeners.clear();
    places.gateways.clear();
    for (reference, parent) in ours.drain(..) {
        let before = places.listeners.len();
        let into = &mut places.listeners;
        let rejected = match candidates(context, view, &route, (&reference, &parent), into) {
            Err(finding) => Some(finding),
            Ok(()) if unusable.is_some() => {
                into.truncate(before);
                unusable.clone()
            }
            Ok(()) => {
                places.gateways.push(parent.gateway.clone());
                None
            }
        };
        finding.parents.push(ParentFinding {
            reference,
            rejected,
        });
    }
    finding.unresolved = compiled.unresolved;
    finding.dropped = compiled.dropped;
    places.listeners.sort_unstable();
    places.listeners.dedup();
    places.gateways.sort_unstable();
    places.gateways.dedup();
    Some(Attached {
        route: Arc::new(route),
        finding: parents.finding(&mut finding),
        places: parents.places.borrow_mut().share(&places),
        reached: compiled.reached,
    })
}

/// The parents that are ours: those that are named, then default Gateways that are not.
fn find_ours<'p>(
    context: &Context<'_>,
    view: &RouteView<'_>,
    parents: &Parents<'p>,
    ours: &mut Ours<'p>,
) {
    ours.clear();
    for reference in view.parents {
        let kind = match (reference.group(), reference.kind()) {
            (GATEWAY_GROUP, "Gateway") => Kind::Gateway,
            (GATEWAY_GROUP, "ListenerSet") => Kind::ListenerSet,
            _ => continue,
        };
        let namespace = reference.namespace(&view.key.namespace);
        if let Some(parent) = parents.find(context, (kind, namespace, &reference.name)) {
            ours.push((parents.share(reference), parent));
        }
    }
    if view.default_gateways {
        context.look_for_default_gateways();
        let defaults = parents
            .gateways
            .iter()
            .filter(|(_, gateway)| gateway.default_scope);
        for (name, _) in defaults {
            let named =
                |parent: &Parent<'_>| parent.key.kind == Kind::Gateway && *parent.gateway == *name;
            if ours.iter().any(|(_, parent)| named(parent)) {
                continue;
            }
            let key = (Kind::Gateway, &*name.namespace, &*name.name);
            let reference = ParentReference::to_gateway(&name.namespace, &name.name);
            let parent = parents.find(context, key);
            ours.extend(parent.map(|parent| (parents.share(&reference), parent)));
        }
    }
}

fn hostnames(view: &RouteView<'_>) -> (Vec<Hostname>, Option<Finding>) {
    let mut names = Vec::with_capacity(view.hostnames.len());
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

/// Adds the listeners of a parent that a reference attaches to; on an error none.
fn candidates(
    context: &Context<'_>,
    view: &RouteView<'_>,
    route: &Route,
    (reference, parent): (&ParentReference, &Parent<'_>),
    into: &mut Vec<ListenerId>,
) -> Result<(), Finding> {
    let key = &parent.key;
    let before = into.len();
    if let Some(why) = parent.rejected {
        let message = format!("{key} has no listener that serves: {}", why.message);
        return Err(Finding::new(Reason::NoMatchingParent, message));
    }
    let named = |listener: &ListenerFinding| {
        let section = reference.section_name.as_deref();
        let port = reference.port;
        section.is_none_or(|section| section == &*listener.name)
            && port.is_none_or(|port| port == i32::from(listener.port))
    };
    let (mut is_named, mut is_served) = (false, false);
    // The hostnames of those that may be attached to and do not meet the route's.
    let mut theirs: Vec<&Hostname> = Vec::new();
    let mut is_allowed = false;
    for (number, listener) in parent.listeners.iter().enumerate() {
        if !named(listener) {
            continue;
        }
        is_named = true;
        if !listener.kinds.contains(&view.key.kind) {
            continue;
        }
        is_served = true;
        let namespaces = &listener.namespaces;
        let meant = context.namespace_meant(
            &namespaces.from,
            namespaces.selector.as_ref(),
            &view.key.namespace,
            &key.namespace,
        );
        if !meant {
            continue;
        }
        is_allowed = true;
        if meets(listener, route, view) {
            into.push((key.clone(), number));
        } else {
            theirs.extend(listener.hostname.as_ref());
        }
    }
    if !is_named {
        return Err(no_listener(reference, parent));
    }
    if !is_allowed {
        let why = if is_served {
            format!(
                "no listener of {key} that is meant admits routes of namespace `{}` (allowedRoutes.namespaces)",
                view.key.namespace
            )
        } else {
            format!(
                "no listener of {key} that is meant serves {}",
                view.key.kind
            )
        };
        return Err(Finding::new(Reason::NotAllowedByListeners, why));
    }
    if into.len() == before {
        let own: Vec<&str> = view.hostnames.iter().map(String::as_str).collect();
        let theirs: Vec<&str> = theirs.into_iter().map(Hostname::as_str).collect();
        let message = format!(
            "no hostname of the route ({}) meets one of the listeners of {key} ({})",
            own.join(", "),
            theirs.join(", ")
        );
        return Err(Finding::new(Reason::NoMatchingListenerHostname, message));
    }
    Ok(())
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
