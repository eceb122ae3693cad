//! Session persistence, as data.

use std::time::Duration;

use http::HeaderName;

/// `SessionPersistence`. It picks an endpoint inside the backend that the weights picked, never the backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionPersistence {
    /// Where the token travels.
    pub token: SessionToken,
    /// `absoluteTimeout`.
    pub absolute_timeout: Option<Duration>,
}

/// The type of a session with its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionToken {
    /// A cookie.
    Cookie {
        /// `cookie.name`; `None`: the caller makes a unique one.
        name: Option<Box<str>>,
        /// `cookie.path`.
        path: Box<str>,
        /// `cookie.lifetimeType` is Permanent: the absolute timeout is told to the client.
        permanent: bool,
    },
    /// A header field.
    Header(HeaderName),
}
