//! TLSRoute.

use super::gateway::DefaultScope;
use super::layer4_route::Layer4Rule;
use super::reference::ParentReference;
use super::status::RouteStatus;

kind! {
    /// TLS connections of some server names.
    TlsRoute { TlsRouteSpec, RouteStatus }
}

wire! {
    /// `TLSRouteSpec`.
    TlsRouteSpec {
        rules: Vec<Layer4Rule>;
        parent_refs: Vec<ParentReference>,
        hostnames: Vec<String>,
        use_default_gateways: DefaultScope,
    }
}
