//! What a route means when it runs: checked, compiled, and ignorant of Kubernetes beyond names.
//!
//! [`crate::resolve`] builds these values from what users wrote, once, and puts only values here that can be run as they
//! are; [`crate::table`] indexes them and never fails. Nothing in this module reads a wire type.
//!
//! Start at [`Listener`]: it holds the [`Route`]s attached to it, a route holds its [`Rule`]s, and a rule what has to
//! match, what happens to a request that does ([`Filters`]) and where it goes ([`Backends`]).

pub mod backend;
pub mod cors;
pub mod edit;
pub mod external_auth;
pub mod filter;
pub mod grpc;
pub mod headers;
pub mod listener;
pub mod mirror;
pub(crate) mod ordered;
pub mod precedence;
pub mod rare;
pub mod redirect;
pub mod request;
pub mod retry;
pub mod rewrite;
pub mod routes;
pub mod select;
pub mod session;

pub use backend::{
    Backend, BackendDestination, BackendProtocol, BackendTls, InvalidBackend, ServicePort,
    SubjectAltName, TrustAnchors,
};
pub use cors::{Cors, CorsOrigin};
pub use edit::{EditHeaders, EditRequest, Headers};
pub use external_auth::{ExternalAuth, ExternalAuthProtocol};
pub use filter::{BackendFilters, Fault, Filters};
pub use grpc::{GrpcMatch, NameMatch};
pub use headers::{HeaderEdit, HeaderEdits};
pub use listener::{
    Certificate, ClientValidation, Listener, ListenerFilter, ListenerTls, PrivateKey, Protocol,
    TlsMode,
};
pub use mirror::Mirror;
pub use precedence::{Precedence, PrecedenceStep};
pub use rare::{Empty, Rare};
pub use redirect::{Origin, Redirect};
pub use request::{
    HeaderMatch, PathMatch, QueryMatch, RequestConditions, RequestMatch, ValueMatch,
};
pub use retry::{Retry, RetryBudget, Timeouts};
pub use rewrite::{PathModifier, Rewrite};
pub use routes::Routes;
pub use select::{Backends, NoBackend, Picked, Tickets};
pub use session::{SessionPersistence, SessionToken};

use std::sync::Arc;

use crate::hostname::Hostname;
use crate::key::ObjectKey;
use crate::timestamp::Timestamp;

/// A route as it hangs on listeners: its names, its age and its rules.
///
/// One value serves every listener that the route attaches to; the listener's own hostname decides which requests come in.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Kind, namespace and name; the kind says which [`Matches`] its rules hold.
    pub key: Arc<ObjectKey>,
    /// `metadata.creationTimestamp`; `None` (a file without one) counts as newest.
    pub created: Option<Timestamp>,
    /// `spec.hostnames` as written; empty means every host.
    pub hostnames: Vec<Hostname>,
    /// The rules that can be run, in the order of `spec.rules`. Rules that cannot be compiled are not here.
    pub rules: Vec<Arc<Rule>>,
}

/// One rule of a route: what matches, what is done, where it goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Position in the route's `spec.rules`, counted before invalid rules were dropped.
    pub index: u16,
    /// `rules[].name`.
    pub name: Option<Arc<str>>,
    /// What a request has to look like.
    pub matches: Matches,
    /// What happens to a request that matches.
    pub filters: Rare<Filters>,
    /// Where it goes.
    pub backends: Backends,
    /// `rules[].timeouts`.
    pub timeouts: Rare<Timeouts>,
    /// `rules[].retry`.
    pub retry: Option<Box<Retry>>,
    /// `rules[].sessionPersistence` (deprecated upstream in 1.7, still honoured).
    pub session: Option<Box<SessionPersistence>>,
}

/// What the rules of the different kinds of route look at. A rule matches if any entry of its list does.
#[derive(Clone, Debug, PartialEq)]
pub enum Matches {
    /// HTTPRoute. Never empty: without `matches` a rule holds one prefix match of `/`.
    Http(Box<[RequestMatch]>),
    /// GRPCRoute. Never empty: without `matches` a rule holds one match that asks for nothing.
    Grpc(Box<[GrpcMatch]>),
    /// TLSRoute, TCPRoute, UDPRoute: the listener and the route's hostnames say everything.
    Connection,
}

#[cfg(test)]
mod tests {
    use std::mem::size_of;

    use super::*;

    /// Tables hold as many of these as there are rules, and most use next to nothing of what they can say.
    #[test]
    #[cfg(target_pointer_width = "64")]
    fn a_rule_takes_little_room() {
        assert!(size_of::<Rule>() <= 112, "{}", size_of::<Rule>());
        assert!(
            size_of::<RequestMatch>() <= 40,
            "{}",
            size_of::<RequestMatch>()
        );
        assert!(size_of::<Backend>() <= 32, "{}", size_of::<Backend>());
    }
}
