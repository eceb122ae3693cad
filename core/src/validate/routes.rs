//! HTTPRoute, GRPCRoute, TLSRoute, TCPRoute and UDPRoute.

use super::formats::{self, path_characters, subdomain};
use super::gateway::kind_schema;
use super::reference::{
    BACKEND_OBJECT_REFERENCE, BACKEND_REF, DURATION, FRACTION, GRPC_BACKEND_REF, HOSTNAME,
    HTTP_BACKEND_REF, LOCAL_REFERENCE, PARENT_REFERENCES, PRECISE_HOSTNAME, SECTION_NAME,
    every_two,
};
use super::schema::{
    ANY, BOOLEAN, Fields, PORT, Rule, Schema, experimental, formatted, integer, items, list,
    list_map, object, one_of, optional, required, rule, set, text,
};
use super::session::SESSION_PERSISTENCE;
use crate::document::Node;

const HEADER_NAME: Schema = formatted(1, 256, &formats::HEADER_NAME);
const METHODS: &[&str] = &[
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
];
const DEFAULT_SCOPE: Schema = one_of(&["All", "None"]);
const VALUE_TYPE: Schema = one_of(&["Exact", "RegularExpression"]);

macro_rules! path_rules {
    ($(($test:expr, $message:literal)),* $(,)?) => {
        &[$(rule($message, |path| {
            let literal = matches!(path.text("type").unwrap_or("PathPrefix"), "Exact" | "PathPrefix");
            let test: fn(&str) -> bool = $test;
            !literal || test(path.text("value").unwrap_or("/"))
        })),*]
    };
}

static PATH_MATCH: Schema = object(&[
    optional("type", &one_of(&["Exact", "PathPrefix", "RegularExpression"])),
    optional("value", &text(0, 1_024)),
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

/// The pattern of header values stands in the experimental CRD only, so resolution checks them for every channel.
static HEADER_MATCH: Schema = object(&[
    optional("type", &VALUE_TYPE),
    required("name", &HEADER_NAME),
    required("value", &text(1, 4_096)),
]);

static QUERY_MATCH: Schema = object(&[
    optional("type", &VALUE_TYPE),
    required("name", &HEADER_NAME),
    required("value", &text(1, 1_024)),
]);

static HTTP_MATCH: Schema = object(&[
    optional("path", &PATH_MATCH),
    optional("headers", &list_map(&HEADER_MATCH, 0, 16, &[("name", "")])),
    optional(
        "queryParams",
        &list_map(&QUERY_MATCH, 0, 16, &[("name", "")]),
    ),
    optional("method", &one_of(METHODS)),
]);

static HEADERS: Schema = list_map(
    &object(&[
        required("name", &HEADER_NAME),
        required("value", &text(1, 4_096)),
    ]),
    0,
    16,
    &[("name", "")],
);

static HEADER_FILTER: Schema = object(&[
    optional("set", &HEADERS),
    optional("add", &HEADERS),
    optional("remove", &set(&text(0, usize::MAX), 16)),
]);

static MIRROR: Schema = object(&[
    required("backendRef", &BACKEND_OBJECT_REFERENCE),
    optional("percent", &integer(0, 100)),
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

/// The CRD has an enum of integers.
static STATUS_CODE: Schema = integer(301, 308).with(&[rule(
    "statusCode must be one of 301, 302, 303, 307, 308",
    |code| matches!(code.as_i64(), Some(301 | 302 | 303 | 307 | 308)),
)]);

static REDIRECT: Schema = object(&[
    optional("scheme", &one_of(&["http", "https"])),
    optional("hostname", &PRECISE_HOSTNAME),
    optional("path", &PATH_MODIFIER),
    optional("port", &PORT),
    optional("statusCode", &STATUS_CODE),
]);

static REWRITE: Schema = object(&[
    optional("hostname", &PRECISE_HOSTNAME),
    optional("path", &PATH_MODIFIER),
]);

fn star_alone(list: &Node) -> bool {
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
    optional("maxAge", &integer(1, i32::MAX as i64)),
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
        &object(&[optional("maxSize", &integer(0, i32::MAX as i64))]),
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
    ($(($member:literal, $kind:literal)),* $(,)?) => {
        &[$(
            rule(concat!("filter.", $member, " must be nil if the filter.type is not ", $kind), |f| !f.has($member) || f.text("type") == Some($kind)),
            rule(concat!("filter.", $member, " must be specified for ", $kind, " filter.type"), |f| f.has($member) || f.text("type") != Some($kind)),
        )*]
    };
}

static HTTP_FILTER: Schema = object(&[
    required(
        "type",
        &one_of(&[
            "RequestHeaderModifier",
            "ResponseHeaderModifier",
            "RequestMirror",
            "RequestRedirect",
            "URLRewrite",
            "CORS",
            "ExtensionRef",
            "ExternalAuth",
        ]),
    ),
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
    ("externalAuth", "ExternalAuth"),
]);

fn count(filters: &Node, kind: &str) -> usize {
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

/// Whether a list of filters replaces a prefix by the filter's member.
fn replaces_prefix(filters: &[Node], member: &str) -> bool {
    filters.iter().any(|filter| {
        let path = filter.field(member).and_then(|f| f.field("path"));
        path.is_some_and(|path| {
            path.text("type") == Some("ReplacePrefixMatch") && path.has("replacePrefixMatch")
        })
    })
}

/// Whether a rule has exactly one match, of a prefix; without `matches` it has the default one.
fn one_prefix(rule: &Node) -> bool {
    match rule.field("matches") {
        None => true,
        Some(matches) => match items(matches) {
            [one] => {
                one.field("path")
                    .and_then(|path| path.text("type"))
                    .unwrap_or("PathPrefix")
                    == "PathPrefix"
            }
            _ => false,
        },
    }
}

/// The filters of the one backend that has the member; the CRD looks no further.
fn backend_replaces_prefix(rule: &Node, member: &str) -> bool {
    let backends = rule.items("backendRefs");
    let mut having = backends
        .iter()
        .filter(|b| replaces_prefix(b.items("filters"), member));
    having.next().is_some() && having.next().is_none()
}

static HTTP_RULE: Schema = object(&[
    optional("name", &SECTION_NAME),
    optional("matches", &list(&HTTP_MATCH, 0, 64)),
    optional("filters", &HTTP_FILTERS),
    optional("backendRefs", &list(&HTTP_BACKEND_REF, 0, 16)),
    optional("timeouts", &object(&[optional("request", &DURATION), optional("backendRequest", &DURATION)]).with(&[
        rule("backendRequest timeout cannot be longer than request timeout", |timeouts| {
            let value = |name: &str| timeouts.text(name).and_then(|text| crate::duration::parse(text).ok());
            match (value("request"), value("backendRequest")) {
                (Some(request), Some(backend)) => request.is_zero() || backend <= request,
                _ => true,
            }
        }),
    ])),
    optional("retry", &object(&[
        optional("codes", &set(&integer(400, 599), usize::MAX)),
        optional("attempts", &integer(0, i64::MAX)),
        optional("backoff", &DURATION),
    ])),
    experimental("sessionPersistence", &SESSION_PERSISTENCE),
])
.with(&[
    rule("RequestRedirect filter must not be used together with backendRefs", |r| {
        r.items("backendRefs").is_empty() || r.field("filters").is_none_or(|f| !items(f).iter().any(|f| f.has("requestRedirect")))
    }),
    rule("When using RequestRedirect filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified", |r| !replaces_prefix(r.items("filters"), "requestRedirect") || one_prefix(r)),
    rule("When using URLRewrite filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified", |r| !replaces_prefix(r.items("filters"), "urlRewrite") || one_prefix(r)),
    rule("Within backendRefs, when using RequestRedirect filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified", |r| !backend_replaces_prefix(r, "requestRedirect") || one_prefix(r)),
    rule("Within backendRefs, When using URLRewrite filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified", |r| !backend_replaces_prefix(r, "urlRewrite") || one_prefix(r)),
]);

const TOO_MANY_MATCHES: &str = "While 16 rules and 64 matches per rule are allowed, the total number of matches across all rules in a route must be less than 128";
const UNIQUE_NAMES: Rule = rule("Rule name must be unique within the route", |rules| {
    every_two(items(rules), |a, b| {
        !a.has("name") || a.text("name") != b.text("name")
    })
});

/// An HTTPRoute rule without `matches` has the default one.
const HTTP_RULES: &[Rule] = &[
    rule(TOO_MANY_MATCHES, |rules| {
        items(rules)
            .iter()
            .map(|r| r.field("matches").map_or(1, |m| items(m).len()))
            .sum::<usize>()
            <= 128
    }),
    UNIQUE_NAMES,
];
const GRPC_RULES: &[Rule] = &[
    rule(TOO_MANY_MATCHES, |rules| {
        items(rules)
            .iter()
            .map(|r| r.items("matches").len())
            .sum::<usize>()
            <= 128
    }),
    UNIQUE_NAMES,
];

pub(super) static HTTP_ROUTE: Schema = kind_schema!(&object(&[
    optional("parentRefs", &PARENT_REFERENCES),
    optional("hostnames", &list(&HOSTNAME, 0, 16)),
    optional("rules", &list(&HTTP_RULE, 1, 16).with(HTTP_RULES)),
    experimental("useDefaultGateways", &DEFAULT_SCOPE),
]));

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

fn exact_name(method: &Node, member: &str, holds: fn(&str) -> bool) -> bool {
    method.text("type").unwrap_or("Exact") != "Exact" || method.text(member).is_none_or(holds)
}

static GRPC_METHOD: Schema = object(&[
    optional("type", &VALUE_TYPE),
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
                optional("headers", &list_map(&HEADER_MATCH, 0, 16, &[("name", "")])),
            ]),
            0,
            64,
        ),
    ),
    optional("filters", &GRPC_FILTERS),
    optional("backendRefs", &list(&GRPC_BACKEND_REF, 0, 16)),
    experimental("sessionPersistence", &SESSION_PERSISTENCE),
]);

pub(super) static GRPC_ROUTE: Schema = kind_schema!(&object(&[
    optional("parentRefs", &PARENT_REFERENCES),
    optional("hostnames", &list(&HOSTNAME, 0, 16)),
    optional("rules", &list(&GRPC_RULE, 0, 16).with(GRPC_RULES)),
    experimental("useDefaultGateways", &DEFAULT_SCOPE),
]));

static LAYER4_RULE: Schema = object(&[
    optional("name", &SECTION_NAME),
    required("backendRefs", &list(&BACKEND_REF, 1, 16)),
]);

const TLS_HOSTNAMES: &[Rule] = &[
    rule("Hostnames cannot contain an IP", |names| {
        items(names).iter().all(|n| {
            n.as_str()
                .is_none_or(|n| n.parse::<std::net::IpAddr>().is_err())
        })
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

pub(super) static TLS_ROUTE: Schema = kind_schema!(&object(&[
    optional("parentRefs", &PARENT_REFERENCES),
    required("hostnames", &list(&HOSTNAME, 1, 1_024).with(TLS_HOSTNAMES)),
    required("rules", &list(&LAYER4_RULE, 1, 1)),
    experimental("useDefaultGateways", &DEFAULT_SCOPE),
]));

pub(super) static TLS_ROUTE_V1ALPHA2: Schema = kind_schema!(&object(&[
    optional("parentRefs", &PARENT_REFERENCES),
    optional("hostnames", &list(&HOSTNAME, 0, 16)),
    required("rules", &list(&LAYER4_RULE, 1, 16).with(&[UNIQUE_NAMES])),
    optional("useDefaultGateways", &DEFAULT_SCOPE),
]));

pub(super) static LAYER4_ROUTE: Schema = kind_schema!(&object(&[
    optional("parentRefs", &PARENT_REFERENCES),
    required("rules", &list(&LAYER4_RULE, 1, 1)),
    experimental("useDefaultGateways", &DEFAULT_SCOPE),
]));

pub(super) static LAYER4_ROUTE_V1ALPHA2: Schema = kind_schema!(&object(&[
    optional("parentRefs", &PARENT_REFERENCES),
    required("rules", &list(&LAYER4_RULE, 1, 16).with(&[UNIQUE_NAMES])),
    optional("useDefaultGateways", &DEFAULT_SCOPE),
]));
