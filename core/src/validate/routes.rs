//! HTTPRoute, GRPCRoute, TLSRoute, TCPRoute and UDPRoute.

use std::net::IpAddr;

use super::duration::go_duration;
use super::formats::{self, path_characters, subdomain};
use super::gateway::kind_schema;
use super::reference::{
    BACKEND_OBJECT_REFERENCE, BACKEND_REF, DURATION, FRACTION, GRPC_BACKEND_REF, HOSTNAME,
    HTTP_BACKEND_REF, LOCAL_REFERENCE, PARENT_REFERENCES, PRECISE_HOSTNAME, SECTION_NAME,
};
use super::schema::{
    BOOLEAN, Field, Literal, PORT, Rule, Schema, defaulted, experimental, formatted, int32,
    integer, list, list_map, object, one_of, one_of_integers, optional, required, rule, set, text,
};
use super::session::SESSION_PERSISTENCE;
use super::status;
use super::view::{Items, View, items};
use crate::key::Channel;

const HEADER_NAME: Schema = formatted(1, 256, &formats::HEADER_NAME);
const METHODS: &[&str] = &[
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
];
const DEFAULT_SCOPE: Schema = one_of(&["All", "None"]);
const VALUE_TYPE: Field = defaulted(
    "type",
    &one_of(&["Exact", "RegularExpression"]),
    &Literal::Text("Exact"),
);

macro_rules! path_rules {
    ($(($test:expr, $message:literal)),* $(,)?) => {
        &[$(rule($message, |path| {
            let literal = matches!(path.text("type"), Some("Exact" | "PathPrefix"));
            let test: fn(&str) -> bool = $test;
            !literal || path.text("value").is_none_or(test)
        })),*,
        rule("type must be one of ['Exact', 'PathPrefix', 'RegularExpression']", |path| {
            matches!(path.text("type"), Some("Exact" | "PathPrefix" | "RegularExpression"))
        })]
    };
}

static PREFIX: Literal = Literal::Text("PathPrefix");
static SLASH: Literal = Literal::Text("/");
static PREFIX_OF_ALL: Literal = all_paths();
static MATCHES: Literal = Literal::List(&[Literal::Object(&[("path", all_paths())])]);
static RULES: Literal = Literal::List(&[Literal::Object(&[(
    "matches",
    Literal::List(&[Literal::Object(&[("path", all_paths())])]),
)])]);

/// The match that the API server puts in where none is given.
const fn all_paths() -> Literal {
    Literal::Object(&[
        ("type", Literal::Text("PathPrefix")),
        ("value", Literal::Text("/")),
    ])
}

static PATH_MATCH: Schema = object(&[
    defaulted("type", &one_of(&["Exact", "PathPrefix", "RegularExpression"]), &PREFIX),
    defaulted("value", &text(0, 1_024), &SLASH),
])
.with(path_rules![
    (|v| v.starts_with('/'), "value must be an absolute path and start with '/' when type one of ['Exact', 'PathPrefix']"),
    (|v| !v.contains("//"), "must not contain '//' when type one of ['Exact', 'PathPrefix']"),
    (|v| !v.contains("/./"), "must not contain '/./' when type one of ['Exact', 'PathPrefix']"),
    (|v| !v.contains("/../"), "must not contain '/../' when type one of ['Exact', 'PathPrefix']"),
    (|v| !v.contains("%2f"), "must not contain '%2f' when type one of ['Exact', 'PathPrefix']"),
    (|v| !v.contains("%2F"), "must not contain '%2F' when type one of ['Exact', 'PathPrefix']"),
    (|v| !v.contains('#'), "must not contain '#' when type one of ['Exact', 'PathPrefix']"),
    (|v| !v.ends_with("/.."), "must not end with '/..' when type one of ['Exact', 'PathPrefix']"),
    (|v| !v.ends_with("/."), "must not end with '/.' when type one of ['Exact', 'PathPrefix']"),
    (path_characters, "must only contain valid characters (matching ^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$) for types ['Exact', 'PathPrefix']"),
]);

/// The value of a field; its pattern stands in the experimental CRDs only, so resolution checks it for every channel.
const STANDARD_VALUE: Field = required("value", &text(1, 4_096)).only(Channel::Standard);
const EXPERIMENTAL_VALUE: Field =
    required("value", &formatted(1, 4_096, &formats::HEADER_VALUE)).only(Channel::Experimental);

static HTTP_HEADER_MATCHES: Schema = list_map(
    &object(&[
        VALUE_TYPE,
        required("name", &HEADER_NAME),
        STANDARD_VALUE,
        EXPERIMENTAL_VALUE,
    ]),
    0,
    16,
    &["name"],
);

/// GRPCRoute has no pattern in either channel.
static GRPC_HEADER_MATCHES: Schema = list_map(
    &object(&[
        VALUE_TYPE,
        required("name", &HEADER_NAME),
        required("value", &text(1, 4_096)),
    ]),
    0,
    16,
    &["name"],
);

static QUERY_MATCH: Schema = object(&[
    VALUE_TYPE,
    required("name", &HEADER_NAME),
    required("value", &text(1, 1_024)),
]);

static HTTP_MATCH: Schema = object(&[
    defaulted("path", &PATH_MATCH, &PREFIX_OF_ALL),
    optional("headers", &HTTP_HEADER_MATCHES),
    optional("queryParams", &list_map(&QUERY_MATCH, 0, 16, &["name"])),
    optional("method", &one_of(METHODS)),
]);

static HEADERS: Schema = list_map(
    &object(&[
        required("name", &HEADER_NAME),
        STANDARD_VALUE,
        EXPERIMENTAL_VALUE,
    ]),
    0,
    16,
    &["name"],
);

static HEADER_FILTER: Schema = object(&[
    optional("set", &HEADERS),
    optional("add", &HEADERS),
    optional("remove", &set(&text(0, usize::MAX), 16)),
]);

static MIRROR: Schema = object(&[
    required("backendRef", &BACKEND_OBJECT_REFERENCE),
    optional("percent", &int32(0, 100)),
    optional("fraction", &FRACTION),
])
.with(&[rule(
    "Only one of percent or fraction may be specified in HTTPRequestMirrorFilter",
    |mirror| !(mirror.has("percent") && mirror.has("fraction")),
)]);

static PATH_MODIFIER: Schema = object(&[
    required("type", &one_of(&["ReplaceFullPath", "ReplacePrefixMatch"])),
    optional("replaceFullPath", &text(0, 1_024)),
    optional("replacePrefixMatch", &text(0, 1_024)),
])
.with(&[
    rule(
        "replaceFullPath must be specified when type is set to 'ReplaceFullPath'",
        |m| m.text("type") != Some("ReplaceFullPath") || m.has("replaceFullPath"),
    ),
    rule(
        "type must be 'ReplaceFullPath' when replaceFullPath is set",
        |m| !m.has("replaceFullPath") || m.text("type") == Some("ReplaceFullPath"),
    ),
    rule(
        "replacePrefixMatch must be specified when type is set to 'ReplacePrefixMatch'",
        |m| m.text("type") != Some("ReplacePrefixMatch") || m.has("replacePrefixMatch"),
    ),
    rule(
        "type must be 'ReplacePrefixMatch' when replacePrefixMatch is set",
        |m| !m.has("replacePrefixMatch") || m.text("type") == Some("ReplacePrefixMatch"),
    ),
]);

static STATUS_CODE: Schema = one_of_integers(&[301, 302, 303, 307, 308]);

static REDIRECT: Schema = object(&[
    optional("scheme", &one_of(&["http", "https"])),
    optional("hostname", &PRECISE_HOSTNAME),
    optional("path", &PATH_MODIFIER),
    optional("port", &PORT),
    defaulted("statusCode", &STATUS_CODE, &Literal::Integer(302)),
]);

static REWRITE: Schema = object(&[
    optional("hostname", &PRECISE_HOSTNAME),
    optional("path", &PATH_MODIFIER),
]);

fn star_alone(list: View<'_>) -> bool {
    let stars = items(list).iter().any(|item| item.as_str() == Some("*"));
    !stars || items(list).len() == 1
}

static CORS: Schema = object(&[
    optional(
        "allowOrigins",
        &set(&formatted(1, 253, &formats::CORS_ORIGIN), 64).with(&[rule(
            "AllowOrigins cannot contain '*' alongside other origins",
            star_alone,
        )]),
    ),
    optional(
        "allowMethods",
        &set(
            &one_of(&[
                "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "*",
            ]),
            9,
        )
        .with(&[rule(
            "AllowMethods cannot contain '*' alongside other methods",
            star_alone,
        )]),
    ),
    optional(
        "allowHeaders",
        &set(&HEADER_NAME, 64).with(&[rule(
            "AllowHeaders cannot contain '*' alongside other methods",
            star_alone,
        )]),
    ),
    optional("exposeHeaders", &set(&HEADER_NAME, 64)),
    optional("allowCredentials", &BOOLEAN),
    defaulted("maxAge", &int32(1, i64::MAX), &Literal::Integer(5)),
]);

pub(super) static EXTERNAL_AUTH: Schema = object(&[
    required("protocol", &one_of(&["HTTP", "GRPC"])),
    required("backendRef", &BACKEND_OBJECT_REFERENCE),
    optional(
        "grpc",
        &object(&[optional("allowedHeaders", &set(&text(0, usize::MAX), 64))]),
    ),
    optional(
        "http",
        &object(&[
            optional("path", &formatted(0, 1_024, &formats::PATH_CHARACTERS)),
            optional("allowedHeaders", &set(&text(0, usize::MAX), 64)),
            optional("allowedResponseHeaders", &set(&text(0, usize::MAX), 64)),
        ]),
    ),
    optional(
        "forwardBody",
        &object(&[optional("maxSize", &int32(0, i64::MAX))]),
    ),
])
.with(&[
    rule(
        "grpc must be specified when protocol is set to 'GRPC'",
        |auth| auth.text("protocol") != Some("GRPC") || auth.has("grpc"),
    ),
    rule("protocol must be 'GRPC' when grpc is set", |auth| {
        !auth.has("grpc") || auth.text("protocol") == Some("GRPC")
    }),
    rule(
        "http must be specified when protocol is set to 'HTTP'",
        |auth| auth.text("protocol") != Some("HTTP") || auth.has("http"),
    ),
    rule("protocol must be 'HTTP' when http is set", |auth| {
        !auth.has("http") || auth.text("protocol") == Some("HTTP")
    }),
]);

macro_rules! union_rules {
    ($(($member:literal, $kind:literal $(, $channel:expr)?)),* $(,)?) => {
        &[$(
            Rule { $(channel: Some($channel),)? ..rule(concat!("filter.", $member, " must be nil if the filter.type is not ", $kind), |f| !f.has($member) || f.text("type") == Some($kind)) },
            Rule { $(channel: Some($channel),)? ..rule(concat!("filter.", $member, " must be specified for ", $kind, " filter.type"), |f| f.has($member) || f.text("type") != Some($kind)) },
        )*]
    };
}

macro_rules! filter_type {
    ($($more:literal),*) => {
        required("type", &one_of(&[
            "RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror", "RequestRedirect", "URLRewrite",
            "ExtensionRef", "CORS", $($more),*
        ]))
    };
}

static HTTP_FILTER: Schema = object(&[
    filter_type!().only(Channel::Standard),
    filter_type!("ExternalAuth").only(Channel::Experimental),
    optional("requestHeaderModifier", &HEADER_FILTER),
    optional("responseHeaderModifier", &HEADER_FILTER),
    optional("requestMirror", &MIRROR),
    optional("requestRedirect", &REDIRECT),
    optional("urlRewrite", &REWRITE),
    optional("cors", &CORS),
    optional("extensionRef", &LOCAL_REFERENCE),
    experimental("externalAuth", &EXTERNAL_AUTH),
])
.with(union_rules![
    ("requestHeaderModifier", "RequestHeaderModifier"),
    ("responseHeaderModifier", "ResponseHeaderModifier"),
    ("requestMirror", "RequestMirror"),
    ("requestRedirect", "RequestRedirect"),
    ("urlRewrite", "URLRewrite"),
    ("cors", "CORS"),
    ("extensionRef", "ExtensionRef"),
    ("externalAuth", "ExternalAuth", Channel::Experimental),
]);

fn count(filters: View<'_>, kind: &str) -> usize {
    items(filters)
        .iter()
        .filter(|filter| filter.text("type") == Some(kind))
        .count()
}

pub(super) static HTTP_FILTERS: Schema = list(&HTTP_FILTER, 0, 16).with(&[
    rule("May specify either httpRouteFilterRequestRedirect or httpRouteFilterRequestRewrite, but not both", |f| count(f, "RequestRedirect") == 0 || count(f, "URLRewrite") == 0),
    rule("CORS filter cannot be repeated", |f| count(f, "CORS") <= 1),
    rule("RequestHeaderModifier filter cannot be repeated", |f| count(f, "RequestHeaderModifier") <= 1),
    rule("ResponseHeaderModifier filter cannot be repeated", |f| count(f, "ResponseHeaderModifier") <= 1),
    rule("RequestRedirect filter cannot be repeated", |f| count(f, "RequestRedirect") <= 1),
    rule("URLRewrite filter cannot be repeated", |f| count(f, "URLRewrite") <= 1),
]);

static GRPC_FILTER: Schema = object(&[
    required(
        "type",
        &one_of(&[
            "RequestHeaderModifier",
            "ResponseHeaderModifier",
            "RequestMirror",
            "ExtensionRef",
        ]),
    ),
    optional("requestHeaderModifier", &HEADER_FILTER),
    optional("responseHeaderModifier", &HEADER_FILTER),
    optional("requestMirror", &MIRROR),
    optional("extensionRef", &LOCAL_REFERENCE),
])
.with(union_rules![
    ("requestHeaderModifier", "RequestHeaderModifier"),
    ("responseHeaderModifier", "ResponseHeaderModifier"),
    ("requestMirror", "RequestMirror"),
    ("extensionRef", "ExtensionRef"),
]);

pub(super) static GRPC_FILTERS: Schema = list(&GRPC_FILTER, 0, 16).with(&[
    rule("RequestHeaderModifier filter cannot be repeated", |f| {
        count(f, "RequestHeaderModifier") <= 1
    }),
    rule("ResponseHeaderModifier filter cannot be repeated", |f| {
        count(f, "ResponseHeaderModifier") <= 1
    }),
]);

/// Whether exactly one filter of a list replaces a prefix by its member; the CRD asks for exactly one.
fn replaces_prefix(filters: Items<'_>, member: &str) -> bool {
    let replaces = |filter: &View<'_>| {
        let path = filter.field(member).and_then(|f| f.field("path"));
        path.is_some_and(|path| {
            path.text("type") == Some("ReplacePrefixMatch") && path.has("replacePrefixMatch")
        })
    };
    filters.iter().filter(replaces).count() == 1
}

/// Whether a rule has exactly one match, of a prefix.
fn one_prefix(rule: View<'_>) -> bool {
    let matches = rule.items("matches");
    let path = matches.get(0).and_then(|one| one.field("path"));
    matches.len() == 1 && path.is_some_and(|path| path.text("type") == Some("PathPrefix"))
}

/// Whether exactly one backend has such filters; the CRD looks no further.
fn backend_replaces_prefix(rule: View<'_>, member: &str) -> bool {
    let backends = rule.items("backendRefs").iter();
    backends
        .filter(|b| replaces_prefix(b.items("filters"), member))
        .count()
        == 1
}

/// As the CRD's expression goes, a duration that cannot be read fails it, unless the other one decides.
fn timeouts_in_order(timeouts: View<'_>) -> bool {
    let (Some(request), Some(backend)) =
        (timeouts.text("request"), timeouts.text("backendRequest"))
    else {
        return true;
    };
    match (go_duration(request), go_duration(backend)) {
        (Some(0), _) => true,
        (Some(request), Some(backend)) => backend <= request,
        _ => false,
    }
}

static HTTP_RULE: Schema = object(&[
    optional("name", &SECTION_NAME),
    defaulted("matches", &list(&HTTP_MATCH, 0, 64), &MATCHES),
    optional("filters", &HTTP_FILTERS),
    optional("backendRefs", &list(&HTTP_BACKEND_REF, 0, 16)),
    optional("timeouts", &object(&[optional("request", &DURATION), optional("backendRequest", &DURATION)]).with(&[
        rule("backendRequest timeout cannot be longer than request timeout", timeouts_in_order),
    ])),
    optional("retry", &object(&[
        optional("codes", &set(&integer(400, 599), usize::MAX)),
        defaulted("attempts", &integer(0, i64::MAX), &Literal::Integer(1)),
        optional("backoff", &DURATION),
    ])),
    experimental("sessionPersistence", &SESSION_PERSISTENCE),
])
.with(&[
    rule("RequestRedirect filter must not be used together with backendRefs", |r| {
        r.items("backendRefs").is_empty() || !r.items("filters").iter().any(|f| f.has("requestRedirect"))
    }),
    rule("When using RequestRedirect filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified", |r| !replaces_prefix(r.items("filters"), "requestRedirect") || one_prefix(r)),
    rule("When using URLRewrite filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified", |r| !replaces_prefix(r.items("filters"), "urlRewrite") || one_prefix(r)),
    rule("Within backendRefs, when using RequestRedirect filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified", |r| !backend_replaces_prefix(r, "requestRedirect") || one_prefix(r)),
    rule("Within backendRefs, When using URLRewrite filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified", |r| !backend_replaces_prefix(r, "urlRewrite") || one_prefix(r)),
]);

const TOO_MANY_MATCHES: &str = "While 16 rules and 64 matches per rule are allowed, the total number of matches across all rules in a route must be less than 128";
const UNIQUE_NAMES: Rule = rule("Rule name must be unique within the route", |rules| {
    items(rules).every_two(|a, b| !a.has("name") || a.text("name") != b.text("name"))
});

fn few_matches(rules: View<'_>) -> bool {
    let matches = items(rules).iter().map(|rule| rule.items("matches").len());
    matches.sum::<usize>() <= 128
}

const RULES_OF_ROUTE: &[Rule] = &[rule(TOO_MANY_MATCHES, few_matches), UNIQUE_NAMES];

pub(super) static HTTP_ROUTE: Schema = kind_schema!(
    &object(&[
        optional("parentRefs", &PARENT_REFERENCES),
        optional("hostnames", &list(&HOSTNAME, 0, 16)),
        defaulted(
            "rules",
            &list(&HTTP_RULE, 1, 16).with(RULES_OF_ROUTE),
            &RULES
        ),
        experimental("useDefaultGateways", &DEFAULT_SCOPE),
    ]),
    status::OF_ROUTE
);

/// `^(?i)\.?[a-z_][a-z_0-9]*(\.[a-z_][a-z_0-9]*)*$`.
fn service_name(text: &str) -> bool {
    text.strip_prefix('.')
        .unwrap_or(text)
        .split('.')
        .all(method_name)
}

/// `^[A-Za-z_][A-Za-z_0-9]*$`.
fn method_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn exact_name(method: View<'_>, member: &str, holds: fn(&str) -> bool) -> bool {
    method.text("type") != Some("Exact") || method.text(member).is_none_or(holds)
}

static GRPC_METHOD: Schema = object(&[
    VALUE_TYPE,
    optional("service", &text(0, 1_024)),
    optional("method", &text(0, 1_024)),
])
.with(&[
    rule("One or both of 'service' or 'method' must be specified", |m| m.has("service") || m.has("method")),
    rule("service must only contain valid characters (matching ^(?i)\\.?[a-z_][a-z_0-9]*(\\.[a-z_][a-z_0-9]*)*$)", |m| exact_name(m, "service", service_name)),
    rule("method must only contain valid characters (matching ^[A-Za-z_][A-Za-z_0-9]*$)", |m| exact_name(m, "method", method_name)),
]);

static GRPC_RULE: Schema = object(&[
    optional("name", &SECTION_NAME),
    optional(
        "matches",
        &list(
            &object(&[
                optional("method", &GRPC_METHOD),
                optional("headers", &GRPC_HEADER_MATCHES),
            ]),
            0,
            64,
        ),
    ),
    optional("filters", &GRPC_FILTERS),
    optional("backendRefs", &list(&GRPC_BACKEND_REF, 0, 16)),
    experimental("sessionPersistence", &SESSION_PERSISTENCE),
]);

pub(super) static GRPC_ROUTE: Schema = kind_schema!(
    &object(&[
        optional("parentRefs", &PARENT_REFERENCES),
        optional("hostnames", &list(&HOSTNAME, 0, 16)),
        optional("rules", &list(&GRPC_RULE, 0, 16).with(RULES_OF_ROUTE)),
        experimental("useDefaultGateways", &DEFAULT_SCOPE),
    ]),
    status::OF_ROUTE
);

static LAYER4_RULE: Schema = object(&[
    optional("name", &SECTION_NAME),
    required("backendRefs", &list(&BACKEND_REF, 1, 16)),
]);

/// `isIP` of the API server: no zone, and no IPv4 address within an IPv6 one.
fn is_ip(text: &str) -> bool {
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => address.to_ipv4_mapped().is_none(),
        Ok(IpAddr::V4(_)) => true,
        Err(_) => false,
    }
}

const TLS_HOSTNAMES: &[Rule] = &[
    rule("Hostnames cannot contain an IP", |names| {
        items(names)
            .iter()
            .all(|n| n.as_str().is_none_or(|n| !is_ip(n)))
    }),
    rule("Hostnames must be valid based on RFC-1123", |names| {
        items(names)
            .iter()
            .all(|n| n.as_str().is_none_or(|n| n.contains('*') || subdomain(n)))
    }),
    rule(
        "Wildcards on hostnames must be the first label, and the rest of hostname must be valid based on RFC-1123",
        |names| {
            items(names).iter().all(|n| {
                n.as_str()
                    .is_none_or(|n| !n.contains('*') || n.strip_prefix("*.").is_some_and(subdomain))
            })
        },
    ),
];

pub(super) static TLS_ROUTE: Schema = kind_schema!(
    &object(&[
        optional("parentRefs", &PARENT_REFERENCES),
        required("hostnames", &list(&HOSTNAME, 1, 1_024).with(TLS_HOSTNAMES)),
        required("rules", &list(&LAYER4_RULE, 1, 1)),
        experimental("useDefaultGateways", &DEFAULT_SCOPE),
    ]),
    status::OF_ROUTE
);

pub(super) static TLS_ROUTE_V1ALPHA2: Schema = kind_schema!(
    &object(&[
        optional("parentRefs", &PARENT_REFERENCES),
        optional("hostnames", &list(&HOSTNAME, 0, 1_024)),
        required("rules", &list(&LAYER4_RULE, 1, 16).with(&[UNIQUE_NAMES])),
        optional("useDefaultGateways", &DEFAULT_SCOPE),
    ]),
    status::OF_ROUTE
);

pub(super) static LAYER4_ROUTE: Schema = kind_schema!(
    &object(&[
        optional("parentRefs", &PARENT_REFERENCES),
        required("rules", &list(&LAYER4_RULE, 1, 1)),
        experimental("useDefaultGateways", &DEFAULT_SCOPE),
    ]),
    status::OF_ROUTE
);

pub(super) static LAYER4_ROUTE_V1ALPHA2: Schema = kind_schema!(
    &object(&[
        optional("parentRefs", &PARENT_REFERENCES),
        required("rules", &list(&LAYER4_RULE, 1, 16).with(&[UNIQUE_NAMES])),
        optional("useDefaultGateways", &DEFAULT_SCOPE),
    ]),
    status::OF_ROUTE
);
