//! Cases about statuses: manifests, and the conditions that have to come of them. See `conformance/README.md` for the form.

use std::sync::Arc;

use gatepost::controller::Controller;
use gatepost::document::Limits;
use gatepost::key::{Kind, NamespacedName, ObjectKey};
use gatepost::manifest::read;
use gatepost::resources::{Resource, Resources};
use gatepost::rule::ServicePort;
use gatepost::status::{Facts, Statuses};
use gatepost::timestamp::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

/// One case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "the form of a file")]
pub struct Case {
    /// A claim.
    pub name: String,
    /// The rows of `conformance/coverage` that it holds.
    pub source: Vec<String>,
    /// Manifests besides the preset ones; they need not be valid.
    pub manifests: String,
    /// Whether it is Kubernetes: classes have to be defined.
    #[serde(default)]
    pub kubernetes: bool,
    /// Whether no address is there.
    #[serde(default)]
    pub no_address: bool,
    /// Ports that are taken.
    #[serde(default)]
    pub taken: Vec<u16>,
    /// What has to come of it.
    pub expect: Vec<String>,
}

const PRESET: &str = "
{kind: Service, metadata: {name: s}, spec: {ports: [{name: web, port: 80}]}}
---
{kind: Service, metadata: {name: s, namespace: other}, spec: {ports: [{name: web, port: 80}]}}
---
{kind: Namespace, metadata: {name: other, labels: {team: red}}}
---
{kind: Secret, metadata: {name: bad}, type: kubernetes.io/tls, stringData: {tls.crt: none, tls.key: none}}
---
{kind: ConfigMap, metadata: {name: bad}, data: {ca.crt: none}}
---
{kind: ConfigMap, metadata: {name: empty}, data: {}}
";

/// Judges cases; holds a certificate that they share.
#[derive(Debug)]
pub struct Judge {
    certificate: String,
    key: String,
}

impl Judge {
    /// Makes a certificate.
    ///
    /// # Errors
    ///
    /// If none can be made.
    pub fn new() -> Result<Judge, String> {
        let made = rcgen::generate_simple_self_signed(["a.test".to_owned()])
            .map_err(|error| error.to_string())?;
        Ok(Judge {
            certificate: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
        })
    }

    /// The objects that every case finds, as resources.
    ///
    /// # Errors
    ///
    /// If a manifest cannot be read.
    pub fn resources(&self, manifests: &str) -> Result<Resources, String> {
        let mut objects = objects(PRESET)?;
        for namespace in ["app", "other"] {
            objects.push(json!({"kind": "Secret", "metadata": {"name": "cert", "namespace": namespace}, "type": "kubernetes.io/tls", "stringData": {"tls.crt": self.certificate, "tls.key": self.key}}));
            objects.push(json!({"kind": "ConfigMap", "metadata": {"name": "ca", "namespace": namespace}, "data": {"ca.crt": self.certificate}}));
        }
        objects.push(json!({"kind": "ClusterTrustBundle", "metadata": {"name": "bundle"}, "spec": {"trustBundle": self.certificate}}));
        objects.extend(self::objects(manifests)?);
        objects
            .into_iter()
            .map(|object| Resource::from_json(complete(object)).map(Arc::new))
            .collect()
    }

    /// What is wrong about a case.
    ///
    /// # Errors
    ///
    /// If its manifests cannot be read.
    pub fn judge(&self, case: &Case) -> Result<Vec<String>, String> {
        let resources = self.resources(&case.manifests)?;
        let controller = controller(case.kubernetes);
        let resolution = controller.resolve(&resources);
        let mut facts = Facts::ideal();
        if case.no_address {
            facts.default_addresses.clear();
        }
        for port in &case.taken {
            for gateway in resolution.resolved().gateways.keys() {
                facts
                    .unavailable
                    .insert((gateway.clone(), *port), "it is taken".to_owned());
            }
        }
        let statuses = resolution.statuses(&facts);
        let mut wrong = Vec::new();
        for expected in &case.expect {
            let Some((what, wanted)) = expected.split_once(' ') else {
                return Err(format!(
                    "{expected}: expected an object and what is said of it"
                ));
            };
            let found = if let Some(port) = what.strip_prefix("Endpoints/") {
                endpoints(&resolution, port)
            } else if let Some(object) = what.strip_prefix("Finalizers/") {
                finalizers(&statuses, &resources, object)
            } else {
                found(&statuses, &resources, what, wanted)
            };
            if found != wanted {
                wrong.push(format!("{what}: expected {wanted}, found {found}"));
            }
        }
        Ok(wrong)
    }
}

fn controller(kubernetes: bool) -> Controller {
    let mut controller = Controller::default();
    controller.kubernetes = kubernetes;
    controller
}

fn objects(text: &str) -> Result<Vec<Value>, String> {
    let loaded = read("case", text.as_bytes(), &Limits::default());
    if let Some(problem) = loaded.problems.first() {
        return Err(problem.to_string());
    }
    Ok(loaded
        .documents
        .iter()
        .map(|document| document.to_json())
        .collect())
}

/// What a case need not write: `apiVersion`, namespace `app`, class `gatepost`.
fn complete(mut object: Value) -> Value {
    let name = object["kind"].as_str().unwrap_or_default().to_owned();
    if object.get("apiVersion").is_none()
        && let Some(kind) = Kind::all().find(|kind| kind.as_str() == name)
    {
        object["apiVersion"] = json!(kind.api_version());
        if kind.namespaced() && object["metadata"].get("namespace").is_none() {
            object["metadata"]["namespace"] = json!("app");
        }
        if kind == Kind::Gateway && object["spec"].get("gatewayClassName").is_none() {
            object["spec"]["gatewayClassName"] = json!("gatepost");
        }
    }
    object
}

fn key(text: &str) -> Option<ObjectKey> {
    let (kind, name) = text.split_once('/')?;
    let kind = Kind::all().find(|one| one.as_str() == kind)?;
    Some(match name.split_once('/') {
        Some((namespace, name)) => ObjectKey::new(kind, namespace, name),
        None => ObjectKey::new(kind, "", name),
    })
}

/// Reads `Kind/namespace/name`, `…#listener` or `…@parent[#section]`, and there what `wanted` speaks of.
fn found(statuses: &Statuses, resources: &Resources, what: &str, wanted: &str) -> String {
    let (object, entry) = what
        .split_once('@')
        .map_or((what, None), |(o, e)| (o, Some(e)));
    let (object, listener) = match entry {
        None => object
            .split_once('#')
            .map_or((object, None), |(o, l)| (o, Some(l))),
        Some(_) => (object, None),
    };
    let now = Timestamp::from_unix_seconds(0);
    let status = key(object).and_then(|key| statuses.status(&key, resources, now));
    let Some(status) = status else {
        return "no status".to_owned();
    };
    let list = |name: &str| status[name].as_array().cloned().unwrap_or_default();
    let part = match (listener, entry) {
        (Some(name), _) => list("listeners")
            .into_iter()
            .find(|one| one["name"] == name),
        (None, Some(parent)) => {
            let (name, section) = parent
                .split_once('#')
                .map_or((parent, None), |(n, s)| (n, Some(s)));
            let all = list("parents").into_iter().chain(list("ancestors"));
            let member = |one: &Value| match one.get("parentRef") {
                Some(reference) => reference.clone(),
                None => one["ancestorRef"].clone(),
            };
            let mut all = all.filter(|one| {
                let reference = member(one);
                reference["name"] == name && reference["sectionName"].as_str() == section
            });
            all.next()
        }
        (None, None) => Some(status.clone()),
    };
    let Some(part) = part else {
        return "no entry".to_owned();
    };
    let word = wanted
        .trim_start_matches('!')
        .split('=')
        .next()
        .unwrap_or_default();
    match word {
        "attachedRoutes" | "attachedListenerSets" => format!("{word}={}", part[word]),
        "supportedKinds" => format!("{word}={}", joined(&part[word], "kind")),
        "addresses" => format!("{word}={}", joined(&part[word], "value")),
        "listeners" => format!("{word}={}", joined(&part[word], "name")),
        word => {
            let conditions = part["conditions"].as_array().cloned().unwrap_or_default();
            match conditions.iter().find(|one| one["type"] == word) {
                None => format!("!{word}"),
                Some(one) => {
                    let text = |member: &str| one[member].as_str().unwrap_or_default().to_owned();
                    let base = format!("{word}={}/{}", text("status"), text("reason"));
                    // `… ~ text`: the message has to hold the text.
                    match wanted.split_once(" ~ ") {
                        Some((_, part)) if text("message").contains(part) => {
                            format!("{base} ~ {part}")
                        }
                        Some(_) => format!("{base} ~ {}", text("message")),
                        None => base,
                    }
                }
            }
        }
    }
}

fn joined(list: &Value, member: &str) -> String {
    let list = list.as_array().cloned().unwrap_or_default();
    let names: Vec<&str> = list.iter().filter_map(|one| one[member].as_str()).collect();
    names.join(",")
}

/// `[Kind/]namespace/name:port` → the usable addresses.
fn endpoints(resolution: &gatepost::controller::Resolution, port: &str) -> String {
    let (kind, rest) = match port.strip_prefix("XBackend/") {
        Some(rest) => (Kind::XBackend, rest),
        None => (Kind::Service, port),
    };
    let (name, number) = rest.split_once(':').unwrap_or((rest, "80"));
    let Ok(name) = name.parse::<NamespacedName>() else {
        return "no name".to_owned();
    };
    let port = ServicePort {
        kind,
        namespace: name.namespace.into(),
        name: name.name.into(),
        port: number.parse().unwrap_or(0),
    };
    let Some(endpoints) = resolution.endpoints(&port) else {
        return "unknown".to_owned();
    };
    if let Some(external) = &endpoints.external {
        return format!("{}:{}", external.hostname, external.port);
    }
    let addresses: Vec<String> = endpoints
        .usable()
        .map(|one| one.address.to_string())
        .collect();
    if addresses.is_empty() {
        return "none".to_owned();
    }
    addresses.join(",")
}

fn finalizers(statuses: &Statuses, resources: &Resources, object: &str) -> String {
    let found = key(object).and_then(|key| statuses.finalizers(&key, resources));
    found.map_or_else(|| "as they are".to_owned(), |all| all.join(","))
}
