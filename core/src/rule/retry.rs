//! Timeouts and retries, as data.

use std::time::Duration;

/// `HTTPRouteTimeouts`. `None` is unset; `0s` in the route is [`Duration::ZERO`] and switches the limit off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// `request`: the whole exchange as the client sees it, retries included.
    pub request: Option<Duration>,
    /// `backendRequest`: each attempt.
    pub backend_request: Option<Duration>,
}

/// `HTTPRouteRetry`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// `codes`, ascending.
    pub codes: Vec<u16>,
    /// `attempts`: retries on top of the first try; 0 switches retries off.
    pub attempts: u32,
    /// `backoff`: the base interval.
    pub backoff: Option<Duration>,
}
