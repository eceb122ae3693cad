//! TCP, UDP and TLS that is passed on or ended: bytes and datagrams arrive as they were sent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gatepost_proxy::{Limits, Options, Proxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use crate::common::{self, Running, eventually, free_port};
use crate::tls::{self, Key};

fn route(kind: &str, name: &str, section: &str, hostnames: &str, backends: &str) -> String {
    format!(
        "---
apiVersion: gateway.networking.k8s.io/v1
kind: {kind}
metadata: {{name: {name}, namespace: app}}
spec:
  parentRefs: [{{name: gw, sectionName: {section}}}]
  {hostnames}
  rules: [{{backendRefs: [{backends}]}}]
"
    )
}

fn gateway(listeners: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: gw, namespace: app}}
spec:
  gatewayClassName: gatepost
  listeners:
{listeners}
"
    )
}

fn service(name: &str, protocol: &str, addresses: &[SocketAddr]) -> String {
    common::service(name, "", addresses).replace("protocol: TCP", &format!("protocol: {protocol}"))
}

/// Says its name first, then gives back what it hears, and says goodbye when the client has ended.
async fn talker(name: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                stream.write_all(name.as_bytes()).await?;
                let mut heard = Vec::new();
                stream.read_to_end(&mut heard).await?;
                heard.extend_from_slice(b" bye");
                stream.write_all(&heard).await
            });
        }
    });
    (address, count)
}

/// Whether a connection ends without a byte.
async fn ends(mut stream: TcpStream) -> bool {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut bytes));
    // A reset is an end too.
    let _ = read.await.expect("it ends");
    bytes.is_empty()
}

#[tokio::test]
async fn a_tcp_server_may_speak_first_and_either_side_may_end_first() {
    let ((blue, blues), (green, greens)) = (talker("blue").await, talker("green").await);
    let dead: SocketAddr = ([127, 0, 0, 1], free_port()).into();
    let listeners = "  - {name: tcp, port: PORT, protocol: TCP}";
    let text = gateway(listeners)
        + &route(
            "TCPRoute",
            "main",
            "tcp",
            "",
            "{name: blue, port: 80, weight: 3}, {name: green, port: 80, weight: 1}",
        )
        + &service("blue", "TCP", &[dead, blue])
        + &service("green", "TCP", &[green]);
    let running = Running::start(&text).await;
    for _ in 0..40 {
        let mut stream = TcpStream::connect(("127.0.0.1", running.port))
            .await
            .expect("connected");
        let mut name = [0; 4];
        stream.read_exact(&mut name).await.expect("it speaks first");
        let rest = if &name == b"gree" { "n" } else { "" };
        let mut bytes = vec![0; rest.len()];
        stream.read_exact(&mut bytes).await.expect("the rest");
        stream.write_all(b"hello").await.expect("written");
        stream.shutdown().await.expect("half closed");
        let mut heard = String::new();
        stream.read_to_string(&mut heard).await.expect("an end");
        assert_eq!(heard, "hello bye");
    }
    let (blues, greens) = (blues.load(Ordering::SeqCst), greens.load(Ordering::SeqCst));
    assert!(
        blues.abs_diff(30) <= 2 && blues + greens == 40,
        "{blues} and {greens}"
    );
}

#[tokio::test]
async fn a_tcp_connection_that_nobody_serves_is_closed() {
    let listeners = "  - {name: tcp, port: PORT, protocol: TCP}";
    let text = gateway(listeners) + &route("TCPRoute", "main", "tcp", "", "{name: gone, port: 80}");
    let running = Running::start(&text).await;
    assert!(
        ends(
            TcpStream::connect(("127.0.0.1", running.port))
                .await
                .expect("connected")
        )
        .await
    );
}

/// Gives back datagrams with the address that they came from.
async fn echo() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let address = socket.local_addr().expect("bound");
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let answer = format!(
                "{} {} {}",
                address.port(),
                from.port(),
                String::from_utf8_lossy(&buffer[..length])
            );
            socket.send_to(answer.as_bytes(), from).await.expect("sent");
        }
    });
    address
}

async fn udp(limits: Limits, backends: &[SocketAddr]) -> Running {
    let port = {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.local_addr().expect("bound").port()
    };
    let folder = tempfile::tempdir().expect("a folder");
    let text = gateway("  - {name: udp, port: PORT, protocol: UDP}")
        + &route("UDPRoute", "main", "udp", "", "{name: one, port: 80}")
        + &service("one", "UDP", backends).replace("port: 80}]", "port: 80, protocol: UDP}]");
    common::write(
        folder.path(),
        "all.yaml",
        &text.replace("PORT", &port.to_string()),
    );
    let options = Options {
        limits,
        ..common::options(folder.path())
    };
    let proxy = Proxy::start(options).await.expect("started");
    Running {
        folder,
        proxy,
        port,
    }
}

async fn client(port: u16) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    socket
        .connect(("127.0.0.1", port))
        .await
        .expect("connected");
    socket
}

async fn ask(socket: &UdpSocket, text: &str) -> Option<Vec<String>> {
    socket.send(text.as_bytes()).await.expect("sent");
    let mut buffer = [0; 2048];
    let received = tokio::time::timeout(Duration::from_millis(500), socket.recv(&mut buffer)).await;
    let length = received.ok()?.ok()?;
    Some(
        String::from_utf8_lossy(&buffer[..length])
            .split(' ')
            .map(str::to_owned)
            .collect(),
    )
}

#[tokio::test]
async fn a_udp_session_stays_with_its_endpoint_until_it_is_idle() {
    let backends = [echo().await, echo().await];
    let limits = Limits {
        udp_idle: Duration::from_millis(300),
        udp_sessions: 4,
        ..Limits::default()
    };
    let running = udp(limits, &backends).await;
    let mut clients = Vec::new();
    let mut ports = std::collections::BTreeSet::new();
    for _ in 0..4 {
        let socket = client(running.port).await;
        let first = ask(&socket, "one").await.expect("an answer");
        assert_eq!(first[2], "one");
        ports.insert(first[0].clone());
        assert_eq!(
            ask(&socket, "two").await.expect("an answer")[..2],
            first[..2]
        );
        clients.push(socket);
    }
    assert_eq!(ports.len(), 2, "both endpoints are used");
    let fifth = client(running.port).await;
    for socket in &clients {
        assert!(ask(socket, "again").await.is_some());
    }
    assert_eq!(ask(&fifth, "too many").await, None);
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(
        running
            .admin("/metrics")
            .await
            .1
            .contains("gatepost_udp_sessions 0")
    );
    assert!(ask(&fifth, "room").await.is_some());
}

#[tokio::test]
async fn tls_is_passed_on_undecrypted_beside_tls_that_is_ended() {
    let (backend, outer, inner) = (
        Key::of("end.test"),
        Key::of("end.test"),
        Key::of("pass.test"),
    );
    let passed = tls::echo(&inner, None).await;
    let (plain, _) = talker("plain").await;
    let listeners = "  - {name: pass, port: PORT, protocol: TLS, hostname: pass.test, tls: {mode: Passthrough}}
  - {name: end, port: PORT, protocol: TLS, hostname: end.test, tls: {mode: Terminate, certificateRefs: [{name: crt}]}}";
    let text = gateway(listeners)
        + &route(
            "TLSRoute",
            "pass",
            "pass",
            "hostnames: [pass.test]",
            "{name: passed, port: 80}",
        )
        + &route(
            "TLSRoute",
            "end",
            "end",
            "hostnames: [end.test]",
            "{name: plain, port: 80}",
        )
        + &service("passed", "TCP", &[passed])
        + &service("plain", "TCP", &[plain])
        + &outer.secret("crt");
    let running = Running::start(&text).await;
    // The backend's own certificate is seen by the client, and the other's by the other.
    let mut stream = inner
        .connect(running.port, "pass.test", None)
        .await
        .expect("TLS with the backend");
    stream.write_all(b"hello").await.expect("written");
    let mut bytes = [0; 5];
    stream.read_exact(&mut bytes).await.expect("an echo");
    assert_eq!(&bytes, b"hello");
    let mut stream = outer
        .connect(running.port, "end.test", None)
        .await
        .expect("TLS with the gateway");
    let mut bytes = [0; 5];
    stream
        .read_exact(&mut bytes)
        .await
        .expect("it speaks first");
    assert_eq!(&bytes, b"plain");
    assert!(
        backend
            .connect(running.port, "end.test", None)
            .await
            .is_err(),
        "a key that nobody has"
    );
    // A name that nobody serves, and none at all: an end without an alert.
    for hello in [
        tls::client_hello(Some("other.test")),
        tls::client_hello(None),
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", running.port))
            .await
            .expect("connected");
        stream.write_all(&hello).await.expect("written");
        assert!(ends(stream).await, "no alert");
    }
}

#[tokio::test]
async fn a_port_that_becomes_another_protocol_serves_it() {
    let (address, _) = talker("hi").await;
    let text = |listener: &str| {
        gateway(listener)
            + &route("TCPRoute", "main", "tcp", "", "{name: one, port: 80}")
            + &service("one", "TCP", &[address])
    };
    let running = Running::start(&text("  - {name: http, port: PORT, protocol: HTTP}")).await;
    assert_eq!(running.get("a.test", "/").await.0, 404);
    running.write(
        "all.yaml",
        &text("  - {name: tcp, port: PORT, protocol: TCP}"),
    );
    eventually("TCP is served", || async {
        let mut stream = TcpStream::connect(("127.0.0.1", running.port))
            .await
            .expect("connected");
        let mut bytes = [0; 2];
        let read = tokio::time::timeout(Duration::from_millis(200), stream.read_exact(&mut bytes));
        read.await.is_ok_and(|read| read.is_ok()) && &bytes == b"hi"
    })
    .await;
}
