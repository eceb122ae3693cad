//! ReferenceGrant.

wire! {
    /// Lets objects of other namespaces refer to objects of this one.
    ReferenceGrant {
        metadata: super::meta::ObjectMeta,
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
