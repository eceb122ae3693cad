//! Listeners as the table runs them.

use std::fmt;
use std::sync::Arc;

use super::backend::TrustAnchors;
use super::external_auth::ExternalAuth;
use super::filter::Fault;
use super::routes::Routes;
use crate::hostname::Hostname;
use crate::key::ObjectKey;

/// A listener that serves: accepted, not in conflict, its references resolved as far as serving needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Listener {
    /// The Gateway or ListenerSet that holds it.
    pub owner: ObjectKey,
    /// The Gateway that it belongs to in the end (`owner` itself, or the ListenerSet's parent).
    pub gateway: crate::key::NamespacedName,
    /// `name`.
    pub name: Arc<str>,
    /// `port`, as the specification counts it: never offset.
    pub port: u16,
    /// `protocol`.
    pub protocol: Protocol,
    /// `hostname`; `None` takes every host.
    pub hostname: Option<Hostname>,
    /// `tls`, for HTTPS and TLS.
    pub tls: Option<ListenerTls>,
    /// What the Gateway presents to backends that ask (`Gateway.spec.tls.backend.clientCertificateRef`).
    pub backend_client_certificate: Option<Arc<Certificate>>,
    /// `filters.requests`, in list order.
    pub filters: Vec<ListenerFilter>,
    /// The routes attached to it.
    pub routes: Routes,
}

/// `Listener.protocol`, of those that are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the specification's")]
pub enum Protocol {
    Http,
    Https,
    Tls,
    Tcp,
    Udp,
}

/// `ListenerTLSConfig`, resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct ListenerTls {
    /// `mode`.
    pub mode: TlsMode,
    /// The certificates, in the order of `certificateRefs`; empty for passthrough.
    pub certificates: Vec<Arc<Certificate>>,
    /// What is asked of clients (`Gateway.spec.tls.frontend`).
    pub client_validation: Option<Arc<ClientValidation>>,
}

/// `TLSModeType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// The gateway ends TLS.
    Terminate,
    /// The backend does; the gateway reads the ClientHello only.
    Passthrough,
}

/// A certificate and its key, decoded from a Secret. `Debug` shows no key.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The Secret that it comes from.
    pub secret: ObjectKey,
    /// `tls.crt`: the chain, leaf first, DER.
    pub chain: Vec<Arc<[u8]>>,
    /// `tls.key`, DER.
    pub key: PrivateKey,
    /// The DNS names of the leaf's subject alternative names, lower case.
    pub names: Vec<Box<str>>,
}

impl Certificate {
    /// Which of several certificates is shown for a server name: the one that has the very name, else the one with the
    /// longest wildcard that means it, else the first (S:certificate). A wildcard of a certificate stands for one label
    /// (RFC 9525 section 6.3).
    ///
    /// `name` is in lower case. The answer counts the certificates from 0; `None` if there are none. The cost is linear in
    /// their names.
    pub fn choose<'c>(
        certificates: impl IntoIterator<Item = &'c Certificate>,
        name: Option<&str>,
    ) -> Option<usize> {
        let fit = |own: &str| {
            let name = name?;
            let rest = name.split_once('.').map(|(_, rest)| rest);
            match own.strip_prefix("*.") {
                Some(suffix) => (rest == Some(suffix)).then_some((false, own.len())),
                None => (own == name).then_some((true, own.len())),
            }
        };
        let fits = certificates
            .into_iter()
            .map(|own| own.names.iter().filter_map(|name| fit(name)).max());
        let best = fits
            .enumerate()
            .max_by_key(|&(at, fit)| (fit, std::cmp::Reverse(at)));
        best.map(|(at, _)| at)
    }
}

/// A private key, DER. `Debug` shows its form only.
#[derive(Clone, PartialEq, Eq)]
pub enum PrivateKey {
    /// PKCS #1.
    Pkcs1(Arc<[u8]>),
    /// SEC 1.
    Sec1(Arc<[u8]>),
    /// PKCS #8.
    Pkcs8(Arc<[u8]>),
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PrivateKey::Pkcs1(_) => "Pkcs1(…)",
            PrivateKey::Sec1(_) => "Sec1(…)",
            PrivateKey::Pkcs8(_) => "Pkcs8(…)",
        })
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("secret", &self.secret)
            .field("names", &self.names)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// `FrontendTLSValidation`, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientValidation {
    /// Who may have signed a client's certificate.
    pub trust: TrustAnchors,
    /// `mode: AllowInsecureFallback`: clients without a valid certificate are served too.
    pub insecure_fallback: bool,
}

/// One entry of `listeners[].filters.requests`.
#[derive(Clone, Debug, PartialEq)]
pub enum ListenerFilter {
    /// `ExternalAuth`.
    ExternalAuth(Box<ExternalAuth>),
    /// One that could not be resolved: requests get a 500.
    Fault(Fault),
}
