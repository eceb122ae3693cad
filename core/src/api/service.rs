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

impl ServiceSpec {
    /// `type`, `ClusterIP` by default.
    pub fn service_type(&self) -> &str {
        self.service_type.as_deref().unwrap_or("ClusterIP")
    }
}

impl ServicePort {
    /// `protocol`, `TCP` by default.
    pub fn protocol(&self) -> &str {
        self.protocol.as_deref().unwrap_or("TCP")
    }

    /// `targetPort`, the port itself by default.
    pub fn target_port(&self) -> IntOrString {
        self.target_port
            .clone()
            .unwrap_or(IntOrString::Int(self.port))
    }
}
