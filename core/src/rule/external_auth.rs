//! ExternalAuth, as data: the network is the caller's.

use http::HeaderName;

use super::backend::Backend;

/// `HTTPExternalAuthFilter`.
#[derive(Clone, Debug, PartialEq)]
pub struct ExternalAuth {
    /// Who is asked.
    pub backend: Backend,
    /// How.
    pub protocol: ExternalAuthProtocol,
    /// `forwardBody.maxSize` in bytes; 0 sends no body.
    pub forward_body: u32,
}

/// `HTTPExternalAuthFilter.protocol` with its settings.
#[derive(Clone, Debug, PartialEq)]
pub enum ExternalAuthProtocol {
    /// HTTP: 200 allows, everything else is the client's answer.
    Http {
        /// `http.path`: put in front of the client's path.
        path: Box<str>,
        /// `http.allowedHeaders`: sent besides Host, Method, Path, Content-Length and Authorization.
        allowed_headers: Vec<HeaderName>,
        /// `http.allowedResponseHeaders`: copied into the request; empty means all but Host.
        allowed_response_headers: Vec<HeaderName>,
    },
    /// Envoy's ext_authz v3 `Check`.
    Grpc {
        /// `grpc.allowedHeaders`; empty means all.
        allowed_headers: Vec<HeaderName>,
    },
}
