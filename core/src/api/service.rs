//! Service, as far as routing reads it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::meta::ObjectMeta;

wire! {
    /// `corev1.Service`.
    Service {
        metadata: ObjectMeta,
        #[serde(skip_serializing_if = "super::is_default")]
        spec: ServiceSpec;
    }
}

wire! {
    /// `corev1.ServiceSpec`.
    ServiceSpec {
        ;
        #[serde(rename = "type")]
        service_type: String,
        selector: BTreeMap<String, String>,
        ports: Vec<ServicePort>,
        #[serde(rename = "clusterIP")]
        cluster_ip: String,
        external_name: String,
    }
}

wire! {
    /// `corev1.ServicePort`.
    ServicePort {
        port: i32;
        name: String,
        protocol: String,
        app_protocol: String,
        target_port: IntOrString,
    }
}

/// `intstr.IntOrString`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[expect(clippy::exhaustive_enums, reason = "the type says what it is")]
pub enum IntOrString {
    Int(i32),
    String(String),
}
