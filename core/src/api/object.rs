//! An object of any kind.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::backend_tls_policy::BackendTlsPolicy;
use super::cluster_trust_bundle::ClusterTrustBundle;
use super::config_map::ConfigMap;
use super::custom_resource_definition::CustomResourceDefinition;
use super::endpoint_slice::EndpointSlice;
use super::gateway::Gateway;
use super::gateway_class::GatewayClass;
use super::grpc_route::GrpcRoute;
use super::http_route::HttpRoute;
use super::listener_set::ListenerSet;
use super::meta::ObjectMeta;
use super::namespace::Namespace;
use super::pod::Pod;
use super::reference_grant::ReferenceGrant;
use super::secret::Secret;
use super::service::Service;
use super::tcp_route::TcpRoute;
use super::tls_route::TlsRoute;
use super::udp_route::UdpRoute;
use super::x_backend::XBackend;
use super::x_backend_traffic_policy::XBackendTrafficPolicy;
use super::x_mesh::XMesh;
use super::x_telemetry_policy::XTelemetryPolicy;
use crate::key::Kind;

macro_rules! object {
    ($($kind:ident),* $(,)?) => {
        /// A typed object of one of the kinds that gatepost reads.
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum Object {
            $($kind(Box<$kind>),)*
        }

        impl Object {
            /// Its kind.
            pub fn kind(&self) -> Kind {
                match self {
                    $(Self::$kind(_) => Kind::$kind,)*
                }
            }

            /// Its metadata.
            pub fn metadata(&self) -> &ObjectMeta {
                match self {
                    $(Self::$kind(object) => &object.metadata,)*
                }
            }

            /// Its metadata, to be changed.
            pub fn metadata_mut(&mut self) -> &mut ObjectMeta {
                match self {
                    $(Self::$kind(object) => &mut object.metadata,)*
                }
            }

            /// Reads an object of a kind from JSON (`apiVersion` and `kind` are not looked at).
            ///
            /// `null` counts as absent, in maps too, as the API server drops it; it also writes it, as in
            /// `endpoints: null` of an EndpointSlice without endpoints.
            ///
            /// # Errors
            ///
            /// If a field has a type that the kind does not have there.
            pub fn from_json(kind: Kind, mut value: Value) -> Result<Self, serde_json::Error> {
                drop_nulls(&mut value);
                Self::deserialize(kind, value)
            }

            /// The same from anything that serde can read.
            pub(crate) fn deserialize<'de, D: Deserializer<'de>>(kind: Kind, from: D) -> Result<Self, D::Error> {
                Ok(match kind {
                    $(Kind::$kind => Self::$kind(Box::new(Deserialize::deserialize(from)?)),)*
                })
            }

            /// Writes the typed fields as JSON, without `apiVersion` and `kind`.
            ///
            /// # Errors
            ///
            /// None for objects that were read; serde's signature is kept.
            pub fn to_json(&self) -> Result<Value, serde_json::Error> {
                match self {
                    $(Self::$kind(object) => serde_json::to_value(object),)*
                }
            }
        }
    };
}

impl Object {
    /// The typed part of the status, of kinds whose status resolution reads or writes.
    pub(crate) fn status_json(&self) -> Option<Value> {
        fn json<T: serde::Serialize>(status: Option<&T>) -> Option<Value> {
            // INVARIANT: typed objects always serialise; their maps have strings as keys.
            status.map(|status| serde_json::to_value(status).unwrap_or_default())
        }
        match self {
            Self::GatewayClass(object) => json(object.status.as_ref()),
            Self::Gateway(object) => json(object.status.as_ref()),
            Self::ListenerSet(object) => json(object.status.as_ref()),
            Self::HttpRoute(object) => json(object.status.as_ref()),
            Self::GrpcRoute(object) => json(object.status.as_ref()),
            Self::TlsRoute(object) => json(object.status.as_ref()),
            Self::TcpRoute(object) => json(object.status.as_ref()),
            Self::UdpRoute(object) => json(object.status.as_ref()),
            Self::BackendTlsPolicy(object) => json(object.status.as_ref()),
            Self::XBackend(object) => json(object.status.as_ref()),
            Self::XBackendTrafficPolicy(object) => json(object.status.as_ref()),
            Self::XTelemetryPolicy(object) => json(object.status.as_ref()),
            Self::XMesh(object) => json(object.status.as_ref()),
            other => match other.to_json() {
                Ok(Value::Object(mut whole)) => whole.remove("status"),
                _ => None,
            },
        }
    }
}

/// Takes out what is `null` in mappings, at every depth. Items of lists stay, for they have a place there.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, inner| !inner.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

object!(
    GatewayClass,
    Gateway,
    ListenerSet,
    HttpRoute,
    GrpcRoute,
    TlsRoute,
    TcpRoute,
    UdpRoute,
    ReferenceGrant,
    BackendTlsPolicy,
    XBackend,
    XBackendTrafficPolicy,
    XTelemetryPolicy,
    XMesh,
    Namespace,
    Service,
    EndpointSlice,
    Secret,
    ConfigMap,
    Pod,
    ClusterTrustBundle,
    CustomResourceDefinition,
);
