//! Cases about statuses: manifests, and the conditions that have to come of them. See `conformance/README.md` for the form.

use std::sync::Arc;

use gatepost::controller::Controller;
use gatepost::document::Limits;
use gatepost::key::Kind;
use gatepost::manifest::read;
use gatepost::resources::{Resource, Resources};
use gatepost::status::Facts;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::certificates;
use crate::expectation::Found;

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

impl Default for Judge {
    fn default() -> Self {
        let (certificate, key) = certificates::made(&["a.test"]);
        Judge { certificate, key }
    }
}

impl Judge {
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
    /// If its manifests cannot be read, or an expectation speaks of what there cannot be: it might hold for ever.
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
        let found = Found {
            resources: &resources,
            resolution: &resolution,
            statuses: &statuses,
        };
        let mut wrong = Vec::new();
        for expected in &case.expect {
            let (what, wanted) = expected
                .split_once(' ')
                .ok_or_else(|| format!("{expected}: expected an object and what is said of it"))?;
            let found = found
                .of(what, wanted)
                .map_err(|why| format!("{expected}: {why}"))?;
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
