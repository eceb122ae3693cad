//! A whole controller over an in-memory store: watch, resolve, swap tables, write statuses and finalizers.
//!
//! What a real one does besides is I/O: its store is an API server, its data plane serves the tables.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use gatepost::controller::{Controller, Resolver};
use gatepost::key::{Kind, NamespacedName, ObjectKey};
use gatepost::resources::{Change, Resource};
use gatepost::status::Facts;
use gatepost::table::RouteTable;
use gatepost::timestamp::Timestamp;
use serde_json::{Value, json};

/// Stands for an API server: objects, and events for whoever watches.
#[derive(Default)]
struct Store {
    objects: BTreeMap<ObjectKey, Value>,
    events: VecDeque<Change>,
}

impl Store {
    fn put(&mut self, object: Value) -> Result<(), String> {
        let resource = Resource::from_json(object.clone())?;
        self.objects.insert(resource.key().clone(), object);
        self.events.push_back(Change::Put(Arc::new(resource)));
        Ok(())
    }

    fn delete(&mut self, key: ObjectKey) {
        self.objects.remove(&key);
        self.events.push_back(Change::Delete(key));
    }

    fn patch(&mut self, key: &ObjectKey, patch: impl FnOnce(&mut Value)) -> Result<(), String> {
        let mut object = self.objects.get(key).cloned().ok_or("it is gone")?;
        patch(&mut object);
        self.put(object)
    }
}

/// What is served: a data plane reads it without waiting.
#[derive(Default)]
struct DataPlane {
    tables: BTreeMap<NamespacedName, Arc<RouteTable>>,
}

/// Takes up what has happened; gives back how many statuses were written.
fn reconcile(
    store: &mut Store,
    resolver: &mut Resolver,
    plane: &mut DataPlane,
    now: Timestamp,
) -> Result<usize, String> {
    // All events at once: what comes together is resolved together.
    let delta = resolver.apply(store.events.drain(..));
    for name in &delta.tables {
        match resolver.resolution().table(name) {
            Some(table) => plane.tables.insert(name.clone(), table.clone()),
            None => plane.tables.remove(name),
        };
    }
    // Addresses of `delta.endpoints` would go to the data plane the same way; they never touch a table.

    // Only after the data plane has the tables may a status say so. Facts are what only the caller knows.
    let facts = Facts {
        default_addresses: vec!["192.0.2.1".to_owned()],
        ..Facts::default()
    };
    let statuses = resolver.resolution().statuses_of(&delta.statuses, &facts);
    let changes = statuses.changes(resolver.resources(), now);
    let finalizers: Vec<(ObjectKey, Vec<String>)> = statuses
        .keys()
        .filter_map(|key| Some((key.clone(), statuses.finalizers(key, resolver.resources())?)))
        .collect();
    let written = changes.len();
    for (key, status) in changes {
        store.patch(&key, |object| object["status"] = status)?;
    }
    for (key, finalizers) in finalizers {
        store.patch(&key, |object| {
            object["metadata"]["finalizers"] = json!(finalizers)
        })?;
    }
    Ok(written)
}

pub(crate) fn main() -> Result<(), String> {
    let mut controller = Controller::default();
    controller.kubernetes = true;
    let (mut store, mut plane) = (Store::default(), DataPlane::default());
    let mut resolver = Resolver::new(controller.clone());
    let api = "gateway.networking.k8s.io/v1";
    store.put(json!({"apiVersion": api, "kind": "GatewayClass", "metadata": {"name": "edge"}, "spec": {"controllerName": controller.controller_name}}))?;
    store.put(json!({
        "apiVersion": api, "kind": "Gateway", "metadata": {"name": "gw", "namespace": "infra", "generation": 1},
        "spec": {"gatewayClassName": "edge", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}]},
    }))?;
    store.put(json!({
        "apiVersion": api, "kind": "HTTPRoute", "metadata": {"name": "cart", "namespace": "shop", "generation": 1},
        "spec": {"parentRefs": [{"name": "gw", "namespace": "infra"}], "rules": [{"backendRefs": [{"name": "cart", "port": 80}]}]},
    }))?;

    let mut rounds = 0;
    while !store.events.is_empty() {
        let now = Timestamp::from_unix_seconds(1_800_000_000 + rounds);
        let written = reconcile(&mut store, &mut resolver, &mut plane, now)?;
        println!(
            "round {rounds}: {written} statuses written, {} tables",
            plane.tables.len()
        );
        rounds += 1;
        assert!(rounds < 5, "our own statuses must not keep us busy");
    }
    let route = ObjectKey::new(Kind::HttpRoute, "shop", "cart");
    let conditions = &store.objects[&route]["status"]["parents"][0]["conditions"];
    println!("{conditions:#}");
    assert_eq!(conditions[0]["status"], "True", "the route is attached");
    assert_eq!(
        conditions[1]["reason"], "BackendNotFound",
        "its Service is missing"
    );

    // The Gateway goes: its table goes with it, and the entry of ours in the route's status.
    store.delete(ObjectKey::new(Kind::Gateway, "infra", "gw"));
    reconcile(
        &mut store,
        &mut resolver,
        &mut plane,
        Timestamp::from_unix_seconds(1_800_000_100),
    )?;
    assert!(plane.tables.is_empty());
    assert_eq!(store.objects[&route]["status"]["parents"], json!([]));
    Ok(())
}
