//! Changes one by one against all at once, over some sequences of changes; the long run is `--bin follow`.

use gatepost::controller::{Controller, Resolver};
use gatepost::key::{Kind, ObjectKey};
use gatepost::resources::{Change, Resource};
use gatepost_conformance::sequence::{Changes, run};
use serde_json::{Value, json};

#[test]
fn following_changes_comes_to_a_fresh_resolution() {
    let mut changes = Changes::new(0);
    for seed in 0..40 {
        changes.reseed(seed);
        if let Err(why) = run(&mut changes, seed % 2 == 1, 25) {
            panic!("seed {seed}: {why}");
        }
    }
}

/// Whether a ListenerSet is programmed is up to its Gateway, too: found by `follow --seed 9464`.
#[test]
fn a_listener_set_hears_what_its_gateway_comes_to() {
    let put = |kind: &str, name: &str, spec: Value| {
        let object = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": kind, "metadata": {"name": name, "namespace": "n"}, "spec": spec,
        });
        Change::Put(Resource::from_json(object).expect("an object").into())
    };
    let gateway = |addresses: Value| {
        let spec = json!({
            "gatewayClassName": "gatepost", "addresses": addresses, "allowedListeners": {"namespaces": {"from": "All"}},
            "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}],
        });
        put("Gateway", "gw", spec)
    };
    let set = json!({"parentRef": {"name": "gw"}, "listeners": [{"name": "more", "port": 81, "protocol": "HTTP"}]});
    let mut resolver = Resolver::new(Controller::default());
    resolver.apply([gateway(json!([])), put("ListenerSet", "set", set)]);
    let delta = resolver.apply([gateway(json!([{"value": "nonsense"}]))]);
    let key = ObjectKey::new(Kind::ListenerSet, "n", "set");
    assert!(delta.statuses.contains(&key), "{:?}", delta.statuses);
    // A Gateway that comes to the same says nothing.
    let delta = resolver.apply([gateway(json!([{"value": "nonsense"}]))]);
    assert!(!delta.statuses.contains(&key), "{:?}", delta.statuses);
}
