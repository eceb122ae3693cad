//! Manifests and requests that are likely to tell the model and the table apart: routes first, then requests bent from
//! their own names, paths and fields.

mod filters;
mod layer4;
mod requests;

use std::sync::Arc;

use gatepost::resources::{Resource, Resources};
use rand::RngExt;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use crate::certificates;
use crate::entropy::Entropy;

const HOSTS: [&str; 9] = [
    "a.test",
    "b.a.test",
    "c.b.a.test",
    "*.a.test",
    "*.b.a.test",
    "*.test",
    "x.test",
    "a-b.test",
    "aa.test",
];
const PATHS: [&str; 12] = [
    "/",
    "/a",
    "/a/",
    "/a/b",
    "/a/b/c",
    "/ab",
    "/A",
    "/a%20b",
    "/a.b",
    "/~a",
    "/v1/items",
    "/v1",
];
const PATTERNS: [&str; 9] = [
    "/a.*",
    "/[a-c]+",
    "/a|/ab",
    "/(v1|v2)/[^/]+",
    "/.*",
    "(?i)/A",
    "/[a&&b]+",
    "foo)|(?:.*",
    "/a{1,3}/b",
];
const HEADERS: [(&str, &str); 6] = [
    ("x-a", "1"),
    ("X-A", "2"),
    ("x-b", "1"),
    ("x-b", "1,2"),
    ("cookie", "a=1; b=2"),
    ("x-c", ""),
];
const PARAMETERS: [(&str, &str); 5] =
    [("a", "1"), ("a", "2"), ("b", "x y"), ("B", "1"), ("c", "%")];
const METHODS: [&str; 4] = ["GET", "POST", "PUT", "HEAD"];
const AGES: [&str; 3] = [
    "2026-01-01T00:00:00Z",
    "2026-01-01T00:00:01Z",
    "2026-02-01T00:00:00Z",
];
const NAMESPACES: [&str; 3] = ["n", "n-a", "m"];

/// Generates from a seed; the same seed makes the same things.
#[derive(Debug)]
pub struct Generator {
    rng: Entropy,
}

/// Secrets with the names that their certificates have.
const SECRETS: [(&str, &[&str]); 3] = [
    ("cert", &["*.test"]),
    ("exact", &["a.test", "b.a.test"]),
    ("wide", &["*.a.test", "*.b.a.test", "x.test"]),
];

impl Generator {
    /// A generator of a seed.
    pub fn new(seed: u64) -> Generator {
        Generator::of(Entropy::from_seed(seed))
    }

    /// A generator whose choices are taken from somewhere.
    pub fn of(rng: Entropy) -> Generator {
        Generator { rng }
    }

    /// Where the choices are taken from.
    pub fn entropy(&mut self) -> &mut Entropy {
        &mut self.rng
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        from.choose(&mut self.rng)
            .expect("a list that is not empty")
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.rng.random_bool(probability)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.rng.random_range(0..limit)
    }

    /// Objects as JSON.
    pub fn objects(&mut self) -> Vec<Value> {
        let mut objects = vec![self.gateway()];
        for (name, names) in SECRETS {
            objects.push(certificates::secret("n", name, names));
        }
        for namespace in NAMESPACES {
            for name in ["s", "t"] {
                objects.push(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": {"ports": [{"port": 80}]}}));
            }
        }
        if self.chance(0.6) {
            let kind = *self.pick(&[
                "HTTPRoute",
                "HTTPRoute",
                "GRPCRoute",
                "TLSRoute",
                "TCPRoute",
                "Gateway",
            ]);
            objects.push(json!({
                "apiVersion": "gateway.networking.k8s.io/v1", "kind": "ReferenceGrant", "metadata": {"name": "g", "namespace": "m"},
                "spec": {"from": [{"group": "gateway.networking.k8s.io", "kind": kind, "namespace": "n"}], "to": [{"group": "", "kind": "Service", "name": "s"}]},
            }));
        }
        let routes = 1 + self.below(6);
        for number in 0..routes {
            objects.push(self.http_route(number));
        }
        if self.chance(0.3) {
            objects.push(self.grpc_route());
        }
        self.layer4_routes(&mut objects);
        objects
    }

    /// The same as resources.
    ///
    /// # Panics
    ///
    /// If an object is not one: the generator is wrong.
    pub fn resources(objects: &[Value]) -> Resources {
        let resource = |value: &Value| {
            Arc::new(Resource::from_json(value.clone()).expect("a generated object"))
        };
        objects.iter().map(resource).collect()
    }

    fn gateway(&mut self) -> Value {
        let mut listeners = Vec::new();
        for (port, protocol) in [(80, "HTTP"), (443, "HTTPS"), (8080, "HTTP")] {
            let mut names: Vec<Option<&str>> = vec![None];
            if port != 8080 {
                for name in HOSTS {
                    if self.chance(0.25) {
                        names.push(Some(name));
                    }
                }
                if names.len() > 1 && self.chance(0.3) {
                    names.remove(0);
                }
            }
            for &name in &names {
                self.listener(port, protocol, name, &mut listeners);
            }
            // Passthrough and termination for routes of TLS beside HTTPS on one port, other names each.
            if protocol == "HTTPS" && self.chance(0.4) {
                for name in HOSTS {
                    if !names.contains(&Some(name)) && self.chance(0.2) {
                        self.listener(port, "TLS", Some(name), &mut listeners);
                    }
                }
            }
        }
        self.layer4_listeners(&mut listeners);
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "gw", "namespace": "n"},
            "spec": {"gatewayClassName": "gatepost", "listeners": listeners},
        })
    }

    fn listener(&mut self, port: u16, protocol: &str, name: Option<&str>, all: &mut Vec<Value>) {
        let mut listener = json!({"name": format!("l{}", all.len()), "port": port, "protocol": protocol, "allowedRoutes": {"namespaces": {"from": "All"}}});
        if let Some(name) = name {
            listener["hostname"] = json!(name);
        }
        if protocol == "TLS" && self.chance(0.5) {
            listener["tls"] = json!({"mode": "Passthrough"});
        } else if protocol == "HTTPS" || protocol == "TLS" {
            let secrets = 1 + self.below(3);
            let first = self.below(3);
            let secrets = (0..secrets).map(|more| json!({"name": SECRETS[(first + more) % 3].0}));
            listener["tls"] = json!({"certificateRefs": secrets.collect::<Vec<Value>>()});
        }
        if self.chance(0.1) {
            listener["allowedRoutes"] = json!({"namespaces": {"from": "Same"}});
        }
        if protocol.starts_with("HTTP") && self.chance(0.1) {
            listener["allowedRoutes"]["kinds"] = json!([{"kind": "HTTPRoute"}]);
        }
        if protocol.starts_with("HTTP") && self.chance(0.1) {
            listener["filters"] = json!({"requests": self.listener_filters()});
        }
        all.push(listener);
    }

    fn metadata(&mut self, name: String) -> Value {
        let mut metadata = json!({"name": name, "namespace": self.pick(&NAMESPACES)});
        if self.chance(0.7) {
            metadata["creationTimestamp"] = json!(self.pick(&AGES));
        }
        metadata
    }

    fn parent(&mut self) -> Value {
        let mut parent = json!({"name": "gw", "namespace": "n"});
        if self.chance(0.15) {
            parent["sectionName"] = json!(format!("l{}", self.below(4)));
        }
        if self.chance(0.15) {
            parent["port"] = json!(self.pick(&[80, 443, 8080]));
        }
        parent
    }

    fn hostnames(&mut self) -> Value {
        let count = self.below(4);
        let names: Vec<&str> = (0..count).map(|_| *self.pick(&HOSTS)).collect();
        json!(names)
    }

    fn http_route(&mut self, number: usize) -> Value {
        let rules: Vec<Value> = (0..1 + self.below(3)).map(|_| self.http_rule()).collect();
        let (parent, hostnames, metadata) = (
            self.parent(),
            self.hostnames(),
            self.metadata(format!("r{number}")),
        );
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": metadata,
            "spec": {"parentRefs": [parent], "hostnames": hostnames, "rules": rules},
        })
    }

    fn http_rule(&mut self) -> Value {
        let count = self.below(3);
        let mut rule =
            json!({"matches": (0..count).map(|_| self.http_match()).collect::<Vec<Value>>()});
        let prefix = count == 1
            && rule["matches"][0]["path"]["type"]
                .as_str()
                .unwrap_or("PathPrefix")
                == "PathPrefix"
            || count == 0;
        let (filters, redirect) = self.filters(prefix);
        rule["filters"] = filters;
        if !redirect {
            rule["backendRefs"] = self.backends(true);
        }
        self.settings(&mut rule);
        rule
    }

    fn http_match(&mut self) -> Value {
        let mut one = json!({});
        match self.below(10) {
            0 => {}
            1..=2 => one["path"] = json!({"type": "Exact", "value": self.pick(&PATHS)}),
            3..=4 => {
                one["path"] = json!({"type": "RegularExpression", "value": self.pick(&PATTERNS)})
            }
            _ => one["path"] = json!({"type": "PathPrefix", "value": self.pick(&PATHS)}),
        }
        if self.chance(0.15) {
            one["method"] = json!(self.pick(&METHODS));
        }
        if self.chance(0.25) {
            let headers: Vec<Value> = (0..1 + self.below(2))
                .map(|_| self.header_match())
                .collect();
            one["headers"] = json!(headers);
        }
        if self.chance(0.2) {
            let parameters: Vec<Value> = (0..1 + self.below(2))
                .map(|_| {
                    let (name, value) = *self.pick(&PARAMETERS);
                    if self.chance(0.2) {
                        return json!({"type": "RegularExpression", "name": name, "value": "[0-9]+|x.y"});
                    }
                    json!({"name": name, "value": value})
                })
                .collect();
            one["queryParams"] = json!(parameters);
        }
        one
    }

    fn header_match(&mut self) -> Value {
        if self.chance(0.06) {
            let (name, host) = (*self.pick(&["Host", "host"]), *self.pick(&HOSTS));
            return json!({"name": name, "value": host.replace('*', "w")});
        }
        let (name, value) = *self.pick(&HEADERS);
        if self.chance(0.2) {
            return json!({"type": "RegularExpression", "name": name, "value": "[0-9,]+"});
        }
        json!({"name": name, "value": if value.is_empty() { "z" } else { value }})
    }

    fn grpc_route(&mut self) -> Value {
        let rules: Vec<Value> = (0..1 + self.below(2))
            .map(|_| {
                let mut one = json!({});
                if self.chance(0.7) {
                    let mut method = json!({"service": self.pick(&["v1", "a", "a.b"])});
                    if self.chance(0.5) {
                        method["method"] = json!(self.pick(&["items", "b"]));
                    }
                    one["method"] = method;
                }
                if self.chance(0.3) {
                    one["headers"] = json!([self.header_match()]);
                }
                let matches = if self.chance(0.2) {
                    json!([])
                } else {
                    json!([one])
                };
                let mut rule = json!({"matches": matches, "filters": self.grpc_filters(), "backendRefs": self.backends(false)});
                self.session(&mut rule);
                rule
            })
            .collect();
        let (parent, hostnames, metadata) = (
            self.parent(),
            self.hostnames(),
            self.metadata("grpc".to_owned()),
        );
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GRPCRoute", "metadata": metadata,
            "spec": {"parentRefs": [parent], "hostnames": hostnames, "rules": rules},
        })
    }
}
