//! Changes that aim at rules which chance hardly meets: each puts a value in that lies at the edge of some rule.

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

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
        ("path", false) if schema["properties"].get("value").is_some() => Some(json!({
            "type": pick(&["Exact", "PathPrefix", "RegularExpression"], rng),
            "value": pick(PATHS, rng),
        })),
        ("allowOrigins", false) => Some(star("https://a.example", rng)),
        ("allowMethods", false) => Some(star("GET", rng)),
        ("allowHeaders", false) => Some(star("x-test", rng)),
        ("backendRefs", true) | ("backendRef", false) => Some(backend(rng)),
        ("rules", true) if takes(schema, "matches") && takes(schema, "filters") => {
            Some(prefix_in_backend(rng))
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

fn star(other: &str, rng: &mut StdRng) -> Value {
    [json!(["*"]), json!(["*", other]), json!([other])]
        .choose(rng)
        .cloned()
        .unwrap_or_default()
}

/// A Service or an XBackend, with a port or without.
fn backend(rng: &mut StdRng) -> Value {
    let mut reference = json!({"name": "b"});
    if rng.random_bool(0.6) {
        reference["group"] = json!("gateway.networking.x-k8s.io");
        reference["kind"] = json!("XBackend");
    }
    if rng.random_bool(0.5) {
        reference["port"] = json!(80);
    }
    reference
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
