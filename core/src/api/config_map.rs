//! ConfigMap: certificates of authorities.

use std::collections::BTreeMap;

use super::meta::ObjectMeta;

wire! {
    /// `corev1.ConfigMap`.
    ConfigMap {
        metadata: ObjectMeta;
        data: BTreeMap<String, String>,
        binary_data: BTreeMap<String, String>,
    }
}
