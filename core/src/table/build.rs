//! Building a table: every match of every rule under every hostname, in the order of precedence.
//!
//! Routes are sorted once, so matches are met in the order that breaks ties; a stable sort by leaf and rank then brings
//! the candidates of each leaf together in their order.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::candidate::{Answer, Candidate, Candidates, Leaf, Range, list_value};
use super::conditions::Conditions;
use super::grpc::GrpcHost;
use super::hash::Hasher;
use super::host::{Host, Kind, depth, length, scope};
use super::index::{Index, IndexBuilder, Key, NONE};
use super::leaf_index;
use super::listener::{ListenerTable, Ports};
use super::names::Names;
use super::patterns::{Expression, PatternsBuilder, split};
use super::texts::Interner;
use super::{RouteTable, RuleSlot, TableInput};
use crate::hostname::Hostname;
use crate::rule::precedence::{grpc_rank, http_rank, route_order};
use crate::rule::{GrpcMatch, Listener, Matches, PathMatch, RequestMatch, Route, Rule, ValueMatch};

pub(super) fn table(input: &TableInput) -> RouteTable {
    let mut listeners = input.listeners.clone();
    listeners.sort_by(|a, b| order(a).cmp(&order(b)));
    let hasher = Hasher::new(input.settings.hash_key);
    let mut builder = Builder::new(hasher);
    let attached = builder.routes(&listeners);
    for (listener, routes) in listeners.iter().zip(&attached) {
        builder.listener(listener, routes);
    }
    let paths = builder.leaves();
    let mut interner = builder.interner;
    let ports = Ports::build(&listeners, &mut interner, &hasher);
    let texts = interner.finish();
    builder.candidates.values = builder.values.finish(|list| list);
    builder.candidates.shrink();
    builder.hosts.shrink_to_fit();
    builder.grpc.shrink_to_fit();
    RouteTable {
        settings: input.settings,
        hasher,
        texts,
        inputs: listeners,
        listeners: builder.listeners,
        ports,
        hosts_by_name: builder.hosts_by_name.finish(|host| host),
        hosts: builder.hosts,
        grpc: builder.grpc,
        deepest: builder.deepest,
        paths,
        candidates: builder.candidates,
        patterns: builder.patterns.finish(),
        connections: builder.connections,
        rules: builder.rules,
    }
}

/// Port first, then exact hostnames above wildcards above none, the longer above the shorter; the rest makes it total.
fn order(listener: &Listener) -> impl Ord + use<'_> {
    let name = listener.hostname.as_ref();
    let rank = name.map_or(0, |name| if name.is_wildcard() { 1 } else { 2 });
    let length = name.map_or(0, |name| name.as_str().len());
    (
        listener.port,
        Reverse((rank, length)),
        name,
        listener.protocol,
        &listener.owner,
        &listener.name,
    )
}

/// A route on a listener, and the number of its first rule.
struct Attached<'i> {
    route: &'i Route,
    first_rule: u32,
}

/// What a leaf is made of.
#[derive(Clone, Copy, Debug)]
enum LeafOf {
    /// One path of a host: exact, or a prefix.
    Path,
    /// The regular expressions of a host.
    Patterns { host: u32 },
    /// The GRPCRoutes of a host.
    Grpc { host: u32 },
}

/// One match of one rule under one hostname, waiting to be sorted.
#[derive(Clone, Copy, Debug)]
struct Entry {
    leaf: u32,
    rule: u32,
    rank: u64,
    position: u16,
}

struct Builder {
    hasher: Hasher,
    interner: Interner,
    listeners: Vec<ListenerTable>,
    hosts_by_name: IndexBuilder,
    hosts: Vec<Host>,
    /// The leaves of each host's expressions and GRPCRoutes, by host.
    own_leaves: Vec<[u32; 2]>,
    grpc: Vec<GrpcHost>,
    deepest: u32,
    /// Paths of HTTPRoutes lead to leaves while entries are collected.
    paths: IndexBuilder,
    values: IndexBuilder,
    leaves: Vec<LeafOf>,
    /// What each leaf becomes.
    answers: Vec<u32>,
    entries: Vec<Entry>,
    candidates: Candidates,
    conditions: Conditions,
    patterns: PatternsBuilder,
    connections: BTreeMap<u32, u32>,
    rules: Vec<RuleSlot>,
}

impl Builder {
    fn new(hasher: Hasher) -> Builder {
        Builder {
            hasher,
            interner: Interner::default(),
            listeners: Vec::new(),
            hosts_by_name: IndexBuilder::default(),
            hosts: Vec::new(),
            own_leaves: Vec::new(),
            grpc: Vec::new(),
            deepest: 0,
            paths: IndexBuilder::default(),
            values: IndexBuilder::default(),
            leaves: Vec::new(),
            answers: Vec::new(),
            entries: Vec::new(),
            candidates: Candidates::default(),
            conditions: Conditions::default(),
            patterns: PatternsBuilder::default(),
            connections: BTreeMap::new(),
            rules: Vec::new(),
        }
    }

    /// Numbers the rules of all routes, each route once however many listeners it hangs on, and gives each listener its
    /// routes in the order that breaks ties.
    fn routes<'i>(&mut self, listeners: &'i [Arc<Listener>]) -> Vec<Vec<Attached<'i>>> {
        let count = listeners.iter().map(|listener| listener.routes.len()).sum();
        let mut all: Vec<(&'i Arc<Route>, usize)> = Vec::with_capacity(count);
        for (number, listener) in listeners.iter().enumerate() {
            all.extend(listener.routes.iter().map(|route| (route, number)));
        }
        all.sort_by(|a, b| route_order(a.0, b.0).then(a.1.cmp(&b.1)));
        let mut attached: Vec<Vec<Attached<'i>>> = listeners.iter().map(|_| Vec::new()).collect();
        let mut before: Option<&Arc<Route>> = None;
        let mut first_rule = 0;
        for (route, listener) in all {
            if !before.is_some_and(|before| Arc::ptr_eq(before, route)) {
                first_rule = small(self.rules.len());
                self.rules.extend(route.rules.iter().map(|rule| RuleSlot {
                    route: route.clone(),
                    rule: rule.clone(),
                }));
                before = Some(route);
            }
            if let Some(attached) = attached.get_mut(listener) {
                attached.push(Attached { route, first_rule });
            }
        }
        self.rules.shrink_to_fit();
        attached
    }

    fn listener(&mut self, listener: &Arc<Listener>, routes: &[Attached<'_>]) {
        let number = small(self.listeners.len());
        let mut hosts = Names::new(number);
        for Attached { route, first_rule } in routes {
            for hostname in served(listener, route) {
                let host = self.host(hostname, number, &mut hosts);
                for (rule, slot) in route.rules.iter().zip(*first_rule..) {
                    self.rule(host, rule, slot);
                }
            }
        }
        self.listeners.push(ListenerTable {
            listener: listener.clone(),
            hosts,
        });
    }

    /// The number of a hostname of a listener.
    fn host(&mut self, name: Option<&Hostname>, listener: u32, names: &mut Names) -> u32 {
        let next = small(self.hosts.len());
        let (number, text) = names.add(
            name,
            next,
            &mut self.hosts_by_name,
            &mut self.interner,
            &self.hasher,
        );
        if number == next {
            self.hosts.push(Host::new(listener, text));
            self.own_leaves.push([NONE; 2]);
        }
        number
    }

    fn rule(&mut self, host: u32, rule: &Rule, slot: u32) {
        match &rule.matches {
            Matches::Http(matches) => {
                for (position, one) in (0..).zip(matches) {
                    let leaf = self.http_leaf(host, one);
                    self.entries.push(Entry {
                        leaf,
                        rule: slot,
                        rank: http_rank(one),
                        position,
                    });
                }
            }
            Matches::Grpc(matches) => {
                for (position, one) in (0..).zip(matches) {
                    let leaf = self.own_leaf(host, LeafOf::Grpc { host });
                    self.entries.push(Entry {
                        leaf,
                        rule: slot,
                        rank: grpc_rank(one),
                        position,
                    });
                }
            }
            // The first is the one of the oldest route: routes come in that order.
            Matches::Connection => {
                self.connections.entry(host).or_insert(slot);
            }
        }
    }

    fn http_leaf(&mut self, host: u32, one: &RequestMatch) -> u32 {
        let leaf = small(self.leaves.len());
        let (kind, text) = match &one.path {
            PathMatch::Pattern(_) => return self.own_leaf(host, LeafOf::Patterns { host }),
            PathMatch::Exact(path) => (Kind::Exact, path),
            PathMatch::Prefix(path) => (Kind::Prefix, path),
        };
        let Some(entry) = self.hosts.get_mut(host as usize) else {
            return leaf;
        };
        match kind {
            Kind::Prefix if text.is_empty() => {
                if entry.root == NONE {
                    entry.root = leaf;
                    self.leaves.push(LeafOf::Path);
                }
                return entry.root;
            }
            Kind::Prefix => {
                let elements = elements(text);
                entry.prefixes |= depth(elements);
                self.deepest = self.deepest.max(small(elements));
            }
            _ => entry.exact |= length(text),
        }
        let hash = self.hasher.text(text);
        let key = Key::new(&self.hasher, hash, scope(host, kind), text);
        if let Some(known) = self.paths.find(&key, self.interner.texts()) {
            return known;
        }
        let id = self.interner.intern(&self.hasher, text, hash);
        self.paths.insert(&key, id, leaf);
        self.leaves.push(LeafOf::Path);
        leaf
    }

    fn own_leaf(&mut self, host: u32, of: LeafOf) -> u32 {
        let next = small(self.leaves.len());
        let Some([patterns, grpc]) = self.own_leaves.get_mut(host as usize) else {
            return next;
        };
        let leaf = if matches!(of, LeafOf::Grpc { .. }) {
            grpc
        } else {
            patterns
        };
        if *leaf == NONE {
            *leaf = next;
            self.leaves.push(of);
        }
        *leaf
    }

    /// Sorts what was collected, makes the candidates, and puts answers in place of leaves.
    fn leaves(&mut self) -> Index {
        let mut entries = std::mem::take(&mut self.entries);
        entries.sort_by_key(|entry| (entry.leaf, entry.rank));
        self.candidates.all.reserve_exact(entries.len());
        self.answers = vec![NONE; self.leaves.len()];
        let mut own = Vec::new();
        for entries in entries.chunk_by(|one, two| one.leaf == two.leaf) {
            let Some(leaf) = entries.first().map(|entry| entry.leaf as usize) else {
                continue;
            };
            match self.leaves.get(leaf).copied() {
                Some(LeafOf::Path) => {
                    let answer = self.path_leaf(entries);
                    if let Some(place) = self.answers.get_mut(leaf) {
                        *place = answer.value();
                    }
                }
                Some(of) => {
                    let first = small(self.candidates.all.len());
                    entries.iter().for_each(|entry| self.candidate(entry));
                    own.push((of, first..small(self.candidates.all.len())));
                }
                None => {}
            }
        }
        let answer =
            |answers: &[u32], leaf: u32| answers.get(leaf as usize).copied().unwrap_or(NONE);
        for host in &mut self.hosts {
            host.root = answer(&self.answers, host.root);
        }
        for (of, candidates) in own {
            match of {
                LeafOf::Path => {}
                LeafOf::Patterns { host } => self.patterns_of(host, candidates),
                LeafOf::Grpc { host } => self.grpc_of(host, candidates),
            }
        }
        std::mem::take(&mut self.paths).finish(|leaf| answer(&self.answers, leaf))
    }

    fn path_leaf(&mut self, entries: &[Entry]) -> Answer {
        let first = small(self.candidates.all.len());
        for entry in entries {
            self.candidate(entry);
            // Nothing behind a candidate that takes every request is ever reached.
            if self
                .candidates
                .all
                .last()
                .is_some_and(|last| last.unconditional())
            {
                break;
            }
        }
        let range = Range {
            first,
            count: small(self.candidates.all.len()) - first,
        };
        if let &[alone] = range.of(&self.candidates.all) {
            return Answer::alone(first, alone);
        }
        let index = leaf_index::build(
            range,
            &mut self.candidates,
            &mut self.values,
            &mut self.interner,
            &self.hasher,
        );
        self.candidates.leaves.push(Leaf {
            candidates: range,
            index,
        });
        Answer::leaf(small(self.candidates.leaves.len() - 1))
    }

    fn candidate(&mut self, entry: &Entry) {
        let conditions = small(self.candidates.conditions.len());
        let rule = self.rules.get(entry.rule as usize);
        let position = usize::from(entry.position);
        let asks = match rule.map(|slot| &slot.rule.matches) {
            Some(Matches::Http(matches)) => matches.get(position).map(|one| {
                let method = one.method.as_ref().map(|method| method.as_str().as_bytes());
                let (headers, query) = (&one.headers, &one.query);
                self.conditions.add(
                    method,
                    headers,
                    query,
                    &mut self.candidates,
                    &mut self.interner,
                    &self.hasher,
                )
            }),
            Some(Matches::Grpc(matches)) => matches.get(position).map(|one| {
                if filed_whole(one) {
                    return Candidate::whole();
                }
                self.conditions.add(
                    None,
                    &one.headers,
                    &[],
                    &mut self.candidates,
                    &mut self.interner,
                    &self.hasher,
                )
            }),
            _ => None,
        };
        let candidate = Candidate {
            rule: entry.rule,
            position: entry.position,
            asks: asks.unwrap_or_else(Candidate::whole),
        };
        self.candidates.push(candidate, conditions);
    }

    /// Files the expressions of a host below their heads.
    fn patterns_of(&mut self, host: u32, candidates: std::ops::Range<u32>) {
        // By head, then by what follows it: its candidates, in order.
        let mut heads: BTreeMap<Vec<u8>, BTreeMap<u32, Vec<u32>>> = BTreeMap::new();
        // Candidates with one pattern are often neighbours; taking a pattern apart once for each is enough.
        for number in candidates {
            let pattern = self.pattern(number).cloned();
            let Some(pattern) = pattern else { continue };
            let (head, remainder) = split(&pattern);
            let remainder = self.patterns.remainder(remainder);
            heads
                .entry(head)
                .or_default()
                .entry(remainder)
                .or_default()
                .push(number);
        }
        for (head, remainders) in heads {
            let mut expressions: Vec<Expression> = remainders
                .into_iter()
                .filter_map(|(remainder, candidates)| {
                    Some(Expression {
                        remainder,
                        best: *candidates.first()?,
                        list: list_value(&candidates, &mut self.candidates),
                    })
                })
                .collect();
            expressions.sort_by_key(|expression| expression.best);
            let number = self.patterns.head(&expressions);
            let Some(entry) = self.hosts.get_mut(host as usize) else {
                continue;
            };
            if head.is_empty() {
                entry.headless = number;
                continue;
            }
            let elements = elements(&head);
            entry.heads |= depth(elements);
            self.deepest = self.deepest.max(small(elements));
            self.file(host, Kind::Head, &head, number);
        }
    }

    fn pattern(&self, candidate: u32) -> Option<&crate::pattern::Pattern> {
        let candidate = self.candidates.all.get(candidate as usize)?;
        let slot = self.rules.get(candidate.rule as usize)?;
        let Matches::Http(matches) = &slot.rule.matches else {
            return None;
        };
        match &matches.get(usize::from(candidate.position))?.path {
            PathMatch::Pattern(pattern) => Some(pattern),
            PathMatch::Exact(_) | PathMatch::Prefix(_) => None,
        }
    }

    /// Files the candidates of a host's GRPCRoutes by the exact names that they ask for.
    fn grpc_of(&mut self, host: u32, candidates: std::ops::Range<u32>) {
        let mut filed: BTreeMap<(u8, Vec<u8>), (Kind, Vec<u32>)> = BTreeMap::new();
        let mut rest = Vec::new();
        for number in candidates {
            let Some(one) = self.grpc_match(number) else {
                continue;
            };
            let exact = |name: &Option<ValueMatch>| match name {
                Some(ValueMatch::Exact(name)) => Some([b"/", &**name].concat()),
                Some(ValueMatch::Pattern(_)) | None => None,
            };
            let (kind, text) = match (exact(&one.service), exact(&one.method)) {
                (Some(service), Some(method)) => {
                    (Kind::ServiceAndMethod, [service, method].concat())
                }
                (Some(service), None) => (Kind::Service, service),
                (None, Some(method)) => (Kind::Method, method),
                (None, None) => {
                    rest.push(number);
                    continue;
                }
            };
            let (_, numbers) = filed
                .entry((kind as u8, text))
                .or_insert_with(|| (kind, Vec::new()));
            numbers.push(number);
        }
        for ((_, text), (kind, numbers)) in filed {
            let list = list_value(&numbers, &mut self.candidates);
            self.file(host, kind, &text, list);
        }
        let rest = self.candidates.list(&rest);
        self.grpc.push(GrpcHost { rest });
        let number = small(self.grpc.len() - 1);
        if let Some(entry) = self.hosts.get_mut(host as usize) {
            entry.grpc = number;
        }
    }

    fn grpc_match(&self, candidate: u32) -> Option<&GrpcMatch> {
        let candidate = self.candidates.all.get(candidate as usize)?;
        let slot = self.rules.get(candidate.rule as usize)?;
        match &slot.rule.matches {
            Matches::Grpc(matches) => matches.get(usize::from(candidate.position)),
            Matches::Http(_) | Matches::Connection => None,
        }
    }

    fn file(&mut self, host: u32, kind: Kind, text: &[u8], answer: u32) {
        let leaf = small(self.answers.len());
        self.answers.push(answer);
        let hash = self.hasher.text(text);
        let id = self.interner.intern(&self.hasher, text, hash);
        let key = Key::new(&self.hasher, hash, scope(host, kind), text);
        self.paths.insert(&key, id, leaf);
    }
}

/// Whether a name of a gRPC match is an expression, which keys cannot answer for.
fn filed_whole(one: &GrpcMatch) -> bool {
    [&one.service, &one.method]
        .into_iter()
        .any(|name| matches!(name, Some(ValueMatch::Pattern(_))))
}

/// The hostnames of a route that the listener lets in, as written in the route; `None` stands for all.
fn served<'r>(listener: &'r Listener, route: &'r Route) -> Vec<Option<&'r Hostname>> {
    if route.hostnames.is_empty() {
        return vec![None];
    }
    let lets_in = |name: &&Hostname| {
        listener
            .hostname
            .as_ref()
            .is_none_or(|own| own.intersects(name))
    };
    let mut names: Vec<&Hostname> = route.hostnames.iter().filter(lets_in).collect();
    names.sort();
    names.dedup();
    names.into_iter().map(Some).collect()
}

/// How many elements a path has: its slashes.
fn elements(path: &[u8]) -> usize {
    path.iter().filter(|&&byte| byte == b'/').count()
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(NONE)
}
