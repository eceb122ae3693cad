//! What goes wrong between the client and a backend, and which status says so.

use std::fmt;

use http::StatusCode;

/// The error of any body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a request got no answer from a backend.
#[derive(Debug)]
#[non_exhaustive]
pub enum ForwardError {
    /// The backend has no endpoint.
    NoEndpoint,
    /// No endpoint could be connected to, TLS included.
    Connect(BoxError),
    /// The endpoint said that it has not begun with the request (RFC 9113 section 8.7).
    Refused(BoxError),
    /// The connection broke before an answer came.
    Broken(BoxError),
    /// The answer did not come in time.
    Timeout,
    /// The client's body did not come in time.
    Upload,
}

impl ForwardError {
    /// The status that the client gets.
    pub fn status(&self) -> StatusCode {
        match self {
            ForwardError::NoEndpoint => StatusCode::SERVICE_UNAVAILABLE,
            ForwardError::Connect(_) | ForwardError::Refused(_) | ForwardError::Broken(_) => {
                StatusCode::BAD_GATEWAY
            }
            ForwardError::Timeout => StatusCode::GATEWAY_TIMEOUT,
            ForwardError::Upload => StatusCode::REQUEST_TIMEOUT,
        }
    }

    /// Whether the backend has certainly done nothing, so that any request may go out again.
    pub fn unprocessed(&self) -> bool {
        matches!(self, ForwardError::Connect(_) | ForwardError::Refused(_))
    }
}

impl fmt::Display for ForwardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ForwardError::NoEndpoint => f.write_str("the backend has no endpoint"),
            ForwardError::Connect(error) => {
                write!(f, "the backend cannot be connected to: {error}")
            }
            ForwardError::Refused(error) => write!(f, "the backend refused the request: {error}"),
            ForwardError::Broken(error) => {
                write!(f, "the connection to the backend broke: {error}")
            }
            ForwardError::Timeout => f.write_str("the backend did not answer in time"),
            ForwardError::Upload => f.write_str("the body of the request did not come in time"),
        }
    }
}

impl std::error::Error for ForwardError {}
