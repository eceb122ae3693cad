//! A request or connection as it comes in, and what becomes of it.

use std::collections::BTreeMap;

/// Header fields by name in lower case, values in order.
pub type Fields = BTreeMap<String, Vec<String>>;

/// What comes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "plain inputs")]
pub enum Protocol {
    /// A request of HTTP/1.1.
    #[default]
    Http11,
    /// A request of HTTP/1.0, which needs no host.
    Http10,
    /// A request of HTTP/2.
    Http2,
    /// The beginning of a TLS connection.
    Tls,
    /// A TCP connection.
    Tcp,
    /// A datagram.
    Udp,
}

/// A request; of connections only port, server name and ticket count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain inputs")]
pub struct Request {
    /// What comes in.
    pub protocol: Protocol,
    /// The listener's port.
    pub port: u16,
    /// The server name, if the connection is TLS and had one.
    pub sni: Option<String>,
    /// The method.
    pub method: String,
    /// The request target.
    pub target: Vec<u8>,
    /// The `:authority` of HTTP/2.
    pub authority: Option<Vec<u8>>,
    /// The values of the Host fields.
    pub hosts: Vec<Vec<u8>>,
    /// The other fields, names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The fields of the backend's answer, names in lower case.
    pub answer: Vec<(String, String)>,
    /// The number that the backend is picked by.
    pub ticket: u64,
}

impl Request {
    /// The number that decides whether a mirror takes the request, for each in turn.
    pub fn draw(&self, mirror: u32) -> u64 {
        self.ticket.rotate_left(17 * (mirror + 1))
    }
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
    /// No rule serves it.
    NotServed {
        /// 404, 421 or 501; 500 if a filter of the listener does not resolve.
        status: u16,
        /// Whom the listener's filters ask all the same.
        plan: Vec<String>,
    },
    /// A rule answers it itself.
    Answered {
        /// Whose.
        rule: Served,
        /// 2xx and 403 of preflights, 3xx of redirects, 400 or 500.
        status: u16,
        /// Where a redirect leads.
        location: Option<String>,
        /// What is to be done before, as in [`Outcome::Forwarded`].
        plan: Vec<String>,
        /// The fields of CORS.
        answer: Fields,
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
        /// The other fields that the backend gets.
        headers: Fields,
        /// What else is to be done, a line each: who is asked, who gets copies, limits, retries, sessions.
        plan: Vec<String>,
        /// The fields of the answer as the client gets them.
        answer: Fields,
    },
    /// The connection is closed, the datagram dropped.
    Closed,
    /// TLS is ended with this certificate; what follows is HTTP.
    Secured {
        /// The Secret.
        certificate: String,
    },
    /// The connection or datagram goes to a backend.
    Connected {
        /// Whose.
        rule: Served,
        /// The Secret of the certificate by which TLS is ended, if it is.
        certificate: Option<String>,
        /// `namespace/service:port`.
        backend: String,
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
            Outcome::NotServed { status: 404, .. } => "404",
            Outcome::NotServed { status: 421, .. } => "421",
            Outcome::NotServed { status: 501, .. } => "501",
            Outcome::NotServed { .. } | Outcome::Answered { status: 500, .. } => "500",
            Outcome::Answered {
                status: 204 | 403, ..
            } => "preflight",
            Outcome::Answered { .. } => "redirect",
            Outcome::Forwarded { .. } => "forward",
            Outcome::Closed => "closed",
            Outcome::Secured { .. } => "secured",
            Outcome::Connected { .. } => "connected",
        }
    }

    /// Whether a route serves it.
    pub fn is_hit(&self) -> bool {
        matches!(
            self,
            Outcome::Answered { .. } | Outcome::Forwarded { .. } | Outcome::Connected { .. }
        )
    }
}
