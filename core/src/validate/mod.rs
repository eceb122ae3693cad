//! What an API server would refuse, said offline and with places.
//!
//! The CRDs of Gateway API 1.7 as data: `schema` is the form, one file a kind holds its tables, `walk` judges a
//! document by them, and `formats` and the `rules` beside each kind hold the patterns and the validation rules that
//! the CRDs write in CEL. Each rule stands once and carries the CRD's own message as its name.

mod duration;
mod formats;
mod gateway;
mod kubernetes;
mod metadata;
mod open_api;
mod policies;
mod reference;
mod routes;
mod sameness;
mod schema;
mod session;
mod status;
#[cfg(test)]
mod tests;
mod view;
mod walk;

pub use open_api::open_api;

use crate::document::{Document, Node};
use crate::key::{Channel, Kind};
use crate::problem::{FieldPath, Place, Segment};

/// How an API server would take a violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The object would be refused.
    Refused,
    /// The field is not known: refused under strict validation, dropped with a warning otherwise.
    Unknown,
    /// The field is known in the experimental channel only.
    Experimental,
}

/// One thing that is wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// How bad it is.
    pub severity: Severity,
    /// The rule: a word of the schema (`required`, `type`, `enum`, …) or the message of the CRD's validation rule.
    pub rule: &'static str,
    /// The field at fault, as the API server names it.
    pub field: FieldPath,
    /// Where the value stands, or the nearest thing around it.
    pub place: Place,
    /// What is wrong, with the user's value and what was expected.
    pub message: String,
}

/// Everything that an API server with the CRDs of a channel would find wrong with an object of a kind that is known.
///
/// An object of another kind, or without a kind, has no violations here; reading manifests reports those. The cost is
/// linear in the object, but for rules that compare the entries of a list (at most 64) with each other.
///
/// ```
/// use gatepost::{document::Limits, key::Channel, manifest, validate::validate};
/// let text = b"apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {name: c}\nspec: {controllerName: x}\n";
/// let loaded = manifest::read("class.yaml", text, &Limits::default());
/// let violations = validate(&loaded.documents[0], Channel::Standard);
/// assert_eq!(violations[0].field.to_string(), "spec.controllerName");
/// ```
pub fn validate(document: &Document, channel: Channel) -> Vec<Violation> {
    judge(document, None, channel)
}

/// The same for an object that replaces another of the same kind and key: fields that may not change are compared, and
/// what was there before and stays as it is is not judged again, as an API server does it.
///
/// ```
/// use gatepost::{document::{Document, Limits}, key::Channel, manifest, validate::validate_update};
/// let class = |controller: &str| {
///     let text = format!("apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {{name: c}}\nspec: {{controllerName: {controller}}}\n");
///     manifest::read("class.yaml", text.as_bytes(), &Limits::default()).documents.remove(0)
/// };
/// let violations = validate_update(&class("a.test/b"), &class("a.test/c"), Channel::Standard);
/// assert_eq!(violations[0].rule, "field is immutable");
/// ```
pub fn validate_update(new: &Document, old: &Document, channel: Channel) -> Vec<Violation> {
    judge(new, Some(old.root()), channel)
}

/// What is found wrong with a document, in the order in which it is found.
struct Findings<'d> {
    document: &'d Document,
    violations: Vec<Violation>,
}

impl<'d> Findings<'d> {
    fn new(document: &'d Document) -> Findings<'d> {
        Findings {
            document,
            violations: Vec::new(),
        }
    }

    fn add(&mut self, severity: Severity, rule: &'static str, field: FieldPath, message: String) {
        self.violations.push(Violation {
            severity,
            rule,
            place: self.document.place(&field),
            field,
            message,
        });
    }
}

fn judge(document: &Document, old: Option<&Node>, channel: Channel) -> Vec<Violation> {
    let kind = document.kind().unwrap_or_default();
    let version = document.api_version().unwrap_or_default();
    let (group, version) = version.rsplit_once('/').unwrap_or(("", version));
    let Some(kind) = Kind::from_group_kind(group, kind) else {
        return Vec::new();
    };
    let mut findings = Findings::new(document);
    metadata::judge(kind, document.root(), &mut findings);
    if let Some(schema) = schema_of(kind, version) {
        walk::judge(schema, document.root(), old, channel, &mut findings);
    }
    let mut violations = findings.violations;
    for duplicate in document.duplicates() {
        violations.push(Violation {
            severity: Severity::Refused,
            rule: "duplicate key",
            field: duplicate.field.clone(),
            place: duplicate.place,
            message: format!("this key stands at {} already", duplicate.earlier),
        });
    }
    if kind == Kind::Secret {
        hide_values(&mut violations);
    }
    violations
}

/// Messages show the user's own values, but those of a Secret are not for logs.
fn hide_values(violations: &mut [Violation]) {
    for violation in violations {
        let metadata = matches!(violation.field.segments().first(), Some(Segment::Field(name)) if &**name == "metadata");
        let told = match violation.rule {
            "type" => "has the wrong type (values of Secrets are not shown)",
            "pattern" => "is not base64 with padding (values of Secrets are not shown)",
            _ => continue,
        };
        if !metadata {
            told.clone_into(&mut violation.message);
        }
    }
}

/// The schema of what stands beside `metadata`.
fn schema_of(kind: Kind, version: &str) -> Option<&'static schema::Schema> {
    Some(match kind {
        Kind::GatewayClass => &gateway::GATEWAY_CLASS,
        Kind::Gateway => &gateway::GATEWAY,
        Kind::ListenerSet => &gateway::LISTENER_SET,
        Kind::HttpRoute => &routes::HTTP_ROUTE,
        Kind::GrpcRoute => &routes::GRPC_ROUTE,
        Kind::TlsRoute if version == "v1alpha2" => &routes::TLS_ROUTE_V1ALPHA2,
        Kind::TlsRoute => &routes::TLS_ROUTE,
        Kind::TcpRoute | Kind::UdpRoute if version == "v1alpha2" => &routes::LAYER4_ROUTE_V1ALPHA2,
        Kind::TcpRoute | Kind::UdpRoute => &routes::LAYER4_ROUTE,
        Kind::ReferenceGrant => &reference::REFERENCE_GRANT,
        Kind::BackendTlsPolicy => &policies::BACKEND_TLS_POLICY,
        Kind::XBackend => &policies::X_BACKEND,
        Kind::XBackendTrafficPolicy => &policies::X_BACKEND_TRAFFIC_POLICY,
        Kind::XTelemetryPolicy => &policies::X_TELEMETRY_POLICY,
        Kind::XMesh => &gateway::X_MESH,
        Kind::Service => &kubernetes::SERVICE,
        Kind::EndpointSlice => &kubernetes::ENDPOINT_SLICE,
        Kind::Secret => &kubernetes::SECRET,
        Kind::ConfigMap => &kubernetes::CONFIG_MAP,
        Kind::ClusterTrustBundle => &kubernetes::CLUSTER_TRUST_BUNDLE,
        Kind::Namespace | Kind::Pod | Kind::CustomResourceDefinition => return None,
    })
}
