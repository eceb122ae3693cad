//! UDPRoute.

use super::gateway::DefaultScope;
use super::layer4_route::Layer4Rule;
use super::reference::ParentReference;
use super::status::RouteStatus;

kind! {
    /// UDP datagrams.
    UdpRoute { UdpRouteSpec, RouteStatus }
}

wire! {
    /// `UDPRouteSpec`.
    UdpRouteSpec {
        rules: Vec<Layer4Rule>;
        parent_refs: Vec<ParentReference>,
        use_default_gateways: DefaultScope,
    }
}
