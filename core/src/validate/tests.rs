//! The documents of the wire tests against the schemas: together they show every field.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::schema::{Schema, Shape};
use super::{schema_of, validate};
use crate::document::Document;
use crate::key::{Channel, Kind};
use crate::resources::Resource;

/// The fields of a schema that none of the values has.
fn missing(schema: &Schema, values: &[&Value], path: &str, out: &mut Vec<String>) {
    match &schema.shape {
        Shape::Object { fields, .. } => {
            for field in *fields {
                let path = format!("{path}.{}", field.name);
                let values: Vec<&Value> = values.iter().filter_map(|v| v.get(field.name)).collect();
                if values.is_empty() {
                    out.push(path);
                } else {
                    missing(field.schema, &values, &path, out);
                }
            }
        }
        Shape::List { items, .. } => {
            let values: Vec<&Value> = values.iter().flat_map(|v| v.as_array()).flatten().collect();
            if values.is_empty() {
                out.push(format!("{path}[]"));
            } else {
                missing(items, &values, path, out);
            }
        }
        _ => {}
    }
}

#[test]
fn the_documents_show_every_field() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire");
    let mut out = Vec::new();
    for kind in Kind::all() {
        let Some(schema) = schema_of(kind, kind.version()) else {
            continue;
        };
        let text = fs::read(folder.join(format!("{kind}.json"))).expect("every kind has documents");
        let documents: Vec<Value> = serde_json::from_slice(&text).expect("a list of documents");
        let documents: Vec<&Value> = documents.iter().collect();
        missing(schema, &documents, kind.as_str(), &mut out);
    }
    // A node's port is not a backend's: it is judged and not read.
    assert_eq!(out, ["Service.spec.ports.nodePort"]);
}

#[test]
fn values_of_secrets_are_not_shown() {
    let value = serde_json::json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": "hunter2", "data": {"key": ["hunter2"], "pin": 4711},
    });
    let violations = validate(&Document::from_json("s", &value), Channel::Standard);
    let fields: Vec<String> = violations
        .iter()
        .map(|violation| violation.field.to_string())
        .collect();
    assert_eq!(fields, ["data[key]", "data[pin]", "stringData"]);
    assert!(
        !violations
            .iter()
            .any(|v| v.message.contains("hunter2") || v.message.contains("4711")),
        "{violations:?}"
    );
}

/// What an API server answers to a number in a field without a width, and in one of 32 bits.
#[test]
fn integers_have_the_width_that_the_schema_names() {
    for (number, attempts, max_age) in [
        (json!(2_147_483_647), vec![], vec![]),
        (json!(2_147_483_648_i64), vec![], vec!["format"]),
        (json!(i64::MAX), vec![], vec!["format"]),
        (json!(i64::MIN), vec!["minimum"], vec!["format", "minimum"]),
        (
            json!(1 + i64::MAX as u64),
            vec!["type", "format"],
            vec!["type", "format"],
        ),
        (
            json!(u64::MAX),
            vec!["type", "format"],
            vec!["type", "format"],
        ),
        (json!(1e3), vec![], vec![]),
        (json!(3.0), vec![], vec![]),
        (json!(1e18), vec![], vec!["format"]),
        (json!(1e19), vec!["type", "format"], vec!["type", "format"]),
        (
            json!(-1e19),
            vec!["type", "format", "minimum"],
            vec!["type", "format", "minimum"],
        ),
        (json!(1.5), vec!["type", "format"], vec!["type", "format"]),
    ] {
        let value = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "r"},
            "spec": {"rules": [{
                "filters": [{"type": "CORS", "cors": {"maxAge": number}}],
                "retry": {"attempts": number},
            }]},
        });
        let document = Document::from_json("r", &value);
        let violations = validate(&document, Channel::Standard);
        let of = |field: &str| -> Vec<&str> {
            let field = format!("spec.rules[0].{field}");
            let there = violations
                .iter()
                .filter(|found| found.field.to_string() == field);
            there.map(|found| found.rule).collect()
        };
        assert_eq!(of("retry.attempts"), attempts, "{number}");
        assert_eq!(of("filters[0].cors.maxAge"), max_age, "{number}");
        assert_eq!(
            violations.len(),
            attempts.len() + max_age.len(),
            "{violations:?}"
        );
        if violations.is_empty() {
            let resource = Resource::from_document(&document).expect("it can be read");
            assert!(resource.unknown().len() <= 2, "{resource:?}");
        }
    }
}

#[test]
fn metadata_that_is_no_mapping_is_said_once() {
    for kind in ["HTTPRoute", "GatewayClass"] {
        let value = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": kind, "metadata": ["r"], "spec": {}});
        let violations = validate(&Document::from_json("r", &value), Channel::Standard);
        let of_metadata = violations
            .iter()
            .filter(|found| found.field.to_string() == "metadata");
        assert_eq!(of_metadata.count(), 1, "{violations:?}");
    }
}

#[test]
fn bytes_are_base64_and_those_of_secrets_are_not_shown() {
    for (kind, field) in [("Secret", "data"), ("ConfigMap", "binaryData")] {
        let messages = |value: Value| {
            let mut object = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "o"}});
            object[field] = json!({"key": value});
            let violations = validate(&Document::from_json("o", &object), Channel::Standard);
            violations
                .into_iter()
                .map(|found| format!("{}: {}", found.field, found.message))
                .collect::<Vec<_>>()
        };
        for sound in [
            json!("aHVudGVyMg=="),
            json!("aHVu\ndGVyMg==\n"),
            json!(""),
            json!(null),
        ] {
            assert!(messages(sound.clone()).is_empty(), "{sound}");
        }
        for text in ["hunter2", "aHVudGVyMg", "aHVu dGVyMg=="] {
            let found = messages(json!(text));
            assert_eq!(found.len(), 1, "{text}");
            assert!(
                found[0].starts_with(&format!("{field}[key]: ")),
                "{found:?}"
            );
            assert_eq!(found[0].contains(text), kind == "ConfigMap", "{found:?}");
        }
    }
}

/// An API server compares before and after with defaults put in, and items with those of the same key: so this update leaves
/// the list as it was, but for the key that stands twice now.
#[test]
fn what_an_update_leaves_as_it_was_but_for_defaults_is_not_judged_again() {
    let gateway = |listeners: Value| {
        let value = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "g"},
            "spec": {"gatewayClassName": "c", "listeners": listeners},
        });
        Document::from_json("g", &value)
    };
    let listener = |tls: Value| json!({"name": "a", "port": 443, "protocol": "HTTPS", "tls": tls});
    let stored = listener(
        json!({"mode": "Terminate", "certificateRefs": [{"group": "", "kind": "Secret", "name": "c"}]}),
    );
    let short = listener(json!({"certificateRefs": [{"name": "c"}]}));
    let old = gateway(json!([stored, {"name": "b", "port": 80, "protocol": "HTTP"}]));
    let rules = |new: &Document| -> Vec<String> {
        let found = super::validate_update(new, &old, Channel::Standard);
        let rule = |one: &super::Violation| format!("{}: {}", one.field, one.rule);
        found.iter().map(rule).collect()
    };
    let twice = gateway(json!([short, stored]));
    assert_eq!(rules(&twice), ["spec.listeners[1]: duplicate"]);
    // What nobody knows is told even where nothing else is new.
    let mut stray = stored.clone();
    stray["unheard"] = json!(1);
    let strayed = gateway(json!([stray, {"name": "b", "port": 80, "protocol": "HTTP"}]));
    assert_eq!(
        rules(&strayed),
        ["spec.listeners[0].unheard: unknown field"]
    );
    // A list of another length is another list.
    let thrice = gateway(json!([short, stored, stored]));
    assert!(rules(&thrice).len() > 1, "{:?}", rules(&thrice));
}

#[test]
fn a_whole_number_with_a_fraction_is_an_integer() {
    let route = |port: &str| {
        format!(
            "{{\"apiVersion\": \"gateway.networking.k8s.io/v1\", \"kind\": \"HTTPRoute\", \"metadata\": {{\"name\": \"r\"}},
            \"spec\": {{\"rules\": [{{\"backendRefs\": [{{\"name\": \"s\", \"port\": {port}}}]}}]}}}}"
        )
    };
    let limits = crate::document::Limits::default();
    // JSON as it is posted, and the same as YAML.
    for front in ["", "---\n"] {
        for (port, whole) in [("80.0", true), ("8e1", true), ("80.5", false)] {
            let text = format!("{front}{}", route(port));
            let documents = crate::document::read(&"r".into(), text.as_bytes(), &limits);
            let documents = documents.expect("it is JSON");
            let violations = validate(&documents[0], Channel::Standard);
            assert_eq!(violations.is_empty(), whole, "{port}: {violations:?}");
            if whole {
                let resource = Resource::from_document(&documents[0]).expect("it can be read");
                let port = &resource.to_json()["spec"]["rules"][0]["backendRefs"][0]["port"];
                assert_eq!(port, &json!(80));
            }
        }
    }
}

#[test]
fn ports_of_slices_have_no_bounds_and_those_of_services_have() {
    let rules = |value: &Value| {
        let found = validate(&Document::from_json("o", value), Channel::Standard);
        found.iter().map(|one| one.rule).collect::<Vec<_>>()
    };
    for port in [-7, 0, 65_536] {
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": "s"}, "addressType": "IPv4",
            "endpoints": [{"addresses": ["192.0.2.1"]}], "ports": [{"port": port}],
        });
        assert!(rules(&slice).is_empty(), "{port}");
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": [{"port": port}]},
        });
        assert_eq!(rules(&service).len(), 1, "{port}");
    }
}
