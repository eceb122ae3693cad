//! Why a request goes where it goes: the winner, and what each other candidate lacked.

use super::candidates::{Candidate, candidates};
use super::describe;
use crate::rule::{Listener, Matches, PathMatch, PrecedenceStep, RequestConditions, RequestMatch};
use crate::table::{
    Head, Match, NoMatch, Predicate, RouteTable, each, first_failure, first_grpc_failure, is_grpc,
};
use crate::target::Query;

/// What was decided about a request.
#[derive(Debug)]
#[non_exhaustive]
pub struct Explanation<'t> {
    /// The listener that it belongs to.
    pub listener: Option<&'t Listener>,
    /// The table's own answer.
    pub found: Result<Match<'t>, NoMatch>,
    /// The candidates of the listener with what became of them, in the order in which they are tried.
    pub candidates: Vec<(Candidate<'t>, Verdict)>,
    /// The candidate that fitted best of those that did not fit, where none did.
    pub nearest: Option<usize>,
}

/// What became of a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a candidate wins, loses, or does not fit"
)]
pub enum Verdict {
    /// It serves the request.
    Won,
    /// It fits, but another comes first; the step that decided.
    Lost(PrecedenceStep),
    /// It fits, but a GRPCRoute of the same host takes gRPC requests first.
    AfterGrpc,
    /// It does not fit: everything that fails, in words.
    Failed(Vec<String>),
    /// Its hostname does not mean the host.
    OtherHost,
}

/// Explains what the table does with a request.
///
/// Not for the request path: every candidate is looked at, and words are made of it.
pub fn explain<'t>(table: &'t RouteTable, head: &Head<'_>) -> Explanation<'t> {
    let mut scratch = table.scratch();
    let (listener, found) = match table.listener(head) {
        Ok(listener) => (Some(listener.listener()), listener.find(head, &mut scratch)),
        Err(no_match) => (None, Err(no_match)),
    };
    let Some(listener) = listener else {
        return Explanation {
            listener: None,
            found,
            candidates: Vec::new(),
            nearest: None,
        };
    };
    let mut nearest: Option<(usize, usize)> = None;
    let mut judged: Vec<(Candidate<'t>, Verdict)> = Vec::new();
    let all = candidates(listener);
    let winner = found.as_ref().ok().and_then(|found| {
        all.iter()
            .find(|candidate| candidate.precedence == found.precedence())
            .cloned()
    });
    for candidate in all {
        let host = candidate.hostname.is_none_or(|name| {
            head.target
                .host()
                .name()
                .is_some_and(|host| name.matches(host))
        });
        let failed = if host {
            failures(&candidate, head)
        } else {
            Vec::new()
        };
        let verdict = if !host {
            Verdict::OtherHost
        } else if !failed.is_empty() {
            // The fewest failures are the nearest miss; of equals the one that is tried first.
            if nearest.is_none_or(|(_, fewest)| failed.len() < fewest) {
                nearest = Some((judged.len(), failed.len()));
            }
            Verdict::Failed(failed)
        } else {
            match &winner {
                Some(winner) if winner.precedence == candidate.precedence => Verdict::Won,
                Some(winner) => match candidate.precedence.decided(&winner.precedence) {
                    Some((order, step)) if order.is_gt() => Verdict::Lost(step),
                    _ => Verdict::AfterGrpc,
                },
                None => Verdict::Failed(vec!["the table does not take it".to_owned()]),
            }
        };
        judged.push((candidate, verdict));
    }
    let nearest = nearest.filter(|_| found.is_err()).map(|(at, _)| at);
    Explanation {
        listener: Some(listener),
        found,
        candidates: judged,
        nearest,
    }
}

/// Everything that fails, in words; empty if the candidate fits.
fn failures(candidate: &Candidate<'_>, head: &Head<'_>) -> Vec<String> {
    let failed = match &candidate.rule.matches {
        Matches::Http(matches) => {
            let alone = matches
                .get(candidate.position)
                .map(|one| parts(one, head))
                .unwrap_or_default();
            return alone
                .iter()
                .filter_map(|one| Some(words(first_failure(one, head)?, head)))
                .collect();
        }
        Matches::Grpc(_) if !is_grpc(head.method, head.headers) => Some(Predicate::NotGrpc),
        Matches::Grpc(matches) => matches
            .get(candidate.position)
            .and_then(|one| first_grpc_failure(one, head)),
        Matches::Connection => return vec!["it serves connections, not requests".to_owned()],
    };
    failed
        .map(|failed| words(failed, head))
        .into_iter()
        .collect()
}

/// A match for each thing that a match asks for, everything else as the request has it.
fn parts(one: &RequestMatch, head: &Head<'_>) -> Vec<RequestMatch> {
    let path = PathMatch::Exact(head.target.path().into());
    let asks = |path: &PathMatch, conditions: RequestConditions| RequestMatch {
        index: 0,
        path: path.clone(),
        conditions: conditions.into(),
    };
    let mut parts = vec![asks(&one.path, RequestConditions::default())];
    let RequestConditions {
        method,
        headers,
        query,
    } = &*one.conditions;
    let nothing = RequestConditions::default;
    let mut asked = Vec::new();
    asked.extend(method.iter().map(|method| RequestConditions {
        method: Some(method.clone()),
        ..nothing()
    }));
    asked.extend(headers.iter().map(|header| RequestConditions {
        headers: vec![header.clone()],
        ..nothing()
    }));
    asked.extend(query.iter().map(|parameter| RequestConditions {
        query: vec![parameter.clone()],
        ..nothing()
    }));
    parts.extend(asked.into_iter().map(|one| asks(&path, one)));
    parts
}

fn words(failed: Predicate<'_>, head: &Head<'_>) -> String {
    let path = || String::from_utf8_lossy(head.target.path()).into_owned();
    match failed {
        Predicate::Path(wanted) => format!(
            "path: want {}, request has {}",
            describe::path(wanted),
            path()
        ),
        Predicate::NotGrpc => {
            "not a gRPC request (POST, content-type application/grpc, /service/method)".to_owned()
        }
        Predicate::Service(wanted) => format!(
            "service: want{}, request has {}",
            describe::value(wanted),
            path()
        ),
        Predicate::GrpcMethod(wanted) => format!(
            "method: want{}, request has {}",
            describe::value(wanted),
            path()
        ),
        Predicate::Method(wanted) => format!(
            "method: want {wanted}, request has {}",
            String::from_utf8_lossy(head.method)
        ),
        Predicate::Header(wanted) => {
            let mut values = Vec::new();
            each(head, &wanted.name, &mut |value| {
                values.push(String::from_utf8_lossy(value).into_owned())
            });
            let has = if values.is_empty() {
                "none".to_owned()
            } else {
                format!("{:?}", values.join(","))
            };
            format!(
                "header {}: want{}, request has {has}",
                wanted.name,
                describe::value(&wanted.value)
            )
        }
        Predicate::Query(wanted) => {
            let query = Query::new(head.target.query().unwrap_or_default());
            let has = match query.first(wanted.name.as_bytes()) {
                Some(value) => format!(
                    "{:?}",
                    String::from_utf8_lossy(&Query::decode(value).collect::<Vec<u8>>())
                ),
                None => "none".to_owned(),
            };
            format!(
                "query {}: want{}, request has {has}",
                wanted.name,
                describe::value(&wanted.value)
            )
        }
    }
}
