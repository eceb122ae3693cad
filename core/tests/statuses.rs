//! Statuses as a controller needs them: merged into what is there, written only where they differ.

use std::sync::Arc;

use gatepost::controller::{Controller, Resolver};
use gatepost::key::{Kind, NamespacedName, ObjectKey};
use gatepost::resources::{Change, Resource};
use gatepost::status::Facts;
use gatepost::timestamp::Timestamp;
use serde_json::{Value, json};

fn put(value: Value) -> Change {
    Change::Put(Arc::new(Resource::from_json(value).expect("an object")))
}

fn gateway() -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"name": "gw", "namespace": "a", "generation": 3},
        "spec": {"gatewayClassName": "gatepost", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
    })
}

fn route(name: &str) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": "a", "generation": 1},
        "spec": {"parentRefs": [{"name": "gw"}], "rules": [{}]},
    })
}

fn foreign() -> Value {
    json!({
        "parentRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw"},
        "controllerName": "example.com/other",
        "conditions": [],
    })
}

const NOW: i64 = 1_700_000_000;

#[test]
fn what_differs_is_told_and_entries_of_ours_go_with_the_parent() {
    let mut resolver = Resolver::new(Controller::default());
    resolver.apply([put(gateway()), put(route("one"))]);
    let before = resolver.resolution().statuses(&Facts::ideal());
    resolver.apply([put(route("two"))]);
    let after = resolver.resolution().statuses(&Facts::ideal());
    let differing: Vec<String> = after.differing(&before).map(ToString::to_string).collect();
    // The Gateway counts its routes.
    assert_eq!(differing, ["Gateway/a/gw", "HTTPRoute/a/two"]);

    resolver.apply([Change::Delete(ObjectKey::new(Kind::Gateway, "a", "gw"))]);
    let orphaned = resolver.resolution().statuses(&Facts::ideal());
    let differing: Vec<String> = orphaned
        .differing(&after)
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        differing,
        ["Gateway/a/gw", "HTTPRoute/a/one", "HTTPRoute/a/two"]
    );
    let key = ObjectKey::new(Kind::HttpRoute, "a", "one");
    let now = Timestamp::from_unix_seconds(NOW);
    let old = json!({"parents": [foreign()]});
    let held = before.over(&key, &old, 7, now).expect("ours");
    assert_eq!(held["parents"][0], foreign());
    assert_eq!(
        held["parents"][1]["controllerName"],
        Controller::default().controller_name
    );
    assert_eq!(held["parents"][1]["conditions"][0]["observedGeneration"], 7);
    assert_eq!(orphaned.over(&key, &held, 7, now), Some(old));
    let gone = ObjectKey::new(Kind::Gateway, "a", "gw");
    assert_eq!(orphaned.over(&gone, &Value::Null, 7, now), None);
}

#[test]
fn an_address_that_cannot_be_used_is_a_reason() {
    let mut resolver = Resolver::new(Controller::default());
    resolver.apply([put(gateway())]);
    let mut facts = Facts::ideal();
    let name = NamespacedName::new("a", "gw");
    facts
        .unusable
        .insert(name, "192.0.2.1 is not of this machine".to_owned());
    let statuses = resolver.resolution().statuses(&facts);
    let key = ObjectKey::new(Kind::Gateway, "a", "gw");
    let now = Timestamp::from_unix_seconds(NOW);
    let status = statuses.over(&key, &Value::Null, 3, now).expect("ours");
    let conditions = status["conditions"].as_array().expect("conditions");
    let of = |kind: &str| {
        conditions
            .iter()
            .find(|condition| condition["type"] == kind)
            .expect("there")
    };
    assert_eq!(of("Accepted")["status"], "True");
    assert_eq!(of("Programmed")["status"], "False");
    assert_eq!(of("Programmed")["reason"], "AddressNotUsable");
}
