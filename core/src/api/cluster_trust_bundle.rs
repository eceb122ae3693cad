//! ClusterTrustBundle: certificates of authorities for the whole cluster.

use super::meta::ObjectMeta;

wire! {
    /// `certificatesv1.ClusterTrustBundle`.
    ClusterTrustBundle { metadata: ObjectMeta, spec: ClusterTrustBundleSpec; }
}

wire! {
    /// `certificatesv1.ClusterTrustBundleSpec`.
    ClusterTrustBundleSpec { trust_bundle: String; signer_name: String }
}
