//! What a rule asks for besides edits, as lines: authorisation, limits, retries, sessions (digest 3.7, 3.9, 3.10).

use gatepost::api::duration::Duration;
use gatepost::api::filter::HttpExternalAuthFilter;
use gatepost::api::http_route::{
    CookieLifetimeType, HttpRouteRetry, HttpRouteTimeouts, SessionPersistence,
    SessionPersistenceType,
};

use gatepost::key::ObjectKey;

use super::filters::destination;
use super::{Objects, path};

/// GEP-2257, in milliseconds: numbers, each with its unit.
fn milliseconds(text: &Duration) -> u64 {
    let (mut total, mut rest) = (0, text.as_str());
    while let Some(end) = rest.find(|c: char| !c.is_ascii_digit()) {
        let (number, unit) = rest.split_at(end);
        let after = unit
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(unit.len());
        let factor = match &unit[..after] {
            "h" => 3_600_000,
            "m" => 60_000,
            "s" => 1_000,
            _ => 1,
        };
        total += number.parse::<u64>().unwrap_or(0) * factor;
        rest = &unit[after..];
    }
    total
}

fn limit(limit: Option<&Duration>) -> String {
    limit.map_or_else(|| "-".to_owned(), |limit| milliseconds(limit).to_string())
}

/// Who is asked and how, if the reference may be made and leads somewhere.
pub(super) fn authorize(
    objects: &Objects,
    from: &ObjectKey,
    auth: &HttpExternalAuthFilter,
) -> Option<String> {
    let backend = destination(objects, from, &auth.backend_ref)?;
    let http = auth.http.as_ref();
    let prefix = http
        .and_then(|http| http.path.as_deref())
        .unwrap_or_default();
    let prefix = if prefix.starts_with('/') || prefix.is_empty() {
        prefix.to_owned()
    } else {
        format!("/{prefix}")
    };
    let prefix = path::prefix(&prefix).unwrap_or_default();
    let names = |list: Option<&Vec<String>>| {
        list.map(|list| list.join(",").to_lowercase())
            .unwrap_or_default()
    };
    let asked = names(http.and_then(|http| http.allowed_headers.as_ref()));
    let copied = names(http.and_then(|http| http.allowed_response_headers.as_ref()));
    let body = auth.forward_body.as_ref().and_then(|body| body.max_size);
    let body = body.unwrap_or(0);
    Some(format!(
        "authorize {backend} path={prefix} ask={asked} copy={copied} body={body}"
    ))
}

pub(super) fn timeouts(timeouts: Option<&HttpRouteTimeouts>, plan: &mut Vec<String>) {
    if let Some(timeouts) = timeouts {
        let request = limit(timeouts.request.as_ref());
        let attempt = limit(timeouts.backend_request.as_ref());
        if (request.as_str(), attempt.as_str()) != ("-", "-") {
            plan.push(format!("timeouts request={request} backend={attempt}"));
        }
    }
}

pub(super) fn retry(retry: Option<&HttpRouteRetry>, plan: &mut Vec<String>) {
    if let Some(retry) = retry {
        let mut codes: Vec<i32> = retry.codes.clone().unwrap_or_default();
        codes.sort_unstable();
        let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
        plan.push(format!(
            "retry {} codes={} backoff={}",
            retry.attempts.unwrap_or(1),
            codes.join(","),
            limit(retry.backoff.as_ref())
        ));
    }
}

pub(super) fn session(session: Option<&SessionPersistence>, plan: &mut Vec<String>) {
    let Some(session) = session else {
        return;
    };
    let timeout = limit(session.absolute_timeout.as_ref());
    let token = match session.persistence_type {
        Some(SessionPersistenceType::Header) => {
            let name = session
                .header
                .as_ref()
                .map(|header| header.name.to_lowercase());
            format!("header {}", name.unwrap_or_default())
        }
        _ => {
            let cookie = session.cookie.clone().unwrap_or_default();
            let permanent = cookie.lifetime_type == Some(CookieLifetimeType::Permanent);
            format!(
                "cookie {} path={} permanent={permanent}",
                cookie.name.as_deref().unwrap_or("-"),
                cookie.path.as_deref().unwrap_or("/")
            )
        }
    };
    plan.push(format!("session {token} timeout={timeout}"));
}
