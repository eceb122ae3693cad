//! What the tests of the proxy share: a backend that records, a proxy over a folder, and plain clients.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gatepost_proxy::{Options, Proxy};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A backend that answers every request with its name and keeps what it was asked.
#[derive(Clone, Debug)]
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Backend {
    /// `/slow` is answered after 300 ms, an upgrade with 101 and an echo.
    pub(crate) async fn start(name: &'static str) -> Backend {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let backend = Backend {
            address: listener.local_addr().expect("bound"),
            heads: Arc::default(),
        };
        let heads = backend.heads.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(connection(name, BufReader::new(stream), heads.clone()));
            }
        });
        backend
    }

    /// The heads of all requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("no panic").clone()
    }
}

async fn connection(
    name: &'static str,
    mut stream: BufReader<TcpStream>,
    heads: Arc<Mutex<Vec<String>>>,
) {
    while let Some(head) = read_head(&mut stream).await {
        let length = content_length(&head);
        let mut body = vec![0; length];
        if stream.read_exact(&mut body).await.is_err() {
            return;
        }
        heads.lock().expect("no panic").push(head.clone());
        if head.to_lowercase().contains("upgrade: websocket") {
            let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
            stream.write_all(answer.as_bytes()).await.expect("written");
            let (mut reader, mut writer) = tokio::io::split(stream);
            // How the echo ends is the client's business.
            let _ = tokio::io::copy(&mut reader, &mut writer).await;
            return;
        }
        if head.starts_with("GET /slow") {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nX-Backend: {name}\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n{name}",
            name.len()
        );
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read_head(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut head = String::new();
    loop {
        let start = head.len();
        if stream.read_line(&mut head).await.ok()? == 0 {
            return None;
        }
        if &head[start..] == "\r\n" {
            return Some(head);
        }
    }
}

fn content_length(head: &str) -> usize {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, value)| value.trim().parse().expect("a number"))
}

/// A proxy over a folder of its own.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) folder: TempDir,
    pub(crate) proxy: Proxy,
    pub(crate) port: u16,
}

impl Running {
    /// Serves the manifests, in which `PORT` stands for the port of the only listener.
    pub(crate) async fn start(manifests: &str) -> Running {
        let port = free_port();
        let folder = tempfile::tempdir().expect("a folder");
        write(
            folder.path(),
            "all.yaml",
            &manifests.replace("PORT", &port.to_string()),
        );
        let proxy = Proxy::start(options(folder.path())).await.expect("started");
        Running {
            folder,
            proxy,
            port,
        }
    }

    /// Replaces a file of the folder.
    pub(crate) fn write(&self, name: &str, text: &str) {
        write(
            self.folder.path(),
            name,
            &text.replace("PORT", &self.port.to_string()),
        );
    }

    /// A new connection, one request: status and body.
    pub(crate) async fn get(&self, host: &str, path: &str) -> (u16, String) {
        get(self.port, host, path).await
    }

    /// What the admin endpoint says.
    pub(crate) async fn admin(&self, path: &str) -> (u16, String) {
        get(self.proxy.admin().expect("open").port(), "localhost", path).await
    }
}

/// Settings for tests: everything on loopback.
pub(crate) fn options(folder: &Path) -> Options {
    Options {
        paths: vec![folder.to_path_buf()],
        bind: "127.0.0.1".parse().expect("an address"),
        admin: Some("127.0.0.1:0".parse().expect("an address")),
        drain: Duration::from_secs(5),
        ..Options::default()
    }
}

/// Writes a file as editors do: beside, then over the old one.
pub(crate) fn write(folder: &Path, name: &str, text: &str) {
    let draft = folder.join(format!(".{name}.draft"));
    std::fs::write(&draft, text).expect("written");
    std::fs::rename(draft, folder.join(name)).expect("renamed");
}

/// A port that nobody listens on, below those that the system gives to connections: one of these could be taken for a
/// connection before it is listened on.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let process = u16::try_from(std::process::id() % 400).expect("small");
    loop {
        let port = 28_000 + process * 5 + NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(port < 32_000, "no port is free");
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A Gateway `infra/gw` with one HTTP listener.
pub(crate) const GATEWAY: &str = "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw, namespace: infra}
spec:
  gatewayClassName: gatepost
  listeners: [{name: http, port: PORT, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}]
";

/// An HTTPRoute `app/NAME` with these rules, in flow style.
pub(crate) fn route(name: &str, host: &str, rules: &str) -> String {
    format!(
        "---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {name}, namespace: app}}
spec:
  parentRefs: [{{name: gw, namespace: infra}}]
  hostnames: [{host}]
  rules: [{rules}]
"
    )
}

/// A Service `app/NAME` of port 80 with its addresses.
pub(crate) fn service(name: &str, protocol: &str, addresses: &[SocketAddr]) -> String {
    let protocol = match protocol {
        "" => String::new(),
        protocol => format!(", appProtocol: {protocol}"),
    };
    let mut text = format!(
        "---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: app}}
spec: {{ports: [{{name: http, port: 80{protocol}}}]}}
"
    );
    for address in addresses {
        text += &format!(
            "---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-{}, namespace: app, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
endpoints: [{{addresses: [{}], conditions: {{ready: true}}}}]
ports: [{{name: http, port: {}, protocol: TCP}}]
",
            address.port(),
            address.ip(),
            address.port()
        );
    }
    text
}

/// A connection that is kept over several requests.
#[derive(Debug)]
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    pub(crate) async fn connect(port: u16) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", port))
            .await
            .expect("connected");
        Client(BufReader::new(stream))
    }

    /// Sends bytes as they are.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("sent");
    }

    /// The head of the next answer.
    pub(crate) async fn head(&mut self) -> Option<String> {
        read_head(&mut self.0).await
    }

    /// Exactly so many bytes.
    pub(crate) async fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).await.expect("read");
        bytes
    }

    /// The next byte, until the other side closes.
    pub(crate) async fn byte(&mut self) -> Option<u8> {
        self.0.read_u8().await.ok()
    }

    /// Whether the other side closes now.
    pub(crate) async fn closed(&mut self) -> bool {
        self.0.read_u8().await.is_err()
    }

    /// One request with a body and the answer: status, head, body.
    pub(crate) async fn exchange(&mut self, head: &str) -> (u16, String, String) {
        self.send(head.as_bytes()).await;
        let head = self.head().await.expect("an answer");
        let body = self.bytes(content_length(&head)).await;
        let status = head[9..12].parse().expect("a status");
        (status, head, String::from_utf8_lossy(&body).into_owned())
    }

    pub(crate) async fn get(&mut self, host: &str, path: &str) -> (u16, String, String) {
        self.exchange(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
            .await
    }
}

/// A new connection, one request: status and body.
pub(crate) async fn get(port: u16, host: &str, path: &str) -> (u16, String) {
    let (status, _, body) = Client::connect(port).await.get(host, path).await;
    (status, body)
}

/// Asks again until the answer is right, for five seconds at the most.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut ask: impl FnMut() -> F) {
    let start = Instant::now();
    while !ask().await {
        assert!(start.elapsed() < Duration::from_secs(5), "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
