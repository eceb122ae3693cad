//! What a rule does with a request (digest 2.7, 3.1 to 3.10).

use gatepost::api::Object;
use gatepost::api::filter::{
    FilterType, HttpHeaderFilter, HttpPathModifier, HttpRequestRedirectFilter, HttpRouteFilter,
    PathModifierType,
};
use gatepost::api::http_route::{HttpPathMatch, HttpRouteRule, PathMatchType};
use gatepost::api::reference::BackendObjectReference;
use gatepost::key::ObjectKey;

use super::attach::{Kinds, Listener};
use super::host::Host;
use super::order::Candidate;
use super::predicates::Asked;
use super::{Objects, cors, path, plan, regex};
use crate::request::{Fields, Outcome, Request, Served};

/// A request on its way to a backend.
struct Way<'o> {
    objects: &'o Objects,
    route: &'o ObjectKey,
    request: &'o Request,
    /// Path and prefix that matched.
    matched: (&'o str, &'o str),
    path: String,
    host: String,
    headers: Fields,
    plan: Vec<String>,
    copies: u32,
}

pub(super) fn carry_out(
    objects: &Objects,
    best: &Candidate<'_>,
    listener: &Listener<'_>,
    asked: &Asked<'_>,
    rule: Served,
    mut plan: Vec<String>,
) -> Outcome {
    let default = HttpRouteRule::default();
    let mut settings = Vec::new();
    let mut prefix = String::new();
    let (filters, backends) = match &best.route.route {
        Kinds::Http(route) => {
            let rules = route.spec.rules.as_deref().unwrap_or_default();
            let spec = rules.get(best.rule).unwrap_or(&default);
            let matched = spec.matches.iter().flatten().nth(best.matching);
            let matched: HttpPathMatch =
                matched.and_then(|one| one.path.clone()).unwrap_or_default();
            if *matched.match_type() == PathMatchType::PathPrefix {
                prefix = path::prefix(matched.value()).unwrap_or_default();
            }
            plan::timeouts(spec.timeouts.as_ref(), &mut settings);
            plan::retry(spec.retry.as_ref(), &mut settings);
            plan::session(spec.session_persistence.as_ref(), &mut settings);
            (spec.filters.clone(), spec.backend_refs.clone())
        }
        Kinds::Grpc(route) => {
            let spec = &route.spec.rules.as_deref().unwrap_or_default()[best.rule];
            plan::session(spec.session_persistence.as_ref(), &mut settings);
            (spec.filters.clone(), spec.backend_refs.clone())
        }
        Kinds::Layer4(_) => unreachable!("such routes hang on no listener of HTTP"),
    };
    let (filters, backends) = (filters.unwrap_or_default(), backends.unwrap_or_default());
    let text_query = asked
        .query
        .map(|query| format!("?{}", String::from_utf8_lossy(query)))
        .unwrap_or_default();
    let find = |wanted: FilterType| filters.iter().find(|filter| filter.filter_type == wanted);
    let sharing = find(FilterType::Cors).and_then(|filter| filter.cors.as_ref());
    // Answers of ours are marked as those of backends are (S:cors-refused).
    let answered = |status: u16, location: Option<String>, plan: Vec<String>| {
        let mut answer = Fields::new();
        if let Some(sharing) = sharing {
            cors::mark(sharing, asked.request, &mut answer);
        }
        Outcome::Answered {
            rule: rule.clone(),
            status,
            location,
            plan,
            answer,
        }
    };
    // A filter that does not resolve is never skipped.
    let auth = find(FilterType::ExternalAuth).and_then(|filter| filter.external_auth.as_ref());
    let auth = auth.map(|auth| plan::authorize(objects, best.route.key, auth));
    if auth == Some(None) || find(FilterType::ExtensionRef).is_some() {
        return answered(500, None, plan);
    }
    if let Some((status, answer)) = sharing.and_then(|cors| cors::preflight(cors, asked.request)) {
        return Outcome::Answered {
            rule,
            status,
            location: None,
            plan,
            answer,
        };
    }
    plan.extend(auth.flatten());
    if let Some(redirect) =
        find(FilterType::RequestRedirect).and_then(|filter| filter.request_redirect.as_ref())
    {
        // S:redirect-host.
        return match location(redirect, listener, asked, &prefix) {
            Some((status, location)) => answered(status, Some(location + &text_query), plan),
            None => answered(400, None, plan),
        };
    }
    let mut headers = Fields::new();
    for (name, value) in &asked.request.headers {
        let value = String::from_utf8_lossy(value).into_owned();
        headers.entry(name.clone()).or_default().push(value);
    }
    let mut way = Way {
        objects,
        route: best.route.key,
        request: asked.request,
        matched: (asked.path, &prefix),
        copies: 0,
        path: asked.path.to_owned(),
        host: String::from_utf8_lossy(asked.named().unwrap_or_default()).into_owned(),
        headers,
        plan,
    };
    edit(&filters, &mut way);
    mirror(&filters, &mut way);
    let weights: Vec<i32> = backends.iter().map(|one| one.backend.weight()).collect();
    let Some(picked) = pick(&weights, asked.request.ticket) else {
        return answered(500, None, way.plan);
    };
    let own = backends[picked].filters.as_deref().unwrap_or_default();
    let reference = backends[picked].backend.object();
    let unresolved = own
        .iter()
        .any(|filter| filter.filter_type == FilterType::ExtensionRef);
    let backend = destination(objects, best.route.key, &reference).filter(|_| !unresolved);
    let Some(backend) = backend else {
        return answered(500, None, way.plan);
    };
    edit(own, &mut way);
    mirror(own, &mut way);
    way.plan.extend(settings);
    let mut answer = Fields::new();
    for (name, value) in &asked.request.answer {
        answer.entry(name.clone()).or_default().push(value.clone());
    }
    // The backend's edits, then the rule's, then CORS (digest 3.1).
    for filter in own.iter().chain(&filters) {
        if let Some(edits) = &filter.response_header_modifier {
            edit_headers(edits, &mut answer);
        }
    }
    if let Some(sharing) = sharing {
        cors::mark(sharing, asked.request, &mut answer);
    }
    Outcome::Forwarded {
        rule,
        backend,
        target: way.path + &text_query,
        host: way.host,
        headers: way.headers,
        plan: way.plan,
        answer,
    }
}

/// Status and URL of a redirect, without query (digest 3.3); `None` if no URL can be written.
fn location(
    redirect: &HttpRequestRedirectFilter,
    listener: &Listener<'_>,
    asked: &Asked<'_>,
    prefix: &str,
) -> Option<(u16, String)> {
    let own = if listener.https() { "https" } else { "http" };
    let scheme = redirect.scheme.as_deref().unwrap_or(own);
    let default = if scheme == "https" { 443 } else { 80 };
    // The filter's port, else the scheme's if the filter names one, else the listener's.
    let port = redirect.port.unwrap_or(match redirect.scheme {
        Some(_) => default,
        None => listener.spec.port,
    });
    let name = redirect
        .hostname
        .as_deref()
        .or_else(|| asked.host.map(Host::text))?;
    let path = match &redirect.path {
        Some(modifier) => modified(modifier, asked.path, prefix),
        None => asked.path.to_owned(),
    };
    let shown = if port == default {
        String::new()
    } else {
        format!(":{port}")
    };
    let status = u16::try_from(redirect.status_code.unwrap_or(302)).ok()?;
    Some((status, format!("{scheme}://{name}{shown}{path}")))
}

/// Copies: those whose backend resolves, as often as percentage or fraction say (digest 3.5).
fn mirror(filters: &[HttpRouteFilter], way: &mut Way<'_>) {
    let mirrors = filters
        .iter()
        .filter_map(|filter| filter.request_mirror.as_ref());
    for mirror in mirrors {
        let Some(backend) = destination(way.objects, way.route, &mirror.backend_ref) else {
            continue;
        };
        let (part, of) = match &mirror.fraction {
            Some(fraction) => (fraction.numerator, fraction.denominator.unwrap_or(100)),
            None => (mirror.percent.unwrap_or(100), 100),
        };
        let draw = u128::from(way.request.draw(way.copies));
        way.copies += 1;
        if draw * u128::try_from(of).unwrap_or(1) / (1 << 64) < u128::try_from(part).unwrap_or(0) {
            way.plan.push(format!("mirror {backend}"));
        }
    }
}

/// Header fields first, then host and path.
fn edit(filters: &[HttpRouteFilter], way: &mut Way<'_>) {
    for edits in filters
        .iter()
        .filter_map(|filter| filter.request_header_modifier.as_ref())
    {
        edit_headers(edits, &mut way.headers);
    }
    for rewrite in filters
        .iter()
        .filter_map(|filter| filter.url_rewrite.as_ref())
    {
        if let Some(host) = &rewrite.hostname {
            way.host.clone_from(host);
        }
        if let Some(modifier) = &rewrite.path {
            way.path = modified(modifier, way.matched.0, way.matched.1);
        }
    }
}

/// Remove, then set, then add.
fn edit_headers(edits: &HttpHeaderFilter, headers: &mut Fields) {
    for name in edits.remove.iter().flatten() {
        headers.remove(&name.to_lowercase());
    }
    for header in edits.set.iter().flatten() {
        headers.insert(header.name.to_lowercase(), vec![header.value.clone()]);
    }
    for header in edits.add.iter().flatten() {
        let values = headers.entry(header.name.to_lowercase()).or_default();
        values.push(header.value.clone());
    }
}

/// The table of digest 3.4.
fn modified(modifier: &HttpPathModifier, path: &str, prefix: &str) -> String {
    let slash = |value: &str| format!("/{}", value.strip_prefix('/').unwrap_or(value));
    let new = match modifier.modifier_type {
        PathModifierType::ReplaceFullPath => {
            slash(modifier.replace_full_path.as_deref().unwrap_or_default())
        }
        _ => {
            let replacement = modifier.replace_prefix_match.as_deref().unwrap_or_default();
            let replacement = slash(replacement).trim_end_matches('/').to_owned();
            replacement + path.strip_prefix(prefix).unwrap_or_default()
        }
    };
    if new.is_empty() { "/".to_owned() } else { new }
}

/// The whole range of tickets laid out along the weights.
pub(super) fn pick(weights: &[i32], ticket: u64) -> Option<usize> {
    let weight = |weight: i32| u128::try_from(weight).unwrap_or(0);
    let total: u128 = weights.iter().map(|&one| weight(one)).sum();
    let mut point = u128::from(ticket) * total / (1 << 64);
    for (number, &one) in weights.iter().enumerate() {
        if point < weight(one) {
            return Some(number);
        }
        point -= weight(one);
    }
    None
}

/// `namespace/service:port` if the reference may be made and leads somewhere.
pub(super) fn destination(
    objects: &Objects,
    route: &ObjectKey,
    reference: &BackendObjectReference,
) -> Option<String> {
    if reference.kind() != "Service" || !reference.group().is_empty() {
        return None;
    }
    let namespace = reference.namespace(&route.namespace).to_owned();
    if namespace != route.namespace && !granted(objects, route, &namespace, &reference.name) {
        return None;
    }
    objects.iter().find_map(|(key, object)| match object {
        Object::Service(service) if key.namespace == namespace && key.name == reference.name => {
            let mut ports = service.spec.ports.iter().flatten();
            let port = ports.find(|port| Some(port.port) == reference.port)?;
            Some(format!("{namespace}/{}:{}", reference.name, port.port))
        }
        _ => None,
    })
}

/// Digest 5: one grant beside the target with a matching `from` and a matching `to`.
fn granted(objects: &Objects, route: &ObjectKey, namespace: &str, name: &str) -> bool {
    objects.iter().any(|(key, object)| match object {
        Object::ReferenceGrant(grant) if key.namespace == namespace => {
            let from = grant.spec.from.iter().any(|from| {
                from.group == route.kind.group()
                    && from.kind == route.kind.as_str()
                    && from.namespace == route.namespace
            });
            from && grant.spec.to.iter().any(|to| {
                to.group.is_empty()
                    && to.kind == "Service"
                    && to.name.as_deref().is_none_or(|own| own == name)
            })
        }
        _ => false,
    })
}

/// Whether every expression of a rule is valid.
pub(super) fn sound_http(rule: &HttpRouteRule) -> bool {
    rule.matches.iter().flatten().all(|one| {
        let path = one
            .path
            .as_ref()
            .filter(|path| *path.match_type() == PathMatchType::RegularExpression);
        path.is_none_or(|path| regex::matches(path.value(), b"").is_some())
    })
}
