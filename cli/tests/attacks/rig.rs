//! `gatepost serve` over the fixture, three backends behind it, and connections to it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use rcgen::{CertifiedKey, KeyPair};
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::recorder::{self, Log, Recorded};

/// Proxies that share the work of one test.
const RIGS: usize = 3;
/// What all cases of a rig together may make the proxy grow by, in KiB (rule 5).
const GROWTH: u64 = 64 << 10;

/// A connection, in clear or over TLS.
pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Io for S {}

/// Any of the two.
pub(crate) type Stream = Box<dyn Io>;

pub(crate) struct Rig {
    pub(crate) log: Log,
    child: Child,
    port: u16,
    tls: Option<TlsConnector>,
    memory: u64,
    _folder: tempfile::TempDir,
}

impl Drop for Rig {
    fn drop(&mut self) {
        // One that has ended already cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody listens on, below those that the system gives to connections: one of these could be taken for a
/// connection before it is listened on.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let process = u16::try_from(std::process::id() % 400).expect("small");
    loop {
        let port = 24_000 + process * 5 + NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(port < 32_000, "no port is free");
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Rig {
    /// Serves the fixture; over TLS if a protocol is to be agreed on.
    async fn start(fixture: &str, protocol: Option<&str>) -> Rig {
        let log = Log::default();
        let port = free_port();
        let mut text = fixture.replace("27080", &port.to_string());
        for (name, fixed) in [("public", "27101"), ("admin", "27102"), ("api", "27103")] {
            let port = recorder::start(name, log.clone()).await;
            text = text.replace(fixed, &port.to_string());
        }
        let tls = protocol.map(|protocol| {
            let key = rcgen::generate_simple_self_signed(["gate.test".to_owned()])
                .expect("a certificate");
            text = text.replace(
                "protocol: HTTP,",
                "protocol: HTTPS, tls: {certificateRefs: [{name: crt}]},",
            );
            text += &secret(&key);
            connector(&key, protocol)
        });
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("fixture.yaml"), &text).expect("written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
        command.args([
            "serve",
            "--bind",
            "127.0.0.1",
            "--admin",
            "127.0.0.1:0",
            "-f",
        ]);
        command
            .arg(folder.path())
            .env("RUST_LOG", "warn")
            .stdout(Stdio::null());
        let child = command.spawn().expect("the binary starts");
        let mut rig = Rig {
            log,
            child,
            port,
            tls,
            memory: 0,
            _folder: folder,
        };
        let start = Instant::now();
        while !rig.next().await {
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "it does not serve"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        rig.memory = rig.peak();
        rig
    }

    /// A new connection; `None` if there is none to be had.
    pub(crate) async fn connect(&self) -> Option<Stream> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let Some(tls) = &self.tls else {
            return Some(Box::new(stream));
        };
        let name = ServerName::try_from("gate.test").expect("a name");
        Some(Box::new(tls.connect(name, stream).await.ok()?))
    }

    /// Rule 4: the next request on a new connection gets its own answer, by HTTP/1 or, where only that is agreed on, by HTTP/2.
    pub(crate) async fn next(&self) -> bool {
        let asking = async {
            let mut stream = self.connect().await?;
            let http2 = self
                .tls
                .as_ref()
                .is_some_and(|tls| tls.config().alpn_protocols == [b"h2".to_vec()]);
            if http2 {
                let mut bytes = crate::frames::preface();
                let get = serde_json::json!([{"t": "HEADERS", "sid": 1, "flags": ["ES", "EH"],
                    "fields": [[":method", "GET"], [":scheme", "https"], [":authority", "gate.test"], [":path", "/"]]}]);
                crate::frames::encode(&get, 0, &mut bytes);
                stream.write_all(&bytes).await.ok()?;
                let mut received = Vec::new();
                let mut part = [0; 4096];
                while crate::frames::decode(&received).statuses.is_empty() {
                    let count = stream
                        .read(&mut part)
                        .await
                        .ok()
                        .filter(|count| *count > 0)?;
                    received.extend_from_slice(&part[..count]);
                }
                return Some(crate::frames::decode(&received).statuses == [200]);
            }
            let request = b"GET / HTTP/1.1\r\nHost: gate.test\r\nConnection: close\r\n\r\n";
            stream.write_all(request).await.ok()?;
            let mut answer = Vec::new();
            // Over TLS the end may come without a word.
            let _ = stream.read_to_end(&mut answer).await;
            Some(answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(b"ok"))
        };
        tokio::time::timeout(Duration::from_secs(5), asking)
            .await
            .ok()
            .flatten()
            .unwrap_or(false)
    }

    /// Forgets what the backends got.
    pub(crate) fn clear(&self) {
        self.log.complete.lock().expect("no panic").clear();
        *self.log.bytes.lock().expect("no panic") = 0;
    }

    /// The requests that arrived completely.
    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.log.complete.lock().expect("no panic").clone()
    }

    /// The most memory that the process has had, in KiB.
    fn peak(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .expect("a line");
        line.trim()
            .trim_end_matches(" kB")
            .parse()
            .expect("a number")
    }
}

fn secret(key: &CertifiedKey<KeyPair>) -> String {
    format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: crt, namespace: infra}}\ntype: kubernetes.io/tls\n\
         stringData: {{tls.crt: {:?}, tls.key: {:?}}}\n",
        key.cert.pem(),
        key.signing_key.serialize_pem()
    )
}

fn connector(key: &CertifiedKey<KeyPair>, protocol: &str) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(key.cert.der().clone()).expect("sound");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    TlsConnector::from(Arc::new(config))
}

/// Runs every case of a file and prints how many had which outcome, by class; none may fail.
pub(crate) async fn run<F>(
    file: &str,
    protocol: Option<&'static str>,
    judge: fn(Arc<Rig>, Value) -> F,
) where
    F: Future<Output = Result<bool, String>> + Send + 'static,
{
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/attacks");
    let fixture = std::fs::read_to_string(folder.join("fixture.yaml")).expect("the fixture");
    let lines = std::fs::read_to_string(folder.join(file)).expect("the cases");
    let cases: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let mut work = Vec::new();
    for rig in 0..RIGS {
        let share: Vec<Value> = cases.iter().skip(rig).step_by(RIGS).cloned().collect();
        let fixture = fixture.clone();
        work.push(tokio::spawn(async move {
            let rig = Arc::new(Rig::start(&fixture, protocol).await);
            let mut results = Vec::new();
            for case in share {
                let result = judge(rig.clone(), case.clone()).await;
                let result = if rig.next().await {
                    result
                } else {
                    Err("rule 4: no answer afterwards".to_owned())
                };
                results.push((case, result));
            }
            (results, rig.peak() - rig.memory)
        }));
    }
    let mut counts: std::collections::BTreeMap<String, [u32; 3]> =
        std::collections::BTreeMap::new();
    for work in work {
        let (results, growth) = work.await.expect("a rig");
        println!("the proxy grew by {growth} KiB");
        assert!(growth < GROWTH, "rule 5: it grew by {growth} KiB");
        for (case, result) in results {
            let count = counts
                .entry(case["class"].as_str().expect("a class").to_owned())
                .or_default();
            let (id, title) = (&case["id"], &case["title"]);
            match result {
                Ok(true) => count[0] += 1,
                Ok(false) => {
                    count[1] += 1;
                    println!("safe   {id} {title}");
                }
                Err(why) => {
                    count[2] += 1;
                    println!("failed {id} {title}: {why}");
                }
            }
        }
    }
    for (class, [strict, safe, failed]) in &counts {
        println!("{class}: {strict} strict, {safe} safe, {failed} failed");
    }
    assert!(
        counts.values().all(|[_, _, failed]| *failed == 0),
        "cases failed"
    );
}

/// Whether any outcome of a list is the one that was seen.
pub(crate) fn any(case: &Value, key: &str, is: impl Fn(&Value) -> bool) -> bool {
    case[key].as_array().into_iter().flatten().any(is)
}
