//! Building a table: every match of every rule under every hostname, sorted once.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Candidate, HostTable, ListenerTable, RouteTable, RuleSlot, TableInput};
use crate::hostname::Hostname;
use crate::key::ObjectKey;
use crate::rule::{Listener, Matches, Precedence, Route, Rule};

pub(super) fn table(input: &TableInput) -> RouteTable {
    let mut inputs = input.listeners.clone();
    inputs.sort_by(|a, b| order(a).cmp(&order(b)));
    let mut slots = Slots::default();
    let listeners = inputs
        .iter()
        .map(|listener| listener_table(listener, &mut slots))
        .collect();
    RouteTable {
        settings: input.settings,
        listeners,
        inputs,
        rules: slots.rules,
    }
}

/// Port first, then exact hostnames above wildcards above none, the longer above the shorter; the rest makes it total.
fn order(listener: &Listener) -> impl Ord {
    let name = listener.hostname.as_ref();
    let rank = name.map_or(0, |name| if name.is_wildcard() { 1 } else { 2 });
    let length = name.map_or(0, |name| name.as_str().len());
    (
        listener.port,
        Reverse((rank, length)),
        name.cloned(),
        listener.protocol,
        listener.owner.clone(),
        listener.name.clone(),
    )
}

/// Rules by number. A rule stands once, however many listeners its route hangs on.
#[derive(Default)]
struct Slots {
    rules: Vec<RuleSlot>,
    numbers: BTreeMap<(ObjectKey, u16), u32>,
}

impl Slots {
    fn number(&mut self, route: &Arc<Route>, rule: &Arc<Rule>) -> u32 {
        let next = u32::try_from(self.rules.len()).unwrap_or(u32::MAX);
        let number = *self
            .numbers
            .entry((route.key.clone(), rule.index))
            .or_insert(next);
        if number == next {
            self.rules.push(RuleSlot {
                route: route.clone(),
                rule: rule.clone(),
            });
        }
        number
    }
}

fn listener_table(listener: &Arc<Listener>, slots: &mut Slots) -> ListenerTable {
    let mut table = ListenerTable {
        listener: listener.clone(),
        exact: BTreeMap::new(),
        wildcard: BTreeMap::new(),
        any: None,
        hosts: Vec::new(),
        connection: None,
    };
    let mut first: Option<Precedence> = None;
    let mut connections: BTreeMap<u32, Precedence> = BTreeMap::new();
    for route in &listener.routes {
        for hostname in served(listener, route) {
            let host = table.host(hostname);
            for rule in &route.rules {
                let slot = slots.number(route, rule);
                let count = match &rule.matches {
                    Matches::Http(matches) => matches.len(),
                    Matches::Grpc(matches) => matches.len(),
                    Matches::Connection => {
                        let key = Precedence::new(hostname, route, rule, 0);
                        if connections.get(&host).is_none_or(|best| key < *best) {
                            connections.insert(host, key.clone());
                            table.hosts[host as usize].connection = Some(slot);
                        }
                        if hostname.is_none() && first.as_ref().is_none_or(|best| key < *best) {
                            first = Some(key);
                            table.connection = Some(slot);
                        }
                        continue;
                    }
                };
                let entry = &mut table.hosts[host as usize];
                let list = match &rule.matches {
                    Matches::Grpc(_) => &mut entry.grpc,
                    _ => &mut entry.http,
                };
                list.extend((0..count).map(|position| Candidate {
                    precedence: Precedence::new(hostname, route, rule, position),
                    slot,
                    // INVARIANT: a rule has at most 64 matches (`HTTPRouteRule.matches`).
                    position: u16::try_from(position).unwrap_or(u16::MAX),
                }));
            }
        }
    }
    for host in &mut table.hosts {
        host.http.sort_by(|a, b| a.precedence.cmp(&b.precedence));
        host.grpc.sort_by(|a, b| a.precedence.cmp(&b.precedence));
    }
    table
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

impl ListenerTable {
    /// The number of a hostname's table, made if it is not there.
    fn host(&mut self, hostname: Option<&Hostname>) -> u32 {
        let next = u32::try_from(self.hosts.len()).unwrap_or(u32::MAX);
        let number = match hostname {
            None => *self.any.get_or_insert(next),
            Some(name) => match name.suffix() {
                Some(suffix) => *self.wildcard.entry(suffix.into()).or_insert(next),
                None => *self.exact.entry(name.as_str().into()).or_insert(next),
            },
        };
        if number == next {
            self.hosts.push(HostTable::default());
        }
        number
    }
}
