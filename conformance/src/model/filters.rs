//! What a rule does with a request (digest 2.7, 3.2 to 3.4).

use std::collections::BTreeMap;

use gatepost::api::Object;
use gatepost::api::filter::{
    FilterType, HttpHeaderFilter, HttpPathModifier, HttpRouteFilter, PathModifierType,
};
use gatepost::api::http_route::{HttpBackendRef, HttpPathMatch, HttpRouteRule, PathMatchType};
use gatepost::key::ObjectKey;

use super::attach::{Kinds, Listener};
use super::host::Host;
use super::order::Candidate;
use super::predicates::Asked;
use super::{Objects, path, regex};
use crate::request::{Outcome, Served};

/// A request on its way to a backend.
struct Way {
    path: String,
    host: String,
    headers: BTreeMap<String, Vec<String>>,
}

pub(super) fn carry_out(
    objects: &Objects,
    best: &Candidate<'_>,
    listener: &Listener<'_>,
    asked: &Asked<'_>,
    host: &Host,
    query: Option<&[u8]>,
    rule: Served,
) -> Outcome {
    let no_filters: &[HttpRouteFilter] = &[];
    let (filters, backends, prefix) = match &best.route.route {
        Kinds::Http(route) => {
            let default_rule = [HttpRouteRule::default()];
            let rules = route.spec.rules.as_deref().unwrap_or(&default_rule);
            let spec = &rules[best.rule];
            let matched = spec
                .matches
                .as_deref()
                .and_then(|matches| matches.get(best.matching))
                .and_then(|one| one.path.clone());
            let matched: HttpPathMatch = matched.unwrap_or_default();
            let prefix = (*matched.match_type() == PathMatchType::PathPrefix)
                .then(|| path::prefix(matched.value()))
                .flatten();
            (
                spec.filters.clone(),
                spec.backend_refs.clone(),
                prefix.unwrap_or_default(),
            )
        }
        Kinds::Grpc(route) => {
            let spec = &route.spec.rules.as_deref().unwrap_or_default()[best.rule];
            (
                spec.filters.clone(),
                spec.backend_refs.clone(),
                String::new(),
            )
        }
    };
    let filters = filters.as_deref().unwrap_or(no_filters);
    let text_query = query
        .map(|query| format!("?{}", String::from_utf8_lossy(query)))
        .unwrap_or_default();
    // A filter that does not resolve is never skipped.
    if filters
        .iter()
        .any(|filter| filter.filter_type == FilterType::ExtensionRef)
    {
        return Outcome::Answered {
            rule,
            status: 500,
            location: None,
        };
    }
    let find = |wanted: FilterType| filters.iter().find(|filter| filter.filter_type == wanted);
    if let Some(redirect) =
        find(FilterType::RequestRedirect).and_then(|filter| filter.request_redirect.as_ref())
    {
        let own = if listener.https { "https" } else { "http" };
        let scheme = redirect.scheme.as_deref().unwrap_or(own);
        let default = if scheme == "https" { 443 } else { 80 };
        // Digest 3.3: the filter's port, else the scheme's if the filter names one, else the listener's.
        let port = redirect.port.unwrap_or_else(|| {
            if redirect.scheme.is_some() {
                default
            } else {
                listener.spec.port
            }
        });
        let name = redirect.hostname.as_deref().unwrap_or_else(|| host.text());
        let path = redirect.path.as_ref().map_or_else(
            || asked.path.to_owned(),
            |modifier| modified(modifier, asked.path, &prefix),
        );
        let port = if port == default {
            String::new()
        } else {
            format!(":{port}")
        };
        let status = redirect
            .status_code
            .and_then(|code| u16::try_from(code).ok())
            .unwrap_or(302);
        let location = Some(format!("{scheme}://{name}{port}{path}{text_query}"));
        return Outcome::Answered {
            rule,
            status,
            location,
        };
    }
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in &asked.request.headers {
        headers
            .entry(name.clone())
            .or_default()
            .push(String::from_utf8_lossy(value).into_owned());
    }
    // RFC 9112 section 3.2.2: the authority of the target goes before the Host field.
    let given = asked
        .authority
        .or_else(|| asked.request.hosts.first().map(Vec::as_slice));
    let field = String::from_utf8_lossy(given.unwrap_or_default()).into_owned();
    let mut way = Way {
        path: asked.path.to_owned(),
        host: field,
        headers,
    };
    edit(filters, asked.path, &prefix, &mut way);
    let Some(backend) = pick(
        backends.as_deref().unwrap_or_default(),
        asked.request.ticket,
    ) else {
        return Outcome::Answered {
            rule,
            status: 500,
            location: None,
        };
    };
    let Some(name) = destination(objects, best.route.key, backend) else {
        return Outcome::Answered {
            rule,
            status: 500,
            location: None,
        };
    };
    edit(
        backend.filters.as_deref().unwrap_or_default(),
        asked.path,
        &prefix,
        &mut way,
    );
    Outcome::Forwarded {
        rule,
        backend: name,
        target: way.path + &text_query,
        host: way.host,
        headers: way.headers,
    }
}

/// Header fields first, then host and path.
fn edit(filters: &[HttpRouteFilter], path: &str, prefix: &str, way: &mut Way) {
    for filter in filters
        .iter()
        .filter(|filter| filter.filter_type == FilterType::RequestHeaderModifier)
    {
        if let Some(edits) = &filter.request_header_modifier {
            edit_headers(edits, &mut way.headers);
        }
    }
    for filter in filters
        .iter()
        .filter(|filter| filter.filter_type == FilterType::UrlRewrite)
    {
        let Some(rewrite) = &filter.url_rewrite else {
            continue;
        };
        if let Some(host) = &rewrite.hostname {
            way.host.clone_from(host);
        }
        if let Some(modifier) = &rewrite.path {
            way.path = modified(modifier, path, prefix);
        }
    }
}

/// Remove, then set, then add.
fn edit_headers(edits: &HttpHeaderFilter, headers: &mut BTreeMap<String, Vec<String>>) {
    for name in edits.remove.iter().flatten() {
        headers.remove(&name.to_lowercase());
    }
    for header in edits.set.iter().flatten() {
        headers.insert(header.name.to_lowercase(), vec![header.value.clone()]);
    }
    for header in edits.add.iter().flatten() {
        headers
            .entry(header.name.to_lowercase())
            .or_default()
            .push(header.value.clone());
    }
}

/// The table of digest 3.4.
fn modified(modifier: &HttpPathModifier, path: &str, prefix: &str) -> String {
    let slash = |value: &str| {
        if value.starts_with('/') {
            value.to_owned()
        } else {
            format!("/{value}")
        }
    };
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
fn pick(backends: &[HttpBackendRef], ticket: u64) -> Option<&HttpBackendRef> {
    let weight = |backend: &HttpBackendRef| u128::try_from(backend.backend.weight()).unwrap_or(0);
    let total: u128 = backends.iter().map(weight).sum();
    let mut point = u128::from(ticket) * total / (1 << 64);
    for backend in backends {
        if point < weight(backend) {
            return Some(backend);
        }
        point -= weight(backend);
    }
    None
}

/// `namespace/service:port` if the reference may be made and leads somewhere.
fn destination(objects: &Objects, route: &ObjectKey, backend: &HttpBackendRef) -> Option<String> {
    let reference = backend.backend.object();
    if reference.kind() != "Service" || !reference.group().is_empty() {
        return None;
    }
    let namespace = reference.namespace(&route.namespace).to_owned();
    if namespace != route.namespace && !granted(objects, route, &namespace, &reference.name) {
        return None;
    }
    objects.iter().find_map(|(key, object)| match object {
        Object::Service(service) if key.namespace == namespace && key.name == reference.name => {
            let port = service
                .spec
                .ports
                .iter()
                .flatten()
                .find(|port| Some(port.port) == reference.port)?;
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
