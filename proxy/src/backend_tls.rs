//! TLS toward backends, as a BackendTLSPolicy asks for it.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use gatepost::rule::{BackendTls, Certificate, SubjectAltName, TrustAnchors};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::tls;

/// Settings that are kept at the most; each is made again if it is needed after it was dropped.
const KEPT: usize = 1024;

static NEXT: AtomicU64 = AtomicU64::new(1);

/// The machine's own roots, read once.
static SYSTEM: LazyLock<RootCertStore> = LazyLock::new(|| {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "roots of the machine");
    }
    let mut roots = RootCertStore::empty();
    // Roots that cannot be read trust nobody.
    let _ = roots.add_parsable_certificates(found.certs);
    roots
});

/// How a backend is talked to.
#[derive(Debug)]
pub struct TlsClient {
    /// Differs between settings: connections are kept apart by it.
    pub id: u64,
    name: ServerName<'static>,
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
}

impl TlsClient {
    /// Settings for a backend; `certificate` is the Gateway's, presented if the backend has none of its own.
    ///
    /// # Errors
    ///
    /// If nothing can be trusted, or the certificate cannot be used.
    pub fn new(tls: &BackendTls, certificate: Option<&Certificate>) -> Result<TlsClient, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = match &tls.trust {
            Ok(anchors) => Arc::new(roots(anchors)?),
            Err(why) => return Err(why.to_string()),
        };
        let verifier: Arc<dyn ServerCertVerifier> = if tls.subject_alt_names.is_empty() {
            WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
                .build()
                .map_err(|error| error.to_string())?
        } else {
            Arc::new(ByNames {
                roots,
                names: tls.subject_alt_names.clone(),
                provider: provider.clone(),
            })
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let base = match tls.client_certificate.as_deref().or(certificate) {
            None => builder.with_no_client_auth(),
            Some(certificate) => {
                let (chain, key) = tls::der(certificate);
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| format!("{}: {error}", certificate.secret))?
            }
        };
        let config = |protocol: &[u8]| {
            let mut config = base.clone();
            config.alpn_protocols = vec![protocol.to_vec()];
            Arc::new(config)
        };
        let name = ServerName::try_from(tls.hostname.to_string());
        Ok(TlsClient {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            name: name.map_err(|error| format!("`{}`: {error}", tls.hostname))?,
            http1: config(b"http/1.1"),
            http2: config(b"h2"),
        })
    }

    /// The handshake.
    ///
    /// # Errors
    ///
    /// If it fails: there is no other way to the backend.
    pub async fn connect(
        &self,
        stream: TcpStream,
        http2: bool,
    ) -> io::Result<TlsStream<TcpStream>> {
        let config = if http2 { &self.http2 } else { &self.http1 };
        let connector = TlsConnector::from(config.clone());
        connector.connect(self.name.clone(), stream).await
    }
}

/// Settings that were made, by what they were made of.
#[derive(Debug, Default)]
pub struct TlsClients(Mutex<Vec<Made>>);

#[derive(Debug)]
struct Made {
    tls: Arc<BackendTls>,
    certificate: Option<Arc<Certificate>>,
    client: Result<Arc<TlsClient>, String>,
}

impl TlsClients {
    /// The settings for a backend; equal ones are the same, over any change of the configuration.
    ///
    /// # Errors
    ///
    /// As [`TlsClient::new`].
    pub fn get(
        &self,
        tls: &Arc<BackendTls>,
        certificate: Option<&Arc<Certificate>>,
    ) -> Result<Arc<TlsClient>, String> {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |one: &&mut Made| {
            Arc::ptr_eq(&one.tls, tls)
                && one.certificate.as_ref().map(Arc::as_ptr) == certificate.map(Arc::as_ptr)
        };
        if let Some(one) = made.iter_mut().find(same) {
            return one.client.clone();
        }
        let equal = |one: &&mut Made| one.tls == *tls && one.certificate.as_ref() == certificate;
        if let Some(one) = made.iter_mut().find(equal) {
            (one.tls, one.certificate) = (tls.clone(), certificate.cloned());
            return one.client.clone();
        }
        if made.len() >= KEPT {
            made.remove(0);
        }
        let client = TlsClient::new(tls, certificate.map(AsRef::as_ref)).map(Arc::new);
        made.push(Made {
            tls: tls.clone(),
            certificate: certificate.cloned(),
            client: client.clone(),
        });
        client
    }
}

/// The roots of some anchors.
///
/// # Errors
///
/// If there is none that can be used.
pub fn roots(anchors: &TrustAnchors) -> Result<RootCertStore, String> {
    let roots = match anchors {
        TrustAnchors::System => SYSTEM.clone(),
        TrustAnchors::Certificates(list) => {
            let mut roots = RootCertStore::empty();
            let certificates = list.iter().map(|der| CertificateDer::from(der.to_vec()));
            // One that cannot be used trusts nobody; the others still count.
            let _ = roots.add_parsable_certificates(certificates);
            roots
        }
    };
    if roots.is_empty() {
        return Err("no certificate authority can be used".to_owned());
    }
    Ok(roots)
}

/// Holds a certificate against `subjectAltNames`: one of them has to be in it, and the hostname does not count.
struct ByNames {
    roots: Arc<RootCertStore>,
    names: Vec<SubjectAltName>,
    provider: Arc<CryptoProvider>,
}

impl fmt::Debug for ByNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByNames")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl ServerCertVerifier for ByNames {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(
            &parsed,
            &self.roots,
            intermediates,
            now,
            algorithms,
        )?;
        let certificate = webpki::EndEntityCert::try_from(end_entity)
            .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        let fits = self.names.iter().any(|name| match name {
            SubjectAltName::Hostname(wanted) => certificate
                .valid_dns_names()
                .any(|own| same_name(wanted, own)),
            SubjectAltName::Uri(wanted) => {
                certificate.valid_uri_names().any(|own| own == &**wanted)
            }
        });
        if fits {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::InvalidCertificate(CertificateError::NotValidForName))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Whether a name of a certificate is one that is wanted: a wildcard that is wanted stands for one or more labels, one of the
/// certificate for exactly one (RFC 9525 section 6.3).
fn same_name(wanted: &str, own: &str) -> bool {
    if let Some(suffix) = wanted.strip_prefix('*') {
        let own = own.strip_prefix('*').unwrap_or(own);
        return own.len() >= suffix.len()
            && own.is_char_boundary(own.len() - suffix.len())
            && own
                .split_at(own.len() - suffix.len())
                .1
                .eq_ignore_ascii_case(suffix);
    }
    match own.strip_prefix("*.") {
        Some(parent) => wanted
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(parent)),
        None => own.eq_ignore_ascii_case(wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::same_name;

    #[test]
    fn names_are_the_same_by_labels() {
        for (wanted, own) in [
            ("a.test", "A.test"),
            ("*.test", "a.test"),
            ("*.test", "b.a.test"),
            ("*.test", "*.test"),
            ("a.test", "*.test"),
        ] {
            assert!(same_name(wanted, own), "{wanted} {own}");
        }
        for (wanted, own) in [
            ("a.test", "b.test"),
            ("*.test", "test"),
            ("b.a.test", "*.test"),
            ("*.test", "atest"),
            (".test", "*.test"),
        ] {
            assert!(!same_name(wanted, own), "{wanted} {own}");
        }
    }
}
