//! Objects of Kubernetes' own kinds, bent in the fields that routing reads.
//!
//! These kinds are judged as far as they are read, so the two verdicts are compared one way: what gatepost refuses the
//! server has to refuse. The other way only counts where the server cannot read the object at all.

use gatepost::document::{Limits, read};
use gatepost::key::Channel;
use gatepost::validate::{Severity, validate};
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use super::client::Client;

/// A kind, the path of its objects, and sound ones.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The path that objects are posted to.
    pub path: &'static str,
    objects: Vec<Value>,
}

/// All kinds that are read, but for those of Gateway API.
pub fn subjects() -> Vec<Subject> {
    let meta = json!({"name": "object", "namespace": "default", "labels": {"app": "a"}, "annotations": {"a/b": "c"}});
    let object = |version: &str, kind: &str, rest: Value| {
        let mut object = json!({"apiVersion": version, "kind": kind, "metadata": meta});
        for (name, value) in rest.as_object().into_iter().flatten() {
            object[name] = value.clone();
        }
        object
    };
    let cluster = |mut object: Value| {
        object["metadata"] = json!({"name": "object", "labels": {"app": "a"}});
        object
    };
    let ports = json!([
        {"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP", "appProtocol": "kubernetes.io/h2c"},
        {"name": "web", "port": 81, "targetPort": "web"},
    ]);
    vec![
        Subject {
            path: "/api/v1/namespaces/default/services",
            objects: vec![
                object(
                    "v1",
                    "Service",
                    json!({"spec": {"type": "ClusterIP", "selector": {"app": "a"}, "ports": ports}}),
                ),
                object(
                    "v1",
                    "Service",
                    json!({"spec": {"clusterIP": "None", "selector": {"app": "a"}, "ports": ports}}),
                ),
                object(
                    "v1",
                    "Service",
                    json!({"spec": {"type": "ExternalName", "externalName": "a.example"}}),
                ),
            ],
        },
        Subject {
            path: "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
            objects: vec![object(
                "discovery.k8s.io/v1",
                "EndpointSlice",
                json!({
                    "addressType": "IPv4",
                    "endpoints": [{"addresses": ["192.0.2.1"], "conditions": {"ready": true, "serving": true, "terminating": false}}],
                    "ports": [{"name": "http", "port": 80, "protocol": "TCP", "appProtocol": "h2c"}, {"name": "", "port": 81}],
                }),
            )],
        },
        Subject {
            path: "/api/v1/namespaces/default/secrets",
            objects: vec![
                object(
                    "v1",
                    "Secret",
                    json!({"type": "Opaque", "data": {"a": "YQ==", "b": ""}, "stringData": {"c": "d"}}),
                ),
                object(
                    "v1",
                    "Secret",
                    json!({"type": "kubernetes.io/tls", "data": {"tls.crt": "YQ==", "tls.key": "Yg=="}}),
                ),
            ],
        },
        Subject {
            path: "/api/v1/namespaces/default/configmaps",
            objects: vec![object(
                "v1",
                "ConfigMap",
                json!({"data": {"ca.crt": "x", "b": ""}, "binaryData": {"c": "YQ=="}}),
            )],
        },
        Subject {
            path: "/api/v1/namespaces",
            objects: vec![cluster(object("v1", "Namespace", json!({})))],
        },
        Subject {
            path: "/api/v1/namespaces/default/pods",
            objects: vec![object(
                "v1",
                "Pod",
                json!({"spec": {"containers": [{"name": "a", "image": "a"}]}}),
            )],
        },
        Subject {
            path: "/apis/certificates.k8s.io/v1beta1/clustertrustbundles",
            objects: vec![cluster(object(
                "certificates.k8s.io/v1beta1",
                "ClusterTrustBundle",
                json!({"spec": {"trustBundle": CERTIFICATE}}),
            ))],
        },
    ]
}

/// A bundle has to hold certificates, which the server looks into.
const CERTIFICATE: &str = include_str!("root.pem");

const TEXTS: &[&str] = &[
    "",
    "a",
    "A",
    "a.b",
    "a_b",
    "-a",
    "80",
    "TCP",
    "tcp",
    "IPv4",
    "ClusterIP",
    "LoadBalancer",
    "None",
    "YQ==",
    "YQ",
    "Y Q==",
    "YQ==\n",
    "%",
    "web",
    "192.0.2.7",
    "2001:db8::1",
    "a.example",
    "kubernetes.io/tls",
    "example.com/key",
    "ü",
];

impl Subject {
    /// One of the objects with up to three changes.
    pub fn make(&self, rng: &mut StdRng) -> Value {
        let mut object = self.objects.choose(rng).cloned().unwrap_or_default();
        for _ in 0..rng.random_range(0..4) {
            let mut places = Vec::new();
            collect(&object, "", &mut places);
            if let Some(pointer) = places.choose(rng).cloned() {
                bend(&mut object, &pointer, rng);
            }
        }
        object
    }
}

/// Pointers to everything but what says which kind it is.
fn collect(value: &Value, pointer: &str, places: &mut Vec<String>) {
    // Nothing of a Pod's `spec` is read.
    if pointer == "/spec" && value.get("containers").is_some() {
        return;
    }
    if !["", "/apiVersion", "/kind", "/metadata"].contains(&pointer) {
        places.push(pointer.to_owned());
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                collect(value, &format!("{pointer}/{name}"), places);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                collect(value, &format!("{pointer}/{index}"), places);
            }
        }
        _ => {}
    }
}

fn bend(object: &mut Value, pointer: &str, rng: &mut StdRng) {
    let odd = [
        json!(null),
        json!(true),
        json!(0),
        json!(-7),
        json!(1.5),
        json!(65_536),
        json!(1_u64 << 40),
        json!("80"),
        json!([]),
        json!({}),
        json!([null]),
        json!([{}]),
        json!({"a": null}),
        json!({"": "a"}),
        json!([1]),
    ];
    let Some(value) = object.pointer_mut(pointer) else {
        return;
    };
    let new = match value {
        Value::Object(fields) if rng.random_bool(0.6) => {
            let name = *["k", "K_1", "a/b", "-", "", "k..", "a b"]
                .choose(rng)
                .unwrap_or(&"k");
            let what = match rng.random_range(0..3) {
                0 => odd.choose(rng).cloned(),
                _ => TEXTS.choose(rng).map(|text| json!(text)),
            };
            fields.insert(name.to_owned(), what.unwrap_or_default());
            return;
        }
        Value::Array(items) if rng.random_bool(0.6) => {
            let again = items.choose(rng).cloned();
            items.push(
                again
                    .filter(|_| rng.random_bool(0.4))
                    .or_else(|| odd.choose(rng).cloned())
                    .unwrap_or_default(),
            );
            return;
        }
        Value::String(_) if rng.random_bool(0.6) => TEXTS.choose(rng).map(|text| json!(text)),
        _ => odd.choose(rng).cloned(),
    };
    *value = new.unwrap_or_default();
}

/// What the two say about one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Both take it, or both refuse it.
    Same,
    /// Gatepost takes what the server refuses: the field and the reason, or the message if it cannot be read there.
    Lax(String),
    /// What must not be: gatepost refuses what the server takes, or takes what the server cannot read.
    Wrong(String),
}

/// Sends an object as a dry run.
///
/// # Errors
///
/// If the connection breaks.
pub fn compare(path: &str, object: &Value, client: &mut Client) -> std::io::Result<Outcome> {
    let text = object.to_string();
    let documents = read(&"object".into(), text.as_bytes(), &Limits::default());
    let violations = match documents.as_deref() {
        Ok([document]) => validate(document, Channel::Standard),
        other => return Ok(Outcome::Wrong(format!("not one document: {other:?}"))),
    };
    let refused: Vec<String> = violations
        .iter()
        .filter(|violation| violation.severity == Severity::Refused)
        .map(|violation| format!("{}: {}", violation.field, violation.message))
        .collect();
    let query = "?dryRun=All&fieldValidation=Ignore";
    let response = client.send("POST", &format!("{path}{query}"), &text)?;
    let message = response.body["message"].as_str().unwrap_or_default();
    Ok(match (response.status, refused.is_empty()) {
        (200..300, true) => Outcome::Same,
        (200..300, false) => Outcome::Wrong(format!("refused here alone: {refused:?} of {text}")),
        (422, true) => Outcome::Lax(reasons(&response.body)),
        // The namespace of the object has to be that of the path.
        (400, true) if message.contains("does not match the namespace") => Outcome::Same,
        // What cannot be read, and not what an admission forbids.
        (400, true) => Outcome::Wrong(format!("unreadable there alone: {message} of {text}")),
        (400 | 422, false) => Outcome::Same,
        (status, _) => Outcome::Lax(format!("{status}: {message}")),
    })
}

/// Fields without indices, with the server's reasons.
fn reasons(body: &Value) -> String {
    let causes = body["details"]["causes"].as_array();
    let text = |cause: &Value, name: &str| cause[name].as_str().unwrap_or_default().to_owned();
    let mut found: Vec<String> = causes
        .into_iter()
        .flatten()
        .map(|cause| {
            let field = text(cause, "field").replace(|c: char| c.is_ascii_digit(), "");
            let message = text(cause, "message");
            let message = message.rsplit(": ").next().unwrap_or_default();
            format!("{field} {}: {message}", text(cause, "reason"))
        })
        .collect();
    found.sort();
    found.dedup();
    found.join("; ")
}
