//! RequestRedirect.

use http::StatusCode;

use super::rewrite::PathModifier;

/// `HTTPRequestRedirectFilter`. What is absent is taken from the request and its listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// `scheme`: `http` or `https`.
    pub scheme: Option<Box<str>>,
    /// `hostname`.
    pub hostname: Option<Box<str>>,
    /// `path`.
    pub path: Option<PathModifier>,
    /// `port`.
    pub port: Option<u16>,
    /// `statusCode`: 301, 302, 303, 307 or 308.
    pub status: StatusCode,
}
