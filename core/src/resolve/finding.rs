//! What resolution found out, in the words of conditions.

use std::sync::Arc;

use crate::api::reference::ParentReference;
use crate::hostname::Hostname;
use crate::key::Kind;
use crate::rule::{Certificate, Protocol, TlsMode};

/// Why something is not as it should be: the reason of a condition and a message for people.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain pair")]
pub struct Finding {
    /// The reason.
    pub reason: Reason,
    /// What is wrong, where, and what to do.
    pub message: String,
}

impl Finding {
    /// Puts the two together.
    pub fn new(reason: Reason, message: impl Into<String>) -> Finding {
        Finding {
            reason,
            message: message.into(),
        }
    }
}

macro_rules! reasons {
    ($($name:ident),* $(,)?) => {
        /// The reason of a condition (digest 4.2).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[expect(missing_docs, reason = "the names are the specification's")]
        pub enum Reason {
            $($name,)*
        }

        impl Reason {
            /// The reason on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }
    };
}

reasons!(
    Accepted,
    AddressNotAssigned,
    AddressNotUsable,
    BackendNotFound,
    HostnameConflict,
    IncompatibleFilters,
    Invalid,
    InvalidCertificateRef,
    InvalidKind,
    InvalidParameters,
    InvalidRouteKinds,
    ListenersNotValid,
    NoMatchingListenerHostname,
    NoMatchingParent,
    NotAllowedByListeners,
    PortUnavailable,
    Programmed,
    ProtocolConflict,
    RefNotPermitted,
    ResolvedRefs,
    SupportedVersion,
    UnsupportedAddress,
    UnsupportedProtocol,
    UnsupportedValue,
);

/// A GatewayClass of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClassFinding {
    /// Whether it is defined by a resource; the implicit class has no status.
    pub defined: bool,
    /// Why it is not accepted.
    pub rejected: Option<Finding>,
}

/// A Gateway of ours.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GatewayFinding {
    /// `spec.addresses` as IP addresses, in order; empty: the shared address, or one that the caller assigns.
    pub addresses: Vec<String>,
    /// Why none of it is accepted.
    pub rejected: Option<Finding>,
    /// Its listeners, in the order of `spec.listeners`.
    pub listeners: Vec<ListenerFinding>,
}

/// A listener.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ListenerFinding {
    /// `name`.
    pub name: Arc<str>,
    /// `port`; 0 if it is none.
    pub port: u16,
    /// `protocol`, if it is served.
    pub protocol: Option<Protocol>,
    /// `hostname`.
    pub hostname: Option<Hostname>,
    /// The kinds of routes that may attach.
    pub kinds: Vec<Kind>,
    /// Why it is not accepted.
    pub rejected: Option<Finding>,
    /// What it is in conflict with.
    pub conflict: Option<Finding>,
    /// Which reference of it does not resolve.
    pub unresolved: Option<Finding>,
    /// TLS mode and certificates.
    pub tls: Option<(TlsMode, Vec<Arc<Certificate>>)>,
    /// How many routes are attached.
    pub attached: u32,
}

impl ListenerFinding {
    /// Whether it can serve requests.
    pub fn serves(&self) -> bool {
        self.accepted() && self.tls_ready()
    }

    /// Whether it is valid by itself and in no conflict.
    pub fn accepted(&self) -> bool {
        self.rejected.is_none() && self.conflict.is_none()
    }

    fn tls_ready(&self) -> bool {
        match (&self.protocol, &self.tls) {
            (Some(Protocol::Https), Some((_, certificates))) => !certificates.is_empty(),
            (Some(Protocol::Https), None) => false,
            (Some(Protocol::Tls), Some((TlsMode::Terminate, certificates))) => {
                !certificates.is_empty()
            }
            _ => true,
        }
    }
}

/// A route with a parent of ours.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RouteFinding {
    /// One for each `parentRef` that names a parent of ours, in order.
    pub parents: Vec<ParentFinding>,
    /// Which reference does not resolve.
    pub unresolved: Option<Finding>,
    /// Why rules were dropped while others serve.
    pub dropped: Option<Finding>,
}

/// What became of one `parentRef`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ParentFinding {
    /// The reference as written.
    pub reference: ParentReference,
    /// Why it is not accepted.
    pub rejected: Option<Finding>,
}
