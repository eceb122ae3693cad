//! Matches, filters and backends in words.

use std::fmt::Write;

use super::candidates::Candidate;
use crate::rule::{Matches, PathMatch, PathModifier, Rule, ValueMatch};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a candidate asks of a request, such as `path PathPrefix /cart (5 chars) · method GET`.
pub fn match_of(candidate: &Candidate<'_>) -> String {
    let mut parts = Vec::new();
    match &candidate.rule.matches {
        Matches::Http(matches) => {
            if let Some(one) = matches.get(candidate.position) {
                parts.push(format!("path {}", path(&one.path)));
                let one = &one.conditions;
                parts.extend(one.method.iter().map(|method| format!("method {method}")));
                parts.extend(
                    one.headers
                        .iter()
                        .map(|header| format!("header {}{}", header.name, value(&header.value))),
                );
                parts.extend(one.query.iter().map(|parameter| {
                    format!("query {}{}", parameter.name, value(&parameter.value))
                }));
            }
        }
        Matches::Grpc(matches) => {
            if let Some(one) = matches.get(candidate.position) {
                parts.extend(
                    one.service
                        .iter()
                        .map(|name| format!("service{}", value(name))),
                );
                parts.extend(
                    one.method
                        .iter()
                        .map(|name| format!("method{}", value(name))),
                );
                parts.extend(
                    one.headers
                        .iter()
                        .map(|header| format!("header {}{}", header.name, value(&header.value))),
                );
                if parts.is_empty() {
                    parts.push("every gRPC request".to_owned());
                }
            }
        }
        Matches::Connection => parts.push("every connection".to_owned()),
    }
    parts.join(" · ")
}

/// A path match with its type, as the specification writes it.
pub fn path(path: &PathMatch) -> String {
    let counted = |kind: &str, value: &[u8]| {
        let shown = if value.is_empty() {
            "/".to_owned()
        } else {
            text(value)
        };
        let length = value.len();
        format!(
            "{kind} {shown} ({length} char{})",
            if length == 1 { "" } else { "s" }
        )
    };
    match path {
        PathMatch::Exact(value) => counted("Exact", value),
        PathMatch::Prefix(value) => counted("PathPrefix", value),
        PathMatch::Pattern(pattern) => format!("RegularExpression {}", pattern.as_str()),
    }
}

/// ` = "1"` or ` ~ /expression/`.
pub fn value(value: &ValueMatch) -> String {
    match value {
        ValueMatch::Exact(value) => format!(" = {:?}", text(value)),
        ValueMatch::Pattern(pattern) => format!(" ~ {}", pattern.as_str()),
    }
}

/// Backends with their shares in percent, such as `shop/cart-v2:80 90% · shop/cart-v1:80 10%`.
pub fn backends(rule: &Rule) -> String {
    let total = rule.backends.total();
    if rule.filters.fault.is_some() {
        return "500 (a filter does not resolve)".to_owned();
    }
    if let Some(redirect) = &rule.filters.redirect {
        return format!("redirect {}", redirect.status.as_u16());
    }
    if total == 0 {
        return "500 (no backend with a weight)".to_owned();
    }
    let shares = rule.backends.entries().iter().map(|backend| {
        let name = match &backend.destination {
            Ok(destination) => destination.port.to_string(),
            Err(invalid) => format!("500 ({})", invalid.reason),
        };
        // Tenths of a percent, rounded.
        let share = (u64::from(backend.weight) * 1_000 + total / 2) / total;
        let mut text = format!("{name} {}", share / 10);
        if !share.is_multiple_of(10) {
            // Writing to a String cannot fail.
            let _ = write!(text, ".{}", share % 10);
        }
        text.push('%');
        text
    });
    shares.collect::<Vec<_>>().join(" · ")
}

/// The filters of a rule by their names, in the order in which they run.
pub fn filters(rule: &Rule) -> Vec<&'static str> {
    let filters = &rule.filters;
    let named = [
        (filters.cors.is_some(), "CORS"),
        (filters.external_auth.is_some(), "ExternalAuth"),
        (filters.redirect.is_some(), "RequestRedirect"),
        (filters.request_headers.is_some(), "RequestHeaderModifier"),
        (filters.rewrite.is_some(), "URLRewrite"),
        (!filters.mirrors.is_empty(), "RequestMirror"),
        (filters.response_headers.is_some(), "ResponseHeaderModifier"),
    ];
    named
        .into_iter()
        .filter(|(there, _)| *there)
        .map(|(_, name)| name)
        .collect()
}

/// A path modifier in words.
pub fn modifier(modifier: &PathModifier) -> String {
    match modifier {
        PathModifier::Full(path) => format!("ReplaceFullPath {}", text(path)),
        PathModifier::Prefix(path) => format!(
            "ReplacePrefixMatch {}",
            if path.is_empty() {
                "/".to_owned()
            } else {
                text(path)
            }
        ),
    }
}
