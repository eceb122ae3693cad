//! Manifests of a cluster of some size: many routes, and what they refer to.

use std::fmt::Write;
use std::sync::Arc;

use gatepost::document::Limits;
use gatepost::key::Channel;
use gatepost::manifest::{Collected, collect, read};
use gatepost::resources::{Resource, Resources};
use serde_json::{Value, json};

/// Namespaces that routes and their Services lie in.
const NAMESPACES: usize = 100;
/// Services, each with one EndpointSlice of three addresses.
const SERVICES: usize = 1_000;
/// HTTPS listeners, each with a certificate of its own.
const CERTIFICATES: usize = 10;

const WORDS: [&str; 8] = [
    "tasks", "users", "files", "builds", "issues", "orders", "events", "status",
];

/// HTTPRoutes as YAML, as people write them: about 180 bytes a route and 140 a rule.
pub fn yaml(routes: usize, rules: usize) -> String {
    let mut text = String::new();
    for route in 0..routes {
        let namespace = route % NAMESPACES;
        // INVARIANT: writing to a string cannot fail.
        let _ = write!(
            text,
            "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata:\n  name: route-{route:05}\n  \
             namespace: shop-{namespace:02}\nspec:\n  parentRefs:\n  - name: gw\n    namespace: infra\n  hostnames:\n  \
             - app{route}.bench.example\n  rules:\n"
        );
        for rule in 0..rules {
            let (word, service) = (WORDS[rule % 8], (route + rule * 7) % SERVICES);
            let _ = write!(
                text,
                "  - matches:\n    - path:\n        type: PathPrefix\n        value: /api/v{rule}/{word}\n    backendRefs:\n    \
                 - name: service-{service:04}\n      port: 8080\n"
            );
        }
    }
    text
}

/// Reads and validates a text as `gatepost check` does.
///
/// # Panics
///
/// If anything is wrong with it.
pub fn load(text: &str) -> Collected {
    let limits = Limits::default();
    let loaded = read("bench.yaml", text.as_bytes(), &limits);
    let collected = collect([loaded], Channel::Standard, &limits);
    assert!(
        collected.problems.is_empty(),
        "generated manifests are sound: {}",
        collected.problems[0]
    );
    collected
}

/// A cluster: one Gateway with HTTP and ten HTTPS listeners, routes of one rule with two backends, of which each tenth needs a
/// grant, 1,000 Services with EndpointSlices, 100 namespaces with a grant each.
pub fn cluster(routes: usize) -> Resources {
    let mut values = vec![gateway()];
    for number in 0..CERTIFICATES {
        values.push(secret(number, &certificate()));
    }
    for number in 0..NAMESPACES {
        let name = format!("shop-{number:02}");
        values.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"team": "shop"}}}));
        values.push(grant(number, "HTTPRoute"));
    }
    for number in 0..SERVICES {
        values.push(json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": format!("service-{number:04}"), "namespace": format!("shop-{:02}", number % NAMESPACES)},
            "spec": {"ports": [{"name": "http", "port": 8080, "targetPort": 80}]},
        }));
        values.push(endpoint_slice(number, 3));
    }
    values.extend((0..routes).map(|number| route(number, "/api")));
    values.into_iter().map(resource).collect()
}

/// The resource of a generated object.
///
/// # Panics
///
/// If it is not one.
pub fn resource(value: Value) -> Arc<Resource> {
    Arc::new(Resource::from_json(value).expect("generated objects are sound"))
}

/// The Gateway of the cluster.
fn gateway() -> Value {
    let from_all = json!({"namespaces": {"from": "All"}});
    let mut listeners =
        vec![json!({"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": from_all})];
    for number in 0..CERTIFICATES {
        listeners.push(json!({
            "name": format!("https-{number}"), "port": 443, "protocol": "HTTPS", "hostname": format!("*.z{number}.example"),
            "allowedRoutes": from_all, "tls": {"certificateRefs": [{"name": format!("certificate-{number}")}]},
        }));
    }
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "gw", "namespace": "infra"},
        "spec": {"gatewayClassName": "gatepost", "listeners": listeners},
    })
}

/// A certificate and its key, in PEM.
///
/// # Panics
///
/// If none can be made.
pub fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["*.bench.example".to_owned()])
        .expect("a certificate can be made");
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// The Secret of a listener.
pub fn secret(number: usize, (chain, key): &(String, String)) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": format!("certificate-{number}"), "namespace": "infra"},
        "type": "kubernetes.io/tls", "stringData": {"tls.crt": chain, "tls.key": key},
    })
}

/// The grant of a namespace: routes of the next one may use its Services.
pub fn grant(number: usize, kind: &str) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "ReferenceGrant",
        "metadata": {"name": "services", "namespace": format!("shop-{number:02}")},
        "spec": {
            "from": [{"group": "gateway.networking.k8s.io", "kind": kind, "namespace": format!("shop-{:02}", (number + 1) % NAMESPACES)}],
            "to": [{"group": "", "kind": "Service"}],
        },
    })
}

/// The EndpointSlice of a Service.
pub fn endpoint_slice(number: usize, addresses: usize) -> Value {
    let endpoints: Vec<Value> = (0..addresses)
        .map(|at| json!({"addresses": [format!("10.{}.{}.{at}", number / 250, number % 250)], "conditions": {"ready": true}}))
        .collect();
    let (service, namespace) = (
        format!("service-{number:04}"),
        format!("shop-{:02}", number % NAMESPACES),
    );
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": format!("{service}-a"), "namespace": namespace, "labels": {"kubernetes.io/service-name": service}},
        "ports": [{"name": "http", "port": 80, "protocol": "TCP"}], "endpoints": endpoints,
    })
}

/// A route of one rule with two backends. Both lie in its namespace, but each tenth route has one in the namespace before.
pub fn route(number: usize, path: &str) -> Value {
    let namespace = number % NAMESPACES;
    let own = number % SERVICES;
    let other = (own + NAMESPACES * 3) % SERVICES;
    let mut second = json!({"name": format!("service-{other:04}"), "port": 8080, "weight": 10});
    if (number / NAMESPACES).is_multiple_of(10) {
        let before = (namespace + NAMESPACES - 1) % NAMESPACES;
        second["name"] = json!(format!(
            "service-{:04}",
            (own / NAMESPACES) * NAMESPACES + before
        ));
        second["namespace"] = json!(format!("shop-{before:02}"));
    }
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {
            "name": format!("route-{number:05}"), "namespace": format!("shop-{namespace:02}"), "generation": 1,
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {
            "parentRefs": [{"name": "gw", "namespace": "infra", "sectionName": "http"}],
            "hostnames": [format!("app{number}.bench.example")],
            "rules": [{
                "matches": [{"path": {"type": "PathPrefix", "value": path}}],
                "backendRefs": [{"name": format!("service-{own:04}"), "port": 8080, "weight": 90}, second],
            }],
        },
    })
}

#[cfg(test)]
mod tests {
    use gatepost::controller::Controller;
    use gatepost::key::NamespacedName;

    use super::*;

    #[test]
    fn texts_have_the_sizes_that_goals_are_set_for() {
        let size =
            |routes: usize, rules: usize| yaml(routes, rules).len() as f64 / f64::from(1 << 20);
        assert!(
            (1.35..1.75).contains(&size(1_000, 10)),
            "{}",
            size(1_000, 10)
        );
        assert!((2.8..3.4).contains(&size(10_000, 1)), "{}", size(10_000, 1));
        assert_eq!(load(&yaml(20, 10)).resources.len(), 20);
    }

    #[test]
    fn everything_in_the_cluster_resolves() {
        let resources = cluster(1_200);
        let resolution = Controller::default().resolve(&resources);
        let table = resolution
            .table(&NamespacedName::new("infra", "gw"))
            .expect("a table");
        assert_eq!(table.rules().count(), 1_200);
        let invalid = table
            .rules()
            .flat_map(|(_, rule)| rule.backends.entries())
            .filter(|backend| backend.destination.is_err())
            .count();
        assert_eq!(invalid, 0);
        assert!(
            resolution
                .all_endpoints()
                .all(|(_, endpoints)| endpoints.usable().count() == 3)
        );
    }
}
