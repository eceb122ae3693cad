//! TLS toward clients: the certificate of the listener that the server name belongs to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use gatepost::key::ObjectKey;
use gatepost::rule::{Certificate, Listener, PrivateKey};
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::state::Plane;

/// Chooses certificates by the table that is served when a connection comes in.
pub struct Certificates {
    plane: Arc<Plane>,
    port: u16,
    /// Keys that were parsed, with the certificate that they belong to.
    parsed: Mutex<BTreeMap<ObjectKey, Parsed>>,
}

/// A certificate and the key that was made of it.
type Parsed = (Arc<Certificate>, Arc<CertifiedKey>);

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates")
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// The TLS settings of a port.
///
/// # Errors
///
/// None but those of the crypto provider, which is built in.
pub fn server_config(plane: &Arc<Plane>, port: u16) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificates = Certificates {
        plane: plane.clone(),
        port,
        parsed: Mutex::default(),
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(certificates));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let served = self.plane.served.load();
        let name = hello.server_name().map(str::to_ascii_lowercase);
        let found = served.table.find_tls(self.port, name.as_deref()).ok()?;
        let certificate = choose(found.listener, name.as_deref())?;
        self.key(certificate)
    }
}

/// Of several certificates the one with the most specific name that fits; else the first.
fn choose<'l>(listener: &'l Listener, name: Option<&str>) -> Option<&'l Arc<Certificate>> {
    let certificates = &listener.tls.as_ref()?.certificates;
    let fit = |certificate: &Certificate| {
        let name = name?;
        let fits = |own: &str| match own.strip_prefix('*') {
            // A wildcard of a certificate stands for one label (RFC 9525 section 6.3).
            Some(suffix) => name
                .strip_suffix(suffix)
                .is_some_and(|label| !label.is_empty() && !label.contains('.')),
            None => own == name,
        };
        certificate
            .names
            .iter()
            .filter(|own| fits(own))
            .map(|own| own.len())
            .max()
    };
    let best = certificates
        .iter()
        .enumerate()
        .max_by_key(|(at, certificate)| (fit(certificate), std::cmp::Reverse(*at)));
    best.map(|(_, certificate)| certificate)
}

impl Certificates {
    fn key(&self, certificate: &Arc<Certificate>) -> Option<Arc<CertifiedKey>> {
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, key)) = parsed.get(&certificate.secret)
            && known == certificate
        {
            return Some(key.clone());
        }
        match certified(certificate) {
            Ok(key) => {
                let key = Arc::new(key);
                parsed.insert(
                    certificate.secret.clone(),
                    (certificate.clone(), key.clone()),
                );
                Some(key)
            }
            Err(error) => {
                tracing::warn!(secret = %certificate.secret, %error, "certificate cannot be used");
                None
            }
        }
    }
}

fn certified(certificate: &Certificate) -> Result<CertifiedKey, rustls::Error> {
    let chain = certificate
        .chain
        .iter()
        .map(|der| CertificateDer::from(der.to_vec()))
        .collect();
    let key = match &certificate.key {
        PrivateKey::Pkcs1(der) => PrivateKeyDer::Pkcs1(der.to_vec().into()),
        PrivateKey::Sec1(der) => PrivateKeyDer::Sec1(der.to_vec().into()),
        PrivateKey::Pkcs8(der) => PrivateKeyDer::Pkcs8(der.to_vec().into()),
    };
    CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider())
}
