//! Precedence (digest 2.4, 2.5), one comparison after the other.

use std::cmp::Ordering;

use super::Route;
use super::attach::Kinds;

/// A match that a request fits.
pub(super) struct Candidate<'o> {
    pub(super) route: &'o Route<'o>,
    pub(super) hostname: Option<&'o str>,
    pub(super) rule: usize,
    pub(super) matching: usize,
    pub(super) rank: Rank,
}

impl<'o> Candidate<'o> {
    pub(super) fn new(
        route: &'o Route<'o>,
        hostname: Option<&'o str>,
        rule: usize,
        matching: usize,
        rank: Rank,
    ) -> Self {
        Candidate {
            route,
            hostname,
            rule,
            matching,
            rank,
        }
    }
}

/// Kind (3 exact, 2 expression, 1 prefix, 0 none) and length of path or service, and of the gRPC method; then counts.
#[derive(Default)]
pub(super) struct Rank {
    pub(super) first: (u8, usize),
    pub(super) second: (u8, usize),
    pub(super) method: bool,
    pub(super) headers: usize,
    pub(super) query: usize,
}

/// The one that serves is the least.
pub(super) fn compare(a: &Candidate<'_>, b: &Candidate<'_>) -> Ordering {
    // 1. Most characters in an exact name, then in a wildcard, then no name.
    let host = |name: Option<&str>| match name {
        Some(name) if name.starts_with("*.") => (1, name.len()),
        Some(name) => (2, name.len()),
        None => (0, 0),
    };
    let by_host = host(b.hostname).cmp(&host(a.hostname));
    if by_host.is_ne() {
        return by_host;
    }
    // At equal host a gRPC request goes to GRPCRoutes first; only they are candidates for it at all.
    let grpc = |candidate: &Candidate<'_>| matches!(candidate.route.route, Kinds::Grpc(_));
    if grpc(a) != grpc(b) {
        return grpc(b).cmp(&grpc(a));
    }
    // 2. Path, or service and then method.
    let by_path = b.rank.first.cmp(&a.rank.first);
    if by_path.is_ne() {
        return by_path;
    }
    let by_grpc_method = b.rank.second.cmp(&a.rank.second);
    if by_grpc_method.is_ne() {
        return by_grpc_method;
    }
    // 3. to 5.
    if a.rank.method != b.rank.method {
        return b.rank.method.cmp(&a.rank.method);
    }
    if a.rank.headers != b.rank.headers {
        return b.rank.headers.cmp(&a.rank.headers);
    }
    if a.rank.query != b.rank.query {
        return b.rank.query.cmp(&a.rank.query);
    }
    // 6. The older route; one without an age is newest (S:no-age).
    let by_age = match (a.route.created, b.route.created) {
        (Some(one), Some(two)) => one.cmp(&two),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    };
    if by_age.is_ne() {
        return by_age;
    }
    // 7. `namespace/name` as one string.
    let name = |candidate: &Candidate<'_>| {
        format!(
            "{}/{}",
            candidate.route.key.namespace, candidate.route.key.name
        )
    };
    let by_name = name(a).as_bytes().cmp(name(b).as_bytes());
    if by_name.is_ne() {
        return by_name;
    }
    // 8.
    (a.rule, a.matching).cmp(&(b.rule, b.matching))
}
