//! CORS (digest 3.6, S:cors-refused).

use gatepost::api::filter::HttpCorsFilter;

use crate::request::{Fields, Request};

/// The first value of a field.
fn first(request: &Request, name: &str) -> Option<String> {
    let found = request.headers.iter().find(|(own, _)| own == name)?;
    Some(String::from_utf8_lossy(&found.1).into_owned())
}

/// Scheme, host and port, the default one where none is written.
fn taken_apart(origin: &str) -> Option<(String, String, Option<u16>)> {
    let origin = origin.to_lowercase();
    let (scheme, rest) = origin.split_once("://")?;
    let (host, port) = match rest.split_once(':') {
        Some((host, port)) => (host, Some(port.parse().ok()?)),
        None => (rest, None),
    };
    Some((scheme.to_owned(), host.to_owned(), port))
}

fn allowed(filter: &HttpCorsFilter, origin: &str) -> bool {
    filter.allow_origins.iter().flatten().any(|entry| {
        // `*` is no origin: said back, it would stand for everybody.
        if origin == "*" {
            return false;
        }
        if entry == "*" {
            return true;
        }
        let (Some(entry), Some(given)) = (taken_apart(entry), taken_apart(origin)) else {
            return false;
        };
        let default = if given.0 == "https" { 443 } else { 80 };
        let hosts = match entry.1.strip_prefix('*') {
            Some(rest) => given.1.len() > rest.len() && given.1.ends_with(rest),
            None => entry.1 == given.1,
        };
        let any_port = entry.1 == "*" && entry.2.is_none();
        let ports = any_port || entry.2.unwrap_or(default) == given.2.unwrap_or(default);
        entry.0 == given.0 && hosts && ports
    })
}

/// A list as the client gets it: `*` is echoed with credentials (what was asked for), itself without.
fn shown(
    filter: &HttpCorsFilter,
    list: Option<&Vec<String>>,
    asked: Option<String>,
) -> Option<String> {
    let list = list.map(Vec::as_slice).unwrap_or_default();
    if !list.iter().any(|entry| entry == "*") {
        return Some(list.join(", ")).filter(|list| !list.is_empty());
    }
    if filter.allow_credentials == Some(true) {
        asked.filter(|asked| !asked.is_empty())
    } else {
        Some("*".to_owned())
    }
}

/// Marks an answer: what a backend said goes, an origin that is allowed may read.
pub(super) fn mark(filter: &HttpCorsFilter, request: &Request, answer: &mut Fields) {
    for name in ["origin", "credentials"] {
        answer.remove(&format!("access-control-allow-{name}"));
    }
    answer.remove("access-control-expose-headers");
    let credentials = filter.allow_credentials == Some(true);
    let any = filter.allow_origins.iter().flatten().any(|one| one == "*");
    let mut put =
        |name: &str, value: String| answer.entry(name.to_owned()).or_default().push(value);
    if credentials || !any {
        put("vary", "Origin".to_owned());
    }
    let Some(origin) = first(request, "origin").filter(|origin| allowed(filter, origin)) else {
        return;
    };
    let everybody = any && !credentials;
    put(
        "access-control-allow-origin",
        if everybody { "*".to_owned() } else { origin },
    );
    if credentials {
        put("access-control-allow-credentials", "true".to_owned());
    }
    if let Some(exposed) = shown(filter, filter.expose_headers.as_ref(), None) {
        put("access-control-expose-headers", exposed.to_lowercase());
    }
}

/// The answer to a preflight.
pub(super) fn preflight(filter: &HttpCorsFilter, request: &Request) -> Option<(u16, Fields)> {
    let origin = first(request, "origin")?;
    let method = first(request, "access-control-request-method")?;
    if request.method != "OPTIONS" {
        return None;
    }
    let mut answer = Fields::new();
    mark(filter, request, &mut answer);
    if !allowed(filter, &origin) {
        return Some((403, answer));
    }
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            answer.insert(format!("access-control-{name}"), vec![value]);
        }
    };
    let methods = shown(filter, filter.allow_methods.as_ref(), Some(method));
    put("allow-methods", methods);
    let asked = first(request, "access-control-request-headers");
    let listed = filter.allow_headers.as_ref();
    let lower = listed.map(|list| list.iter().map(|name| name.to_lowercase()).collect());
    put("allow-headers", shown(filter, lower.as_ref(), asked));
    put("max-age", Some(filter.max_age.unwrap_or(5).to_string()));
    Some((204, answer))
}
