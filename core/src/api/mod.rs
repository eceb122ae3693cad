//! What users write: the wire types of the Gateway API and of the Kubernetes kinds that routing reads.
//!
//! They are named as upstream's Go types and derive serde, nothing else; one file a kind. Enums are open: a value that
//! is not known is kept, because the specification asks for a condition rather than for a refused manifest. What is
//! absent on the wire is `None` here, so that every object is written as it was read; methods say the API's defaults
//! where readers need them. Fields that are not known live beside the typed object (see [`crate::resources`]).
#![expect(
    missing_docs,
    reason = "fields are the specification's, each documented upstream under the same name"
)]

#[macro_use]
mod macros;

pub mod backend_tls_policy;
pub mod cluster_trust_bundle;
pub mod config_map;
pub mod custom_resource_definition;
pub mod duration;
pub mod endpoint_slice;
pub mod filter;
pub mod gateway;
pub mod gateway_class;
pub mod grpc_route;
pub mod http_route;
pub mod layer4_route;
pub mod listener_set;
pub mod meta;
pub mod namespace;
pub mod object;
pub mod pod;
pub mod reference;
pub mod reference_grant;
pub mod secret;
pub mod service;
pub mod status;
pub mod tcp_route;
pub mod tls_route;
pub mod udp_route;
pub mod x_backend;
pub mod x_backend_traffic_policy;
pub mod x_mesh;
pub mod x_telemetry_policy;

#[cfg(test)]
mod tests;

pub use object::Object;

/// Whether a field says nothing: it may be absent on the wire and stays so.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
