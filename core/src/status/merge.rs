//! Desired statuses into what is there: ours replaced, foreign ones kept.

use serde_json::{Map, Value, json};

use super::condition::{Condition, PASSING};
use super::{Desired, ListenerStatus, supported_features};
use crate::api::reference::ParentReference;
use crate::key::{Kind, ObjectKey};
use crate::timestamp::Timestamp;

/// An object of these members. `json!` would copy the values once more.
fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let members = members.into_iter();
    Value::Object(
        members
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

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

/// How many entries a list of parents or ancestors holds at the most, other controllers' included.
pub(super) fn room(list: &str, kind: Kind) -> usize {
    match (list, kind) {
        ("parents", _) | (_, Kind::XBackend) => 32,
        _ => 16,
    }
}

pub(super) fn status(
    (key, desired): (&ObjectKey, &Desired),
    old: &Value,
    controller: &str,
    generation: i64,
    now: Timestamp,
) -> Option<Value> {
    let replaced: &[&str] = match desired {
        Desired::Class { .. } => &["conditions", "supportedFeatures"],
        Desired::Gateway { .. } => &[
            "addresses",
            "conditions",
            "attachedListenerSets",
            "listeners",
        ],
        Desired::ListenerSet { .. } => &["conditions", "listeners"],
        Desired::Entries { list, .. } => &[list],
    };
    let kept = old.as_object().into_iter().flatten();
    let mut new: Map<String, Value> = kept
        .filter(|(name, _)| !replaced.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let conditions = |wanted: &[Condition], old: &Value| conditions(wanted, old, generation, now);
    let mut put = |name: &str, value: Value| new.insert(name.to_owned(), value);
    match desired {
        Desired::Class {
            conditions: wanted,
            channel,
            ..
        } => {
            put("conditions", conditions(wanted, &old["conditions"]));
            let features: Vec<Value> = supported_features(*channel)
                .map(|name| json!({"name": name}))
                .collect();
            put("supportedFeatures", Value::Array(features));
        }
        Desired::Gateway {
            addresses,
            conditions: wanted,
            listeners: wanted_listeners,
            attached_sets,
        } => {
            let addresses = addresses.iter().map(|value| {
                let kind = if value.parse::<std::net::IpAddr>().is_ok() {
                    "IPAddress"
                } else {
                    "Hostname"
                };
                json!({"type": kind, "value": value})
            });
            put("addresses", Value::Array(addresses.collect()));
            put("conditions", conditions(wanted, &old["conditions"]));
            put("attachedListenerSets", json!(attached_sets));
            put(
                "listeners",
                listeners(wanted_listeners, &old["listeners"], &conditions),
            );
        }
        Desired::ListenerSet {
            conditions: wanted,
            listeners: wanted_listeners,
        } => {
            put("conditions", conditions(wanted, &old["conditions"]));
            put(
                "listeners",
                listeners(wanted_listeners, &old["listeners"], &conditions),
            );
        }
        Desired::Entries { list, entries } => {
            let member = match *list {
                "parents" => "parentRef",
                _ => "ancestorRef",
            };
            let all = old[*list].as_array().map(Vec::as_slice).unwrap_or_default();
            let (ours, foreign): (Vec<&Value>, Vec<&Value>) = all
                .iter()
                .partition(|entry| entry["controllerName"] == controller);
            if ours.is_empty() && entries.is_empty() {
                // Nothing of ours was there, and nothing is to be.
                return None;
            }
            let room = room(list, key.kind).saturating_sub(foreign.len());
            let ours = entries.iter().take(room).map(|(parent, wanted)| {
                let reference = reference(parent);
                let earlier = ours.iter().find(|entry| entry[member] == reference);
                let earlier = earlier.map_or(&Value::Null, |entry| &entry["conditions"]);
                object([
                    ("conditions", conditions(wanted, earlier)),
                    ("controllerName", controller.into()),
                    (member, reference),
                ])
            });
            let all: Vec<Value> = foreign.into_iter().cloned().chain(ours).collect();
            put(list, Value::Array(all));
        }
    }
    Some(Value::Object(new))
}

fn listeners(
    wanted: &[ListenerStatus],
    old: &Value,
    conditions: &impl Fn(&[Condition], &Value) -> Value,
) -> Value {
    // A name may be there twice in what no API server has seen: then the first counts for the first.
    let of = |at: usize, name: &str| {
        let before = wanted.iter().take(at);
        let before = before.filter(|earlier| earlier.name == name).count();
        let old = old.as_array().map(Vec::as_slice).unwrap_or_default();
        let mut named = old.iter().filter(|listener| listener["name"] == name);
        named.nth(before).map(|listener| &listener["conditions"])
    };
    let listeners = wanted.iter().enumerate().map(|(at, listener)| {
        let earlier = of(at, &listener.name).unwrap_or(&Value::Null);
        let kinds = listener.kinds.iter().map(|kind| kind_entry(*kind));
        object([
            ("attachedRoutes", listener.attached.into()),
            ("conditions", conditions(&listener.conditions, earlier)),
            ("name", listener.name.as_str().into()),
            ("supportedKinds", Value::Array(kinds.collect())),
        ])
    });
    Value::Array(listeners.collect())
}

fn kind_entry(kind: Kind) -> Value {
    json!({"group": kind.group(), "kind": kind.as_str()})
}

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
        let since = kept.map_or_else(|| now.to_string(), str::to_owned);
        object([
            ("lastTransitionTime", since.into()),
            ("message", (*condition.message).into()),
            ("observedGeneration", generation.into()),
            ("reason", condition.reason.as_str().into()),
            ("status", status.into()),
            ("type", condition.kind.as_str().into()),
        ])
    });
    let foreign = old.iter().filter(|earlier| {
        let kind = earlier["type"].as_str().unwrap_or_default();
        !PASSING.iter().any(|passing| passing.as_str() == kind)
            && !wanted
                .iter()
                .any(|condition| condition.kind.as_str() == kind)
    });
    Value::Array(ours.chain(foreign.cloned()).collect())
}
