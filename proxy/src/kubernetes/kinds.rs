//! The kinds that are watched, and where the API server has them.

use gatepost::key::{Channel, EXPERIMENTAL_GROUP, GATEWAY_GROUP, Kind, ObjectKey};
use serde_json::{Value, json};

/// How much of a kind is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// Whole objects are watched.
    Whole,
    /// Their metadata is watched; whole objects are asked for when something refers to them.
    Referenced,
    /// Their metadata is watched, and kept where the name is one of the Gateway API.
    Named,
}

/// What routing reads.
pub(super) const WATCHED: &[(Kind, Depth)] = &[
    (Kind::GatewayClass, Depth::Whole),
    (Kind::Gateway, Depth::Whole),
    (Kind::ListenerSet, Depth::Whole),
    (Kind::HttpRoute, Depth::Whole),
    (Kind::GrpcRoute, Depth::Whole),
    (Kind::TlsRoute, Depth::Whole),
    (Kind::TcpRoute, Depth::Whole),
    (Kind::UdpRoute, Depth::Whole),
    (Kind::ReferenceGrant, Depth::Whole),
    (Kind::BackendTlsPolicy, Depth::Whole),
    (Kind::XBackend, Depth::Whole),
    (Kind::XBackendTrafficPolicy, Depth::Whole),
    (Kind::XTelemetryPolicy, Depth::Whole),
    (Kind::Namespace, Depth::Whole),
    (Kind::Service, Depth::Whole),
    (Kind::EndpointSlice, Depth::Referenced),
    (Kind::Secret, Depth::Referenced),
    (Kind::ConfigMap, Depth::Referenced),
    (Kind::CustomResourceDefinition, Depth::Named),
];

/// How much is kept of a kind.
pub(super) fn depth(kind: Kind) -> Depth {
    let row = WATCHED.iter().find(|(watched, _)| *watched == kind);
    row.map_or(Depth::Whole, |(_, depth)| *depth)
}

/// The versions to look for, the preferred one first.
pub(super) fn versions(kind: Kind) -> impl Iterator<Item = &'static str> {
    kind.versions(Channel::Experimental)
}

/// The name of the resource in paths and permissions: lower case, plural.
pub(super) fn plural(kind: Kind) -> String {
    let name = kind.as_str().to_ascii_lowercase();
    match name.as_bytes() {
        [.., b's' | b'h'] => format!("{name}es"),
        [.., before, b'y'] if !b"aeiou".contains(before) => {
            format!("{}ies", &name[..name.len() - 1])
        }
        _ => format!("{name}s"),
    }
}

/// The path of all objects of a kind in a version, or of those in one namespace.
pub(super) fn path(kind: Kind, version: &str, namespace: &str) -> String {
    let root = match kind.group() {
        "" => format!("/api/{version}"),
        group => format!("/apis/{group}/{version}"),
    };
    let plural = plural(kind);
    if namespace.is_empty() {
        format!("{root}/{plural}")
    } else {
        format!("{root}/namespaces/{namespace}/{plural}")
    }
}

/// What the metadata of a CustomResourceDefinition tells of it; `None` if it is not one of the Gateway API.
pub(super) fn definition(metadata: &Value) -> Option<Value> {
    let (plural, group) = metadata["name"].as_str()?.split_once('.')?;
    [GATEWAY_GROUP, EXPERIMENTAL_GROUP]
        .contains(&group)
        .then(|| {
            json!({
                "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": {"name": metadata["name"], "annotations": metadata["annotations"]},
                "spec": {"group": group, "names": {"plural": plural, "kind": ""}, "versions": []},
            })
        })
}

/// The key of an object of a kind, from its metadata.
pub(super) fn key(kind: Kind, object: &Value) -> Option<ObjectKey> {
    let text = |field: &str| object["metadata"][field].as_str();
    let namespace = text("namespace").unwrap_or_default();
    let name = text("name")?;
    (kind.namespaced() != namespace.is_empty()).then(|| ObjectKey::new(kind, namespace, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_kubernetes_own() {
        for (kind, wanted) in [
            (
                Kind::GatewayClass,
                "/apis/gateway.networking.k8s.io/v1/gatewayclasses",
            ),
            (Kind::Gateway, "/apis/gateway.networking.k8s.io/v1/gateways"),
            (
                Kind::BackendTlsPolicy,
                "/apis/gateway.networking.k8s.io/v1/backendtlspolicies",
            ),
            (
                Kind::XBackendTrafficPolicy,
                "/apis/gateway.networking.x-k8s.io/v1alpha1/xbackendtrafficpolicies",
            ),
            (
                Kind::EndpointSlice,
                "/apis/discovery.k8s.io/v1/endpointslices",
            ),
            (
                Kind::XMesh,
                "/apis/gateway.networking.x-k8s.io/v1alpha1/xmeshes",
            ),
            (Kind::Secret, "/api/v1/secrets"),
        ] {
            assert_eq!(path(kind, kind.version(), ""), wanted);
        }
        assert_eq!(
            path(Kind::Secret, "v1", "a"),
            "/api/v1/namespaces/a/secrets"
        );
    }

    #[test]
    fn objects_without_a_fitting_namespace_have_no_key() {
        let object = serde_json::json!({"metadata": {"name": "x", "namespace": "a"}});
        assert!(key(Kind::Gateway, &object).is_some());
        assert!(key(Kind::GatewayClass, &object).is_none());
        assert!(
            key(
                Kind::Gateway,
                &serde_json::json!({"metadata": {"name": "x"}})
            )
            .is_none()
        );
        assert!(key(Kind::Gateway, &Value::Null).is_none());
    }
}
