//! What TLSRoute, TCPRoute and UDPRoute share.

use super::reference::BackendRef;

wire! {
    /// `TLSRouteRule`, `TCPRouteRule` and `UDPRouteRule`, which are the same.
    Layer4Rule {
        ;
        name: String,
        backend_refs: Vec<BackendRef>,
    }
}
