//! The matches of a listener in the order in which they are tried.

use crate::hostname::Hostname;
use crate::rule::{Listener, Matches, Precedence, Route, Rule};

/// One match of one rule under one hostname.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Candidate<'l> {
    /// The hostname as written in the route; `None` for all hosts.
    pub hostname: Option<&'l Hostname>,
    /// The route.
    pub route: &'l Route,
    /// The rule.
    pub rule: &'l Rule,
    /// Which of the rule's matches.
    pub position: usize,
    /// Its place in the order.
    pub precedence: Precedence<'l>,
}

/// All matches of a listener, the one that is tried first at the top.
///
/// HTTPRoutes and GRPCRoutes stand in one list; at one hostname a gRPC request tries GRPCRoutes first (S:http-and-grpc).
pub fn candidates(listener: &Listener) -> Vec<Candidate<'_>> {
    let mut all = Vec::new();
    for route in &listener.routes {
        let lets_in = |name: &&Hostname| {
            listener
                .hostname
                .as_ref()
                .is_none_or(|own| own.intersects(name))
        };
        let mut names: Vec<Option<&Hostname>> =
            route.hostnames.iter().filter(lets_in).map(Some).collect();
        if route.hostnames.is_empty() {
            names.push(None);
        }
        names.sort();
        names.dedup();
        for hostname in names {
            for rule in &route.rules {
                let count = match &rule.matches {
                    Matches::Http(matches) => matches.len(),
                    Matches::Grpc(matches) => matches.len(),
                    Matches::Connection => 1,
                };
                all.extend((0..count).map(|position| Candidate {
                    hostname,
                    route,
                    rule,
                    position,
                    precedence: Precedence::new(hostname, route, rule, position),
                }));
            }
        }
    }
    all.sort_by(|a, b| a.precedence.cmp(&b.precedence));
    all
}
