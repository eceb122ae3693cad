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
    /// No endpoint could be connected to.
    Connect(BoxError),
    /// The connection broke before an answer came.
    Broken(BoxError),
    /// The answer did not come in time.
    Timeout,
    /// The request cannot be written for the backend.
    Request(BoxError),
}

impl ForwardError {
    /// The status that the client gets.
    pub fn status(&self) -> StatusCode {
        match self {
            ForwardError::NoEndpoint => StatusCode::SERVICE_UNAVAILABLE,
            ForwardError::Connect(_) | ForwardError::Broken(_) => StatusCode::BAD_GATEWAY,
            ForwardError::Timeout => StatusCode::GATEWAY_TIMEOUT,
            ForwardError::Request(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl fmt::Display for ForwardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ForwardError::NoEndpoint => f.write_str("the backend has no endpoint"),
            ForwardError::Connect(error) => {
                write!(f, "the backend cannot be connected to: {error}")
            }
            ForwardError::Broken(error) => {
                write!(f, "the connection to the backend broke: {error}")
            }
            ForwardError::Timeout => f.write_str("the backend did not answer in time"),
            ForwardError::Request(error) => write!(f, "the request cannot be written: {error}"),
        }
    }
}

impl std::error::Error for ForwardError {}
