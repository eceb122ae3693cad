//! TCPRoute.

use super::gateway::DefaultScope;
use super::layer4_route::Layer4Rule;
use super::reference::ParentReference;
use super::status::RouteStatus;

kind! {
    /// TCP connections.
    TcpRoute { TcpRouteSpec, RouteStatus }
}

wire! {
    /// `TCPRouteSpec`.
    TcpRouteSpec {
        rules: Vec<Layer4Rule>;
        parent_refs: Vec<ParentReference>,
        use_default_gateways: DefaultScope,
    }
}
