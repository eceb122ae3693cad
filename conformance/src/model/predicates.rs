//! Which matches a request fits (digest 2.4, 2.5).

use gatepost::api::grpc_route::{GrpcMethodMatch, GrpcRouteMatch};
use gatepost::api::http_route::{
    HttpHeaderMatch, HttpPathMatch, HttpQueryParamMatch, HttpRouteMatch, HttpRouteRule,
    PathMatchType, ValueMatchType,
};

use super::attach::{Kinds, Listener};
use super::host::{Host, intersect, means};
use super::order::{Candidate, Rank};
use super::{Route, path, regex};
use crate::request::Request;

/// A request whose target has been judged.
pub(super) struct Asked<'r> {
    pub(super) request: &'r Request,
    pub(super) path: &'r str,
    pub(super) query: Option<&'r [u8]>,
    pub(super) host: Option<&'r Host>,
    pub(super) authority: Option<&'r [u8]>,
}

impl<'r> Asked<'r> {
    /// The authority that the request names; it goes before the Host field (RFC 9112 section 3.2.2).
    pub(super) fn named(&self) -> Option<&'r [u8]> {
        let field = || self.request.hosts.first().map(Vec::as_slice);
        self.authority.or_else(field)
    }
}

/// All matches that the request fits, each under the hostname by which its route means the host.
pub(super) fn fitting<'o>(
    routes: &'o [Route<'o>],
    listener: &Listener<'_>,
    asked: &Asked<'_>,
) -> Vec<Candidate<'o>> {
    let mut found = Vec::new();
    for route in routes {
        let mut names: Vec<Option<&str>> = route.hostnames.iter().copied().map(Some).collect();
        if names.is_empty() {
            names.push(None);
        }
        for name in names {
            let fits = name.is_none_or(|name| {
                let let_in = listener
                    .spec
                    .hostname()
                    .is_none_or(|own| intersect(own, name));
                let_in
                    && asked
                        .host
                        .and_then(Host::name)
                        .is_some_and(|host| means(name, host))
            });
            if fits {
                matches_of(route, name, asked, &mut found);
            }
        }
    }
    found
}

fn matches_of<'o>(
    route: &'o Route<'o>,
    hostname: Option<&'o str>,
    asked: &Asked<'_>,
    found: &mut Vec<Candidate<'o>>,
) {
    let mut add = |rule, ranks: &mut dyn Iterator<Item = (usize, Option<Rank>)>| {
        found.extend(ranks.filter_map(|(matching, rank)| {
            Some(Candidate::new(route, hostname, rule, matching, rank?))
        }));
    };
    match &route.route {
        Kinds::Http(http) => {
            let none = [HttpRouteRule::default()];
            let rules = http.spec.rules.as_deref().unwrap_or(&none);
            for (rule, spec) in rules.iter().enumerate() {
                // S:dropped-rule.
                if super::filters::sound_http(spec) {
                    let matches = or_default(spec.matches.as_deref());
                    let ranks = matches.iter().map(|one| http_match(one, asked));
                    add(rule, &mut ranks.enumerate());
                }
            }
        }
        Kinds::Grpc(grpc) if is_grpc(asked.request) => {
            for (rule, spec) in grpc.spec.rules.iter().flatten().enumerate() {
                let matches = or_default(spec.matches.as_deref());
                let ranks = matches.iter().map(|one| grpc_match(one, asked));
                add(rule, &mut ranks.enumerate());
            }
        }
        Kinds::Grpc(_) | Kinds::Layer4(_) => {}
    }
}

/// A rule without matches has the one that asks for nothing.
fn or_default<T: Clone + Default>(matches: Option<&[T]>) -> Vec<T> {
    let matches = matches.unwrap_or_default().to_vec();
    if matches.is_empty() {
        vec![T::default()]
    } else {
        matches
    }
}

fn http_match(one: &HttpRouteMatch, asked: &Asked<'_>) -> Option<Rank> {
    let default_path = HttpPathMatch::default();
    let wanted = one.path.as_ref().unwrap_or(&default_path);
    let (kind, length) = match wanted.match_type() {
        PathMatchType::Exact => {
            let value = path::configured(wanted.value())?;
            (value == asked.path).then_some((3, value.len()))?
        }
        PathMatchType::PathPrefix => {
            let value = path::prefix(wanted.value())?;
            let rest = asked.path.strip_prefix(value.as_str())?;
            (rest.is_empty() || rest.starts_with('/')).then_some((1, value.len()))?
        }
        PathMatchType::RegularExpression => {
            let fits = regex::matches(wanted.value(), asked.path.as_bytes())?;
            fits.then_some((2, wanted.value().len()))?
        }
        _ => return None,
    };
    if one
        .method
        .as_ref()
        .is_some_and(|method| *method != asked.request.method)
    {
        return None;
    }
    let headers = firsts(one.headers.as_ref(), |one| one.name.to_lowercase());
    let query = firsts(one.query_params.as_ref(), |one| one.name.clone());
    let fits = headers.iter().all(|wanted| header(wanted, asked))
        && query
            .iter()
            .all(|wanted| parameter(wanted, asked.query.unwrap_or_default()));
    fits.then(|| Rank {
        first: (kind, length),
        second: (0, 0),
        method: one.method.is_some(),
        headers: headers.len(),
        query: query.len(),
    })
}

fn grpc_match(one: &GrpcRouteMatch, asked: &Asked<'_>) -> Option<Rank> {
    let segments: Vec<&str> = asked.path.split('/').collect();
    let [empty, service, method] = segments.as_slice() else {
        return None;
    };
    if !empty.is_empty() || service.is_empty() || method.is_empty() {
        return None;
    }
    let default = GrpcMethodMatch::default();
    let wanted = one.method.as_ref().unwrap_or(&default);
    let name = |wanted_name: &Option<String>, given: &str| -> Option<(u8, usize)> {
        match wanted_name {
            None => Some((0, 0)),
            Some(name) => match wanted.match_type() {
                ValueMatchType::Exact => (name == given).then_some((3, name.len())),
                _ => regex::matches(name, given.as_bytes())?.then_some((2, name.len())),
            },
        }
    };
    let (first, second) = (
        name(&wanted.service, service)?,
        name(&wanted.method, method)?,
    );
    let headers = firsts(one.headers.as_ref(), |one| one.name.to_lowercase());
    let fits = headers.iter().all(|wanted| header(wanted, asked));
    fits.then_some(Rank {
        first,
        second,
        method: false,
        headers: headers.len(),
        query: 0,
    })
}

/// S:http-and-grpc: POST with content type `application/grpc` or `application/grpc+…`.
pub(super) fn is_grpc(request: &Request) -> bool {
    let kind = request
        .headers
        .iter()
        .filter(|(name, _)| name == "content-type");
    request.method == "POST"
        && kind.into_iter().any(|(_, value)| {
            let value = String::from_utf8_lossy(value).to_lowercase();
            value
                .strip_prefix("application/grpc")
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', ';', ' ']))
        })
}

/// S:duplicate-entries: the first of equal names counts; header names are equal whatever their case.
fn firsts<T>(all: Option<&Vec<T>>, name: impl Fn(&T) -> String) -> Vec<&T> {
    let mut kept: Vec<&T> = Vec::new();
    for one in all.into_iter().flatten() {
        if kept.iter().all(|earlier| name(earlier) != name(one)) {
            kept.push(one);
        }
    }
    kept
}

/// S:repeated-header: values joined by `,`, those of Cookie by `; `.
/// S:host-header: `host` is what the request is for, wherever it says so.
fn header(wanted: &HttpHeaderMatch, asked: &Asked<'_>) -> bool {
    let name = wanted.name.to_lowercase();
    let mut values: Vec<&[u8]> = asked
        .request
        .headers
        .iter()
        .filter(|(given, _)| *given == name)
        .map(|(_, value)| value.as_slice())
        .collect();
    if name == "host" {
        values = asked.named().into_iter().collect();
    }
    if values.is_empty() {
        return false;
    }
    let separator: &[u8] = if name == "cookie" { b"; " } else { b"," };
    let joined = values.join(separator);
    match wanted.match_type() {
        ValueMatchType::Exact => joined == wanted.value.as_bytes(),
        _ => regex::matches(&wanted.value, &joined) == Some(true),
    }
}

/// S:query: split at `&`, `+` is a space, bad escapes stay; the first value of a name counts.
fn parameter(wanted: &HttpQueryParamMatch, query: &[u8]) -> bool {
    for pair in query.split(|&b| b == b'&').filter(|pair| !pair.is_empty()) {
        let mut parts = pair.splitn(2, |&b| b == b'=');
        let (name, value) = (
            decode(parts.next().unwrap_or_default()),
            decode(parts.next().unwrap_or_default()),
        );
        if name == wanted.name.as_bytes() {
            return match wanted.match_type() {
                ValueMatchType::Exact => value == wanted.value.as_bytes(),
                _ => regex::matches(&wanted.value, &value) == Some(true),
            };
        }
    }
    false
}

fn decode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let escape = text
            .get(at + 1..at + 3)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let escape = escape.filter(|digits| digits.chars().all(|c| c.is_ascii_hexdigit()));
        match (
            text[at],
            escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()),
        ) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    out
}
