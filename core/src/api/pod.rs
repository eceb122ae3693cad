//! Pod, as far as an XBackend selects it: labels, addresses, readiness.

use super::meta::ObjectMeta;

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
