//! TLS toward clients: the certificate of the listener that the server name belongs to, and what is asked of clients.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use gatepost::key::ObjectKey;
use gatepost::rule::{Certificate, ClientValidation, Listener, PrivateKey};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};

use crate::backend_tls::roots;

/// The TLS settings of a socket's listeners: made once, and again when a listener's certificates change.
#[derive(Debug, Default)]
pub struct Certificates(Mutex<BTreeMap<(ObjectKey, Arc<str>), Made>>);

/// Settings that are kept at the most; those of listeners that are gone are among them.
const KEPT: usize = 1024;

#[derive(Debug)]
struct Made {
    certificates: Vec<Arc<Certificate>>,
    validation: Option<Arc<ClientValidation>>,
    config: Arc<ServerConfig>,
}

impl Certificates {
    /// The settings of a listener; `web` offers HTTP/2 and HTTP/1.1, else the protocol inside is nobody's business.
    ///
    /// # Errors
    ///
    /// If there is no certificate that can be used, or clients cannot be judged.
    pub fn config(&self, listener: &Listener, web: bool) -> Result<Arc<ServerConfig>, String> {
        let tls = listener
            .tls
            .as_ref()
            .ok_or("the listener has no TLS settings")?;
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (listener.owner.clone(), listener.name.clone());
        if let Some(made) = made.get(&key)
            && made.certificates == tls.certificates
            && made.validation == tls.client_validation
        {
            return Ok(made.config.clone());
        }
        let config = Arc::new(config(
            &tls.certificates,
            tls.client_validation.as_deref(),
            web,
        )?);
        let new = Made {
            certificates: tls.certificates.clone(),
            validation: tls.client_validation.clone(),
            config: config.clone(),
        };
        if made.len() >= KEPT {
            made.clear();
        }
        made.insert(key, new);
        Ok(config)
    }
}

fn config(
    certificates: &[Arc<Certificate>],
    validation: Option<&ClientValidation>,
    web: bool,
) -> Result<ServerConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = |certificate: &Arc<Certificate>| match certified(certificate, &provider) {
        Ok(key) => Some((certificate.clone(), Arc::new(key))),
        Err(error) => {
            tracing::warn!(secret = %certificate.secret, %error, "certificate cannot be used");
            None
        }
    };
    let keys: Vec<_> = certificates.iter().filter_map(key).collect();
    if keys.is_empty() {
        return Err("no certificate can be used".to_owned());
    }
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match validation {
        None => builder.with_no_client_auth(),
        Some(validation) if validation.insecure_fallback => {
            builder.with_client_cert_verifier(Arc::new(Anybody(provider)))
        }
        Some(validation) => {
            let roots = Arc::new(roots(&validation.trust)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            let verifier = verifier.build().map_err(|error| error.to_string())?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(Keys(keys)));
    if web {
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    }
    Ok(config)
}

/// The certificates of a listener with their keys.
struct Keys(Vec<(Arc<Certificate>, Arc<CertifiedKey>)>);

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(certificate, _)| certificate))
            .finish()
    }
}

impl ResolvesServerCert for Keys {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase);
        choose(&self.0, name.as_deref()).cloned()
    }
}

/// `AllowInsecureFallback`: a certificate is asked for, and whatever comes is taken.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ClientCertVerifier for Anybody {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn choose<'k>(
    keys: &'k [(Arc<Certificate>, Arc<CertifiedKey>)],
    name: Option<&str>,
) -> Option<&'k Arc<CertifiedKey>> {
    let certificates = keys.iter().map(|(certificate, _)| &**certificate);
    let (_, key) = keys.get(Certificate::choose(certificates, name)?)?;
    Some(key)
}

fn certified(
    certificate: &Certificate,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, rustls::Error> {
    let (chain, key) = der(certificate);
    CertifiedKey::from_der(chain, key, provider)
}

/// A certificate's chain and key as TLS takes them.
pub fn der(certificate: &Certificate) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
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
    (chain, key)
}
