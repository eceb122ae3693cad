//! Namespace, Secret, ConfigMap, Pod, ClusterTrustBundle and CustomResourceDefinition, as far as routing reads them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::meta::{Condition, ObjectMeta};

wire! {
    /// `corev1.Namespace`.
    Namespace { metadata: ObjectMeta; }
}

/// `corev1.Secret`. `Debug` shows the names of its entries, never their values.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Secret {
    pub metadata: ObjectMeta,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub secret_type: Option<String>,
    /// Values in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<BTreeMap<String, String>>,
    /// Values as they are; they win over `data`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub string_data: Option<BTreeMap<String, String>>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |data: &Option<BTreeMap<String, String>>| -> Vec<String> {
            data.iter().flat_map(|data| data.keys().cloned()).collect()
        };
        f.debug_struct("Secret")
            .field("namespace", &self.metadata.namespace)
            .field("name", &self.metadata.name)
            .field("type", &self.secret_type)
            .field("data", &names(&self.data))
            .field("string_data", &names(&self.string_data))
            .finish_non_exhaustive()
    }
}

wire! {
    /// `corev1.ConfigMap`.
    ConfigMap {
        metadata: ObjectMeta;
        data: BTreeMap<String, String>,
        binary_data: BTreeMap<String, String>,
    }
}

wire! {
    /// `corev1.Pod`: labels and addresses.
    Pod { metadata: ObjectMeta; status: PodStatus }
}

wire! {
    /// `corev1.PodStatus`.
    PodStatus {
        ;
        phase: String,
        #[serde(rename = "podIP")]
        pod_ip: String,
        #[serde(rename = "podIPs")]
        pod_ips: Vec<PodIp>,
        conditions: Vec<PodCondition>,
    }
}

wire! {
    /// `corev1.PodIP`.
    PodIp { ip: String; }
}

wire! {
    /// `corev1.PodCondition`.
    PodCondition {
        #[serde(rename = "type")]
        condition_type: String,
        status: String;
    }
}

wire! {
    /// `certificatesv1.ClusterTrustBundle`.
    ClusterTrustBundle { metadata: ObjectMeta, spec: ClusterTrustBundleSpec; }
}

wire! {
    /// `certificatesv1.ClusterTrustBundleSpec`.
    ClusterTrustBundleSpec { trust_bundle: String; signer_name: String }
}

wire! {
    /// `apiextensionsv1.CustomResourceDefinition`: which kinds there are, in which bundle.
    CustomResourceDefinition {
        metadata: ObjectMeta,
        spec: CustomResourceDefinitionSpec;
        status: CustomResourceDefinitionStatus,
    }
}

wire! {
    /// `apiextensionsv1.CustomResourceDefinitionSpec`.
    CustomResourceDefinitionSpec {
        group: String,
        names: CustomResourceDefinitionNames,
        versions: Vec<CustomResourceDefinitionVersion>;
    }
}

wire! {
    /// `apiextensionsv1.CustomResourceDefinitionNames`.
    CustomResourceDefinitionNames { kind: String, plural: String; }
}

wire! {
    /// `apiextensionsv1.CustomResourceDefinitionVersion`.
    CustomResourceDefinitionVersion { name: String, served: bool, storage: bool; }
}

wire! {
    /// `apiextensionsv1.CustomResourceDefinitionStatus`.
    CustomResourceDefinitionStatus { ; conditions: Vec<Condition> }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_a_secret_shows_no_data() {
        let secret: Secret = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "s"},
            "data": {"tls.key": "c2VjcmV0"},
            "stringData": {"token": "hunter2"},
        }))
        .expect("a Secret");
        let text = format!("{secret:?}");
        assert!(text.contains("tls.key") && text.contains("token"), "{text}");
        assert!(
            !text.contains("c2VjcmV0") && !text.contains("hunter2"),
            "{text}"
        );
    }
}
