//! Making a table of the one before: only what changes is made anew.
//!
//! Listeners and routes of both inputs are held against each other; what differs becomes changes of keys, each a match of a
//! rule that is put to a key or taken from it. Changes are sorted by hash and so by shard; a shard that none falls into stays
//! what it is. A table is first built by the same way, from the empty one.

use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use super::apply::apply;
use super::candidate::{Candidate, Served};
use super::changes::{Changes, What};
use super::conditions;
use super::dictionary::Kind;
use super::heads::head;
use super::host::{Below, Host, HostInfo, Tag, depth, length};
use super::index::{IndexBuilder, Key, NONE};
use super::listener::{ListenerTable, Ports};
use super::names::{self, Names};
use super::routes::{Move, RuleNumbers};
use super::texts::Texts;
use super::{RouteTable, TableInput};
use crate::hostname::Hostname;
use crate::rule::precedence::{grpc_rank, http_rank};
use crate::rule::{
    GrpcMatch, Listener, Matches, PathMatch, RequestMatch, Route, Routes, Rule, ValueMatch,
};

/// Port first, then exact hostnames above wildcards above none, the longer above the shorter; the rest makes it total.
fn order(one: &Listener, two: &Listener) -> Ordering {
    let key = |listener: &Listener| {
        let name = listener.hostname.as_ref();
        let rank = name.map_or(0, |name| if name.is_wildcard() { 1 } else { 2 });
        let length = name.map_or(0, |name| name.as_str().len());
        (listener.port, Reverse((rank, length)))
    };
    let rest = |listener: &'_ Listener| listener.protocol;
    key(one)
        .cmp(&key(two))
        .then_with(|| one.hostname.cmp(&two.hostname))
        .then_with(|| rest(one).cmp(&rest(two)))
        .then_with(|| one.owner.cmp(&two.owner))
        .then_with(|| one.name.cmp(&two.name))
}

/// A route that comes to a listener, goes from it, or becomes another.
struct Moved<'x> {
    listener: u32,
    /// The listener's hostname.
    own: Option<&'x Hostname>,
    old: Option<&'x Arc<Route>>,
    new: Option<&'x Arc<Route>>,
}

/// A route before or after a change.
struct Side<'x> {
    listener: u32,
    route: &'x Arc<Route>,
    rules: RuleNumbers,
    /// The listener's hostname.
    own: Option<&'x Hostname>,
    /// The numbers of rules that stay where they are.
    stay: Vec<u32>,
}

pub(super) fn table(old: &RouteTable, input: &TableInput) -> RouteTable {
    let mut listeners = input.listeners.clone();
    listeners.sort_by(|one, two| order(one, two));
    let mut update = Update {
        old,
        table: old.clone(),
        changes: Changes::default(),
        names: IndexBuilder::default(),
        name_texts: Texts::default(),
        less: Vec::new(),
        text: Vec::new(),
        served: Vec::new(),
    };
    let moved = update.listeners(&listeners);
    update.routes(&moved);
    update.emptied();
    let Update {
        mut table, changes, ..
    } = update;
    apply(old, &mut table, &changes);
    table.rule_numbers.settle();
    table.host_numbers.settle();
    table.listener_numbers.settle();
    table.subject_numbers.settle();
    table
}

struct Update<'x> {
    old: &'x RouteTable,
    table: RouteTable,
    changes: Changes,
    /// Hosts that are new.
    names: IndexBuilder,
    name_texts: Texts,
    /// Hosts that something was taken from.
    less: Vec<u32>,
    /// A text that is being put together.
    text: Vec<u8>,
    /// The names of the route at hand.
    served: Vec<Option<&'x Hostname>>,
}

impl<'x> Update<'x> {
    /// Holds the listeners of both inputs against each other.
    fn listeners(&mut self, new: &'x [Arc<Listener>]) -> Vec<Moved<'x>> {
        let old = self.old;
        let mut moved = Vec::new();
        let mut numbers = Vec::with_capacity(new.len());
        let mut same = old.inputs.len() == new.len();
        let none = &old.no_routes;
        let mut before = old
            .inputs
            .iter()
            .zip(old.input_numbers.iter().copied())
            .peekable();
        let mut gone = |listener: &'x Arc<Listener>, number, update: &mut Self| {
            differ(&mut moved, number, listener, &listener.routes, none);
            if let Some(place) = update.table.listeners.get_mut(number) {
                *place = None;
            }
            update.table.listener_numbers.give_back(number);
        };
        let mut kept = Vec::new();
        for listener in new {
            while let Some((known, number)) =
                before.next_if(|(known, _)| order(known, listener).is_lt())
            {
                gone(known, number, self);
                same = false;
            }
            let known = before.next_if(|(known, _)| order(known, listener).is_eq());
            let number = match known {
                Some((_, number)) => number,
                None => {
                    same = false;
                    self.table.listener_numbers.take()
                }
            };
            numbers.push(number);
            kept.push((listener, known.map(|(known, _)| known), number));
        }
        for (known, number) in before {
            gone(known, number, self);
            same = false;
        }
        for (listener, known, number) in kept {
            if known.is_some_and(|known| Arc::ptr_eq(known, listener)) {
                continue;
            }
            let routes = known.map_or(none, |known| &known.routes);
            differ(&mut moved, number, listener, routes, &listener.routes);
            if let Some(place) = self.table.listeners.get_mut(number) {
                match (place, known) {
                    (Some(table), Some(_)) => table.listener = listener.clone(),
                    (place, _) => {
                        *place = Some(ListenerTable {
                            listener: listener.clone(),
                            hosts: Names::new(Kind::Name.scope(number)),
                            tally: Arc::new([0; 65]),
                        });
                    }
                }
            }
        }
        if !same {
            self.table.ports = Arc::new(Ports::build(new, &numbers, &self.table.hasher));
        }
        self.table.inputs = new.into();
        self.table.input_numbers = numbers.into();
        moved
    }

    /// Numbers the rules of routes that are new, and makes changes of what is another.
    fn routes(&mut self, moved: &[Moved<'x>]) {
        let mut moves: Vec<Move<'x>> = Vec::with_capacity(moved.len());
        for (at, moved) in moved.iter().enumerate() {
            moves.extend(moved.old.map(|route| Move { route, by: -1, at }));
            moves.extend(moved.new.map(|route| Move { route, by: 1, at }));
        }
        // The routes of one listener come in the order of their keys.
        let in_order = moved.windows(2).all(|two| match two {
            [one, two] => one.listener == two.listener,
            _ => true,
        });
        let table = &mut self.table;
        let numbers =
            table
                .routes
                .attach(moves, in_order, &mut table.rules, &mut table.rule_numbers);
        let (mut before, mut after) = (Vec::new(), Vec::with_capacity(moved.len()));
        for (moved, numbers) in moved.iter().zip(numbers) {
            let side = |route: &'x Arc<Route>, rules: RuleNumbers| Side {
                listener: moved.listener,
                route,
                rules,
                own: moved.own,
                stay: Vec::new(),
            };
            let mut old = moved.old.and_then(|route| {
                let known = self.old.routes.get(route)?;
                Some(side(route, known.rules.clone()))
            });
            let mut new = moved.new.zip(numbers).map(|(new, rules)| side(new, rules));
            if let (Some(old), Some(new)) = (&mut old, &mut new)
                && same_names(old, new)
                && old.route.created == new.route.created
            {
                let own = (0..new.route.rules.len()).filter_map(|at| new.rules.get(at));
                let mut own: Vec<u32> = own.collect();
                own.sort_unstable();
                let stay = (0..old.route.rules.len()).filter_map(|at| old.rules.get(at));
                old.stay = stay
                    .filter(|number| own.binary_search(number).is_ok())
                    .collect();
                old.stay.sort_unstable();
                new.stay = old.stay.clone();
            }
            before.extend(old);
            after.extend(new);
        }
        for side in &before {
            self.side(side, false);
        }
        // Most routes have a name and a path.
        self.changes.reserve(before.len() + 2 * after.len());
        for side in &after {
            self.side(side, true);
        }
    }

    fn side(&mut self, side: &Side<'x>, put: bool) {
        let mut names = std::mem::take(&mut self.served);
        served(side.own, side.route, &mut names);
        for &name in &names {
            let mut host = None;
            for (at, rule) in side.route.rules.iter().enumerate() {
                let Some(number) = side.rules.get(at) else {
                    continue;
                };
                if side.stay.binary_search(&number).is_ok() || is_empty(&rule.matches) {
                    continue;
                }
                if host.is_none() {
                    host = self.host(side.listener, name, put);
                }
                let Some(host) = host else {
                    break;
                };
                self.rule(host, rule, number, put);
            }
        }
        self.served = names;
    }

    /// The host of a name of a listener; if there is none and something is put there, it is added.
    fn host(&mut self, listener: u32, name: Option<&'x Hostname>, put: bool) -> Option<u32> {
        let table = self.table.listeners.get(listener).and_then(Option::as_ref);
        let Some(name) = name else {
            // Of a listener that is gone the old table knows.
            let any = match table {
                Some(table) => table.hosts.any,
                None => self.old.listener_table(listener)?.hosts.any,
            };
            if any != NONE {
                return Some(any);
            }
            let number = put.then(|| self.new_host(listener, None))?;
            if let Some(Some(table)) = self.table.listeners.get_mut(listener) {
                table.hosts.any = number;
            }
            return Some(number);
        };
        let text = names::text(name);
        let hash = self.old.hasher.text(text);
        let key = Key::new(&self.old.hasher, hash, Kind::Name.scope(listener), text);
        if let Some(number) = self.names.find(&key, &self.name_texts) {
            return Some(number);
        }
        if let Some((_, number)) = self.old.dictionary.find(&key) {
            return Some(number);
        }
        if !put {
            return None;
        }
        let number = self.new_host(listener, Some(name));
        let id = self.name_texts.push(text);
        self.names.insert(&key, id, number);
        self.count_name(listener, name, true);
        self.changes.push(&key, What::Host(number), 0);
        Some(number)
    }

    fn new_host(&mut self, listener: u32, name: Option<&Hostname>) -> u32 {
        let number = self.table.host_numbers.take();
        if let Some(host) = self.table.hosts.get_mut(number) {
            *host = Host {
                listener,
                ..Host::default()
            };
        }
        if let Some(info) = self.table.host_infos.get_mut(number) {
            *info = HostInfo::named(name.cloned());
        }
        number
    }

    /// Counts a name of a listener more or less.
    fn count_name(&mut self, listener: u32, name: &Hostname, more: bool) {
        let Some(Some(table)) = self.table.listeners.get_mut(listener) else {
            return;
        };
        let (at, bit) = match name.suffix() {
            None => (0, 0),
            Some(suffix) => {
                let bit = names::bit(suffix.len());
                (1 + bit.trailing_zeros() as usize, bit)
            }
        };
        let Some(count) = Arc::make_mut(&mut table.tally).get_mut(at) else {
            return;
        };
        *count = if more {
            *count + 1
        } else {
            count.saturating_sub(1)
        };
        let any = *count > 0;
        if at == 0 {
            table.hosts.exact = any;
        } else if any {
            table.hosts.suffixes |= bit;
        } else {
            table.hosts.suffixes &= !bit;
        }
    }

    /// Removes hosts that nothing is left of.
    fn emptied(&mut self) {
        let mut less = std::mem::take(&mut self.less);
        less.sort_unstable();
        less.dedup();
        for number in less {
            let Some(info) = self.table.host_infos.get(number) else {
                continue;
            };
            if !info.is_empty() {
                continue;
            }
            let listener = self
                .table
                .hosts
                .get(number)
                .map_or(NONE, |host| host.listener);
            // The name of the old table outlives the change.
            let name = self
                .old
                .host_infos
                .get(number)
                .and_then(|info| info.name.as_ref());
            match name {
                Some(name) => {
                    self.count_name(listener, name, false);
                    let text = names::text(name);
                    let hash = self.old.hasher.text(text);
                    let key = Key::new(&self.old.hasher, hash, Kind::Name.scope(listener), text);
                    self.changes.push(&key, What::NoHost, 0);
                }
                None => {
                    if let Some(Some(table)) = self.table.listeners.get_mut(listener) {
                        table.hosts.any = NONE;
                    }
                }
            }
            if let Some(host) = self.table.hosts.get_mut(number) {
                *host = Host::default();
            }
            if let Some(info) = self.table.host_infos.get_mut(number) {
                *info = HostInfo::default();
            }
            self.table.host_numbers.give_back(number);
        }
    }

    fn rule(&mut self, host: u32, rule: &Rule, number: u32, put: bool) {
        let matched = |position| Matched {
            host,
            served: Served {
                rule: number,
                position,
            },
            plain: conditions::count(&rule.matches, position) == Some(0),
            put,
        };
        match &rule.matches {
            Matches::Http(matches) => {
                for (position, one) in (0..=u16::MAX).zip(matches) {
                    self.http(one, matched(position));
                }
            }
            Matches::Grpc(matches) => {
                for (position, one) in (0..=u16::MAX).zip(matches) {
                    self.grpc(one, matched(position));
                }
            }
            Matches::Connection => {
                let tag = Tag::Below(Below::Connection);
                self.file(Kind::Connection, tag, b"", matched(0), 0);
            }
        }
    }

    fn http(&mut self, one: &RequestMatch, matched: Matched) {
        let rank = http_rank(one);
        match &one.path {
            PathMatch::Exact(path) => {
                self.file(Kind::Exact, Tag::Exact(length(path)), path, matched, rank);
            }
            PathMatch::Prefix(path) if path.is_empty() => {
                self.file(Kind::Prefix, Tag::Below(Below::Root), path, matched, rank);
            }
            PathMatch::Prefix(path) => {
                let tag = Tag::Prefix(depth(self.elements(path)));
                self.file(Kind::Prefix, tag, path, matched, rank);
            }
            PathMatch::Pattern(pattern) => {
                let head = head(pattern);
                let tag = if head.is_empty() {
                    Tag::Below(Below::Headless)
                } else {
                    Tag::Head(depth(self.elements(&head)))
                };
                self.file(Kind::Head, tag, &head, matched, rank);
            }
        }
    }

    /// How many elements a path has: its slashes.
    fn elements(&mut self, path: &[u8]) -> usize {
        let elements = path.iter().filter(|&&byte| byte == b'/').count();
        let deepest = u32::try_from(elements).unwrap_or(u32::MAX);
        self.table.deepest = self.table.deepest.max(deepest);
        elements
    }

    fn grpc(&mut self, one: &GrpcMatch, matched: Matched) {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        let mut exact = |name: &Option<ValueMatch>| {
            let Some(ValueMatch::Exact(name)) = name else {
                return false;
            };
            text.push(b'/');
            text.extend_from_slice(name);
            true
        };
        let (kind, below) = match (exact(&one.service), exact(&one.method)) {
            (true, true) => (Kind::ServiceAndMethod, Below::ServiceAndMethod),
            (true, false) => (Kind::Service, Below::Service),
            (false, true) => (Kind::Method, Below::Method),
            (false, false) => (Kind::Method, Below::AnyMethod),
        };
        self.file(kind, Tag::Below(below), &text, matched, grpc_rank(one));
        self.text = text;
    }

    fn file(&mut self, kind: Kind, tag: Tag, text: &[u8], matched: Matched, rank: u64) {
        let Matched {
            host,
            served,
            plain,
            put,
        } = matched;
        let table = &mut self.table;
        if let (Some(bits), Some(info)) =
            (table.hosts.get_mut(host), table.host_infos.get_mut(host))
        {
            info.count(bits, tag, put);
        }
        if !put {
            self.less.push(host);
        }
        let hash = self.old.hasher.text(text);
        let key = Key::new(&self.old.hasher, hash, kind.scope(host), text);
        let what = match (put, plain) {
            (true, true) => What::Put(Candidate::plain(served)),
            (true, false) => What::Put(Candidate::new(served, Candidate::whole())),
            (false, _) => What::Take(served),
        };
        self.changes.push(&key, what, rank);
    }
}

/// A match that is put to a key or taken from it.
#[derive(Clone, Copy)]
struct Matched {
    host: u32,
    served: Served,
    /// Whether it asks for nothing but its path.
    plain: bool,
    put: bool,
}

/// Whether nothing can match.
fn is_empty(matches: &Matches) -> bool {
    match matches {
        Matches::Http(matches) => matches.is_empty(),
        Matches::Grpc(matches) => matches.is_empty(),
        Matches::Connection => false,
    }
}

/// The routes of a listener that are not the same in both versions.
fn differ<'x>(
    moved: &mut Vec<Moved<'x>>,
    number: u32,
    listener: &'x Listener,
    old: &'x Routes,
    new: &'x Routes,
) {
    let differing = old.difference(new).into_iter();
    moved.extend(differing.map(|(old, new)| Moved {
        listener: number,
        own: listener.hostname.as_ref(),
        old,
        new,
    }));
}

fn same_names(one: &Side<'_>, two: &Side<'_>) -> bool {
    let (mut ones, mut twos) = (Vec::new(), Vec::new());
    served(one.own, one.route, &mut ones);
    served(two.own, two.route, &mut twos);
    ones == twos
}

/// The hostnames of a route that the listener lets in, as written in the route; `None` stands for all.
fn served<'r>(own: Option<&Hostname>, route: &'r Route, names: &mut Vec<Option<&'r Hostname>>) {
    names.clear();
    if route.hostnames.is_empty() {
        names.push(None);
        return;
    }
    let lets_in = |name: &&Hostname| own.is_none_or(|own| own.intersects(name));
    names.extend(route.hostnames.iter().filter(lets_in).map(Some));
    names.sort();
    names.dedup();
}
