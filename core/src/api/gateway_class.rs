//! GatewayClass.

use super::meta::Condition;
use super::reference::ParametersReference;

kind! {
    /// A class of Gateways, served by one controller.
    GatewayClass { GatewayClassSpec, GatewayClassStatus }
}

wire! {
    /// `GatewayClassSpec`.
    GatewayClassSpec {
        controller_name: String;
        parameters_ref: ParametersReference,
        description: String,
    }
}

wire! {
    /// `GatewayClassStatus`.
    GatewayClassStatus {
        ;
        conditions: Vec<Condition>,
        supported_features: Vec<SupportedFeature>,
    }
}

wire! {
    /// `SupportedFeature`.
    SupportedFeature { name: String; }
}
