//! Wire types against full documents of every kind: `wire/<Kind>.json`, written from the specification.
//!
//! Each file is a list, because some fields exclude each other. That no field of a schema is forgotten is a test of
//! `validate`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use gatepost::api::Object;
use gatepost::document::Document;
use gatepost::key::{Channel, Kind};
use gatepost::resources::Resource;
use gatepost::validate::{Severity, validate};
use serde_json::{Value, json};

/// Fields that are always written, although `validate` does not ask for them: it leaves statuses to the controllers that
/// write them, and judges kinds of Kubernetes as far as routing reads them. Without indices: entries of a list are alike.
/// Statuses are alike too; what is not of a status carries its kind.
const ALWAYS: &[&str] = &[
    "CustomResourceDefinition.spec",
    "CustomResourceDefinition.spec.group",
    "CustomResourceDefinition.spec.names",
    "CustomResourceDefinition.spec.names.kind",
    "CustomResourceDefinition.spec.names.plural",
    "CustomResourceDefinition.spec.versions",
    "CustomResourceDefinition.spec.versions.name",
    "CustomResourceDefinition.spec.versions.served",
    "CustomResourceDefinition.spec.versions.storage",
    "status.addresses.value",
    "status.ancestors",
    "status.ancestors.ancestorRef",
    "status.ancestors.ancestorRef.name",
    "status.ancestors.conditions.lastTransitionTime",
    "status.ancestors.conditions.message",
    "status.ancestors.conditions.reason",
    "status.ancestors.conditions.status",
    "status.ancestors.conditions.type",
    "status.ancestors.controllerName",
    "status.conditions.lastTransitionTime",
    "status.conditions.message",
    "status.conditions.reason",
    "status.conditions.status",
    "status.conditions.type",
    "status.listeners.attachedRoutes",
    "status.listeners.conditions",
    "status.listeners.conditions.lastTransitionTime",
    "status.listeners.conditions.message",
    "status.listeners.conditions.reason",
    "status.listeners.conditions.status",
    "status.listeners.conditions.type",
    "status.listeners.name",
    "status.listeners.supportedKinds.kind",
    "status.parents",
    "status.parents.conditions.lastTransitionTime",
    "status.parents.conditions.message",
    "status.parents.conditions.reason",
    "status.parents.conditions.status",
    "status.parents.conditions.type",
    "status.parents.controllerName",
    "status.parents.parentRef",
    "status.parents.parentRef.name",
    "status.podIPs.ip",
    "status.supportedFeatures.name",
];

fn documents() -> impl Iterator<Item = (Kind, Value)> {
    Kind::all().flat_map(|kind| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire");
        let text = fs::read(folder.join(format!("{kind}.json"))).expect("every kind has documents");
        let documents: Vec<Value> = serde_json::from_slice(&text).expect("a list of documents");
        assert!(!documents.is_empty(), "{kind}");
        documents.into_iter().map(move |document| (kind, document))
    })
}

/// What becomes of a document that is read as a typed object and written again.
fn again(kind: Kind, document: &Value) -> Result<Value, String> {
    let object = Object::from_json(kind, document.clone()).map_err(|error| error.to_string())?;
    let mut written = object.to_json().map_err(|error| error.to_string())?;
    for key in ["apiVersion", "kind"] {
        written[key] = document[key].clone();
    }
    Ok(written)
}

fn refused(document: &Value) -> Vec<String> {
    let violations = validate(
        &Document::from_json("wire", document),
        Channel::Experimental,
    );
    violations
        .into_iter()
        .filter(|violation| violation.severity == Severity::Refused)
        .map(|violation| format!("{}: {}", violation.field, violation.message))
        .collect()
}

/// What `change` makes of one value: nothing, another value, or its absence.
enum Change {
    Keep,
    Put(Value),
    Remove,
}

/// The document once for each field that `change` changes, with the path of that field. `apiVersion` and `kind` are not
/// fields of the object.
fn changed(value: &Value, path: &str, change: &dyn Fn(&Value) -> Change) -> Vec<(String, Value)> {
    let mut out = Vec::new();
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                let path = match path {
                    "" if matches!(key.as_str(), "apiVersion" | "kind") => continue,
                    "" => key.clone(),
                    path => format!("{path}.{key}"),
                };
                let with = |new: Value| {
                    let mut map = map.clone();
                    map.insert(key.clone(), new);
                    Value::Object(map)
                };
                match change(inner) {
                    Change::Keep => {}
                    Change::Put(new) => out.push((path.clone(), with(new))),
                    Change::Remove => {
                        let mut map = map.clone();
                        map.remove(key);
                        out.push((path.clone(), Value::Object(map)));
                    }
                }
                let below = changed(inner, &path, change).into_iter();
                out.extend(below.map(|(path, new)| (path, with(new))));
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                for (path, new) in changed(inner, path, change) {
                    let mut items = items.clone();
                    items[index] = new;
                    out.push((path, Value::Array(items)));
                }
            }
        }
        _ => {}
    }
    out
}

#[test]
fn every_field_is_known_and_written_as_it_was_read() {
    for (kind, document) in documents() {
        assert_eq!(refused(&document), [""; 0], "{kind}");
        assert_eq!(again(kind, &document).as_ref(), Ok(&document), "{kind}");
        let resource = Resource::from_json(document.clone()).expect("the document is readable");
        let unknown: Vec<String> = resource
            .unknown()
            .iter()
            .map(|(path, _)| path.to_string())
            .collect();
        assert_eq!(unknown, ["apiVersion", "kind"], "{kind}");
        assert_eq!(resource.to_json(), document, "{kind}");
    }
}

#[test]
fn what_is_absent_stays_absent() {
    let mut always = BTreeSet::new();
    let mut kept = 0;
    for (kind, document) in documents() {
        for (path, document) in changed(&document, "", &|_| Change::Remove) {
            if !refused(&document).is_empty() {
                continue;
            }
            let written = again(kind, &document).expect("the document is readable");
            if written == document {
                kept += 1;
            } else if path.starts_with("status") {
                always.insert(path);
            } else {
                always.insert(format!("{kind}.{path}"));
            }
        }
    }
    assert!(kept > 300, "only {kept} documents");
    let always: Vec<&str> = always.iter().map(String::as_str).collect();
    assert_eq!(always, ALWAYS);
}

#[test]
fn what_is_empty_stays_empty() {
    let mut kept = 0;
    let empty = |value: &Value| match value {
        Value::Array(items) if !items.is_empty() => Change::Put(json!([])),
        _ => Change::Keep,
    };
    for (kind, document) in documents() {
        for (path, document) in changed(&document, "", &empty) {
            let written = again(kind, &document);
            assert_eq!(written.as_ref(), Ok(&document), "{kind} {path}");
            kept += 1;
        }
    }
    assert!(kept > 100, "only {kept} documents");
}

#[test]
fn null_counts_as_absent() {
    for (kind, document) in documents() {
        let null = changed(&document, "", &|_| Change::Put(Value::Null));
        let absent = changed(&document, "", &|_| Change::Remove);
        assert_eq!(null.len(), absent.len());
        for ((path, null), (_, absent)) in null.into_iter().zip(absent) {
            let read = |value| Object::from_json(kind, value).expect("the document is readable");
            assert_eq!(read(null), read(absent), "{kind} {path}");
        }
    }
}

/// Texts and enums alike: what a later version may write is kept.
#[test]
fn unknown_values_survive() {
    let later = |value: &Value| match value {
        Value::String(_) => Change::Put(json!("Later/1")),
        _ => Change::Keep,
    };
    for (kind, document) in documents() {
        for (path, document) in changed(&document, "", &later) {
            let written = again(kind, &document);
            assert_eq!(written.as_ref(), Ok(&document), "{kind} {path}");
        }
    }
}

#[test]
fn a_required_choice_that_is_missing_is_not_made() {
    let route = json!({"metadata": {"name": "r"}, "spec": {"rules": [{"filters": [{}]}]}});
    let gateway =
        json!({"metadata": {"name": "g"}, "spec": {"listeners": [{"name": "l", "port": 80}]}});
    let Ok(Object::HttpRoute(route)) = Object::from_json(Kind::HttpRoute, route) else {
        panic!("a route");
    };
    let Ok(Object::Gateway(gateway)) = Object::from_json(Kind::Gateway, gateway) else {
        panic!("a Gateway");
    };
    let filter = &route.spec.rules.as_deref().expect("rules")[0]
        .filters
        .as_deref()
        .expect("filters")[0];
    assert_eq!(filter.filter_type.as_str(), "");
    assert_eq!(gateway.spec.listeners[0].protocol.as_str(), "");
}
