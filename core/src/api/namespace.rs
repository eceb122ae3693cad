//! Namespace: its labels, which listeners select by.

use super::meta::ObjectMeta;

wire! {
    /// `corev1.Namespace`.
    Namespace { metadata: ObjectMeta; }
}
