//! The reference model: what a request comes to, slowly and plainly, read off the specification.
//!
//! It shares nothing with the matcher but the wire types: its own hosts, paths, expressions, attachment and precedence.
//! A test enforces the wall. Sections are those of the specification's digest that the decisions of `docs/semantics.md`
//! complete.

mod attach;
mod connection;
mod cors;
mod filters;
mod host;
mod order;
mod path;
mod plan;
mod predicates;
mod regex;

use gatepost::api::Object;
use gatepost::api::gateway::ProtocolType;
use gatepost::key::ObjectKey;

use crate::request::{Outcome, Protocol, Request, Served};
use attach::Attached;
use predicates::Asked;

/// The objects that a model answers for.
pub type Objects = Vec<(ObjectKey, Object)>;

/// What becomes of a request.
pub fn answer(objects: &Objects, request: &Request) -> Outcome {
    if let Protocol::Tls | Protocol::Tcp | Protocol::Udp = request.protocol {
        return connection::answer(objects, request);
    }
    // 400 comes before everything else (S:host, S:path).
    let Some(parsed) = path::target(&request.target) else {
        return Outcome::Refused;
    };
    let needed = request.protocol == Protocol::Http11;
    if request.hosts.len() > 1 || request.hosts.is_empty() && needed {
        return Outcome::Refused;
    }
    let authority = request.authority.clone().or(parsed.authority);
    // The authority of the target goes before Host (RFC 9112 section 3.2.2), but both have to be sound.
    let named = request.hosts.first().into_iter().chain(&authority);
    let mut name = None;
    for text in named {
        name = host::parse(text);
        if name.is_none() {
            return Outcome::Refused;
        }
    }
    let host = name.as_ref().and_then(host::Host::name);
    let not_served = |status: u16, plan: Vec<String>| Outcome::NotServed { status, plan };
    if request.method == "CONNECT" {
        return not_served(501, Vec::new());
    }
    let listeners = attach::listeners(objects);
    // Digest 2.2: the most specific listener of the port, and only that.
    let web = [ProtocolType::Http, ProtocolType::Https];
    let by_host = attach::most_specific(&listeners, request.port, &web, host);
    let Some(chosen) = by_host else {
        return not_served(404, Vec::new());
    };
    let sni = request.sni.as_deref();
    let by_name = || attach::most_specific(&listeners, request.port, &web[1..], sni);
    if listeners[chosen].https() && by_name() != Some(chosen) {
        return not_served(421, Vec::new());
    }
    let listener = &listeners[chosen];
    // Digest 3.16: the listener's filters run in order for every request of it, and none is skipped.
    let mut plan = Vec::new();
    let filters = listener.spec.filters.iter();
    for filter in filters.flat_map(|filters| filters.requests.iter().flatten()) {
        let auth = filter.external_auth.as_ref();
        match auth.and_then(|auth| plan::authorize(objects, listener.gateway, auth)) {
            Some(line) => plan.push(line),
            None => return not_served(500, plan),
        }
    }
    let asked = Asked {
        request,
        path: &parsed.path,
        query: parsed.query.as_deref(),
        host: name.as_ref(),
        authority: authority.as_deref(),
    };
    let attached = attach::routes(objects, &listeners, chosen);
    let mut candidates = predicates::fitting(&attached, listener, &asked);
    candidates.sort_by(|a, b| order::compare(a, b));
    let Some(best) = candidates.first() else {
        return not_served(404, plan);
    };
    let served = Served {
        route: best.route.key.to_string(),
        rule: best.rule,
        matching: best.matching,
    };
    filters::carry_out(objects, best, listener, &asked, served, plan)
}

/// A route that hangs on the chosen listener.
type Route<'o> = Attached<'o>;
