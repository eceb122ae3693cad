//! TLSRoute, TCPRoute and UDPRoute: connections and datagrams.

use super::gateway::DefaultScope;
use super::reference::{BackendRef, ParentReference};
use super::status::RouteStatus;

kind! {
    /// TLS connections of some server names.
    TlsRoute { TlsRouteSpec, RouteStatus }
}

kind! {
    /// TCP connections.
    TcpRoute { TcpRouteSpec, RouteStatus }
}

kind! {
    /// UDP datagrams.
    UdpRoute { UdpRouteSpec, RouteStatus }
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

wire! {
    /// `TCPRouteSpec`.
    TcpRouteSpec {
        rules: Vec<Layer4Rule>;
        parent_refs: Vec<ParentReference>,
        use_default_gateways: DefaultScope,
    }
}

wire! {
    /// `UDPRouteSpec`.
    UdpRouteSpec {
        rules: Vec<Layer4Rule>;
        parent_refs: Vec<ParentReference>,
        use_default_gateways: DefaultScope,
    }
}

wire! {
    /// `TLSRouteRule`, `TCPRouteRule` and `UDPRouteRule`, which are the same.
    Layer4Rule {
        ;
        name: String,
        backend_refs: Vec<BackendRef>,
    }
}
