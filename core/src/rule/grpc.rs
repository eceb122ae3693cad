//! What a GRPCRoute match asks of a request.

use super::request::{HeaderMatch, ValueMatch};

/// One entry of `GRPCRouteRule.matches`: all of it has to hold.
#[derive(Clone, Debug, PartialEq)]
pub struct GrpcMatch {
    /// Position in the rule's `matches`.
    pub index: u16,
    /// `method.service`: the first path segment.
    pub service: Option<NameMatch>,
    /// `method.method`: the second path segment.
    pub method: Option<NameMatch>,
    /// `headers`, at most one entry a name.
    pub headers: Vec<HeaderMatch>,
}

/// A service or method name: exact, or a regular expression over the whole name.
pub type NameMatch = ValueMatch;
