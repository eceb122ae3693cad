//! What is known goes when the resources go, whatever the order: a long life leaves nothing behind.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Changed, State};
use crate::pattern::PatternLimits;
use crate::resolve::{Resolved, Settings};
use crate::resources::{Change, Resource, Resources};

/// Objects that refer to each other, each in two versions.
fn versions() -> Vec<[Value; 2]> {
    const GATEWAY: &str = "gateway.networking.k8s.io";
    let of = |version: &str, kind: &str, name: &str, namespace: &str, specs: [Value; 2]| {
        specs.map(|spec| {
            json!({
                "apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec,
            })
        })
    };
    let v1 = format!("{GATEWAY}/v1");
    let x = "gateway.networking.x-k8s.io/v1alpha1";
    let route = |parents: Value, backends: Value| json!({"parentRefs": parents, "rules": [{"backendRefs": backends}]});
    let asks = json!({"requests": [{"type": "ExternalAuth", "externalAuth": {"protocol": "HTTP", "backendRef": {"name": "s", "port": 80}, "http": {}}}]});
    let everybody = json!({"namespaces": {"from": "All"}});
    let labelled =
        json!({"namespaces": {"from": "Selector", "selector": {"matchLabels": {"team": "red"}}}});
    vec![
        of(
            &v1,
            "Gateway",
            "gw",
            "n",
            [
                json!({"gatewayClassName": "gatepost", "defaultScope": "All", "allowedListeners": everybody, "listeners": [
                    {"name": "http", "port": 80, "protocol": "HTTP", "filters": asks, "allowedRoutes": everybody},
                    {"name": "https", "port": 443, "protocol": "HTTPS", "tls": {"certificateRefs": [{"name": "cert", "namespace": "m"}]}},
                ]}),
                json!({"gatewayClassName": "gatepost", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": labelled}]}),
            ],
        ),
        of(
            &v1,
            "ListenerSet",
            "ls",
            "n",
            [
                json!({"parentRef": {"name": "gw"}, "listeners": [{"name": "more", "port": 8080, "protocol": "HTTP", "filters": asks}]}),
                json!({"parentRef": {"name": "gone"}, "listeners": [{"name": "more", "port": 8080, "protocol": "HTTP"}]}),
            ],
        ),
        of(
            &v1,
            "HTTPRoute",
            "r",
            "n",
            [
                route(
                    json!([{"name": "gw"}, {"name": "ls", "kind": "ListenerSet"}]),
                    json!([{"name": "s", "port": 80}, {"name": "s", "namespace": "m", "port": 80}]),
                ),
                route(
                    json!([{"name": "gw"}, {"name": "gone"}]),
                    json!([{"name": "s", "port": 81}, {"name": "b", "kind": "XBackend", "group": "gateway.networking.x-k8s.io"}]),
                ),
            ],
        ),
        of(
            &v1,
            "HTTPRoute",
            "d",
            "m",
            [
                json!({"useDefaultGateways": "All", "rules": [{"backendRefs": [{"name": "s", "port": 80}, {"name": "s", "port": 80}]}]}),
                route(
                    json!([{"name": "gw", "namespace": "n"}]),
                    json!([{"name": "s", "namespace": "n", "port": 80}]),
                ),
            ],
        ),
        of(
            &v1,
            "ReferenceGrant",
            "g",
            "m",
            [
                json!({"from": [{"group": GATEWAY, "kind": "HTTPRoute", "namespace": "n"}, {"group": GATEWAY, "kind": "Gateway", "namespace": "n"}], "to": [{"group": "", "kind": "Service"}, {"group": "", "kind": "Secret"}]}),
                json!({"from": [{"group": GATEWAY, "kind": "HTTPRoute", "namespace": "n"}], "to": [{"group": "", "kind": "Service", "name": "t"}]}),
            ],
        ),
        of(
            &v1,
            "BackendTLSPolicy",
            "p",
            "n",
            [
                json!({"targetRefs": [{"group": "", "kind": "Service", "name": "s"}], "validation": {"hostname": "a.test", "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "ca"}]}}),
                json!({"targetRefs": [{"group": "", "kind": "Service", "name": "t"}], "validation": {"hostname": "a.test", "wellKnownCACertificates": "System"}}),
            ],
        ),
        of(
            x,
            "XBackend",
            "b",
            "n",
            [
                json!({"type": "EndpointSelector", "endpointSelector": {"matchLabels": {"app": "x"}}, "port": {"number": 80}, "tls": {"mode": "ServerOnly", "validation": {"hostname": "a.test", "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "ca"}]}}}),
                json!({"type": "ExternalHostname", "externalHostname": {"hostname": "x.example"}, "port": {"number": 443}}),
            ],
        ),
        of(
            x,
            "XBackendTrafficPolicy",
            "q",
            "n",
            [
                json!({"targetRefs": [{"group": "", "kind": "Service", "name": "s"}], "retryConstraint": {"budget": {"percent": 5}}}),
                json!({"targetRefs": [{"group": "", "kind": "Service", "name": "t"}]}),
            ],
        ),
        of(
            x,
            "XTelemetryPolicy",
            "t",
            "n",
            [
                json!({"targetRefs": [{"group": GATEWAY, "kind": "Gateway", "name": "gw"}], "tracing": {"mode": "Enabled", "provider": {"backendRef": {"name": "s", "namespace": "m", "port": 80}}}}),
                json!({"targetRefs": [{"group": GATEWAY, "kind": "Gateway", "name": "gone"}]}),
            ],
        ),
        of(
            "v1",
            "Service",
            "s",
            "n",
            [
                json!({"ports": [{"port": 80}]}),
                json!({"ports": [{"port": 80, "name": "web"}, {"port": 81}]}),
            ],
        ),
        of(
            "v1",
            "Service",
            "s",
            "m",
            [json!({"ports": [{"port": 80}]}), json!({"ports": []})],
        ),
        of("v1", "Namespace", "m", "", [json!({}), json!({})]),
        of("v1", "Secret", "cert", "m", [json!({}), json!({})]),
        of("v1", "ConfigMap", "ca", "n", [json!({}), json!({})]),
        of("v1", "Pod", "pod", "n", [json!({}), json!({})]),
        of(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            "e",
            "n",
            [json!({}), json!({})],
        ),
    ]
}

struct Life {
    resources: Resources,
    resolved: Resolved,
    state: State,
    settings: Settings,
}

impl Life {
    fn new(shared_address: bool) -> Life {
        Life {
            resources: Resources::default(),
            resolved: Resolved::default(),
            state: State::default(),
            settings: Settings {
                controller_name: "x.test/y".to_owned(),
                implicit_class: Some("gatepost".to_owned()),
                shared_address,
                pattern_limits: PatternLimits::default(),
                unsupported_filters: Vec::new(),
                tracing: true,
            },
        }
    }

    fn apply(&mut self, change: Change) {
        let key = match &change {
            Change::Put(resource) => resource.shared_key().clone(),
            Change::Delete(key) => Arc::new(key.clone()),
        };
        let old = self.resources.get(&key).cloned();
        self.resources.apply(change);
        let new = self.resources.get(&key).cloned();
        let changed = [Changed { key, old, new }];
        let (resolved, resources) = (&mut self.resolved, &self.resources);
        self.state
            .update(resolved, resources, &self.settings, &changed);
    }
}

proptest! {
    #[test]
    fn everything_is_forgotten(
        steps in prop::collection::vec((0_usize..16, 0_usize..3), 1..60), order in Just((0_usize..16).collect::<Vec<_>>()).prop_shuffle(),
        shared_address: bool,
    ) {
        let versions: Vec<[Arc<Resource>; 2]> = versions()
            .into_iter()
            .map(|both| both.map(|one| Arc::new(Resource::from_json(one).expect("an object"))))
            .collect();
        prop_assert_eq!(versions.len(), order.len());
        let mut life = Life::new(shared_address);
        for (object, step) in steps {
            let both = &versions[object];
            life.apply(match both.get(step) {
                Some(version) => Change::Put(version.clone()),
                None => Change::Delete(both[0].key().clone()),
            });
        }
        for object in order {
            life.apply(Change::Delete(versions[object][0].key().clone()));
        }
        prop_assert_eq!(life.state.graph.left(), Vec::<String>::new());
        prop_assert!(life.state.routes.is_empty() && life.state.attached.is_empty());
        prop_assert!(life.state.gateways.is_empty() && life.state.sets.is_empty());
        let Resolved { gateways, listener_sets, routes, attached, policies, listeners, endpoints, .. } = &life.resolved;
        prop_assert!(gateways.is_empty() && listener_sets.is_empty() && routes.is_empty() && attached.is_empty());
        prop_assert!(policies.is_empty() && listeners.is_empty() && endpoints.is_empty());
    }
}
