//! What resolution found out, in the words of conditions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::backend::Reached;
use crate::api::gateway::FromNamespaces;
use crate::api::meta::LabelSelector;
use crate::api::reference::ParentReference;
use crate::hostname::Hostname;
use crate::key::{Channel, Kind, NamespacedName, ObjectKey};
use crate::rule::{Certificate, ListenerFilter, ListenerTls, Protocol, TlsMode};

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
    AddressesAssigned,
    BackendNotFound,
    ConfigurationChanged,
    Conflicted,
    HostnameConflict,
    IncompatibleFilters,
    Invalid,
    InvalidCACertificateKind,
    InvalidCACertificateRef,
    InvalidCertificateRef,
    InvalidClientCertificateRef,
    InvalidKind,
    InvalidListenerFilter,
    InvalidListenerFilterRef,
    InvalidParameters,
    InvalidRouteKinds,
    ListenersNotResolved,
    ListenersNotValid,
    NoMatchingListenerHostname,
    NoMatchingParent,
    NoValidCACertificate,
    NotAllowed,
    NotAllowedByListeners,
    NotAssigned,
    OverlappingHostnames,
    ParentNotAccepted,
    ParentNotProgrammed,
    PartiallyAssigned,
    PortUnavailable,
    Programmed,
    ProtocolConflict,
    RefNotPermitted,
    ResolvedRefs,
    SupportedVersion,
    TargetNotFound,
    UnsupportedAddress,
    UnsupportedProtocol,
    UnsupportedValue,
    UnsupportedVersion,
);

/// A GatewayClass of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClassFinding {
    /// Whether it is defined by a resource; the implicit class has no status.
    pub defined: bool,
    /// Why it is not accepted.
    pub rejected: Option<Finding>,
    /// Why the CRDs of the cluster are not those that are served.
    pub version: Option<Finding>,
    /// Their channel: features of the experimental one are not claimed where it is not.
    pub channel: Channel,
    /// Whether a Gateway names it: then the class carries the finalizer of the specification.
    pub used: bool,
}

/// A Gateway of ours.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GatewayFinding {
    /// `spec.addresses` as IP addresses, in order; empty: the shared address, or one that the caller assigns.
    pub addresses: Vec<String>,
    /// Entries of `spec.addresses` that cannot be had, and why.
    pub unusable: Option<Finding>,
    /// How many entries `spec.addresses` has, and how many of them ask for a routability, which nothing here can promise.
    pub requested: (usize, usize),
    /// Why none of it is accepted.
    pub rejected: Option<Finding>,
    /// Which reference of its own does not resolve.
    pub unresolved: Option<Finding>,
    /// What it presents to backends that ask (`spec.tls.backend.clientCertificateRef`).
    pub client_certificate: Option<Arc<Certificate>>,
    /// Whether clients without a valid certificate are served somewhere (`AllowInsecureFallback`).
    pub insecure: bool,
    /// Whether it takes routes that ask for default Gateways (`spec.defaultScope`).
    pub default_scope: bool,
    /// Its listeners, in the order of `spec.listeners`.
    pub listeners: Vec<ListenerFinding>,
    /// How many ListenerSets it accepts.
    pub attached_sets: u32,
    /// `spec.infrastructure`: what every object made for it has to carry.
    pub infrastructure: Infrastructure,
    /// The XTelemetryPolicy that counts.
    pub telemetry: Option<ObjectKey>,
}

/// `GatewayInfrastructure` without parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Infrastructure {
    /// `labels`.
    pub labels: BTreeMap<String, String>,
    /// `annotations`.
    pub annotations: BTreeMap<String, String>,
}

/// A ListenerSet whose Gateway is ours.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ListenerSetFinding {
    /// The Gateway.
    pub gateway: NamespacedName,
    /// Why none of it is accepted.
    pub rejected: Option<Finding>,
    /// Its listeners, in the order of `spec.listeners`.
    pub listeners: Vec<ListenerFinding>,
}

impl ListenerSetFinding {
    /// Whether the Gateway admits it and a listener of it can serve: unlike of a Gateway, listeners without a usable
    /// certificate do not count (upstream's ListenerSetReferenceGrant).
    pub fn accepted(&self) -> bool {
        self.rejected.is_none() && self.listeners.iter().any(ListenerFinding::serves)
    }
}

/// A listener.
#[derive(Clone, Debug, PartialEq)]
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
    /// The namespaces of routes that may attach.
    pub namespaces: Namespaces,
    /// Why it is not accepted.
    pub rejected: Option<Finding>,
    /// What it is in conflict with.
    pub conflict: Option<Finding>,
    /// Which reference of it does not resolve.
    pub unresolved: Option<Finding>,
    /// Which listener of the port has a hostname that overlaps.
    pub overlap: Option<Finding>,
    /// TLS mode, certificates and what is asked of clients.
    pub tls: Option<ListenerTls>,
    /// `filters.requests`.
    pub filters: Vec<ListenerFilter>,
    /// What its filters reach.
    pub reached: Reached,
}

/// `allowedRoutes.namespaces`.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Namespaces {
    /// `from`.
    pub from: FromNamespaces,
    /// `selector`.
    pub selector: Option<LabelSelector>,
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
        let certificates = self
            .tls
            .as_ref()
            .is_some_and(|tls| !tls.certificates.is_empty());
        match (self.protocol, self.tls.as_ref().map(|tls| tls.mode)) {
            (Some(Protocol::Https), _) | (Some(Protocol::Tls), Some(TlsMode::Terminate)) => {
                certificates
            }
            (Some(Protocol::Tls), None) => false,
            _ => true,
        }
    }
}

/// A route with a parent of ours.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RouteFinding {
    /// One for each `parentRef` that names a parent of ours, in order; then one for each default Gateway.
    pub parents: Vec<ParentFinding>,
    /// Which reference does not resolve.
    pub unresolved: Option<Finding>,
    /// Why rules were dropped while others serve.
    pub dropped: Option<Finding>,
}

/// What became of one `parentRef`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ParentFinding {
    /// The reference as written.
    pub reference: Arc<ParentReference>,
    /// Why it is not accepted.
    pub rejected: Option<Finding>,
}

/// A policy or an XBackend that a Gateway of ours reaches, or that is about one.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct PolicyFinding {
    /// The Gateways that it matters to.
    pub ancestors: BTreeSet<NamespacedName>,
    /// Why it is not accepted.
    pub rejected: Option<Finding>,
    /// Which reference does not resolve.
    pub unresolved: Option<Finding>,
}
