//! XMesh (experimental): kept, not served.

use super::gateway_class::SupportedFeature;
use super::meta::Condition;
use super::reference::ParametersReference;

kind! {
    /// A mesh.
    XMesh { XMeshSpec, XMeshStatus }
}

wire! {
    /// `MeshSpec`.
    XMeshSpec {
        controller_name: String;
        description: String,
        parameters_ref: ParametersReference,
    }
}

wire! {
    /// `MeshStatus`.
    XMeshStatus {
        ;
        conditions: Vec<Condition>,
        supported_features: Vec<SupportedFeature>,
    }
}
