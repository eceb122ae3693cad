//! What is served right now: swapped whole, read without waiting.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use gatepost::key::ObjectKey;
use gatepost::rule::{Listener, Route, Routes, ServicePort, Tickets};
use gatepost::table::{RouteTable, RuleId};
use prometheus_client::metrics::counter::Counter;
use tokio::sync::Semaphore;

use crate::backend_tls::TlsClients;
use crate::endpoints::EndpointTable;
use crate::metrics::{Labels, Metrics};
use crate::options::{ForwardedPolicy, Limits};
use crate::pool::Pool;
use crate::random;

/// One table with what it needs to run.
#[derive(Debug)]
pub struct Served {
    /// The table.
    pub table: Arc<RouteTable>,
    /// Where backends are.
    pub endpoints: Arc<EndpointTable>,
    /// By the number of the rule; some numbers are free.
    rules: Arc<[Option<Arc<RuleState>>]>,
    /// Names of the listeners, in the order of where they lie in memory.
    listeners: Arc<[(usize, Arc<str>)]>,
    filtered: bool,
}

/// What a rule has besides what the table says.
#[derive(Debug)]
struct RuleState {
    shared: Arc<Shared>,
    /// Names of the backends, in the order of `backendRefs`.
    backends: Vec<Arc<str>>,
}

/// What a rule keeps from table to table, so that shares stay exact and counters go on over a change elsewhere.
#[derive(Debug)]
struct Shared {
    tickets: Tickets,
    route: Arc<str>,
    rule: Arc<str>,
    counters: Mutex<Counters>,
}

/// Counters of one rule, by listener, backend and status: few, so that looking through them costs the least.
type Counters = Vec<(Arc<str>, Arc<str>, u16, Counter)>;

/// What rules keep while tables change: found by where a rule lies in memory, which says without a look at its text that
/// nothing of it has changed, else by its name.
#[derive(Debug, Default)]
pub struct Rules<'s> {
    /// The rules of all tables before, by address, and those of new tables as they are made, for a rule may stand in several;
    /// both keep them where they are.
    known: HashMap<usize, Arc<RuleState>>,
    /// Rules that none of the new tables has at that address.
    left: BTreeMap<(&'s ObjectKey, u16), &'s Arc<Shared>>,
    /// What was served before.
    before: &'s [Arc<Served>],
}

impl Served {
    /// Takes the lasting parts of rules that were there before, and makes those that were not.
    pub fn new(
        table: Arc<RouteTable>,
        endpoints: Arc<EndpointTable>,
        rules: &mut Rules<'_>,
    ) -> Served {
        let mut names: HashMap<ServicePort, Arc<str>> = HashMap::new();
        let states = table.rules_by_number().map(|slot| {
            let (route, rule) = slot?;
            if let Some(state) = rules.known.get(&place(rule)) {
                return Some(Arc::clone(state));
            }
            let shared = match rules.left.get(&(route, rule.index)) {
                Some(shared) => Arc::clone(shared),
                None => Arc::new(Shared {
                    tickets: Tickets::new(random::seed()),
                    route: route.namespaced_name().to_string().into(),
                    rule: rule.index.to_string().into(),
                    counters: Mutex::default(),
                }),
            };
            let name = |backend: &gatepost::rule::Backend| match &backend.destination {
                Ok(destination) => match names.get(&destination.port) {
                    Some(name) => name.clone(),
                    None => {
                        let name: Arc<str> = Arc::from(destination.port.to_string());
                        names.insert(destination.port.clone(), name.clone());
                        name
                    }
                },
                Err(_) => Arc::from(""),
            };
            let state = Arc::new(RuleState {
                shared,
                backends: rule.backends.entries().iter().map(name).collect(),
            });
            rules.known.insert(place(rule), Arc::clone(&state));
            Some(state)
        });
        let states = states.collect();
        let name = |listener: &Arc<Listener>| {
            let name = format!("{}/{}", listener.gateway, listener.name);
            (place(&**listener), Arc::from(name))
        };
        let listeners = table.listeners();
        let mut names: Vec<(usize, Arc<str>)> = listeners.iter().map(name).collect();
        names.sort_unstable();
        Served {
            rules: states,
            listeners: names.into(),
            filtered: listeners
                .iter()
                .any(|listener| !listener.filters.is_empty()),
            endpoints,
            table,
        }
    }

    /// The same table, where backends are elsewhere.
    pub fn with_endpoints(&self, endpoints: Arc<EndpointTable>) -> Served {
        Served {
            table: self.table.clone(),
            endpoints,
            rules: self.rules.clone(),
            listeners: self.listeners.clone(),
            filtered: self.filtered,
        }
    }

    fn state(&self, rule: RuleId) -> Option<&Arc<RuleState>> {
        self.rules.get(rule.number() as usize)?.as_ref()
    }

    /// Whether any listener has filters of its own.
    pub fn filtered(&self) -> bool {
        self.filtered
    }

    /// The next ticket of a rule.
    pub fn ticket(&self, rule: RuleId) -> u64 {
        self.state(rule)
            .map_or(0, |state| state.shared.tickets.draw())
    }

    /// The name of a listener of this table.
    pub fn listener(&self, listener: &Listener) -> Arc<str> {
        let place = place(listener);
        let found = self.listeners.binary_search_by_key(&place, |(at, _)| *at);
        let name = found.ok().and_then(|found| self.listeners.get(found));
        name.map(|(_, name)| name.clone()).unwrap_or_default()
    }

    /// Counts an answer of a rule; `backend` is the position of the one that was picked.
    pub fn count(&self, metrics: &Metrics, outcome: &Outcome) {
        let state = outcome.rule.and_then(|rule| self.state(rule));
        let backend = match (state, outcome.backend) {
            (Some(state), Some(backend)) => state.backends.get(usize::from(backend)),
            _ => None,
        };
        let labels = |shared: Option<&Shared>| Labels {
            listener: outcome.listener.clone(),
            route: shared
                .map(|shared| shared.route.clone())
                .unwrap_or_default(),
            rule: shared.map(|shared| shared.rule.clone()).unwrap_or_default(),
            backend: backend.cloned().unwrap_or_default(),
            status: outcome.status,
        };
        let Some(state) = state else {
            metrics.requests.get_or_create(&labels(None)).inc();
            return;
        };
        let mut counters = state
            .shared
            .counters
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let same = |one: &Arc<str>, other: &Arc<str>| Arc::ptr_eq(one, other) || one == other;
        let found = counters.iter().find(|(listener, of, status, _)| {
            *status == outcome.status
                && same(listener, &outcome.listener)
                && backend.map_or(of.is_empty(), |backend| same(of, backend))
        });
        if let Some((.., counter)) = found {
            counter.inc();
            return;
        }
        let labels = labels(Some(&state.shared));
        let counter = metrics.requests.get_or_create(&labels).clone();
        counter.inc();
        counters.push((labels.listener, labels.backend, outcome.status, counter));
    }

    /// The name of the backend that was picked, empty if none was.
    pub fn backend(&self, outcome: &Outcome) -> Arc<str> {
        let state = outcome.rule.and_then(|rule| self.state(rule));
        let names = state.map(|state| &state.backends);
        let name = names.and_then(|names| names.get(usize::from(outcome.backend?)));
        name.cloned().unwrap_or_default()
    }

    /// The names of the route and of the rule that served.
    pub fn rule(&self, outcome: &Outcome) -> (&str, &str) {
        let state = outcome.rule.and_then(|rule| self.state(rule));
        state.map_or(("", ""), |state| (&state.shared.route, &state.shared.rule))
    }
}

/// What became of a request, for metrics and the access log.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "plain facts")]
pub struct Outcome {
    /// The listener's name.
    pub listener: Arc<str>,
    /// The rule that served.
    pub rule: Option<RuleId>,
    /// The position of the backend that was picked.
    pub backend: Option<u16>,
    /// The status of the answer.
    pub status: u16,
    /// Why it is an answer of ours.
    pub why: std::borrow::Cow<'static, str>,
}

impl<'s> Rules<'s> {
    /// What stays between what is served and the tables to come; nothing, where these are the same.
    pub fn between(served: &'s [Arc<Served>], tables: &[&Arc<RouteTable>]) -> Rules<'s> {
        let runs =
            |table: &&Arc<RouteTable>| served.iter().any(|one| Arc::ptr_eq(&one.table, table));
        if served.len() == tables.len() && tables.iter().all(runs) {
            return Rules::default();
        }
        let rules = served.iter().flat_map(|served| {
            let slots = served.table.rules_by_number().zip(&*served.rules);
            slots.filter_map(|(slot, state)| Some((slot?, state.as_ref()?)))
        });
        let mut known = HashMap::new();
        let mut left = HashMap::new();
        for ((route, rule), state) in rules {
            known.insert(place(rule), Arc::clone(state));
            left.insert(place(rule), ((route, rule.index), &state.shared));
        }
        for (_, rule) in tables.iter().flat_map(|table| table.rules()) {
            left.remove(&place(rule));
        }
        Rules {
            known,
            left: left.into_values().collect(),
            before: served,
        }
    }

    /// Takes the counters back of rules that are not among those that are served now, and of those that are no longer served by
    /// a listener.
    pub fn forget(&self, now: &[Arc<Served>], metrics: &Metrics) {
        self.forget_listeners(now, metrics);
        if self.left.is_empty() {
            return;
        }
        let kept: HashSet<usize> = now
            .iter()
            .flat_map(|served| served.rules.iter().flatten())
            .map(|state| place(&*state.shared))
            .collect();
        let gone = self.left.values();
        for shared in gone.filter(|shared| !kept.contains(&place(&***shared))) {
            shared.forget(None, metrics);
        }
    }

    /// Routes that left a listener, whatever other ones they hang on.
    fn forget_listeners(&self, now: &[Arc<Served>], metrics: &Metrics) {
        let mut named: HashMap<Arc<str>, Vec<&Arc<Listener>>> = HashMap::new();
        for served in now {
            for listener in served.table.listeners() {
                let name = served.listener(listener);
                named.entry(name).or_default().push(listener);
            }
        }
        let none = Routes::default();
        for served in self.before {
            for listener in served.table.listeners() {
                let name = served.listener(listener);
                // A Gateway's listener and one of its ListenerSets may be counted under one name.
                let of_name = named.get(&name).map_or(&[][..], Vec::as_slice);
                let same = of_name.iter().find(|one| one.owner == listener.owner);
                let routes = same.map_or(&none, |now| &now.routes);
                let gone = listener.routes.difference(routes).into_iter();
                let gone = gone.filter_map(|(old, new)| old.filter(|_| new.is_none()));
                let stays = |route: &Route| {
                    let mut others = of_name.iter();
                    others.any(|one| one.routes.get(&route.key).is_some())
                };
                let gone = gone.filter(|route| !stays(route));
                for rule in gone.flat_map(|route| &route.rules) {
                    if let Some(state) = self.known.get(&place(&**rule)) {
                        state.shared.forget(Some(&name), metrics);
                    }
                }
            }
        }
    }
}

impl Shared {
    /// Takes counters back: those of a listener, or all.
    fn forget(&self, of: Option<&Arc<str>>, metrics: &Metrics) {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        counters.retain(|(listener, backend, status, _)| {
            let stays = of.is_some_and(|of| of != listener);
            if !stays {
                metrics.requests.remove(&Labels {
                    listener: listener.clone(),
                    route: self.route.clone(),
                    rule: self.rule.clone(),
                    backend: backend.clone(),
                    status: *status,
                });
            }
            stays
        });
    }
}

/// Where something lies in memory.
fn place<T>(thing: &T) -> usize {
    std::ptr::from_ref(thing).addr()
}

/// What sockets share: the table that is served there, and what goes with it.
#[derive(Debug)]
pub struct Plane {
    /// The table.
    pub served: ArcSwap<Served>,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// Whether a line is logged for each request.
    pub access_log: bool,
    /// Connections to backends.
    pub pool: Arc<Pool>,
    /// TLS toward backends.
    pub tls_clients: Arc<TlsClients>,
    /// Room for copies.
    pub mirrors: Arc<Semaphore>,
    /// What clients may take.
    pub limits: Limits,
    /// Whether clients are believed whom they speak for.
    pub forwarded: ForwardedPolicy,
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost::controller::{Controller, Resolver};
    use gatepost::key::{Kind, NamespacedName};
    use gatepost::resources::{Change, Resource};
    use gatepost::table::TableInput;
    use serde_json::{Value, json};
    use std::collections::BTreeSet;

    fn put(object: Value) -> Change {
        Change::Put(Arc::new(Resource::from_json(object).expect("an object")))
    }

    fn route(name: &str) -> Change {
        put(json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": name, "namespace": "a"},
            "spec": {"parentRefs": [{"name": "gw"}], "hostnames": [format!("{name}.test")], "rules": [{}]},
        }))
    }

    /// The names that a table's rules have, by number, beside those that are counted under.
    fn names(served: &Served) -> Vec<Option<(String, String)>> {
        let rules = served.table.rules_by_number().zip(&*served.rules);
        let names = rules.map(|(rule, state)| {
            let (key, _) = rule?;
            let counted = state.as_ref().map(|state| state.shared.route.to_string());
            Some((
                key.namespaced_name().to_string(),
                counted.unwrap_or_default(),
            ))
        });
        names.collect()
    }

    #[test]
    fn a_route_that_leaves_a_listener_is_no_longer_counted_there() {
        let mut resolver = Resolver::new(Controller::default());
        let gateway = |name: &str, port: u16| {
            put(json!({
                "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": name, "namespace": "a"},
                "spec": {
                    "gatewayClassName": "gatepost", "allowedListeners": {"namespaces": {"from": "All"}},
                    "listeners": [{"name": "http", "port": port, "protocol": "HTTP"}],
                },
            }))
        };
        let route = |parents: &[&str]| {
            let parents: Vec<Value> = parents.iter().map(|name| json!({"name": name})).collect();
            put(json!({
                "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "r", "namespace": "a"},
                "spec": {"parentRefs": parents, "rules": [{}]},
            }))
        };
        let metrics = Metrics::default();
        let mut served: Vec<Arc<Served>> = Vec::new();
        let mut listeners = |change: Vec<Change>| {
            resolver.apply(change);
            let tables = ["one", "two"].map(|name| {
                let gateway = NamespacedName::new("a", name);
                resolver
                    .resolution()
                    .table(&gateway)
                    .expect("a table")
                    .clone()
            });
            let mut tables: Vec<&Arc<RouteTable>> = tables.iter().collect();
            tables.dedup_by(|one, two| Arc::ptr_eq(one, two));
            let mut rules = Rules::between(&served, &tables);
            let now = tables
                .iter()
                .map(|table| Arc::new(Served::new(Arc::clone(table), Arc::default(), &mut rules)));
            let now: Vec<Arc<Served>> = now.collect();
            rules.forget(&now, &metrics);
            let empty = RouteTable::build(&TableInput::default());
            for served in &now {
                let rule = served.table.changed_rules(&empty).next();
                let listeners = served.table.listeners().iter();
                for listener in listeners.filter(|listener| !listener.routes.is_empty()) {
                    let outcome = Outcome {
                        listener: served.listener(listener),
                        rule,
                        status: 404,
                        ..Outcome::default()
                    };
                    served.count(&metrics, &outcome);
                }
            }
            served = now;
            let text = metrics.text();
            ["one", "two"].map(|name| text.contains(&format!("listener=\"a/{name}/http\"")))
        };
        let all = vec![
            gateway("one", 80),
            gateway("two", 81),
            route(&["one", "two"]),
        ];
        assert_eq!(listeners(all), [true, true]);
        assert_eq!(listeners(vec![route(&["two"])]), [false, true]);
        assert_eq!(listeners(vec![route(&["one", "two"])]), [true, true]);
        let gone = Change::Delete(ObjectKey::new(Kind::HttpRoute, "a", "r"));
        assert_eq!(listeners(vec![gone]), [false, false]);
        // A ListenerSet's listener is counted under the name of its Gateway's: what happens elsewhere takes nothing back.
        let set = put(json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "ListenerSet", "metadata": {"name": "set", "namespace": "a"},
            "spec": {"parentRef": {"name": "one"}, "listeners": [{"name": "http", "port": 79, "protocol": "HTTP"}]},
        }));
        let below = put(json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "below", "namespace": "a"},
            "spec": {"parentRefs": [{"kind": "ListenerSet", "name": "set"}], "rules": [{}]},
        }));
        assert_eq!(listeners(vec![set, below]), [true, false]);
        assert_eq!(listeners(vec![gateway("two", 83)]), [true, false]);
        let text = metrics.text();
        let mut lines = text.lines().filter(|line| line.contains("a/below"));
        let line = lines.next().expect("a count");
        assert!(line.ends_with(" 2"), "{line}");
    }

    #[test]
    fn rules_keep_what_is_theirs_when_numbers_become_free() {
        let mut resolver = Resolver::new(Controller::default());
        let controller = Controller::default().controller_name;
        let class = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass",
            "metadata": {"name": "c"}, "spec": {"controllerName": controller},
        });
        let gateway = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {"name": "gw", "namespace": "a"},
            "spec": {"gatewayClassName": "c", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
        });
        resolver.apply([put(class), put(gateway), route("x"), route("y"), route("z")]);
        let serve = |resolver: &Resolver, before: &[Arc<Served>]| {
            let gateway = NamespacedName::new("a", "gw");
            let table = resolver
                .resolution()
                .table(&gateway)
                .expect("a table")
                .clone();
            let mut rules = Rules::between(before, &[&table]);
            Arc::new(Served::new(table.clone(), Arc::default(), &mut rules))
        };
        let first = serve(&resolver, &[]);
        resolver.apply([Change::Delete(ObjectKey::new(Kind::HttpRoute, "a", "x"))]);
        let second = serve(&resolver, std::slice::from_ref(&first));
        resolver.apply([route("w"), route("v")]);
        let third = serve(&resolver, std::slice::from_ref(&second));
        for (served, count) in [(&first, 3), (&second, 2), (&third, 4)] {
            let names = names(served);
            let mut there = names.iter().flatten();
            assert!(
                there.clone().count() == count && there.all(|(rule, counted)| rule == counted),
                "{names:?}"
            );
        }
        // A rule of two tables is one rule: what is counted is taken back once and whole.
        let table = resolver.resolution().table(&NamespacedName::new("a", "gw"));
        let table = table.expect("a table");
        let other = Arc::new(RouteTable::build(&TableInput {
            listeners: table.listeners().to_vec(),
            settings: *table.settings(),
        }));
        let mut rules = Rules::between(&[], &[table, &other]);
        let [one, two] =
            [table, &other].map(|table| Served::new(table.clone(), Arc::default(), &mut rules));
        let lasting = |served: &Served| -> BTreeSet<usize> {
            let states = served.rules.iter().flatten();
            states.map(|state| place(&*state.shared)).collect()
        };
        assert_eq!(lasting(&one), lasting(&two));
        // The lasting part of a rule is the same one throughout.
        let of = |served: &Served, name: &str| {
            let states = served.rules.iter().flatten();
            let mut found = states.filter(|state| &*state.shared.route == name);
            place(&*found.next().expect("a rule").shared)
        };
        assert_eq!(of(&first, "a/z"), of(&third, "a/z"));
    }
}
