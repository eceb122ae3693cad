//! CORS.

use http::{HeaderName, Method};

/// `HTTPCORSFilter`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// `allowOrigins`.
    pub origins: Vec<CorsOrigin>,
    /// `allowCredentials`.
    pub credentials: bool,
    /// `allowMethods`; `None` stands for `*`.
    pub methods: Option<Vec<Method>>,
    /// `allowHeaders`; `None` stands for `*`.
    pub headers: Option<Vec<HeaderName>>,
    /// `exposeHeaders`; `None` stands for `*`.
    pub expose_headers: Option<Vec<HeaderName>>,
    /// `maxAge`, in seconds.
    pub max_age: u32,
}

/// One entry of `allowOrigins`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorsOrigin {
    /// `*`.
    Any,
    /// `scheme://host[:port]`.
    Url {
        /// `http` or `https`.
        scheme: Box<str>,
        /// A name in lower case, `*.name` for every name below it, or `*`.
        host: Box<str>,
        /// The port written, or the scheme's default.
        port: u16,
        /// Whether the port was written: `https://*` without a port allows every port.
        port_given: bool,
    },
}
