//! What hangs together: who looked at what, so that a change finds whoever has to look again, and which Gateways reach which
//! backends.
//!
//! Both are many and small, so they are kept by number; names are looked up once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::backend::Reached;
use crate::key::{AsKey, Kind, NamespacedName, ObjectKey};
use crate::rule::ServicePort;

/// The number of something that was looked at. It is good until [`Graph::sweep`] finds that nobody cares any more.
pub(super) type Node = u32;

/// Something that was looked at, whether or not it was there.
#[derive(Clone, Debug)]
enum Looked {
    /// An object.
    Object(Arc<ObjectKey>),
    /// A Gateway or ListenerSet as what routes attach to: its listeners as they were judged.
    Parent(Arc<ObjectKey>),
    /// The Gateways with a default scope.
    DefaultGateways,
    /// The grants for a reference.
    Grant(Arc<GrantQuery>),
}

/// A reference from one namespace to another, in the order in which a grant says what it is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GrantQuery {
    pub(super) namespace: String,
    pub(super) from_group: &'static str,
    pub(super) from_kind: &'static str,
    pub(super) from_namespace: String,
    pub(super) to_group: &'static str,
    pub(super) to_kind: &'static str,
    /// Empty: all names.
    pub(super) to_name: String,
}

/// Something that was looked at.
#[derive(Clone, Debug)]
struct Seen {
    what: Looked,
    /// The numbers of those who did, ascending.
    lookers: Vec<u32>,
    /// Of a backend: how many references there are to each port, by port.
    ports: Vec<(u16, u32)>,
    /// Of a backend: over how many references each Gateway reaches it, by Gateway.
    gateways: Vec<(Arc<NamespacedName>, u32)>,
}

/// Somebody who looked, and at what, ascending.
#[derive(Clone, Debug)]
struct Looker {
    key: Arc<ObjectKey>,
    looked: Vec<Node>,
}

/// Things with numbers that are used again.
#[derive(Clone, Debug)]
struct Slab<T> {
    things: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab {
            things: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    fn add(&mut self, thing: T) -> u32 {
        if let Some(number) = self.free.pop()
            && let Some(place) = self.things.get_mut(number as usize)
        {
            *place = Some(thing);
            return number;
        }
        self.things.push(Some(thing));
        // INVARIANT: fewer than 2³² things fit into memory.
        u32::try_from(self.things.len() - 1).unwrap_or(u32::MAX)
    }

    fn get(&self, number: u32) -> Option<&T> {
        self.things.get(number as usize)?.as_ref()
    }

    fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.things.get_mut(number as usize)?.as_mut()
    }

    fn remove(&mut self, number: u32) -> Option<T> {
        let thing = self.things.get_mut(number as usize)?.take()?;
        self.free.push(number);
        Some(thing)
    }
}

/// What an update has to do for what is reached otherwise now.
#[derive(Debug, Default)]
pub(super) struct Shifted {
    /// Ports that are used now, or not any more.
    pub(super) ports: BTreeSet<ServicePort>,
    /// Backends that other Gateways reach.
    pub(super) backends: BTreeSet<Arc<ObjectKey>>,
}

/// Who looked at what, and who reaches which backends.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    objects: BTreeMap<Arc<ObjectKey>, Node>,
    parents: BTreeMap<Arc<ObjectKey>, Node>,
    grants: BTreeMap<Arc<GrantQuery>, Node>,
    default_gateways: Option<Node>,
    seen: Slab<Seen>,
    numbers: BTreeMap<Arc<ObjectKey>, u32>,
    lookers: Slab<Looker>,
    /// Nodes that may matter to nobody.
    idle: Vec<Node>,
}

impl Graph {
    fn add(&mut self, what: Looked) -> Node {
        let node = self.seen.add(Seen {
            what,
            lookers: Vec::new(),
            ports: Vec::new(),
            gateways: Vec::new(),
        });
        self.idle.push(node);
        node
    }

    /// The node of an object; `shared` is its key if it is there.
    pub(super) fn object(
        &mut self,
        key: (Kind, &str, &str),
        shared: Option<&Arc<ObjectKey>>,
    ) -> Node {
        if let Some(node) = self.objects.get(&key as &dyn AsKey) {
            return *node;
        }
        let made = || Arc::new(ObjectKey::new(key.0, key.1, key.2));
        let key = shared.cloned().unwrap_or_else(made);
        let node = self.add(Looked::Object(key.clone()));
        self.objects.insert(key, node);
        node
    }

    /// The node of what routes attach to.
    pub(super) fn parent(&mut self, key: &Arc<ObjectKey>) -> Node {
        if let Some(node) = self.parents.get(key) {
            return *node;
        }
        let node = self.add(Looked::Parent(key.clone()));
        self.parents.insert(key.clone(), node);
        node
    }

    /// The node of the Gateways with a default scope.
    pub(super) fn default_gateways(&mut self) -> Node {
        if let Some(node) = self.default_gateways {
            return node;
        }
        let node = self.add(Looked::DefaultGateways);
        self.default_gateways = Some(node);
        node
    }

    /// The node of the grants for a reference.
    pub(super) fn grant(&mut self, query: GrantQuery) -> Node {
        if let Some(node) = self.grants.get(&query) {
            return *node;
        }
        let query = Arc::new(query);
        let node = self.add(Looked::Grant(query.clone()));
        self.grants.insert(query, node);
        node
    }

    fn of(&self, node: Option<Node>) -> impl Iterator<Item = &Arc<ObjectKey>> {
        let seen = node.and_then(|node| self.seen.get(node));
        let lookers = seen.into_iter().flat_map(|seen| &seen.lookers);
        lookers.filter_map(|looker| Some(&self.lookers.get(*looker)?.key))
    }

    /// Who looked at an object.
    pub(super) fn lookers(&self, key: &ObjectKey) -> impl Iterator<Item = &Arc<ObjectKey>> {
        self.of(self.objects.get(key).copied())
    }

    /// Which routes looked for a parent.
    pub(super) fn seekers(&self, key: &ObjectKey) -> impl Iterator<Item = &Arc<ObjectKey>> {
        self.of(self.parents.get(key).copied())
    }

    /// Which routes ask for default Gateways.
    pub(super) fn default_seekers(&self) -> impl Iterator<Item = &Arc<ObjectKey>> {
        self.of(self.default_gateways)
    }

    /// Who asked for permission that a grant may give: a query without a name is about all names.
    pub(super) fn askers(&self, query: &GrantQuery) -> impl Iterator<Item = &Arc<ObjectKey>> {
        let same = |other: &GrantQuery| {
            other.namespace == query.namespace
                && other.from_group == query.from_group
                && other.from_kind == query.from_kind
                && other.from_namespace == query.from_namespace
                && other.to_group == query.to_group
                && other.to_kind == query.to_kind
                && (query.to_name.is_empty() || other.to_name == query.to_name)
        };
        let first = self.grants.range::<GrantQuery, _>(query..);
        let meant = first.take_while(move |(other, _)| same(other));
        meant.flat_map(|(_, node)| self.of(Some(*node)))
    }

    /// Notes what everybody of a list looked at, instead of what they looked at before.
    pub(super) fn set(&mut self, all: impl IntoIterator<Item = (Arc<ObjectKey>, Vec<Node>)>) {
        let mut new: Vec<(Arc<ObjectKey>, u32)> = Vec::new();
        for (key, looked) in all {
            match self.numbers.get(&key).copied() {
                Some(number) if looked.is_empty() => {
                    self.numbers.remove(&key);
                    let old = self.lookers.remove(number);
                    self.unlook(number, &old.map(|old| old.looked).unwrap_or_default(), &[]);
                }
                Some(number) => {
                    let place = self.lookers.get_mut(number);
                    let old =
                        place.map(|place| std::mem::replace(&mut place.looked, looked.clone()));
                    let old = old.unwrap_or_default();
                    self.unlook(number, &old, &looked);
                    self.look(number, &looked, &old);
                }
                None if looked.is_empty() => {}
                None => {
                    let number = self.lookers.add(Looker {
                        key: key.clone(),
                        looked: Vec::new(),
                    });
                    self.look(number, &looked, &[]);
                    if let Some(place) = self.lookers.get_mut(number) {
                        place.looked = looked;
                    }
                    new.push((key, number));
                }
            }
        }
        add_all(&mut self.numbers, new);
    }

    fn look(&mut self, number: u32, at: &[Node], but: &[Node]) {
        for node in at.iter().filter(|node| but.binary_search(node).is_err()) {
            let Some(seen) = self.seen.get_mut(*node) else {
                continue;
            };
            match seen.lookers.last() {
                Some(last) if *last >= number => {
                    if let Err(place) = seen.lookers.binary_search(&number) {
                        seen.lookers.insert(place, number);
                    }
                }
                _ => seen.lookers.push(number),
            }
        }
    }

    fn unlook(&mut self, number: u32, at: &[Node], but: &[Node]) {
        for node in at.iter().filter(|node| but.binary_search(node).is_err()) {
            let Some(seen) = self.seen.get_mut(*node) else {
                continue;
            };
            if let Ok(place) = seen.lookers.binary_search(&number) {
                seen.lookers.remove(place);
            }
            if seen.lookers.is_empty() {
                self.idle.push(*node);
            }
        }
    }

    /// Counts what something refers to, for the Gateways that it serves.
    pub(super) fn hold(
        &mut self,
        reached: &Reached,
        gateways: &[Arc<NamespacedName>],
        shifted: &mut Shifted,
    ) {
        for (node, port) in reached.nodes() {
            let Some(seen) = self.seen.get_mut(node) else {
                continue;
            };
            if let Some(port) = port
                && count(&mut seen.ports, &port)
            {
                shifted.ports.extend(seen.port(port));
            }
            for gateway in gateways {
                if count(&mut seen.gateways, gateway) {
                    shifted.backends.extend(seen.key().cloned());
                }
            }
        }
    }

    /// Takes back what [`Graph::hold`] counted.
    pub(super) fn release(
        &mut self,
        reached: &Reached,
        gateways: &[Arc<NamespacedName>],
        shifted: &mut Shifted,
    ) {
        for (node, port) in reached.nodes() {
            let Some(seen) = self.seen.get_mut(node) else {
                continue;
            };
            if let Some(port) = port
                && discount(&mut seen.ports, &port)
            {
                shifted.ports.extend(seen.port(port));
            }
            for gateway in gateways {
                if discount(&mut seen.gateways, gateway) {
                    shifted.backends.extend(seen.key().cloned());
                }
            }
            self.idle.push(node);
        }
    }

    fn backend(&self, key: &dyn AsKey) -> Option<&Seen> {
        self.seen.get(*self.objects.get(key)?)
    }

    /// The Gateways that reach a backend.
    pub(super) fn gateways(&self, backend: &ObjectKey) -> impl Iterator<Item = &NamespacedName> {
        let seen = self.backend(backend).into_iter();
        seen.flat_map(|seen| seen.gateways.iter().map(|(gateway, _)| &**gateway))
    }

    /// The ports of a backend that are used.
    pub(super) fn ports(&self, key: (Kind, &str, &str)) -> impl Iterator<Item = ServicePort> {
        let seen = self.backend(&key).into_iter();
        seen.flat_map(|seen| seen.ports.iter().filter_map(|(port, _)| seen.port(*port)))
    }

    /// The ports of all backends of a kind in a namespace that are used.
    pub(super) fn ports_in(&self, kind: Kind, namespace: &str) -> Vec<ServicePort> {
        let first = (kind, namespace, "");
        let nodes = self.objects.range::<dyn AsKey, _>((
            std::ops::Bound::Included(&first as &dyn AsKey),
            std::ops::Bound::Unbounded,
        ));
        nodes
            .take_while(|(key, _)| key.kind == kind && key.namespace == namespace)
            .flat_map(|(key, _)| self.ports((kind, namespace, &key.name)))
            .collect()
    }

    /// Whether a port is used.
    pub(super) fn uses(&self, port: &ServicePort) -> bool {
        self.backend(&(port.kind, &*port.namespace, &*port.name))
            .is_some_and(|seen| find(&seen.ports, &port.port).is_ok())
    }

    /// Forgets what matters to nobody, at the end of an update.
    pub(super) fn sweep(&mut self) {
        for node in std::mem::take(&mut self.idle) {
            let idle = |seen: &Seen| {
                seen.lookers.is_empty() && seen.ports.is_empty() && seen.gateways.is_empty()
            };
            if !self.seen.get(node).is_some_and(idle) {
                continue;
            }
            match self.seen.remove(node).map(|seen| seen.what) {
                Some(Looked::Object(key)) => self.objects.remove(&key),
                Some(Looked::Parent(key)) => self.parents.remove(&key),
                Some(Looked::Grant(query)) => self.grants.remove(&query),
                Some(Looked::DefaultGateways) => self.default_gateways.take(),
                None => None,
            };
        }
    }
}

#[cfg(test)]
impl Graph {
    /// What is still known, for people.
    pub(super) fn left(&self) -> Vec<String> {
        let seen = self.seen.things.iter().flatten();
        let lookers = self.lookers.things.iter().flatten();
        let mut left: Vec<String> = seen.map(|seen| format!("{seen:?}")).collect();
        left.extend(lookers.map(|looker| format!("{looker:?}")));
        left.extend(self.objects.keys().map(|key| format!("object {key}")));
        left.extend(self.parents.keys().map(|key| format!("parent {key}")));
        left.extend(self.grants.keys().map(|query| format!("{query:?}")));
        left.extend(self.numbers.keys().map(|key| format!("number of {key}")));
        left.extend(
            self.default_gateways
                .map(|node| format!("default Gateways {node}")),
        );
        left
    }
}

impl Seen {
    fn key(&self) -> Option<&Arc<ObjectKey>> {
        match &self.what {
            Looked::Object(key) => Some(key),
            _ => None,
        }
    }

    fn port(&self, port: u16) -> Option<ServicePort> {
        let key = self.key()?;
        Some(ServicePort {
            kind: key.kind,
            namespace: key.namespace.as_str().into(),
            name: key.name.as_str().into(),
            port,
        })
    }
}

fn find<K: Ord>(counts: &[(K, u32)], key: &K) -> Result<usize, usize> {
    match counts {
        // Most often there is one, and equal values are mostly the same.
        [(alone, _)] if alone == key => Ok(0),
        _ => counts.binary_search_by(|(own, _)| own.cmp(key)),
    }
}

/// Counts one more; whether it is the first.
fn count<K: Ord + Clone>(counts: &mut Vec<(K, u32)>, key: &K) -> bool {
    match find(counts, key) {
        Ok(place) => {
            if let Some((_, count)) = counts.get_mut(place) {
                *count = count.saturating_add(1);
            }
            false
        }
        Err(place) => {
            counts.insert(place, (key.clone(), 1));
            true
        }
    }
}

/// Counts one less; whether it was the last.
fn discount<K: Ord>(counts: &mut Vec<(K, u32)>, key: &K) -> bool {
    let Ok(place) = find(counts, key) else {
        return false;
    };
    match counts.get_mut(place) {
        Some((_, count)) if *count > 1 => {
            *count -= 1;
            false
        }
        _ => {
            counts.remove(place);
            true
        }
    }
}

/// Puts many entries into a map at once: of ascending keys this costs no search.
pub(super) fn add_all<K: Ord, V>(map: &mut BTreeMap<K, V>, entries: Vec<(K, V)>) {
    if entries.len() < 16 + map.len() / 8 {
        map.extend(entries);
    } else {
        map.append(&mut entries.into_iter().collect());
    }
}
