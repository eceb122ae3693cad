//! The reference model: what a request comes to, slowly and plainly, read off the specification.
//!
//! It shares nothing with the matcher but the wire types: its own hosts, paths, expressions, attachment and precedence.
//! A test enforces the wall. Sections are those of the specification's digest that the decisions of `docs/semantics.md`
//! complete.

mod attach;
mod filters;
mod host;
mod order;
mod path;
mod predicates;
mod regex;

use gatepost::api::Object;
use gatepost::key::ObjectKey;

use crate::request::{Outcome, Request, Served};
use attach::Attached;
use predicates::Asked;

/// The objects that a model answers for.
pub type Objects = Vec<(ObjectKey, Object)>;

/// What becomes of a request.
pub fn answer(objects: &Objects, request: &Request) -> Outcome {
    // 400 comes before everything else (S:host, S:path).
    if request.hosts.len() > 1 {
        return Outcome::Refused;
    }
    let Some(parsed) = path::target(&request.target) else {
        return Outcome::Refused;
    };
    let Some(field) = request.hosts.first() else {
        return Outcome::Refused;
    };
    let Some(mut name) = host::parse(field) else {
        return Outcome::Refused;
    };
    if let Some(authority) = &parsed.authority {
        match host::parse(authority) {
            Some(parsed) => name = parsed,
            None => return Outcome::Refused,
        }
    }
    if request.method == "CONNECT" {
        return Outcome::NotServed(501);
    }
    let listeners = attach::listeners(objects);
    // Digest 2.2: the most specific listener of the port, and only that.
    let by_host = attach::most_specific(&listeners, request.port, name.name());
    let Some(chosen) = by_host else {
        return Outcome::NotServed(404);
    };
    if listeners[chosen].https
        && attach::most_specific(&listeners, request.port, request.sni.as_deref()) != Some(chosen)
    {
        return Outcome::NotServed(421);
    }
    let listener = &listeners[chosen];
    let asked = Asked {
        request,
        path: &parsed.path,
        query: parsed.query.as_deref().unwrap_or_default(),
        host: name.name(),
        authority: parsed.authority.as_deref(),
    };
    let attached = attach::routes(objects, &listeners, chosen);
    let mut candidates = predicates::fitting(&attached, listener, &asked);
    candidates.sort_by(|a, b| order::compare(a, b));
    let Some(best) = candidates.first() else {
        return Outcome::NotServed(404);
    };
    let served = Served {
        route: best.route.key.to_string(),
        rule: best.rule,
        matching: best.matching,
    };
    filters::carry_out(
        objects,
        best,
        listener,
        &asked,
        &name,
        parsed.query.as_deref(),
        served,
    )
}

/// A route that hangs on the chosen listener.
type Route<'o> = Attached<'o>;
