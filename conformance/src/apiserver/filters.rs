//! Filters around the rules that bind their types, their members and each other.

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

/// A list of filters, perhaps one of them twice, perhaps without its member or with another's. `items` is their schema.
pub(super) fn filters(items: &Value, rng: &mut StdRng) -> Value {
    let types: Vec<&str> = items["properties"]["type"]["enum"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut list: Vec<Value> = Vec::new();
    for _ in 0..rng.random_range(1..4) {
        match list.choose(rng).cloned() {
            Some(again) if rng.random_bool(0.4) => list.push(again),
            _ => list.push(filter(items, &types, rng)),
        }
    }
    Value::Array(list)
}

fn filter(items: &Value, types: &[&str], rng: &mut StdRng) -> Value {
    let kind = types.choose(rng).copied().unwrap_or_default();
    let mut filter = json!({"type": kind});
    let put = |kind: &str, filter: &mut Value, rng: &mut StdRng| {
        let names = items["properties"].as_object().into_iter().flatten();
        let member = names
            .map(|(name, _)| name)
            .find(|name| name.eq_ignore_ascii_case(kind));
        if let Some(name) = member {
            filter[name] = member_of(name, rng);
        }
    };
    if rng.random_bool(0.8) {
        put(kind, &mut filter, rng);
    }
    if rng.random_bool(0.15) {
        put(
            types.choose(rng).copied().unwrap_or_default(),
            &mut filter,
            rng,
        );
    }
    filter
}

/// What a filter of a type holds.
fn member_of(name: &str, rng: &mut StdRng) -> Value {
    match name {
        "requestHeaderModifier" | "responseHeaderModifier" => {
            json!({"set": [{"name": "x-test", "value": "v"}]})
        }
        "requestMirror" => mirror(rng),
        "requestRedirect" | "urlRewrite" if rng.random_bool(0.2) => {
            json!({"hostname": "a.example"})
        }
        "requestRedirect" | "urlRewrite" => json!({"path": path(rng)}),
        "extensionRef" => json!({"group": "example.com", "kind": "Filter", "name": "f"}),
        "cors" => cors(rng),
        "externalAuth" => external_auth(rng),
        _ => json!({}),
    }
}

/// A Service or an XBackend, with a port or without.
pub(super) fn backend(rng: &mut StdRng) -> Value {
    let mut reference = json!({"name": "b"});
    if rng.random_bool(0.4) {
        reference["group"] = json!("gateway.networking.x-k8s.io");
        reference["kind"] = json!("XBackend");
    }
    if rng.random_bool(0.6) {
        reference["port"] = json!(80);
    }
    reference
}

fn mirror(rng: &mut StdRng) -> Value {
    let mut mirror = json!({"backendRef": backend(rng)});
    if rng.random_bool(0.4) {
        mirror["percent"] = json!(10);
    }
    if rng.random_bool(0.5) {
        mirror["fraction"] = json!({"numerator": rng.random_range(0..4), "denominator": 2});
    }
    mirror
}

/// What replaces a path, of either type with either member.
pub(super) fn path(rng: &mut StdRng) -> Value {
    let types = ["ReplaceFullPath", "ReplacePrefixMatch"];
    let kind = types.choose(rng).copied().unwrap_or_default();
    let mut path = json!({"type": kind});
    for (of, member) in types.iter().zip(["replaceFullPath", "replacePrefixMatch"]) {
        if rng.random_bool(if kind == *of { 0.8 } else { 0.2 }) {
            path[member] = json!("/x");
        }
    }
    path
}

/// `*`, something else, or both.
pub(super) fn star(other: &str, rng: &mut StdRng) -> Value {
    [json!(["*"]), json!(["*", other]), json!([other])]
        .choose(rng)
        .cloned()
        .unwrap_or_default()
}

fn cors(rng: &mut StdRng) -> Value {
    let mut cors = json!({});
    for (name, other) in [
        ("allowOrigins", "https://a.example"),
        ("allowMethods", "GET"),
        ("allowHeaders", "x-test"),
    ] {
        if rng.random_bool(0.6) {
            cors[name] = star(other, rng);
        }
    }
    cors
}

/// An authority by either protocol with either member.
pub(super) fn external_auth(rng: &mut StdRng) -> Value {
    let protocols = ["HTTP", "GRPC"];
    let protocol = protocols.choose(rng).copied().unwrap_or_default();
    let mut auth = json!({"protocol": protocol, "backendRef": backend(rng)});
    for (of, member) in protocols.iter().zip(["http", "grpc"]) {
        if rng.random_bool(if protocol == *of { 0.8 } else { 0.2 }) {
            auth[member] = json!({"allowedHeaders": ["x-test"]});
        }
    }
    auth
}
