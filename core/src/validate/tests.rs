//! The documents of the wire tests against the schemas: together they show every field.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::schema::{Schema, Shape};
use super::{schema_of, validate};
use crate::document::Document;
use crate::key::{Channel, Kind};

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
