//! Random sequences of changes: what a [`Resolver`] keeps has to be what a fresh resolution makes of the same resources.

use std::collections::BTreeMap;
use std::sync::Arc;

use gatepost::controller::{Controller, Delta, Resolution, Resolver};
use gatepost::key::{NamespacedName, ObjectKey};
use gatepost::resources::{Change, Resource, Resources};
use gatepost::rule::Listener;
use gatepost::status::Facts;
use gatepost::timestamp::Timestamp;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::certificates;

const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);
const NAMESPACES: [&str; 2] = ["n", "m"];
const GROUP: &str = "gateway.networking.k8s.io";
const AGES: [&str; 2] = ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"];
const HOSTS: [&str; 5] = ["a.test", "*.a.test", "b.a.test", "*.test", "x.example"];

/// Makes changes of every kind from a seed.
#[derive(Debug)]
pub struct Changes {
    rng: StdRng,
    certificates: Vec<(String, String)>,
}

impl Changes {
    /// A source of changes.
    ///
    /// # Panics
    ///
    /// If no certificate can be made.
    pub fn new(seed: u64) -> Changes {
        Changes {
            rng: StdRng::seed_from_u64(seed),
            certificates: vec![
                certificates::made(&["a.test"]),
                certificates::made(&["a.test"]),
            ],
        }
    }

    /// Starts over from another seed with the same certificates.
    pub fn reseed(&mut self, seed: u64) {
        self.rng = StdRng::seed_from_u64(seed);
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        *from
            .choose(&mut self.rng)
            .expect("a list that is not empty")
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    /// From one to three changes that come together.
    pub fn next(&mut self, resources: &Resources) -> Vec<Change> {
        let count = 1 + usize::from(self.chance(20)) + usize::from(self.chance(10));
        (0..count).map(|_| self.one(resources)).collect()
    }

    fn one(&mut self, resources: &Resources) -> Change {
        if self.chance(30)
            && let Some(change) = self.awkward(resources)
        {
            return change;
        }
        if self.chance(25) && !resources.is_empty() {
            let number = self.rng.random_range(0..resources.len());
            let key = resources.iter().nth(number).map(|(key, _)| key.clone());
            return Change::Delete(key.expect("an object at that place"));
        }
        let object = self.object();
        Change::Put(Arc::new(Resource::from_json(object).expect("an object")))
    }

    /// One thing about an object that is there: a grant or a ListenerSet taken away, a listener more or less, a namespace
    /// relabelled, a Service's port renamed, a Secret rotated, a class that another controller claims, CRDs of another
    /// version or channel.
    fn awkward(&mut self, resources: &Resources) -> Option<Change> {
        let kind = self.pick(&[
            "ReferenceGrant",
            "ReferenceGrant",
            "ListenerSet",
            "ListenerSet",
            "Gateway",
            "Gateway",
            "Namespace",
            "Service",
            "Secret",
            "GatewayClass",
            "CustomResourceDefinition",
        ]);
        let of_kind: Vec<&Arc<Resource>> = resources
            .iter()
            .filter(|(key, _)| key.kind.as_str() == kind)
            .map(|(_, resource)| resource)
            .collect();
        let resource = *of_kind.choose(&mut self.rng)?;
        let mut object = resource.to_json();
        let spec = &mut object["spec"];
        match kind {
            "ReferenceGrant" => return Some(Change::Delete(resource.key().clone())),
            "ListenerSet" if self.chance(40) => {
                return Some(Change::Delete(resource.key().clone()));
            }
            "Gateway" | "ListenerSet" => {
                let listeners = spec["listeners"].as_array_mut()?;
                if self.chance(30) && listeners.len() > 1 {
                    let at = self.rng.random_range(0..listeners.len());
                    listeners.remove(at);
                } else {
                    let mut more = self.listeners()[0].clone();
                    more["name"] = json!(self.pick(&["l7", "l8", "l9"]));
                    listeners.push(more);
                }
            }
            "Namespace" => {
                object["metadata"]["labels"] = json!({"team": self.pick(&["red", "blue"])});
            }
            "Service" => spec["ports"][0]["name"] = json!(self.pick(&["web", "main"])),
            "Secret" => {
                let number = self.rng.random_range(0..self.certificates.len());
                let (certificate, key) = self.certificates.get(number)?;
                object["stringData"] = json!({"tls.crt": certificate, "tls.key": key});
            }
            "GatewayClass" => {
                let names = ["gatepost.dev/gateway-controller", "x.test/y"];
                spec["controllerName"] = json!(self.pick(&names));
            }
            _ => {
                let version = self.pick(&["v1.7.0", "v1.4.0"]);
                let channel = self.pick(&["standard", "experimental"]);
                object["metadata"]["annotations"] = json!({
                    "gateway.networking.k8s.io/bundle-version": version,
                    "gateway.networking.k8s.io/channel": channel,
                });
            }
        }
        let changed = Resource::from_json(object).expect("an object");
        Some(Change::Put(Arc::new(changed)))
    }

    fn metadata(&mut self, names: &[&str]) -> Value {
        let mut metadata = json!({"name": self.pick(names), "namespace": self.pick(&NAMESPACES), "generation": self.rng.random_range(1..9)});
        if self.chance(50) {
            metadata["creationTimestamp"] = json!(self.pick(&AGES));
        }
        metadata
    }

    fn object(&mut self) -> Value {
        match self.rng.random_range(0..100) {
            0..=9 => self.gateway(),
            10..=17 => self.listener_set(),
            18..=41 => self.route(),
            42..=47 => self.service(),
            48..=55 => self.slice(),
            56..=62 => self.grant(),
            63..=67 => self.secret(),
            68..=72 => self.config_map(),
            73..=79 => self.tls_policy(),
            80..=83 => self.x_backend(),
            84..=86 => self.pod(),
            87..=89 => self.traffic_policy(),
            90..=92 => self.telemetry(),
            93..=95 => self.namespace(),
            96..=97 => self.class(),
            _ => self.definition(),
        }
    }

    fn listeners(&mut self) -> Value {
        let count = 1 + self.rng.random_range(0..3_usize);
        let listeners: Vec<Value> = (0..count)
            .map(|number| {
                let protocol = self.pick(&["HTTP", "HTTP", "HTTPS", "HTTPS", "TLS", "TCP", "UDP", "x.test/P"]);
                let mut listener = json!({"name": format!("l{number}"), "port": self.pick(&[80, 80, 443, 443, 8080]), "protocol": protocol});
                if self.chance(50) {
                    listener["hostname"] = json!(self.pick(&HOSTS));
                }
                if matches!(protocol, "HTTPS" | "TLS") && self.chance(90) {
                    let mut reference = json!({"name": self.pick(&["cert", "cert", "other"])});
                    if self.chance(30) {
                        reference["namespace"] = json!(self.pick(&NAMESPACES));
                    }
                    listener["tls"] = json!({"mode": self.pick(&["Terminate", "Terminate", "Passthrough"]), "certificateRefs": [reference]});
                }
                let from = self.pick(&["All", "Same", "Selector"]);
                listener["allowedRoutes"] = json!({"namespaces": {"from": from, "selector": {"matchLabels": {"team": "red"}}}});
                if self.chance(10) {
                    listener["filters"] = json!({"requests": [{"type": "ExternalAuth", "externalAuth": {"protocol": "HTTP", "backendRef": self.backend()}}]});
                }
                listener
            })
            .collect();
        json!(listeners)
    }

    fn gateway(&mut self) -> Value {
        let mut spec = json!({"gatewayClassName": self.pick(&["gatepost", "gatepost", "gatepost", "second", "strange"]), "listeners": self.listeners()});
        if self.chance(60) {
            let from = self.pick(&["All", "Same", "Selector", "None"]);
            spec["allowedListeners"] =
                json!({"namespaces": {"from": from, "selector": {"matchLabels": {"team": "red"}}}});
        }
        if self.chance(30) {
            spec["defaultScope"] = json!("All");
        }
        if self.chance(15) {
            spec["addresses"] =
                json!([{"value": self.pick(&["10.0.0.1", "10.0.0.2", "nonsense"])}]);
        }
        if self.chance(5) {
            spec["infrastructure"] =
                json!({"parametersRef": {"group": "x.test", "kind": "Pot", "name": "p"}});
        }
        if self.chance(30) {
            let mut reference = json!({"group": "", "kind": "ConfigMap", "name": "ca"});
            if self.chance(40) {
                reference["namespace"] = json!(self.pick(&NAMESPACES));
            }
            let mode = self.pick(&["AllowValidOnly", "AllowInsecureFallback"]);
            spec["tls"] = json!({
                "backend": {"clientCertificateRef": {"name": "cert", "namespace": self.pick(&NAMESPACES)}},
                "frontend": {"default": {"validation": {"caCertificateRefs": [reference], "mode": mode}}},
            });
        }
        let mut metadata = self.metadata(&["gw", "gx"]);
        if self.chance(10) {
            metadata["annotations"] = json!({"gatepost.dev/path-policy": "encodedSlash=keep"});
        }
        json!({"apiVersion": format!("{GROUP}/v1"), "kind": "Gateway", "metadata": metadata, "spec": spec})
    }

    fn listener_set(&mut self) -> Value {
        let parent =
            json!({"name": self.pick(&["gw", "gw", "gx"]), "namespace": self.pick(&NAMESPACES)});
        json!({
            "apiVersion": format!("{GROUP}/v1"), "kind": "ListenerSet", "metadata": self.metadata(&["ls", "lt"]),
            "spec": {"parentRef": parent, "listeners": self.listeners()},
        })
    }

    fn backend(&mut self) -> Value {
        if self.chance(15) {
            return json!({"group": "gateway.networking.x-k8s.io", "kind": "XBackend", "name": "b"});
        }
        let mut backend = json!({"name": self.pick(&["s", "t"]), "port": self.pick(&[80, 80, 81])});
        if self.chance(40) {
            backend["namespace"] = json!(self.pick(&NAMESPACES));
        }
        backend
    }

    fn route(&mut self) -> Value {
        let kind = self.pick(&[
            "HTTPRoute",
            "HTTPRoute",
            "HTTPRoute",
            "GRPCRoute",
            "TLSRoute",
            "TCPRoute",
            "UDPRoute",
        ]);
        let parents: Vec<Value> = (0..1 + self.rng.random_range(0..2))
            .map(|_| {
                let set = self.chance(30);
                let mut parent = json!({"name": self.pick(if set { &["ls", "lt"] } else { &["gw", "gx"] }), "namespace": self.pick(&NAMESPACES)});
                if set {
                    parent["kind"] = json!("ListenerSet");
                }
                if self.chance(20) {
                    parent["sectionName"] = json!(self.pick(&["l0", "l1"]));
                }
                parent
            })
            .collect();
        let mut rule = json!({"backendRefs": [self.backend(), self.backend()]});
        if matches!(kind, "HTTPRoute") {
            let path = self.pick(&["/", "/a", "/b/c"]);
            let form = self.pick(&["PathPrefix", "Exact", "PathPrefix", "Glob"]);
            rule["matches"] = json!([{"path": {"type": form, "value": path}}]);
            if self.chance(15) {
                rule["filters"] = json!([{"type": "RequestMirror", "requestMirror": {"backendRef": self.backend()}}]);
            }
        }
        let mut spec = json!({"parentRefs": parents, "rules": [rule]});
        if matches!(kind, "HTTPRoute" | "GRPCRoute" | "TLSRoute")
            && (kind == "TLSRoute" || self.chance(60))
        {
            spec["hostnames"] = json!([self.pick(&HOSTS)]);
        }
        if self.chance(15) {
            spec["useDefaultGateways"] = json!("All");
        }
        json!({"apiVersion": format!("{GROUP}/v1"), "kind": kind, "metadata": self.metadata(&["r0", "r1", "r2"]), "spec": spec})
    }

    fn service(&mut self) -> Value {
        let mut port =
            json!({"name": self.pick(&["web", "main"]), "port": self.pick(&[80, 80, 81])});
        if self.chance(30) {
            port["appProtocol"] =
                json!(self.pick(&["kubernetes.io/h2c", "kubernetes.io/wss", "kubernetes.io/ws"]));
        }
        json!({"apiVersion": "v1", "kind": "Service", "metadata": self.metadata(&["s", "t"]), "spec": {"ports": [port]}})
    }

    fn slice(&mut self) -> Value {
        let mut metadata = self.metadata(&["e0", "e1"]);
        metadata["labels"] = json!({"kubernetes.io/service-name": self.pick(&["s", "t"])});
        let address = self.pick(&["10.1.0.1", "10.1.0.2"]);
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata, "addressType": "IPv4",
            "ports": [{"name": self.pick(&["web", "main"]), "port": 8080}],
            "endpoints": [{"addresses": [address], "conditions": {"ready": self.chance(80)}}],
        })
    }

    fn grant(&mut self) -> Value {
        let kind = self.pick(&[
            "HTTPRoute",
            "HTTPRoute",
            "GRPCRoute",
            "Gateway",
            "ListenerSet",
            "TCPRoute",
        ]);
        let mut to =
            json!({"group": "", "kind": self.pick(&["Service", "Service", "Secret", "ConfigMap"])});
        if self.chance(40) {
            to["name"] = json!(self.pick(&["s", "cert", "ca"]));
        }
        json!({
            "apiVersion": format!("{GROUP}/v1"), "kind": "ReferenceGrant", "metadata": self.metadata(&["g0", "g1"]),
            "spec": {"from": [{"group": GROUP, "kind": kind, "namespace": self.pick(&NAMESPACES)}], "to": [to]},
        })
    }

    fn secret(&mut self) -> Value {
        let number = self.rng.random_range(0..self.certificates.len());
        let (certificate, key) = self.certificates.get(number).cloned().unwrap_or_default();
        let certificate = if self.chance(10) {
            "no".to_owned()
        } else {
            certificate
        };
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": self.metadata(&["cert", "other"]), "type": "kubernetes.io/tls",
            "stringData": {"tls.crt": certificate, "tls.key": key},
        })
    }

    fn config_map(&mut self) -> Value {
        let number = self.rng.random_range(0..self.certificates.len());
        let (certificate, _) = self.certificates.get(number).cloned().unwrap_or_default();
        let certificate = if self.chance(20) {
            "no".to_owned()
        } else {
            certificate
        };
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": self.metadata(&["ca"]), "data": {"ca.crt": certificate}})
    }

    fn tls_policy(&mut self) -> Value {
        let mut target = json!({"group": "", "kind": "Service", "name": self.pick(&["s", "t"])});
        if self.chance(40) {
            target["sectionName"] = json!(self.pick(&["web", "main"]));
        }
        let validation = if self.chance(60) {
            json!({"hostname": "a.test", "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "ca"}]})
        } else {
            json!({"hostname": "a.test", "wellKnownCACertificates": "System"})
        };
        json!({
            "apiVersion": format!("{GROUP}/v1"), "kind": "BackendTLSPolicy", "metadata": self.metadata(&["p0", "p1"]),
            "spec": {"targetRefs": [target], "validation": validation},
        })
    }

    fn x_backend(&mut self) -> Value {
        let mut spec = if self.chance(60) {
            json!({"type": "EndpointSelector", "endpointSelector": {"matchLabels": {"app": "x"}}, "port": {"number": 8080}})
        } else {
            json!({"type": "ExternalHostname", "externalHostname": {"hostname": self.pick(&["x.example", "s.n.svc.cluster.local"])}, "port": {"number": 443}})
        };
        if self.chance(30) {
            spec["tls"] = json!({"mode": "ClientAndServer", "clientCertificateRef": {"name": "cert"}, "validation": {"hostname": "a.test", "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "ca"}]}});
        }
        json!({"apiVersion": "gateway.networking.x-k8s.io/v1alpha1", "kind": "XBackend", "metadata": self.metadata(&["b"]), "spec": spec})
    }

    fn pod(&mut self) -> Value {
        let mut metadata = self.metadata(&["d0", "d1"]);
        metadata["labels"] = json!({"app": self.pick(&["x", "y"])});
        let ready = self.pick(&["True", "False"]);
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": {"podIP": self.pick(&["10.2.0.1", "10.2.0.2"]), "conditions": [{"type": "Ready", "status": ready}]}})
    }

    fn traffic_policy(&mut self) -> Value {
        let target = json!({"group": "", "kind": "Service", "name": self.pick(&["s", "t"])});
        json!({
            "apiVersion": "gateway.networking.x-k8s.io/v1alpha1", "kind": "XBackendTrafficPolicy", "metadata": self.metadata(&["q0", "q1"]),
            "spec": {"targetRefs": [target], "retryConstraint": {"budget": {"percent": self.pick(&[5, 20])}}},
        })
    }

    fn telemetry(&mut self) -> Value {
        json!({
            "apiVersion": "gateway.networking.x-k8s.io/v1alpha1", "kind": "XTelemetryPolicy", "metadata": self.metadata(&["t0", "t1"]),
            "spec": {
                "targetRefs": [{"group": GROUP, "kind": "Gateway", "name": self.pick(&["gw", "gx"])}],
                "tracing": {"mode": "Enabled", "provider": {"backendRef": self.backend()}},
            },
        })
    }

    fn namespace(&mut self) -> Value {
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.pick(&NAMESPACES), "labels": {"team": self.pick(&["red", "blue"])}}})
    }

    fn class(&mut self) -> Value {
        let controller = self.pick(&[
            "gatepost.dev/gateway-controller",
            "gatepost.dev/gateway-controller",
            "x.test/y",
        ]);
        json!({"apiVersion": format!("{GROUP}/v1"), "kind": "GatewayClass", "metadata": {"name": self.pick(&["gatepost", "second"])}, "spec": {"controllerName": controller}})
    }

    fn definition(&mut self) -> Value {
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "gateways.gateway.networking.k8s.io", "annotations": {"gateway.networking.k8s.io/bundle-version": self.pick(&["v1.7.0", "v1.4.0"])}},
            "spec": {"group": GROUP, "names": {"kind": "Gateway", "plural": "gateways"}, "versions": []},
        })
    }
}

type Tables = BTreeMap<Vec<NamespacedName>, (Vec<String>, Vec<Arc<Listener>>, String)>;

fn tables(resolution: &Resolution) -> Tables {
    let planes = resolution.planes().iter();
    planes
        .map(|plane| {
            let settings = format!("{:?}", plane.table.settings());
            let listeners = plane.table.listeners().to_vec();
            (
                plane.gateways.clone(),
                (plane.addresses.clone(), listeners, settings),
            )
        })
        .collect()
}

fn statuses(resolution: &Resolution, resources: &Resources) -> BTreeMap<ObjectKey, Value> {
    let statuses = resolution.statuses(&Facts::ideal());
    let keys = statuses.keys();
    keys.filter_map(|key| Some((key.clone(), statuses.status(key, resources, NOW)?)))
        .collect()
}

/// Runs one sequence of changes and holds the resolver against fresh resolutions. In each third
/// sequence the statuses that a change brings are written after it, as a controller does.
///
/// # Errors
///
/// Says what differs, and after which change.
pub fn run(changes: &mut Changes, kubernetes: bool, steps: u32) -> Result<u32, String> {
    let written = changes.rng.random_range(0..3) == 0;
    let mut controller = Controller::default();
    controller.kubernetes = kubernetes;
    let mut resolver = Resolver::new(controller.clone());
    let mut count = 0;
    for step in 0..steps {
        let before = (
            tables(resolver.resolution()),
            statuses(resolver.resolution(), resolver.resources()),
        );
        let next = changes.next(resolver.resources());
        count += u32::try_from(next.len()).unwrap_or(0);
        let shown = format!("step {step}: {next:?}");
        let delta = resolver.apply(next);
        check(&resolver, &controller, &before, &delta).map_err(|why| format!("{shown}\n{why}"))?;
        if written {
            write(&mut resolver, &delta).map_err(|why| format!("{shown}\n{why}"))?;
        }
    }
    write_back(&controller, resolver.resources())?;
    Ok(count)
}

fn check(
    resolver: &Resolver,
    controller: &Controller,
    before: &(Tables, BTreeMap<ObjectKey, Value>),
    delta: &Delta,
) -> Result<(), String> {
    let (kept, resources) = (resolver.resolution(), resolver.resources());
    // Backward, so that the order of insertion cannot matter either.
    let mut all: Vec<Arc<Resource>> = resources
        .iter()
        .map(|(_, resource)| resource.clone())
        .collect();
    all.reverse();
    let fresh = controller.resolve(&all.into_iter().collect());
    let (kept_tables, kept_statuses) = (tables(kept), statuses(kept, resources));
    if kept_tables != tables(&fresh) {
        return Err(format!(
            "tables: kept {kept_tables:#?}, fresh {:#?}",
            tables(&fresh)
        ));
    }
    let fresh_statuses = statuses(&fresh, resources);
    if kept_statuses != fresh_statuses {
        return Err(format!(
            "statuses: kept {kept_statuses:#?}, fresh {fresh_statuses:#?}"
        ));
    }
    let addresses = |resolution: &Resolution| {
        let all = resolution.all_endpoints();
        all.map(|(port, endpoints)| (port.clone(), endpoints.clone()))
            .collect::<BTreeMap<_, _>>()
    };
    if addresses(kept) != addresses(&fresh) {
        return Err(format!(
            "addresses: kept {:#?}, fresh {:#?}",
            addresses(kept),
            addresses(&fresh)
        ));
    }
    for (gateways, table) in &kept_tables {
        if before.0.get(gateways) != Some(table)
            && !gateways.iter().any(|name| delta.tables.contains(name))
        {
            return Err(format!("the delta does not name the table of {gateways:?}"));
        }
    }
    let keys = kept_statuses.keys().chain(before.1.keys());
    for key in keys {
        if kept_statuses.get(key) != before.1.get(key) && !delta.statuses.contains(key) {
            return Err(format!("the delta does not name the status of {key}"));
        }
    }
    attached(kept, &kept_statuses)
}

/// `attachedRoutes` is the number of routes that hang on the listener.
fn attached(resolution: &Resolution, statuses: &BTreeMap<ObjectKey, Value>) -> Result<(), String> {
    for listeners in resolution.resolved().listeners.values() {
        for listener in listeners {
            let all = statuses
                .get(&listener.owner)
                .and_then(|status| status["listeners"].as_array());
            let named = |one: &&Value| one["name"] == *listener.name;
            // Names that are there twice, which an API server refuses, say nothing.
            let mut entries = all.into_iter().flatten().filter(named);
            let entry = entries.next();
            if entries.next().is_some() {
                continue;
            }
            let counted = entry
                .map(|entry| entry["attachedRoutes"].clone())
                .unwrap_or_default();
            if counted != json!(listener.routes.len()) {
                return Err(format!(
                    "{} #{}: {counted} attached, {} hang",
                    listener.owner,
                    listener.name,
                    listener.routes.len()
                ));
            }
        }
    }
    Ok(())
}

/// Writes the statuses that a change brings: they are all that differ, and written they touch nothing.
fn write(resolver: &mut Resolver, delta: &Delta) -> Result<(), String> {
    let all = |resolver: &Resolver| {
        let statuses = resolver.resolution().statuses(&Facts::ideal());
        statuses.changes(resolver.resources(), NOW)
    };
    let due = resolver.status_changes(delta, &Facts::ideal(), NOW);
    if due != all(resolver) {
        return Err(format!(
            "the delta brings the statuses {due:#?}, of all these differ: {:#?}",
            all(resolver)
        ));
    }
    let put = |(key, status): &(ObjectKey, Value)| {
        let mut whole = resolver.resources().get(key)?.to_json();
        whole["status"] = status.clone();
        Some(Change::Put(Arc::new(Resource::from_json(whole).ok()?)))
    };
    let puts: Vec<Change> = due.iter().filter_map(put).collect();
    let delta = resolver.apply(puts);
    let left = resolver.status_changes(&delta, &Facts::ideal(), NOW);
    if !delta.tables.is_empty() || !delta.endpoints.is_empty() || !left.is_empty() {
        return Err(format!(
            "written statuses touch {delta:?} and leave {left:#?}"
        ));
    }
    Ok(())
}

/// Our own statuses, written back, change nothing: not the statuses, and not what is resolved.
fn write_back(controller: &Controller, resources: &Resources) -> Result<(), String> {
    let mut resolver = Resolver::new(controller.clone());
    resolver.apply(
        resources
            .iter()
            .map(|(_, resource)| Change::Put(resource.clone())),
    );
    let written = resolver
        .resolution()
        .statuses(&Facts::ideal())
        .changes(resolver.resources(), NOW);
    let puts: Vec<Change> = written
        .iter()
        .filter_map(|(key, status)| {
            let mut whole = resolver.resources().get(key)?.to_json();
            whole["status"] = status.clone();
            Some(Change::Put(Arc::new(Resource::from_json(whole).ok()?)))
        })
        .collect();
    let delta = resolver.apply(puts);
    if !delta.tables.is_empty() || !delta.endpoints.is_empty() {
        return Err(format!(
            "statuses alone touch {:?} and {:?}",
            delta.tables, delta.endpoints
        ));
    }
    let later = Timestamp::from_unix_seconds(1_900_000_000);
    let again = resolver
        .resolution()
        .statuses(&Facts::ideal())
        .changes(resolver.resources(), later);
    if !again.is_empty() {
        return Err(format!("written back, these are others: {again:#?}"));
    }
    Ok(())
}
