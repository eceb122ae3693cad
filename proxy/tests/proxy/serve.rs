//! The proxy over real sockets: what reaches backends, and what changes and stops do.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{
    Backend, Client, GATEWAY, Running, eventually, free_port, get, options, route, service, write,
};
use gatepost_proxy::{Proxy, StartError};

fn to(backends: &str) -> String {
    format!("{{backendRefs: [{backends}]}}")
}

fn manifests(rules: &str, services: &str) -> String {
    format!("{GATEWAY}{}{services}", route("main", "a.test", rules))
}

async fn one_backend() -> (Backend, Running) {
    let backend = Backend::start("one").await;
    let services = service("one", "", &[backend.address]);
    let running = Running::start(&manifests(&to("{name: one, port: 80}"), &services)).await;
    (backend, running)
}

#[tokio::test]
async fn hop_by_hop_fields_stay_on_their_connection() {
    let (backend, running) = one_backend().await;
    let mut client = Client::connect(running.port).await;
    let (status, head, body) = client
        .exchange(
            "GET /x/../y?a=1 HTTP/1.1\r\nHost: A.test:80\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\nTE: gzip\r\n\
             X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Kept: yes\r\n\r\n",
        )
        .await;
    assert_eq!((status, body.as_str()), (200, "one"));
    assert!(!head.to_lowercase().contains("x-hop"), "{head}");
    let sent = backend.heads().remove(0).to_lowercase();
    assert!(sent.starts_with("get /y?a=1 http/1.1\r\n"), "{sent}");
    assert!(
        sent.contains("host: a.test:80\r\n") && sent.contains("x-kept: yes\r\n"),
        "{sent}"
    );
    assert!(sent.contains("x-forwarded-for: 127.0.0.1\r\n"), "{sent}");
    for gone in ["x-hop", "6.6.6.6", "te: ", "connection: "] {
        assert!(!sent.contains(gone), "{gone} in {sent}");
    }
}

#[tokio::test]
async fn a_client_takes_no_field_away_that_a_filter_sets() {
    let backend = Backend::start("one").await;
    let filter = "filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-Role, value: guest}, \
                  {name: X-Forwarded-Proto, value: https}]}}, {type: URLRewrite, urlRewrite: {hostname: b.test}}]";
    let rules = format!("{{{filter}, backendRefs: [{{name: one, port: 80}}]}}");
    let services = service("one", "", &[backend.address]);
    let running = Running::start(&manifests(&rules, &services)).await;
    let mut client = Client::connect(running.port).await;
    let request = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: X-Role\r\nX-Role: admin\r\n\r\n";
    assert_eq!(client.exchange(request).await.0, 200);
    let sent = backend.heads().remove(0).to_lowercase();
    for field in [
        "x-role: guest\r\n",
        "x-forwarded-proto: https\r\n",
        "x-forwarded-host: a.test\r\n",
        "\r\nhost: b.test\r\n",
    ] {
        assert!(sent.contains(field), "{field} in {sent}");
    }
}

#[tokio::test]
async fn shares_are_exact_over_any_thousand_requests() {
    let (blue, green) = (Backend::start("blue").await, Backend::start("green").await);
    let services = service("blue", "", &[blue.address]) + &service("green", "", &[green.address]);
    let rules = to("{name: blue, port: 80, weight: 90}, {name: green, port: 80, weight: 10}");
    let running = Running::start(&manifests(&rules, &services)).await;
    let mut client = Client::connect(running.port).await;
    for _ in 0..1000 {
        assert_eq!(client.get("a.test", "/").await.0, 200);
    }
    let (blue, green) = (blue.heads().len(), green.heads().len());
    assert!(
        blue.abs_diff(900) <= 2 && blue + green == 1000,
        "{blue} and {green}"
    );
}

#[tokio::test]
async fn a_websocket_is_joined_and_nothing_behind_it_is_read_as_http() {
    let (backend, running) = one_backend().await;
    let mut client = Client::connect(running.port).await;
    client
        .send(b"GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x00GET bad\n")
        .await;
    let head = client.head().await.expect("an answer");
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert_eq!(client.bytes(10).await, b"\x81\x00GET bad\n");
    client.send(b"more").await;
    assert_eq!(client.bytes(4).await, b"more");
    assert_eq!(backend.heads().len(), 1);
}

#[tokio::test]
async fn an_upgrade_to_another_http_is_not_passed_on() {
    let (backend, running) = one_backend().await;
    let mut client = Client::connect(running.port).await;
    let (status, ..) = client
        .exchange("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n")
        .await;
    assert_eq!(status, 200);
    assert!(
        !backend.heads()[0].to_lowercase().contains("upgrade"),
        "{:?}",
        backend.heads()
    );
    assert_eq!(client.get("a.test", "/").await.0, 200);
}

#[tokio::test]
async fn what_is_refused_is_answered_in_its_turn_and_closes() {
    let (backend, running) = one_backend().await;
    let mut client = Client::connect(running.port).await;
    client
        .send(b"GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\nGET / HTTP/1.1\r\nHost: a.test\r\nX : 1\r\n\r\nGET /never HTTP/1.1\r\nHost: a.test\r\n\r\n")
        .await;
    assert!(
        client
            .head()
            .await
            .expect("the first")
            .starts_with("HTTP/1.1 200")
    );
    assert_eq!(client.bytes(3).await, b"one");
    let head = client.head().await.expect("the second");
    assert!(
        head.starts_with("HTTP/1.1 400") && head.to_lowercase().contains("connection: close"),
        "{head}"
    );
    client.bytes("bad request\n".len()).await;
    assert!(client.closed().await);
    assert_eq!(backend.heads().len(), 1);
}

#[tokio::test]
async fn a_bad_body_gets_400_and_is_never_whole_for_a_backend() {
    let (backend, running) = one_backend().await;
    let mut client = Client::connect(running.port).await;
    let (status, ..) = client
        .exchange("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n")
        .await;
    assert_eq!(status, 400);
    client.bytes(0).await;
    assert!(client.closed().await);
    drop(backend);
}

#[tokio::test]
async fn http2_in_clear_comes_in_and_goes_out() {
    use http_body_util::{BodyExt, Full};
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = hyper::service::service_fn(
                |request: http::Request<hyper::body::Incoming>| async move {
                    let told = format!("{:?} {}", request.version(), request.uri());
                    let body = request.into_body().collect().await?.to_bytes();
                    let text = format!("{told} {}", String::from_utf8_lossy(&body));
                    Ok::<_, hyper::Error>(http::Response::new(Full::new(bytes::Bytes::from(text))))
                },
            );
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
        }
    });
    let services = service("two", "kubernetes.io/h2c", &[address]);
    let running = Running::start(&manifests(&to("{name: two, port: 80}"), &services)).await;
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", running.port))
        .await
        .expect("connected");
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .expect("h2");
    tokio::spawn(connection);
    let request = http::Request::post("http://a.test/p?q")
        .body(Full::new(bytes::Bytes::from("hi")))
        .expect("sound");
    let response = sender.send_request(request).await.expect("an answer");
    assert_eq!(response.status(), 200);
    let body = response
        .into_body()
        .collect()
        .await
        .expect("whole")
        .to_bytes();
    assert_eq!(body, "HTTP/2.0 http://a.test/p?q hi");
}

#[tokio::test]
async fn crumbs_of_cookies_are_joined_and_two_lengths_refused() {
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let (backend, running) = one_backend().await;
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", running.port))
        .await
        .expect("connected");
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .expect("h2");
    tokio::spawn(connection);
    let get = || http::Request::get("http://a.test/").header("cookie", "a=1");
    let empty = http_body_util::Empty::<bytes::Bytes>::new;
    let request = get().header("cookie", "b=2").body(empty()).expect("sound");
    assert_eq!(
        sender
            .send_request(request)
            .await
            .expect("an answer")
            .status(),
        200
    );
    let sent = backend.heads().remove(0);
    assert!(
        sent.contains("cookie: a=1; b=2\r\n") && sent.contains("host: a.test\r\n"),
        "{sent}"
    );
    let request = get()
        .header("content-length", "0")
        .header("content-length", "5")
        .body(empty())
        .expect("sound");
    let answer = sender.send_request(request).await;
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status() == 400));
    assert_eq!(backend.heads().len(), 1);
}

#[tokio::test]
async fn tls_serves_the_certificate_of_the_secret_and_its_successor() {
    use rustls::pki_types::ServerName;
    let backend = Backend::start("one").await;
    let gateway = "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw, namespace: app}
spec:
  gatewayClassName: gatepost
  listeners:
  - {name: https, port: PORT, protocol: HTTPS, hostname: '*.tls.test', tls: {certificateRefs: [{name: crt}]}}
";
    let route = route("main", "a.tls.test", &to("{name: one, port: 80}"))
        .replace("namespace: infra", "namespace: app");
    let text = |key: &rcgen::CertifiedKey<rcgen::KeyPair>| {
        let secret = format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: crt, namespace: app}}\ntype: kubernetes.io/tls\ndata: {{tls.crt: {}, tls.key: {}}}\n",
            base64(key.cert.pem().as_bytes()),
            base64(key.signing_key.serialize_pem().as_bytes())
        );
        format!(
            "{gateway}{route}{}{secret}",
            service("one", "", &[backend.address])
        )
    };
    let names = || vec!["*.tls.test".to_owned()];
    let first = rcgen::generate_simple_self_signed(names()).expect("a certificate");
    let second = rcgen::generate_simple_self_signed(names()).expect("a certificate");
    let running = Running::start(&text(&first)).await;
    let ask = |key: &rcgen::CertifiedKey<rcgen::KeyPair>, sni: &'static str, host: &'static str| {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(key.cert.der().clone()).expect("sound");
        let config = rustls::ClientConfig::builder_with_provider(Arc::new(
            rustls::crypto::ring::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
        let port = running.port;
        async move {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let stream = tokio::net::TcpStream::connect(("127.0.0.1", port))
                .await
                .expect("connected");
            let name = ServerName::try_from(sni).expect("a name");
            let mut stream = tokio_rustls::TlsConnector::from(Arc::new(config))
                .connect(name, stream)
                .await
                .ok()?;
            let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.ok()?;
            let mut answer = Vec::new();
            // The server may close without a close_notify.
            let _ = stream.read_to_end(&mut answer).await;
            String::from_utf8_lossy(&answer)
                .get(9..12)
                .map(str::to_owned)
        }
    };
    assert_eq!(
        ask(&first, "a.tls.test", "a.tls.test").await.as_deref(),
        Some("200")
    );
    assert_eq!(
        ask(&first, "a.tls.test", "b.tls.test").await.as_deref(),
        Some("404")
    );
    running.write("all.yaml", &text(&second));
    eventually("the new certificate is served", || async {
        ask(&second, "a.tls.test", "a.tls.test").await.is_some()
    })
    .await;
    assert!(ask(&first, "a.tls.test", "a.tls.test").await.is_none());
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk
            .iter()
            .fold(0_u32, |all, &byte| all << 8 | u32::from(byte))
            << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let digit = DIGITS[(group >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= chunk.len() {
                digit as char
            } else {
                '='
            });
        }
    }
    text
}

#[tokio::test]
async fn faults_of_backends_have_their_statuses() {
    let good = Backend::start("good").await;
    let dead = std::net::SocketAddr::from(([127, 0, 0, 1], free_port()));
    let services = service("dead", "", &[dead])
        + &service("none", "", &[])
        + &service("half", "", &[dead, good.address])
        + &service("slow", "", &[good.address]);
    let rule =
        |path: &str, rest: &str| format!("{{matches: [{{path: {{value: {path}}}}}], {rest}}}");
    let rules = [
        rule("/dead", "backendRefs: [{name: dead, port: 80}]"),
        rule("/none", "backendRefs: [{name: none, port: 80}]"),
        rule("/half", "backendRefs: [{name: half, port: 80}]"),
        rule("/missing", "backendRefs: [{name: missing, port: 80}]"),
        rule("/zero", "backendRefs: [{name: slow, port: 80, weight: 0}]"),
        rule(
            "/slow",
            "backendRefs: [{name: slow, port: 80}], timeouts: {request: 100ms}",
        ),
    ];
    let running = Running::start(&manifests(&rules.join(", "), &services)).await;
    for (path, status) in [
        ("/dead", 502),
        ("/none", 503),
        ("/missing", 500),
        ("/zero", 500),
        ("/slow", 504),
        ("/nowhere", 404),
    ] {
        assert_eq!(running.get("a.test", path).await.0, status, "{path}");
    }
    // A dead endpoint beside a good one costs nobody an answer.
    for _ in 0..4 {
        assert_eq!(running.get("a.test", "/half").await.0, 200);
    }
    let mut client = Client::connect(running.port).await;
    let (status, head, _) = client
        .exchange("POST /dead/Call HTTP/1.1\r\nHost: a.test\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert!(status == 200 && head.contains("grpc-status: 14"), "{head}");
}

#[tokio::test]
async fn a_taken_port_is_reported_and_taken_once_free() {
    let backend = Backend::start("one").await;
    let (taken, free) = (free_port(), free_port());
    let blocker = std::net::TcpListener::bind(("127.0.0.1", taken)).expect("free");
    let gateway = GATEWAY
        .replace("PORT", &taken.to_string())
        .replace("}}}]", &format!("}}}}}}, {{name: other, port: {free}, protocol: HTTP, allowedRoutes: {{namespaces: {{from: All}}}}}}]"));
    let text = gateway
        + &route("main", "a.test", &to("{name: one, port: 80}"))
        + &service("one", "", &[backend.address]);
    let running = Running::start(&text).await;
    assert_eq!(get(free, "a.test", "/").await.0, 200);
    let (_, status) = running.admin("/status").await;
    assert!(status.contains("PortUnavailable"), "{status}");
    drop(blocker);
    eventually("the port is taken up", || async {
        tokio::net::TcpStream::connect(("127.0.0.1", taken))
            .await
            .is_ok()
    })
    .await;
    assert_eq!(get(taken, "a.test", "/").await.0, 200);
    eventually("the status says so", || async {
        !running.admin("/status").await.1.contains("PortUnavailable")
    })
    .await;
}

#[tokio::test]
async fn bad_input_leaves_what_is_good() {
    let (_backend, running) = one_backend().await;
    running.write(
        "more.yaml",
        &route("more", "b.test", &to("{name: one, port: 80}")),
    );
    eventually("the second file is served", || async {
        running.get("b.test", "/").await.0 == 200
    })
    .await;
    let named = |word: &'static str| {
        let running = &running;
        eventually(word, move || async move {
            running.admin("/readyz").await.1.contains(word)
        })
    };
    // Text that cannot be read: the file's last good content stays.
    running.write("more.yaml", "a: [");
    named("more.yaml:").await;
    assert_eq!(running.get("b.test", "/").await.0, 200);
    // An object that is refused: its last good version stays, the others apply.
    let bad = route("more", "b.test", "{backendRefs: [{name: one, port: 0}]}");
    running.write(
        "more.yaml",
        &(bad + &route("third", "c.test", &to("{name: one, port: 80}"))),
    );
    eventually("the third route is served", || async {
        running.get("c.test", "/").await.0 == 200
    })
    .await;
    named("HTTPRoute/app/more").await;
    assert_eq!(running.get("b.test", "/").await.0, 200);
    // A kind of our groups that does not exist.
    let unknown = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRout\nmetadata: {name: x}\n";
    running.write("unknown.yaml", unknown);
    named("HTTPRout").await;
    // What is gone is served no more.
    std::fs::remove_file(running.folder.path().join("more.yaml")).expect("removed");
    eventually("the file's routes are gone", || async {
        running.get("b.test", "/").await.0 == 404
    })
    .await;
    assert_eq!(running.get("a.test", "/").await.0, 200);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_at_start_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "bad.yaml", "a: [");
    let started = Proxy::start(options(folder.path())).await;
    assert!(
        matches!(&started, Err(StartError::Unreadable(problems)) if problems.len() == 1),
        "{started:?}"
    );
    let started = Proxy::start(options(&folder.path().join("missing"))).await;
    assert!(matches!(started, Err(StartError::Unreadable(_))));
}

#[cfg(unix)]
#[tokio::test]
async fn a_config_map_swap_is_one_change() {
    use std::os::unix::fs::symlink;
    let backend = Backend::start("one").await;
    let port = free_port();
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let text = |host: &str| {
        (GATEWAY.to_owned()
            + &route("main", host, &to("{name: one, port: 80}"))
            + &service("one", "", &[backend.address]))
            .replace("PORT", &port.to_string())
    };
    let version = |name: &str, host: &str| {
        std::fs::create_dir(root.join(name)).expect("made");
        std::fs::write(root.join(name).join("all.yaml"), text(host)).expect("written");
        symlink(name, root.join("..new")).expect("linked");
        std::fs::rename(root.join("..new"), root.join("..data")).expect("swapped");
    };
    version("..1", "a.test");
    symlink("..data/all.yaml", root.join("all.yaml")).expect("linked");
    let _proxy = Proxy::start(options(root)).await.expect("started");
    assert_eq!(get(port, "a.test", "/").await.0, 200);
    version("..2", "b.test");
    eventually("the new version is served", || async {
        get(port, "b.test", "/").await.0 == 200
    })
    .await;
    assert_eq!(get(port, "a.test", "/").await.0, 404);
}

#[tokio::test]
async fn a_stop_lets_requests_end() {
    let (_backend, running) = one_backend().await;
    let port = running.port;
    let _silent = Client::connect(port).await;
    let mut idle = Client::connect(port).await;
    assert_eq!(idle.get("a.test", "/").await.0, 200);
    let request = tokio::spawn(async move { get(port, "a.test", "/slow").await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let start = std::time::Instant::now();
    running.proxy.shutdown().await;
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(request.await.expect("ended"), (200, "one".to_owned()));
    assert!(idle.closed().await);
    assert!(
        tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn the_admin_endpoint_tells_and_is_told_by_no_name() {
    let (_backend, running) = one_backend().await;
    assert_eq!(running.get("a.test", "/").await.0, 200);
    assert_eq!(running.admin("/healthz").await.1, "ok\n");
    let (_, metrics) = running.admin("/metrics").await;
    let line = metrics
        .lines()
        .find(|line| line.starts_with("gatepost_requests_total{"))
        .expect("counted");
    for label in [
        "listener=\"infra/gw/http\"",
        "route=\"app/main\"",
        "backend=\"app/one:80\"",
        "status=\"200\"",
    ] {
        assert!(line.contains(label), "{label} in {line}");
    }
    let (_, table) = running.admin("/table").await;
    assert!(table.contains("HTTPRoute/app/main"), "{table}");
    let admin = running.proxy.admin().expect("open").port();
    assert_eq!(get(admin, "evil.test", "/status").await.0, 403);
}

#[tokio::test]
async fn counters_of_routes_that_are_gone_are_taken_back() {
    let backend = Backend::start("one").await;
    let services = service("one", "", &[backend.address]);
    let to = to("{name: one, port: 80}");
    let running = Running::start(&format!(
        "{GATEWAY}{}{}{services}",
        route("main", "a.test", &to),
        route("gone", "gone.test", &to)
    ))
    .await;
    for host in ["a.test", "gone.test"] {
        assert_eq!(running.get(host, "/").await.0, 200);
    }
    // A host that nobody configured makes no label.
    assert_eq!(running.get("nobody.test", "/").await.0, 404);
    let metrics = running.admin("/metrics").await.1;
    let labels = "listener=\"infra/gw/http\",route=\"app/gone\",rule=\"0\",backend=\"app/one:80\",status=\"200\"";
    assert!(
        metrics.contains(labels) && !metrics.contains("nobody"),
        "{metrics}"
    );
    running.write(
        "all.yaml",
        &format!("{GATEWAY}{}{services}", route("main", "a.test", &to)),
    );
    eventually("its counters are gone", || async {
        let metrics = running.admin("/metrics").await.1;
        !metrics.contains("app/gone") && metrics.contains("app/main")
    })
    .await;
}
