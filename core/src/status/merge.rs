//! Desired statuses into what is there: ours replaced, foreign ones kept.

use serde_json::{Map, Value, json};

use super::condition::Condition;
use super::{Desired, SUPPORTED_FEATURES};
use crate::api::reference::ParentReference;
use crate::key::Kind;
use crate::timestamp::Timestamp;

/// A parent reference with group and kind spelled out, as readers expect it in statuses.
pub(super) fn reference(reference: &ParentReference) -> Value {
    let mut value = Map::new();
    value.insert("group".to_owned(), json!(reference.group()));
    value.insert("kind".to_owned(), json!(reference.kind()));
    value.insert("name".to_owned(), json!(reference.name));
    for (key, part) in [
        (
            "namespace",
            reference.namespace.as_ref().map(|text| json!(text)),
        ),
        (
            "sectionName",
            reference.section_name.as_ref().map(|text| json!(text)),
        ),
        ("port", reference.port.map(|port| json!(port))),
    ] {
        if let Some(part) = part {
            value.insert(key.to_owned(), part);
        }
    }
    Value::Object(value)
}

pub(super) fn status(
    desired: &Desired,
    old: &Value,
    controller: &str,
    generation: i64,
    now: Timestamp,
) -> Value {
    let mut new = match old {
        Value::Object(old) => old.clone(),
        _ => Map::new(),
    };
    let conditions = |wanted: &[Condition], old: &Value| conditions(wanted, old, generation, now);
    match desired {
        Desired::Class { conditions: wanted } => {
            new.insert(
                "conditions".to_owned(),
                conditions(wanted, &old["conditions"]),
            );
            let features: Vec<Value> = SUPPORTED_FEATURES
                .iter()
                .map(|name| json!({"name": name}))
                .collect();
            new.insert("supportedFeatures".to_owned(), Value::Array(features));
        }
        Desired::Gateway {
            addresses,
            conditions: wanted,
            listeners,
        } => {
            let addresses: Vec<Value> = addresses
                .iter()
                .map(|value| json!({"type": "IPAddress", "value": value}))
                .collect();
            new.insert("addresses".to_owned(), Value::Array(addresses));
            new.insert(
                "conditions".to_owned(),
                conditions(wanted, &old["conditions"]),
            );
            let of = |name: &str| {
                let listeners = old["listeners"]
                    .as_array()
                    .map(Vec::as_slice)
                    .unwrap_or_default();
                listeners
                    .iter()
                    .find(|listener| listener["name"] == name)
                    .map(|listener| &listener["conditions"])
            };
            let listeners = listeners.iter().map(|listener| {
                json!({
                    "name": listener.name,
                    "attachedRoutes": listener.attached,
                    "supportedKinds": listener.kinds.iter().map(|kind| kind_entry(*kind)).collect::<Vec<Value>>(),
                    "conditions": conditions(&listener.conditions, of(&listener.name).unwrap_or(&Value::Null)),
                })
            });
            new.insert("listeners".to_owned(), Value::Array(listeners.collect()));
        }
        Desired::Route { parents } => {
            let entries = old["parents"]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default();
            let (ours, foreign): (Vec<&Value>, Vec<&Value>) = entries
                .iter()
                .partition(|entry| entry["controllerName"] == controller);
            let ours = parents.iter().map(|(reference, wanted)| {
                let earlier = ours.iter().find(|entry| entry["parentRef"] == *reference).map_or(&Value::Null, |entry| &entry["conditions"]);
                json!({"parentRef": reference, "controllerName": controller, "conditions": conditions(wanted, earlier)})
            });
            let all: Vec<Value> = foreign.into_iter().cloned().chain(ours).collect();
            new.insert("parents".to_owned(), Value::Array(all));
        }
    }
    Value::Object(new)
}

fn kind_entry(kind: Kind) -> Value {
    json!({"group": kind.group(), "kind": kind.as_str()})
}

/// Types of ours that go away when they do not hold any more.
const NEGATIVE: [&str; 2] = ["Conflicted", "PartiallyInvalid"];

/// Ours first, in their order; then what is of foreign types, as it is.
fn conditions(wanted: &[Condition], old: &Value, generation: i64, now: Timestamp) -> Value {
    let old = old.as_array().map(Vec::as_slice).unwrap_or_default();
    let ours = wanted.iter().map(|condition| {
        let status = if condition.status { "True" } else { "False" };
        let earlier = old
            .iter()
            .find(|earlier| earlier["type"] == condition.kind.as_str());
        let kept = earlier
            .filter(|earlier| earlier["status"] == status)
            .and_then(|earlier| earlier["lastTransitionTime"].as_str());
        json!({
            "type": condition.kind.as_str(),
            "status": status,
            "reason": condition.reason.as_str(),
            "message": condition.message,
            "observedGeneration": generation,
            "lastTransitionTime": kept.map_or_else(|| now.to_string(), str::to_owned),
        })
    });
    let foreign = old.iter().filter(|earlier| {
        let kind = earlier["type"].as_str().unwrap_or_default();
        !NEGATIVE.contains(&kind)
            && !wanted
                .iter()
                .any(|condition| condition.kind.as_str() == kind)
    });
    Value::Array(ours.chain(foreign.cloned()).collect())
}
