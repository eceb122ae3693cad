//! ReferenceGrant.

wire! {
    /// Lets objects of other namespaces refer to objects of this one.
    ReferenceGrant {
        metadata: super::meta::ObjectMeta,
        #[serde(skip_serializing_if = "super::is_default")]
        spec: ReferenceGrantSpec;
    }
}

wire! {
    /// `ReferenceGrantSpec`.
    ReferenceGrantSpec { from: Vec<ReferenceGrantFrom>, to: Vec<ReferenceGrantTo>; }
}

wire! {
    /// `ReferenceGrantFrom`.
    ReferenceGrantFrom { group: String, kind: String, namespace: String; }
}

wire! {
    /// `ReferenceGrantTo`.
    ReferenceGrantTo { group: String, kind: String; name: String }
}
