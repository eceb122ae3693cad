//! TLS on both sides: who is trusted, which names count, and what is presented.

use std::net::SocketAddr;
use std::sync::Arc;

use gatepost::key::{Kind, NamespacedName, ObjectKey};
use gatepost::rule::{
    BackendTls, Certificate, ClientValidation, Listener, ListenerTls, PrivateKey, Protocol,
    SubjectAltName, TlsMode, TrustAnchors,
};
use gatepost_proxy::backend_tls::{TlsClient, TlsClients};
use gatepost_proxy::tls::Certificates;
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair, SanType};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A certificate with its key, signed by an authority of its own.
pub(crate) struct Key {
    root: CertificateDer<'static>,
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Key {
    pub(crate) fn of(name: &str) -> Key {
        Key::with(vec![SanType::DnsName(name.try_into().expect("a name"))])
    }

    fn with(names: Vec<SanType>) -> Key {
        let mut authority = CertificateParams::new(Vec::new()).expect("sound");
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key"))
                .expect("signed");
        let mut params = CertificateParams::new(Vec::new()).expect("sound");
        params.subject_alt_names = names;
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &authority).expect("signed");
        Key {
            root: authority.der().clone(),
            certificate,
            key,
        }
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).expect("sound");
        roots
    }

    fn private(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.key.serialize_der().into())
    }

    fn own(&self) -> Certificate {
        Certificate {
            secret: ObjectKey::new(Kind::Secret, "app", "crt"),
            chain: vec![self.certificate.der().to_vec().into()],
            key: PrivateKey::Pkcs8(self.key.serialize_der().into()),
            names: Vec::new(),
        }
    }

    fn anchors(&self) -> TrustAnchors {
        TrustAnchors::Certificates(vec![self.root.to_vec().into()])
    }

    pub(crate) fn secret(&self, name: &str) -> String {
        format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: app}}\ntype: kubernetes.io/tls\n\
             stringData: {{tls.crt: {:?}, tls.key: {:?}}}\n",
            self.certificate.pem(),
            self.key.serialize_pem()
        )
    }

    /// A ConfigMap with the authority.
    pub(crate) fn bundle(&self, name: &str) -> String {
        let body = crate::serve::base64(&self.root);
        let pem = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
        format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: app}}\ndata: {{ca.crt: {pem:?}}}\n"
        )
    }

    /// Connects to loopback, trusting only the authority of this key.
    pub(crate) async fn connect(
        &self,
        port: u16,
        name: &'static str,
        own: Option<&Key>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(self.roots());
        let config = match own {
            None => builder.with_no_client_auth(),
            Some(own) => builder
                .with_client_auth_cert(vec![own.certificate.der().clone()], own.private())
                .expect("sound"),
        };
        let stream = TcpStream::connect(("127.0.0.1", port))
            .await
            .expect("connected");
        let name = ServerName::try_from(name).expect("a name");
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
    }
}

/// A TLS server that gives back what it hears; clients are asked for a certificate of `clients` if that is given.
pub(crate) async fn echo(key: &Key, clients: Option<&Key>) -> SocketAddr {
    serve(config(key, clients)).await
}

/// An HTTPS server that answers every request with the server name that it was asked by, and whether the client showed a
/// certificate.
pub(crate) async fn web(key: &Key, clients: Option<&Key>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let config = config(key, clients);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = TlsAcceptor::from(config.clone());
            tokio::spawn(async move {
                let mut stream = acceptor.accept(stream).await?;
                let session = stream.get_ref().1;
                let name = session.server_name().unwrap_or_default().to_owned();
                let shown = session.peer_certificates().is_some();
                let body = format!("{name} {shown}");
                let length = body.len();
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
                let mut head = Vec::new();
                while stream.read_buf(&mut head).await? > 0 {
                    if head.ends_with(b"\r\n\r\n") {
                        head.clear();
                        stream.write_all(answer.as_bytes()).await?;
                    }
                }
                Ok::<(), std::io::Error>(())
            });
        }
    });
    address
}

fn config(key: &Key, clients: Option<&Key>) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("versions");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(clients.roots()), provider());
            builder.with_client_cert_verifier(verifier.build().expect("sound"))
        }
    };
    let config = builder
        .with_single_cert(vec![key.certificate.der().clone()], key.private())
        .expect("sound");
    Arc::new(config)
}

async fn serve(config: Arc<ServerConfig>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = TlsAcceptor::from(config.clone());
            tokio::spawn(async move {
                let stream = acceptor.accept(stream).await?;
                let (mut reader, mut writer) = tokio::io::split(stream);
                tokio::io::copy(&mut reader, &mut writer).await
            });
        }
    });
    address
}

/// The first record of a client that speaks TLS.
pub(crate) fn client_hello(name: Option<&'static str>) -> Vec<u8> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = match name {
        Some(name) => ServerName::try_from(name).expect("a name"),
        // An address is never sent as a name (RFC 6066 section 3).
        None => ServerName::try_from("127.0.0.1").expect("an address"),
    };
    let mut connection = rustls::ClientConnection::new(Arc::new(config), name).expect("sound");
    let mut bytes = Vec::new();
    connection.write_tls(&mut bytes).expect("written");
    bytes
}

fn policy(key: &Key, hostname: &str, names: Vec<SubjectAltName>) -> BackendTls {
    BackendTls {
        hostname: hostname.into(),
        trust: Ok(key.anchors()),
        subject_alt_names: names,
        client_certificate: None,
    }
}

/// Whether bytes come back over TLS with these settings.
async fn works(address: SocketAddr, tls: &BackendTls, certificate: Option<&Certificate>) -> bool {
    let Ok(client) = TlsClient::new(tls, certificate) else {
        return false;
    };
    let stream = TcpStream::connect(address).await.expect("connected");
    let Ok(mut stream) = client.connect(stream, false).await else {
        return false;
    };
    let mut bytes = [0; 2];
    stream.write_all(b"hi").await.is_ok()
        && stream.read_exact(&mut bytes).await.is_ok()
        && &bytes == b"hi"
}

#[tokio::test]
async fn a_backend_is_who_the_policy_says_or_nothing_goes_there() {
    let (key, other) = (Key::of("one.test"), Key::of("one.test"));
    let address = echo(&key, None).await;
    assert!(works(address, &policy(&key, "one.test", Vec::new()), None).await);
    assert!(
        !works(address, &policy(&key, "two.test", Vec::new()), None).await,
        "another name"
    );
    assert!(
        !works(address, &policy(&other, "one.test", Vec::new()), None).await,
        "another authority"
    );
    assert!(
        !works(
            address,
            &BackendTls {
                trust: Err("gone".into()),
                ..policy(&key, "one.test", Vec::new())
            },
            None
        )
        .await
    );
    assert!(
        !works(
            address,
            &BackendTls {
                trust: Ok(TrustAnchors::Certificates(Vec::new())),
                ..policy(&key, "one.test", Vec::new())
            },
            None
        )
        .await
    );
    assert!(
        !works(
            address,
            &BackendTls {
                trust: Ok(TrustAnchors::System),
                ..policy(&key, "one.test", Vec::new())
            },
            None
        )
        .await
    );
}

#[tokio::test]
async fn alternative_names_take_the_place_of_the_hostname() {
    let uri = "spiffe://a.test/one";
    let key = Key::with(vec![
        SanType::DnsName("a.one.test".try_into().expect("a name")),
        SanType::URI(uri.try_into().expect("a URI")),
    ]);
    let address = echo(&key, None).await;
    let dns = |name: &str| SubjectAltName::Hostname(name.into());
    for names in [
        vec![dns("a.one.test")],
        vec![dns("*.one.test")],
        vec![SubjectAltName::Uri(uri.into())],
        vec![dns("no.test"), SubjectAltName::Uri(uri.into())],
    ] {
        assert!(
            works(address, &policy(&key, "sni.test", names.clone()), None).await,
            "{names:?}"
        );
    }
    for names in [
        vec![dns("no.test")],
        vec![SubjectAltName::Uri("spiffe://a.test/on".into())],
    ] {
        // The hostname would fit, and does not count.
        assert!(
            !works(address, &policy(&key, "a.one.test", names.clone()), None).await,
            "{names:?}"
        );
    }
    let other = Key::of("a.one.test");
    assert!(
        !works(
            address,
            &policy(&other, "a.one.test", vec![dns("a.one.test")]),
            None
        )
        .await,
        "another authority"
    );
}

#[tokio::test]
async fn the_gateway_presents_its_certificate_to_backends_that_ask() {
    let (key, gateway, stranger) = (
        Key::of("one.test"),
        Key::of("gateway.test"),
        Key::of("gateway.test"),
    );
    let address = echo(&key, Some(&gateway)).await;
    let tls = policy(&key, "one.test", Vec::new());
    assert!(works(address, &tls, Some(&gateway.own())).await);
    assert!(!works(address, &tls, Some(&stranger.own())).await);
    assert!(!works(address, &tls, None).await);
    // A backend's own goes before the Gateway's.
    let own = BackendTls {
        client_certificate: Some(Arc::new(gateway.own())),
        ..tls
    };
    assert!(works(address, &own, Some(&stranger.own())).await);
}

#[test]
fn equal_settings_are_one_over_any_change() {
    let key = Key::of("one.test");
    let clients = TlsClients::default();
    let (first, second) = (
        Arc::new(policy(&key, "one.test", Vec::new())),
        Arc::new(policy(&key, "one.test", Vec::new())),
    );
    let id = |tls| clients.get(tls, None).expect("sound").id;
    assert_eq!(id(&first), id(&second));
    assert_ne!(
        id(&first),
        id(&Arc::new(policy(&key, "two.test", Vec::new())))
    );
}

#[tokio::test]
async fn clients_show_a_certificate_where_one_is_asked_for() {
    let (server, clients, stranger) = (
        Key::of("a.test"),
        Key::of("client.test"),
        Key::of("client.test"),
    );
    let listener = |validation: Option<ClientValidation>| Listener {
        owner: ObjectKey::new(Kind::Gateway, "app", "gw"),
        gateway: NamespacedName::new("app", "gw"),
        name: "https".into(),
        port: 443,
        protocol: Protocol::Https,
        hostname: None,
        tls: Some(ListenerTls {
            mode: TlsMode::Terminate,
            certificates: vec![Arc::new(server.own())],
            client_validation: validation.map(Arc::new),
        }),
        backend_client_certificate: None,
        filters: Vec::new(),
        routes: gatepost::rule::Routes::default(),
    };
    let certificates = Certificates::default();
    let validation = |insecure_fallback| ClientValidation {
        trust: clients.anchors(),
        insecure_fallback,
    };
    for (validation, trusted, strange, none) in [
        (None, true, true, true),
        (Some(validation(false)), true, false, false),
        (Some(validation(true)), true, true, true),
    ] {
        let config = certificates
            .config(&listener(validation), false)
            .expect("sound");
        let address = serve(config).await;
        for (own, wanted) in [
            (Some(&clients), trusted),
            (Some(&stranger), strange),
            (None, none),
        ] {
            // With TLS 1.3 a client learns of a refusal with the first bytes that it reads.
            let works = match server.connect(address.port(), "a.test", own).await {
                Ok(mut stream) => {
                    let mut bytes = [0; 2];
                    stream.write_all(b"hi").await.is_ok()
                        && stream.read_exact(&mut bytes).await.is_ok()
                }
                Err(_) => false,
            };
            assert_eq!(works, wanted);
        }
    }
}
