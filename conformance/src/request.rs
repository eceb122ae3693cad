//! A request as it comes in, and what becomes of it.

use std::collections::BTreeMap;

/// A request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain inputs")]
pub struct Request {
    /// The listener's port.
    pub port: u16,
    /// The server name, if the connection is TLS and had one.
    pub sni: Option<String>,
    /// The method.
    pub method: String,
    /// The request target.
    pub target: Vec<u8>,
    /// The values of the Host fields.
    pub hosts: Vec<Vec<u8>>,
    /// The other fields, names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The number that the backend is picked by.
    pub ticket: u64,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a request is refused, not served, answered or forwarded"
)]
pub enum Outcome {
    /// Refused with 400 before anything was looked up.
    Refused,
    /// No rule serves it: 404, 421 or 501.
    NotServed(u16),
    /// A rule answers it itself.
    Answered {
        /// Whose.
        rule: Served,
        /// 3xx or 500.
        status: u16,
        /// Where a redirect leads.
        location: Option<String>,
    },
    /// It goes to a backend.
    Forwarded {
        /// Whose.
        rule: Served,
        /// `namespace/service:port`.
        backend: String,
        /// Path and query as the backend gets them.
        target: String,
        /// The Host that the backend gets.
        host: String,
        /// The other fields that the backend gets, by name, values in order.
        headers: BTreeMap<String, Vec<String>>,
    },
}

/// The match that serves a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain outputs")]
pub struct Served {
    /// `Kind/namespace/name`.
    pub route: String,
    /// The rule's position in `spec.rules`.
    pub rule: usize,
    /// The match's position in the rule's `matches`.
    pub matching: usize,
}

impl Outcome {
    /// The class that outcomes are counted by.
    pub fn class(&self) -> &'static str {
        match self {
            Outcome::Refused => "400",
            Outcome::NotServed(404) => "404",
            Outcome::NotServed(421) => "421",
            Outcome::NotServed(_) => "501",
            Outcome::Answered { status: 500, .. } => "500",
            Outcome::Answered { .. } => "redirect",
            Outcome::Forwarded { .. } => "forward",
        }
    }
}
