//! The rule that serves a request.

use std::time::Duration;

use gatepost::table::{Head, Match as Found, NoMatch};
use gatepost::target::Refused;

use crate::code::{
    Code, GATEPOST_BAD_REQUEST, GATEPOST_E_ARGUMENT, GATEPOST_MISDIRECTED, GATEPOST_NOT_FOUND,
    GATEPOST_NOT_IMPLEMENTED, GATEPOST_OK,
};
use crate::error::answering;
use crate::pointers::{In, Out, Str, shared_struct};
use crate::request::{Request, Scratch, Work};
use crate::steps::{self, GATEPOST_WORK_REWRITE_HOST, GATEPOST_WORK_REWRITE_TARGET};
use crate::table::{Id, Table};

/// What serves a request. The memory is the caller's.
///
/// Names are borrowed from the table. What belongs to the request (`target`, `path`, `query`, `host`, `authority`) is
/// borrowed from the request's own memory and from the scratch: it is there until the scratch is used again.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Match {
    /// `sizeof(gatepost_match)`; `GATEPOST_MATCH_INIT` sets it.
    pub size: u32,
    /// What is left to do, `GATEPOST_WORK_*` or'ed; 0 for most rules. A host that meets a bit that it does not know answers 500.
    pub work: u32,
    /// The match by number, to be kept for later phases.
    pub id: Id,
    /// The number of the rule, below `gatepost_memory.rules_len`: an index for the host's own arrays.
    pub rule_id: u32,
    /// How many backends the rule has.
    pub backends_len: u32,
    /// The rule is `spec.rules[rule_index]` of its route,
    pub rule_index: u32,
    /// and the match `matches[match_index]` of the rule.
    pub match_index: u32,
    /// `timeouts.request` in milliseconds, rounded up; 0: no limit.
    pub request_timeout_ms: u64,
    /// `timeouts.backendRequest` in milliseconds, rounded up; 0: no limit.
    pub backend_timeout_ms: u64,
    /// The route's kind, such as `HTTPRoute`,
    pub route_kind: Str,
    /// its namespace,
    pub route_namespace: Str,
    /// and its name.
    pub route_name: Str,
    /// `rules[].name`; empty: it has none.
    pub rule_name: Str,
    /// The listener's name.
    pub listener_name: Str,
    /// Path and query as they have to be forwarded: in canonical form, which is what was matched. With
    /// `GATEPOST_WORK_REWRITE_TARGET` in `work` they differ from the target as it came, and only these may be forwarded.
    pub target: Str,
    /// The path alone.
    pub path: Str,
    /// The query alone, without `?`; its pointer is NULL if there is none.
    pub query: Str,
    /// The host that was asked for: lower case, without port; empty if none was.
    pub host: Str,
    /// With `GATEPOST_WORK_REWRITE_HOST`: what the Host field of the forwarded request has to be.
    pub authority: Str,
    /// Why there is no match, in words, where the answer is above 0; static. Nothing else is set then.
    pub reason: Str,
}

impl Match {
    const EMPTY: Match = Match {
        size: 0,
        work: 0,
        id: Id::EMPTY,
        rule_id: 0,
        backends_len: 0,
        rule_index: 0,
        match_index: 0,
        request_timeout_ms: 0,
        backend_timeout_ms: 0,
        route_kind: Str::EMPTY,
        route_namespace: Str::EMPTY,
        route_name: Str::EMPTY,
        rule_name: Str::EMPTY,
        listener_name: Str::EMPTY,
        target: Str::EMPTY,
        path: Str::EMPTY,
        query: Str::EMPTY,
        host: Str::EMPTY,
        authority: Str::EMPTY,
        reason: Str::EMPTY,
    };

    /// What the table knows of a match.
    fn of(table: &Table, found: &Found<'_>) -> Match {
        let (rule, route) = (found.rule(), found.route());
        let milliseconds = |limit: Option<Duration>| {
            let nanoseconds = limit.unwrap_or_default().as_nanos();
            u64::try_from(nanoseconds.div_ceil(1_000_000)).unwrap_or(u64::MAX)
        };
        Match {
            size: 0,
            work: steps::work(found),
            id: table.id(found.id()),
            rule_id: found.rule_id().number(),
            backends_len: u32::try_from(found.backends().entries().len()).unwrap_or(u32::MAX),
            rule_index: rule.index.into(),
            match_index: found.position().into(),
            request_timeout_ms: milliseconds(rule.timeouts.request),
            backend_timeout_ms: milliseconds(rule.timeouts.backend_request),
            route_kind: Str::of(route.kind.as_str().as_bytes()),
            route_namespace: Str::of(route.namespace.as_bytes()),
            route_name: Str::of(route.name.as_bytes()),
            rule_name: Str::of(rule.name.as_deref().unwrap_or_default().as_bytes()),
            listener_name: Str::of(found.listener().name.as_bytes()),
            ..Match::EMPTY
        }
    }

    /// What the request adds.
    fn with_target(mut self, request: &Request, head: &Head<'_>, work: &mut Work<'_>) -> Match {
        let target = &head.target;
        if target.changed() {
            self.work |= GATEPOST_WORK_REWRITE_TARGET;
            self.target = Str::of(work.compose(target));
        } else {
            self.target = Str::of(request.target.bytes().unwrap_or_default());
        }
        self.path = Str::of(target.path());
        self.query = target.query().map_or(Str::EMPTY, Str::of);
        self.host = Str::of(target.host().as_str().as_bytes());
        if let Some(authority) = target.authority().filter(|_| request.authority.is_absent()) {
            self.work |= GATEPOST_WORK_REWRITE_HOST;
            self.authority = Str::of(authority);
        }
        self
    }
}

shared_struct!(Match {
    size,
    work,
    id,
    rule_id,
    backends_len,
    rule_index,
    match_index,
    request_timeout_ms,
    backend_timeout_ms,
    route_kind,
    route_namespace,
    route_name,
    rule_name,
    listener_name,
    target,
    path,
    query,
    host,
    authority,
    reason
});

/// The code and the words of a request that is refused.
pub fn refused(reason: Refused) -> (Code, &'static str) {
    (GATEPOST_BAD_REQUEST, reason.as_str())
}

/// The code and the words of a request that nothing serves.
pub fn unserved(reason: NoMatch) -> (Code, &'static str) {
    match reason {
        NoMatch::NotFound => (
            GATEPOST_NOT_FOUND,
            "no listener takes the host, or no rule of the listener matches",
        ),
        NoMatch::Misdirected => (
            GATEPOST_MISDIRECTED,
            "the host belongs to another listener than the TLS connection",
        ),
        NoMatch::NotImplemented => (GATEPOST_NOT_IMPLEMENTED, "the method is CONNECT"),
    }
}

/// Finds the rule that serves a request: `GATEPOST_OK`, `GATEPOST_NOT_FOUND` (404), `GATEPOST_BAD_REQUEST` (400),
/// `GATEPOST_MISDIRECTED` (421), `GATEPOST_NOT_IMPLEMENTED` (501), or a code below 0 for a mistake of the caller's.
///
/// No allocation, no lock, no system call, but for what the header callback does; the cost does not grow with the number of
/// rules. What is matched is the canonical form of the target, and `out->target` is what has to be forwarded.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn gatepost_find(
    table: Option<&Table>,
    request: In<Request>,
    scratch: Option<&mut Scratch>,
    mut out: Out<Match>,
) -> Code {
    answering(|| {
        out.check()?;
        let table = table.ok_or(GATEPOST_E_ARGUMENT)?;
        let scratch = scratch.ok_or(GATEPOST_E_ARGUMENT)?;
        let request = request.read()?;
        let (code, found) = request.with(table, scratch, |head, work| {
            let none = |(code, reason): (Code, &'static str)| {
                let reason = Str::of(reason.as_bytes());
                (
                    code,
                    Match {
                        reason,
                        ..Match::EMPTY
                    },
                )
            };
            let head = match head {
                Ok(head) => head,
                Err(reason) => return Ok(none(refused(reason))),
            };
            Ok(match table.routes.find(head, work.lookup) {
                Ok(found) => {
                    let found = Match::of(table, &found).with_target(&request, head, work);
                    (GATEPOST_OK, found)
                }
                Err(reason) => none(unserved(reason)),
            })
        })?;
        out.write(&found)?;
        Ok(code)
    })
}

/// The match of an id, in a later phase: all but `target`, `path`, `query`, `host`, `authority` and the two bits that speak of
/// them, which belonged to the request. `GATEPOST_E_STALE` if it was found in another table: keep the table with
/// `gatepost_table_retain`, or find again.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn gatepost_resume(table: Option<&Table>, id: Id, mut out: Out<Match>) -> Code {
    answering(|| {
        out.check()?;
        let (table, found) = Table::resumed(table, id)?;
        out.write(&Match::of(table, &found))?;
        Ok(GATEPOST_OK)
    })
}
