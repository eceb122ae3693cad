//! Changes that aim at rules which chance hardly meets: each puts a value in that lies at the edge of some rule.

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use super::filters;

/// Paths around the rules for literal paths.
const PATHS: &[&str] = &[
    "/a", "a", "/a//b", "/a/./b", "/a/../b", "/a/..", "/a/.", "/a%2fb", "/a%2Fb", "/a#b", "/a b",
    "/a%zz",
];

/// Puts a value in, if the value at this place is one that there is something to aim at; the last name of a pointer says what
/// it is.
pub(super) fn aim(pointer: &str, schema: &Value, value: &mut Value, rng: &mut StdRng) {
    let mut names = pointer
        .rsplit('/')
        .skip_while(|name| name.parse::<u32>().is_ok());
    let item = pointer.ends_with(|c: char| c.is_ascii_digit());
    let new = match (names.next().unwrap_or_default(), item) {
        ("labels" | "annotations" | "matchLabels", false) => Some(long_prefix(rng)),
        ("path", false) if takes(schema, "value") => Some(json!({
            "type": pick(&["Exact", "PathPrefix", "RegularExpression"], rng),
            "value": pick(PATHS, rng),
        })),
        ("path", false) if takes(schema, "replacePrefixMatch") => Some(filters::path(rng)),
        ("allowOrigins", false) => Some(filters::star("https://a.example", rng)),
        ("allowMethods", false) => Some(filters::star("GET", rng)),
        ("allowHeaders", false) => Some(filters::star("x-test", rng)),
        ("externalAuth", false) => Some(filters::external_auth(rng)),
        ("addresses", false) if takes(&schema["items"], "value") => Some(addresses(rng)),
        ("tls", false) if takes(schema, "frontend") => Some(frontend(rng)),
        ("controllerName", false) => Some(json!(pick(
            &["gatepost.dev/controller", "example.com/other"],
            rng
        ))),
        ("sessionPersistence", false) if takes(schema, "cookie") => Some(session(rng)),
        ("parentRefs", false) => Some(references(json!({"name": "gw"}), &schema["items"], rng)),
        ("targetRefs", false) if takes(&schema["items"], "sectionName") => {
            let one = json!({"group": "", "kind": "Service", "name": "s"});
            Some(references(one, &schema["items"], rng))
        }
        ("filters" | "requests", false) if takes(&schema["items"], "extensionRef") => {
            Some(filters::filters(&schema["items"], rng))
        }
        ("backendRefs", true) | ("backendRef", false) => Some(filters::backend(rng)),
        ("rules", true) if takes(schema, "matches") && takes(schema, "filters") => {
            Some(if takes(schema, "timeouts") && rng.random_bool(0.4) {
                prefix_in_backend(rng)
            } else {
                rule_with_filters(schema, rng)
            })
        }
        ("rules", false) if takes(&schema["items"], "matches") => Some(many_matches(rng)),
        _ => None,
    };
    if let Some(new) = new {
        *value = new;
    }
}

fn takes(schema: &Value, field: &str) -> bool {
    schema["properties"].get(field).is_some()
}

fn pick<'t>(texts: &[&'t str], rng: &mut StdRng) -> &'t str {
    texts.choose(rng).copied().unwrap_or_default()
}

/// A key whose prefix has about as many characters as one may have.
fn long_prefix(rng: &mut StdRng) -> Value {
    let prefix = "p".repeat(rng.random_range(250..256));
    let mut map = json!({});
    map[format!("{prefix}/key")] = json!("value");
    map
}

/// Addresses of a Gateway, two of which may be the same.
fn addresses(rng: &mut StdRng) -> Value {
    let known = [
        json!({"type": "IPAddress", "value": "192.0.2.1"}),
        json!({"value": "192.0.2.1"}),
        json!({"type": "IPAddress", "value": "192.0.2.2"}),
        json!({"type": "Hostname", "value": "a.example"}),
        json!({"type": "Hostname", "value": "b.example"}),
        json!({"type": "Hostname", "value": "-a_"}),
        json!({"type": "example.com/pool", "value": "a.example"}),
    ];
    let some = (0..rng.random_range(1..4)).filter_map(|_| known.choose(rng).cloned());
    Value::Array(some.collect())
}

/// What clients of a Gateway are validated by: a ClusterTrustBundle lies in no namespace.
fn frontend(rng: &mut StdRng) -> Value {
    let mut reference = if rng.random_bool(0.7) {
        json!({"group": "certificates.k8s.io", "kind": "ClusterTrustBundle", "name": "roots"})
    } else {
        json!({"group": "", "kind": "ConfigMap", "name": "roots"})
    };
    if rng.random_bool(0.5) {
        reference["namespace"] = json!("default");
    }
    let validation = json!({"validation": {"caCertificateRefs": [reference]}});
    let mut frontend = json!({"default": validation});
    if rng.random_bool(0.5) {
        frontend["perPort"] = json!([{"port": 443, "tls": validation}]);
        frontend["default"] = json!({});
    }
    json!({"frontend": frontend})
}

fn session(rng: &mut StdRng) -> Value {
    let mut session = json!({"type": pick(&["Cookie", "Header"], rng)});
    if rng.random_bool(0.5) {
        session["cookie"] = json!({"lifetimeType": pick(&["Permanent", "Session"], rng)});
    }
    if rng.random_bool(0.5) {
        session["header"] = json!({"name": "x-session"});
    }
    if rng.random_bool(0.5) {
        session["absoluteTimeout"] = json!("1h");
    }
    session
}

/// Two references to the same, told apart by section or port or not at all.
fn references(one: Value, items: &Value, rng: &mut StdRng) -> Value {
    let mut list = vec![one.clone(), one];
    for reference in &mut list {
        if rng.random_bool(0.6) {
            reference["sectionName"] = json!(pick(&["a", "b"], rng));
        }
        if takes(items, "port") && rng.random_bool(0.3) {
            reference["port"] = json!(rng.random_range(80..82));
        }
    }
    Value::Array(list)
}

/// A rule whose filters, or those of its backend, lie around the rules for filters.
fn rule_with_filters(schema: &Value, rng: &mut StdRng) -> Value {
    let rule = &schema["properties"];
    let backends = &rule["backendRefs"]["items"]["properties"];
    if rng.random_bool(0.35) {
        json!({"filters": filters::filters(&rule["filters"]["items"], rng)})
    } else {
        let filters = filters::filters(&backends["filters"]["items"], rng);
        json!({"backendRefs": [{"name": "b", "port": 80, "filters": filters}]})
    }
}

/// A filter that replaces a prefix, in a rule or in its backend, beside matches that may or may not be of one prefix.
fn prefix_in_backend(rng: &mut StdRng) -> Value {
    let (kind, member) = *[
        ("URLRewrite", "urlRewrite"),
        ("RequestRedirect", "requestRedirect"),
    ]
    .choose(rng)
    .unwrap_or(&("URLRewrite", "urlRewrite"));
    let mut filter = json!({"type": kind});
    filter[member] = json!({"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/x"}});
    let one =
        json!({"path": {"type": pick(&["PathPrefix", "PathPrefix", "Exact"], rng), "value": "/a"}});
    let matches = vec![one; rng.random_range(1..3)];
    if rng.random_bool(0.5) {
        json!({"matches": matches, "filters": [filter]})
    } else {
        let backend = json!({"name": "b", "port": 80, "filters": [filter]});
        json!({"matches": matches, "backendRefs": [backend]})
    }
}

/// About as many matches as a route may have in all.
fn many_matches(rng: &mut StdRng) -> Value {
    let (rules, matches) = *[(2, 64), (3, 43), (3, 42), (4, 32), (5, 26)]
        .choose(rng)
        .unwrap_or(&(2, 64));
    json!(vec![json!({"matches": vec![json!({}); matches]}); rules])
}
