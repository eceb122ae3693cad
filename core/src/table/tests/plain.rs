//! The plain reading of a table: every candidate is compared with every other, and nothing is indexed.

use std::sync::Arc;

use crate::hostname::Hostname;
use crate::key::ObjectKey;
use crate::rule::{Listener, Matches, Precedence, Protocol, Route, Rule};
use crate::table::{Head, NoMatch, TableInput, first_failure, first_grpc_failure, is_grpc};

/// The rule and match that serve a request.
pub(super) fn find<'i>(
    input: &'i TableInput,
    head: &Head<'_>,
) -> Result<(&'i ObjectKey, u16, u16), NoMatch> {
    if head.method == b"CONNECT" {
        return Err(NoMatch::NotImplemented);
    }
    let host = head.target.host().name();
    let web = |listener: &Listener| {
        listener.port == head.port && matches!(listener.protocol, Protocol::Http | Protocol::Https)
    };
    let listener = most_specific(input, host, web).ok_or(NoMatch::NotFound)?;
    if listener.protocol == Protocol::Https {
        let https = |one: &Listener| one.port == head.port && one.protocol == Protocol::Https;
        let own = most_specific(input, head.sni, https);
        if !own.is_some_and(|own| Arc::ptr_eq(own, listener)) {
            return Err(NoMatch::Misdirected);
        }
    }
    type Found<'i> = (&'i ObjectKey, u16, u16);
    let mut best: Option<((Reversed, bool, Precedence<'i>), Found<'i>)> = None;
    for route in &listener.routes {
        for name in names(route, listener) {
            if !name.is_none_or(|name| host.is_some_and(|host| name.matches(host))) {
                continue;
            }
            for rule in &route.rules {
                for position in 0..matches(rule) {
                    let Some(http) = fits(rule, position, head) else {
                        continue;
                    };
                    // Host first, then GRPCRoutes before HTTPRoutes.
                    let key = (
                        Reversed(name.map(|name| (!name.is_wildcard(), name.as_str().len()))),
                        http,
                        Precedence::new(name, route, rule, position),
                    );
                    if best.as_ref().is_none_or(|(known, _)| key < *known) {
                        let position = u16::try_from(position).expect("few");
                        best = Some((key, (&*route.key, rule.index, position)));
                    }
                }
            }
        }
    }
    best.map(|(_, found)| found).ok_or(NoMatch::NotFound)
}

/// More specific hosts first.
#[derive(PartialEq, Eq)]
struct Reversed(Option<(bool, usize)>);

impl PartialOrd for Reversed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        other.0.partial_cmp(&self.0)
    }
}

fn most_specific<'i>(
    input: &'i TableInput,
    host: Option<&str>,
    takes: impl Fn(&Listener) -> bool,
) -> Option<&'i Arc<Listener>> {
    let admits = |listener: &&Arc<Listener>| match (&listener.hostname, host) {
        (None, _) => true,
        (Some(name), Some(host)) => name.matches(host),
        (Some(_), None) => false,
    };
    let specific = |listener: &&Arc<Listener>| {
        let name = listener.hostname.as_ref();
        name.map(|name| (!name.is_wildcard(), name.as_str().len()))
    };
    let all = input.listeners.iter().filter(|listener| takes(listener));
    all.filter(admits).max_by_key(specific)
}

fn names<'i>(route: &'i Route, listener: &Listener) -> Vec<Option<&'i Hostname>> {
    if route.hostnames.is_empty() {
        return vec![None];
    }
    let own = listener.hostname.as_ref();
    let served = route
        .hostnames
        .iter()
        .filter(|name| own.is_none_or(|own| own.intersects(name)));
    served.map(Some).collect()
}

fn matches(rule: &Rule) -> usize {
    match &rule.matches {
        Matches::Http(matches) => matches.len(),
        Matches::Grpc(matches) => matches.len(),
        Matches::Connection => 0,
    }
}

/// Whether a request fits a match, and if so whether that is one of an HTTPRoute.
fn fits(rule: &Rule, position: usize, head: &Head<'_>) -> Option<bool> {
    match &rule.matches {
        Matches::Http(matches) => first_failure(&matches[position], head)
            .is_none()
            .then_some(true),
        Matches::Grpc(matches) => (is_grpc(head.method, head.headers)
            && first_grpc_failure(&matches[position], head).is_none())
        .then_some(false),
        Matches::Connection => None,
    }
}
