//! Backends: where a request may go, without addresses.

use std::fmt;
use std::sync::Arc;

use super::filter::BackendFilters;
use super::listener::Certificate;
use super::rare::Rare;
use super::retry::RetryBudget;
use super::session::SessionPersistence;

/// One entry of `backendRefs`. An invalid one keeps its place and its share.
#[derive(Clone, Debug, PartialEq)]
pub struct Backend {
    /// Position in the rule's `backendRefs`.
    pub index: u16,
    /// `weight`, 0 to 1,000,000.
    pub weight: u32,
    /// Where it goes, or why it cannot.
    pub destination: Result<Arc<BackendDestination>, Arc<InvalidBackend>>,
    /// `backendRefs[].filters`.
    pub filters: Rare<BackendFilters>,
}

/// A destination that exists. Its addresses are looked up by [`ServicePort`]; they change far more often than routes.
#[derive(Clone, Debug, PartialEq)]
pub struct BackendDestination {
    /// The Service (or XBackend) and its port.
    pub port: ServicePort,
    /// What is spoken there (`Service.spec.ports[].appProtocol`, `XBackend.spec.protocol`).
    pub protocol: BackendProtocol,
    /// TLS toward it (BackendTLSPolicy, `XBackend.spec.tls`); `None` is clear text.
    pub tls: Option<Arc<BackendTls>>,
    /// Sessions inside it (`XBackend.spec.sessionPersistence`, or the deprecated one of an XBackendTrafficPolicy).
    pub session: Option<Arc<SessionPersistence>>,
    /// How many retries it may get (XBackendTrafficPolicy); `None` leaves that to the caller.
    pub retry_budget: Option<Arc<RetryBudget>>,
}

/// A port of a Service or XBackend: the name under which addresses are kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServicePort {
    /// The kind that is referred to: `Service` or `XBackend`.
    pub kind: crate::key::Kind,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// The port's number in the Service (not the pods').
    pub port: u16,
}

impl fmt::Display for ServicePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.namespace, self.name, self.port)
    }
}

/// What a backend speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackendProtocol {
    /// Not said: HTTP/1.1 for HTTPRoutes, HTTP/2 for GRPCRoutes, bytes for the rest.
    #[default]
    Unspecified,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 with prior knowledge (`kubernetes.io/h2c`), or over TLS.
    Http2,
    /// WebSocket (`kubernetes.io/ws`, `kubernetes.io/wss`).
    WebSocket,
    /// Bytes.
    Tcp,
}

/// TLS toward a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendTls {
    /// `validation.hostname`: always the SNI; the identity too where no alternative names are listed.
    pub hostname: Box<str>,
    /// Whom to trust. `Err` says why nothing can be trusted: every connection fails.
    pub trust: Result<TrustAnchors, Arc<str>>,
    /// `validation.subjectAltNames`: one of them has to be in the certificate.
    pub subject_alt_names: Vec<SubjectAltName>,
    /// The backend's own client certificate (`XBackend.spec.tls.clientCertificateRef`); else the listener's is presented.
    pub client_certificate: Option<Arc<Certificate>>,
}

/// Certificates that end a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustAnchors {
    /// Those of the machine (`wellKnownCACertificates: System`).
    System,
    /// These, DER.
    Certificates(Vec<Arc<[u8]>>),
}

/// `SubjectAltName`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectAltName {
    /// A DNS name; `*.` at its start stands for one or more labels.
    Hostname(Box<str>),
    /// A URI, compared byte for byte.
    Uri(Box<str>),
}

/// Why a backend cannot be used; its share of requests gets a 500.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidBackend {
    /// The reason of ResolvedRefs, such as `BackendNotFound`.
    pub reason: &'static str,
    /// For logs and `explain`; never sent to clients.
    pub message: Arc<str>,
}
