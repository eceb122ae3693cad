//! Precedence: one ordered key for each match.
//!
//! `HTTPRouteRule.matches`, `GRPCRouteRule.matches` and digest 2.4 and 2.5. The smaller key is tried first, so of candidates
//! that lie together the first that matches is the answer; only where several places of a table answer are their keys compared
//! while a request waits.

use std::cmp::{Ordering, Reverse};

use super::grpc::GrpcMatch;
use super::request::{PathMatch, RequestMatch, ValueMatch};
use super::{Matches, Route, Rule};
use crate::hostname::Hostname;
use crate::key::ObjectKey;
use crate::timestamp::Timestamp;

/// What decides between two matches, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the specification's list is complete"
)]
pub enum PrecedenceStep {
    /// The hostname of the route: exact above wildcard, then the longer one.
    Hostname,
    /// Exact path above regular expression above prefix, then the longer one; for gRPC the service likewise.
    Path,
    /// For gRPC: the method, likewise.
    GrpcMethod,
    /// A match on the method above one without.
    Method,
    /// More header matches.
    Headers,
    /// More query parameter matches.
    QueryParameters,
    /// The older route.
    Age,
    /// The lower `namespace/name`.
    Name,
    /// The earlier rule of the route.
    Rule,
    /// The earlier match of the rule.
    Match,
}

impl PrecedenceStep {
    /// The step in words.
    pub fn as_str(self) -> &'static str {
        match self {
            PrecedenceStep::Hostname => "hostname",
            PrecedenceStep::Path => "path",
            PrecedenceStep::GrpcMethod => "gRPC method",
            PrecedenceStep::Method => "method",
            PrecedenceStep::Headers => "number of headers",
            PrecedenceStep::QueryParameters => "number of query parameters",
            PrecedenceStep::Age => "age",
            PrecedenceStep::Name => "name",
            PrecedenceStep::Rule => "order of rules",
            PrecedenceStep::Match => "order of matches",
        }
    }
}

/// Kind (the greater is tried first) and length of a path or name.
type Text = (Reverse<u8>, Reverse<usize>);

/// The key of one match of one rule under one hostname.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Precedence<'r> {
    hostname: (Reverse<u8>, Reverse<usize>),
    path: Text,
    grpc_method: Text,
    method: Reverse<bool>,
    headers: Reverse<usize>,
    query: Reverse<usize>,
    /// A route without an age counts as newest.
    age: (bool, Option<Timestamp>),
    name: Name<'r>,
    rule: u16,
    matching: u16,
}

const NO_TEXT: Text = (Reverse(0), Reverse(0));

/// `namespace/name`, compared as one string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Name<'r>(&'r ObjectKey);

impl Ord for Name<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let (one, two) = (self.0, other.0);
        if one.namespace == two.namespace {
            one.name.cmp(&two.name)
        } else {
            one.tie_break().cmp(two.tie_break())
        }
        // Routes of different kinds may have one name; they never compete, but the order has to be total.
        .then(one.kind.cmp(&two.kind))
    }
}

impl PartialOrd for Name<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The order of routes whose matches tie: the older first, then the lower name.
pub(crate) fn route_order(one: &Route, two: &Route) -> Ordering {
    let age = |route: &Route| (route.created.is_none(), route.created);
    age(one)
        .cmp(&age(two))
        .then_with(|| Name(&one.key).cmp(&Name(&two.key)))
}

/// The order of HTTPRoute matches of one hostname and one path, or of all regular expressions of one hostname, packed
/// into a number: the lower is tried first. What ties is told apart by [`route_order`] and the order of rules.
pub(crate) fn http_rank(one: &RequestMatch) -> u64 {
    let pattern = match &one.path {
        PathMatch::Pattern(pattern) => most(pattern.as_str().len(), u32::MAX),
        PathMatch::Exact(_) | PathMatch::Prefix(_) => 0,
    };
    let one = &one.conditions;
    pattern << 32
        | u64::from(one.method.is_none()) << 31
        | most(one.headers.len(), 0x7fff) << 16
        | most(one.query.len(), 0xffff)
}

/// The order of GRPCRoute matches of one hostname, likewise.
pub(crate) fn grpc_rank(one: &GrpcMatch) -> u64 {
    let name = |name: &Option<ValueMatch>| {
        let (Reverse(kind), Reverse(length)) = text(name);
        most(usize::from(kind), 3) << 16 | most(length, 0xffff)
    };
    name(&one.service) << 34 | name(&one.method) << 16 | most(one.headers.len(), 0xffff)
}

/// Counts downward from `limit`, so that more comes first.
fn most(count: usize, limit: u32) -> u64 {
    u64::from(limit - u32::try_from(count).unwrap_or(limit).min(limit))
}

/// Kind and length of a gRPC name.
fn text(name: &Option<ValueMatch>) -> Text {
    match name {
        Some(ValueMatch::Exact(name)) => (Reverse(3), Reverse(name.len())),
        Some(ValueMatch::Pattern(pattern)) => (Reverse(2), Reverse(pattern.as_str().len())),
        None => NO_TEXT,
    }
}

impl<'r> Precedence<'r> {
    /// The key of match number `position` of a rule, or of a rule that has no matches.
    pub fn new(
        hostname: Option<&Hostname>,
        route: &'r Route,
        rule: &Rule,
        position: usize,
    ) -> Precedence<'r> {
        let host = |name: &Hostname| {
            (
                Reverse(if name.is_wildcard() { 1 } else { 2 }),
                Reverse(name.as_str().len()),
            )
        };
        let mut key = Precedence {
            hostname: hostname.map_or((Reverse(0), Reverse(0)), host),
            path: NO_TEXT,
            grpc_method: NO_TEXT,
            method: Reverse(false),
            headers: Reverse(0),
            query: Reverse(0),
            age: (route.created.is_none(), route.created),
            name: Name(&route.key),
            rule: rule.index,
            matching: 0,
        };
        match &rule.matches {
            Matches::Http(matches) => {
                if let Some(one) = matches.get(position) {
                    key.http(one);
                }
            }
            Matches::Grpc(matches) => {
                if let Some(one) = matches.get(position) {
                    key.grpc(one);
                }
            }
            Matches::Connection => {}
        }
        key
    }

    fn http(&mut self, one: &RequestMatch) {
        self.path = match &one.path {
            PathMatch::Exact(path) => (Reverse(3), Reverse(path.len())),
            PathMatch::Pattern(pattern) => (Reverse(2), Reverse(pattern.as_str().len())),
            PathMatch::Prefix(prefix) => (Reverse(1), Reverse(prefix.len())),
        };
        let asked = &one.conditions;
        self.method = Reverse(asked.method.is_some());
        self.headers = Reverse(asked.headers.len());
        self.query = Reverse(asked.query.len());
        self.matching = one.index;
    }

    fn grpc(&mut self, one: &GrpcMatch) {
        self.path = text(&one.service);
        self.grpc_method = text(&one.method);
        self.headers = Reverse(one.headers.len());
        self.matching = one.index;
    }

    /// Which of two keys is tried first, and the step that decides it; `None` if they are equal.
    pub fn decided(&self, other: &Precedence<'_>) -> Option<(Ordering, PrecedenceStep)> {
        let steps = [
            (self.hostname.cmp(&other.hostname), PrecedenceStep::Hostname),
            (self.path.cmp(&other.path), PrecedenceStep::Path),
            (
                self.grpc_method.cmp(&other.grpc_method),
                PrecedenceStep::GrpcMethod,
            ),
            (self.method.cmp(&other.method), PrecedenceStep::Method),
            (self.headers.cmp(&other.headers), PrecedenceStep::Headers),
            (
                self.query.cmp(&other.query),
                PrecedenceStep::QueryParameters,
            ),
            (self.age.cmp(&other.age), PrecedenceStep::Age),
            (self.name.cmp(&other.name), PrecedenceStep::Name),
            (self.rule.cmp(&other.rule), PrecedenceStep::Rule),
            (self.matching.cmp(&other.matching), PrecedenceStep::Match),
        ];
        steps.into_iter().find(|(order, _)| order.is_ne())
    }
}

#[cfg(test)]
mod tests {
    use super::{Name, PrecedenceStep};
    use crate::key::{Kind, ObjectKey};

    #[test]
    fn names_are_compared_as_one_string() {
        let key = |namespace: &str, name: &str| ObjectKey::new(Kind::HttpRoute, namespace, name);
        let (one, two, three) = (key("a", "z"), key("a-b", "a"), key("a", "b"));
        assert!(Name(&three) < Name(&one) && Name(&two) < Name(&three));
        let grpc = ObjectKey::new(Kind::GrpcRoute, "a", "z");
        assert_ne!(Name(&one) < Name(&grpc), Name(&grpc) < Name(&one));
    }

    #[test]
    fn steps_have_names() {
        assert_eq!(PrecedenceStep::Hostname.as_str(), "hostname");
        assert_eq!(PrecedenceStep::GrpcMethod.as_str(), "gRPC method");
    }
}
