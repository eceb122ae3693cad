//! What clients say of themselves, and what they may hold.

use std::time::{Duration, Instant};

use gatepost_proxy::{ForwardedPolicy, Limits, Options, Proxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::common::{
    self, Backend, Client, GATEWAY, Running, eventually, free_port, route, service,
};
use crate::script::field;

/// One backend behind a gateway with settings of its own.
async fn serving(listener: &str, settings: impl FnOnce(&mut Options)) -> (Backend, Running) {
    let (backend, port) = (Backend::start("one").await, free_port());
    let folder = tempfile::tempdir().expect("a folder");
    let text = GATEWAY.replace("protocol: HTTP,", listener)
        + &route("main", "a.test", "{backendRefs: [{name: one, port: 80}]}")
        + &service("one", "", &[backend.address]);
    common::write(
        folder.path(),
        "all.yaml",
        &text.replace("PORT", &port.to_string()),
    );
    let mut options = common::options(folder.path());
    settings(&mut options);
    let proxy = Proxy::start(options).await.expect("started");
    let running = Running {
        folder,
        proxy,
        port,
    };
    (backend, running)
}

const CLAIMS: &str = "GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2\r\n\
    X-Forwarded-Proto: https\r\nX_Forwarded_For: 192.0.2.9\r\nForwarded: for=192.0.2.1\r\nX-Real-IP: 192.0.2.1\r\n\r\n";

#[tokio::test]
async fn clients_are_believed_whom_they_speak_for_only_if_told_so() {
    let (backend, running) = serving("protocol: HTTP,", |_| {}).await;
    Client::connect(running.port).await.exchange(CLAIMS).await;
    let (trusting, running) = serving("protocol: HTTP,", |options| {
        options.forwarded = ForwardedPolicy::Append;
    })
    .await;
    Client::connect(running.port).await.exchange(CLAIMS).await;
    let said = |backend: &Backend| {
        let heads = backend.heads();
        let get = |name| field(&heads[0], name);
        [
            get("x-forwarded-for"),
            get("x-forwarded-proto"),
            get("x-forwarded-host"),
            get("forwarded"),
            get("x-real-ip"),
            get("x_forwarded_for"),
        ]
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        said(&backend),
        [
            some("127.0.0.1"),
            some("http"),
            some("a.test"),
            None,
            None,
            None
        ]
    );
    assert_eq!(
        said(&trusting),
        [
            some("192.0.2.1, 192.0.2.2, 127.0.0.1"),
            some("https"),
            some("a.test"),
            some("for=192.0.2.1, for=127.0.0.1;proto=http"),
            some("192.0.2.1"),
            None
        ]
    );
}

#[tokio::test]
async fn a_connection_that_changed_its_protocol_keeps_its_place() {
    let (_, running) = serving("protocol: HTTP,", |options| {
        options.limits.connections = 1;
    })
    .await;
    let mut client = Client::connect(running.port).await;
    client
        .send(b"GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        .await;
    let head = client.head().await.expect("an answer");
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(Client::connect(running.port).await.closed().await);
    client.send(b"still").await;
    assert_eq!(client.bytes(5).await, b"still");
    drop(client);
    eventually("there is room again", || async {
        let mut stream = TcpStream::connect(("127.0.0.1", running.port))
            .await
            .expect("connected");
        let request = b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
        // One that is closed at once may not take it.
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        answer.starts_with(b"HTTP/1.1 200")
    })
    .await;
}

#[tokio::test]
async fn a_tls_handshake_that_does_not_go_on_ends() {
    let (_, running) = serving(
        "protocol: HTTPS, tls: {certificateRefs: [{name: crt}]},",
        |options| {
            options.limits = Limits {
                head: Duration::from_millis(300),
                ..Limits::default()
            };
        },
    )
    .await;
    let key = rcgen::generate_simple_self_signed(["a.test".to_owned()]).expect("a certificate");
    running.write(
        "secret.yaml",
        &format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: crt, namespace: infra}}\ntype: kubernetes.io/tls\n\
             stringData: {{tls.crt: {:?}, tls.key: {:?}}}\n",
            key.cert.pem(),
            key.signing_key.serialize_pem()
        ),
    );
    eventually("the listener is open", || async {
        TcpStream::connect(("127.0.0.1", running.port))
            .await
            .is_ok()
    })
    .await;
    // Nothing, the beginning of a record, and a record of which the rest does not come.
    for beginning in [
        &b""[..],
        &b"\x16\x03"[..],
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", running.port))
            .await
            .expect("connected");
        let start = Instant::now();
        stream.write_all(beginning).await.expect("sent");
        let mut rest = Vec::new();
        // Closed or reset: it is over.
        let _ = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest))
            .await
            .expect("an end");
        let took = start.elapsed();
        assert!(
            took >= Duration::from_millis(300) && took < Duration::from_secs(2),
            "{took:?}"
        );
    }
}
