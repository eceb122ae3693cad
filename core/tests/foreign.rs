//! What others wrote into statuses stays as it is; what is ours keeps its times until it flips.

use std::sync::Arc;

use gatepost::controller::{Controller, Resolver};
use gatepost::key::{Kind, ObjectKey};
use gatepost::resources::{Change, Resource};
use gatepost::status::Facts;
use gatepost::timestamp::Timestamp;
use serde_json::{Value, json};

fn put(value: &Value) -> Change {
    Change::Put(Arc::new(
        Resource::from_json(value.clone()).expect("an object"),
    ))
}

fn foreign_condition() -> Value {
    json!({
        "type": "example.com/Audited", "status": "Unknown", "reason": "Later", "message": "ünï",
        "observedGeneration": 1, "lastTransitionTime": "2020-02-29T12:00:00Z", "extra": [1, {"a": null}],
    })
}

fn gateway() -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"name": "gw", "namespace": "a", "generation": 4},
        "spec": {"gatewayClassName": "gatepost", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
        "status": {
            "addresses": [],
            "conditions": [foreign_condition(), {"type": "Conflicted", "status": "True"}],
            "listeners": [{"name": "http", "attachedRoutes": 0, "conditions": [foreign_condition()]}],
        },
    })
}

fn policy() -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "BackendTLSPolicy",
        "metadata": {"name": "p", "namespace": "a", "generation": 2},
        "spec": {
            "targetRefs": [{"group": "", "kind": "Service", "name": "s"}],
            "validation": {"hostname": "a.test", "wellKnownCACertificates": "System"},
        },
        "status": {"ancestors": [foreign_ancestor()]},
    })
}

fn foreign_ancestor() -> Value {
    json!({"ancestorRef": {"name": "x"}, "controllerName": "example.com/other", "conditions": [foreign_condition()]})
}

fn objects() -> Vec<Value> {
    vec![
        gateway(),
        policy(),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "a"}, "spec": {"ports": [{"port": 80}]}}),
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "r", "namespace": "a"},
            "spec": {"parentRefs": [{"name": "gw"}], "rules": [{"backendRefs": [{"name": "s", "port": 80}]}]},
        }),
    ]
}

const FIRST: i64 = 1_700_000_000;
const LATER: i64 = 1_800_000_000;

fn status(resolver: &Resolver, kind: Kind, name: &str, facts: &Facts, now: i64) -> Value {
    let key = ObjectKey::new(kind, "a", name);
    let statuses = resolver.resolution().statuses(facts);
    statuses
        .status(
            &key,
            resolver.resources(),
            Timestamp::from_unix_seconds(now),
        )
        .expect("a status of ours")
}

#[test]
fn what_others_wrote_stays() {
    let mut resolver = Resolver::new(Controller::default());
    resolver.apply(objects().iter().map(put));
    let status_of = |kind, name| status(&resolver, kind, name, &Facts::ideal(), FIRST);
    let gateway = status_of(Kind::Gateway, "gw");
    let conditions = gateway["conditions"].as_array().expect("a list");
    assert!(conditions.contains(&foreign_condition()), "{conditions:?}");
    let listener = &gateway["listeners"][0]["conditions"];
    assert!(
        listener
            .as_array()
            .expect("a list")
            .contains(&foreign_condition())
    );
    let policy = status_of(Kind::BackendTlsPolicy, "p");
    assert_eq!(policy["ancestors"][0], foreign_ancestor());
    assert_eq!(
        policy["ancestors"][1]["controllerName"],
        Controller::default().controller_name
    );
    assert_eq!(policy["ancestors"][1]["ancestorRef"]["name"], "gw");
    assert_eq!(
        policy["ancestors"][1]["conditions"][0]["observedGeneration"],
        2
    );
    assert_eq!(policy["ancestors"].as_array().map(Vec::len), Some(2));
}

#[test]
fn times_are_kept_until_a_status_flips() {
    let mut resolver = Resolver::new(Controller::default());
    resolver.apply(objects().iter().map(put));
    let first = status(&resolver, Kind::Gateway, "gw", &Facts::ideal(), FIRST);
    let of = |status: &Value, kind: &str| {
        let conditions = status["conditions"].as_array().expect("a list");
        conditions.iter().find(|one| one["type"] == kind).cloned()
    };
    assert_eq!(
        of(&first, "Conflicted"),
        None,
        "it passes when it does not hold"
    );
    let mut next = gateway();
    next["metadata"]["generation"] = json!(5);
    next["status"] = first.clone();
    resolver.apply([put(&next)]);
    let mut facts = Facts::ideal();
    facts.default_addresses.clear();
    let second = status(&resolver, Kind::Gateway, "gw", &facts, LATER);
    for kind in ["Accepted", "Programmed", "ResolvedRefs"] {
        let one = of(&second, kind).expect("there");
        assert_eq!(one["observedGeneration"], 5, "{kind}");
        let before = of(&first, kind).expect("there");
        let kept = one["lastTransitionTime"] == before["lastTransitionTime"];
        assert_eq!(kept, kind != "Programmed", "{kind}: {one}");
    }
    let written: Vec<Value> = vec![first, second];
    assert!(written.iter().all(|status| {
        let conditions = status["conditions"].as_array().expect("a list");
        conditions
            .iter()
            .filter(|one| one["type"] != "example.com/Audited")
            .all(|one| one["observedGeneration"].is_i64())
    }));
}

/// A specification that is edited is one of a new generation: the delta names the object, and every condition says so.
#[test]
fn generations_are_followed() {
    let class = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": "gatepost"},
        "spec": {"controllerName": Controller::default().controller_name},
    });
    let foreign = json!({"parentRef": {"name": "gw"}, "controllerName": "example.com/other", "conditions": [foreign_condition()]});
    let mut resolver = Resolver::new(Controller::default());
    resolver.apply(objects().iter().map(put));
    resolver.apply([put(&class)]);
    let mut edited = objects();
    edited.push(class);
    for object in &mut edited {
        object["metadata"]["generation"] = json!(7);
        if object["kind"] == "HTTPRoute" {
            object["status"] = json!({"parents": [foreign.clone()]});
        }
    }
    let delta = resolver.apply(edited.iter().map(put));
    let now = Timestamp::from_unix_seconds(LATER);
    let written = resolver.status_changes(&delta, &Facts::ideal(), now);
    let kinds: Vec<Kind> = written.iter().map(|(key, _)| key.kind).collect();
    assert_eq!(
        kinds,
        [
            Kind::GatewayClass,
            Kind::Gateway,
            Kind::HttpRoute,
            Kind::BackendTlsPolicy
        ]
    );
    for (key, status) in &written {
        let lists = [&status["conditions"], &status["listeners"][0]["conditions"]];
        let entries = ["parents", "ancestors"].map(|list| status[list].as_array());
        let entries = entries.into_iter().flatten().flatten();
        let entries = entries.map(|entry| &entry["conditions"]);
        let all = lists.into_iter().chain(entries).filter_map(Value::as_array);
        let ours: Vec<&Value> = all
            .flatten()
            .filter(|one| one["type"] != "example.com/Audited")
            .collect();
        assert!(ours.len() >= 2, "{key}: {status}");
        for one in ours {
            assert_eq!(one["observedGeneration"], 7, "{key}: {one}");
        }
        if key.kind == Kind::HttpRoute {
            assert_eq!(status["parents"][0], foreign);
        }
    }
}
