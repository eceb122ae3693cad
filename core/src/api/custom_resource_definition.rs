//! CustomResourceDefinition: which kinds are there, in which versions and from which bundle.

use super::meta::{Condition, ObjectMeta};

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
