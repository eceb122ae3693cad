//! XBackend (experimental).

use std::collections::BTreeMap;

use super::backend_tls_policy::BackendTlsPolicyValidation;
use super::http_route::SessionPersistence;
use super::reference::SecretObjectReference;
use super::status::PolicyStatus;

kind! {
    /// A destination as its consumer sees it: an external hostname, or pods by label.
    XBackend { XBackendSpec, PolicyStatus }
}

wire! {
    /// `BackendSpec`.
    XBackendSpec {
        #[serde(rename = "type")]
        backend_type: XBackendType,
        port: XBackendPort;
        external_hostname: XBackendExternalHostname,
        endpoint_selector: XBackendEndpointSelector,
        protocol: XBackendProtocol,
        tls: XBackendTls,
        session_persistence: SessionPersistence,
    }
}

impl XBackendSpec {
    /// `tls.mode`, `None` by default.
    pub fn tls_mode(&self) -> &XBackendTlsMode {
        self.tls
            .as_ref()
            .map_or(&XBackendTlsMode::None, |tls| &tls.mode)
    }
}

open_enum! {
    /// `BackendType`.
    XBackendType { ExternalHostname = "ExternalHostname", EndpointSelector = "EndpointSelector" }
}

wire! {
    /// `BackendPort`.
    XBackendPort { ; number: i32 }
}

wire! {
    /// `BackendExternalHostname`.
    XBackendExternalHostname { hostname: String; }
}

wire! {
    /// `BackendEndpointSelector`.
    XBackendEndpointSelector { match_labels: BTreeMap<String, String>; }
}

open_enum! {
    /// `BackendProtocol`.
    XBackendProtocol {
        Http = "HTTP",
        Http2 = "HTTP2",
        Http11 = "HTTP11",
        H2c = "H2C",
        Tcp = "TCP",
        Mcp = "MCP",
        Grpc = "GRPC",
        Wss = "WSS",
    }
}

wire! {
    /// `BackendTLS`.
    XBackendTls {
        mode: XBackendTlsMode;
        validation: BackendTlsPolicyValidation,
        client_certificate_ref: SecretObjectReference,
    }
}

open_enum! {
    /// `BackendTLSMode`.
    XBackendTlsMode = None { None = "None", ServerOnly = "ServerOnly", ClientAndServer = "ClientAndServer" }
}
