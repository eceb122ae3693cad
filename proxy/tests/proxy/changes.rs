//! Changes of routes, backends and certificates while requests come in.
//!
//! `GATEPOST_CHANGES=1000 cargo test -p gatepost-proxy changes` makes a thousand of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::common::{
    Backend, Client, Running, eventually, free_port, options, route, service, write,
};
use crate::tls::Key;
use gatepost_proxy::Proxy;

fn count() -> usize {
    let count = std::env::var("GATEPOST_CHANGES").ok();
    count.and_then(|count| count.parse().ok()).unwrap_or(12)
}

/// What every round changes: the backend of a route, a route more, and the certificate.
fn text(ports: [u16; 2], round: usize, name: &str, services: &str, keys: &[Key; 2]) -> String {
    let [http, https] = ports;
    let gateway = format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: gw, namespace: app}}
spec:
  gatewayClassName: gatepost
  listeners:
  - {{name: http, port: {http}, protocol: HTTP}}
  - {{name: https, port: {https}, protocol: HTTPS, tls: {{certificateRefs: [{{name: crt}}]}}}}
"
    );
    let to = |name: &str| format!("{{backendRefs: [{{name: {name}, port: 80}}]}}");
    let routes = route("main", "a.test", &to(name))
        + &route("extra", &format!("x{round}.test"), &to("blue"));
    gateway
        + &routes.replace("namespace: infra", "namespace: app")
        + services
        + &keys[round % 2].secret("crt")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_under_load_fail_no_request_and_close_no_connection() {
    let (blue, green) = (Backend::start("blue").await, Backend::start("green").await);
    let services = service("blue", "", &[blue.address]) + &service("green", "", &[green.address]);
    let keys = [Key::of("a.test"), Key::of("a.test")];
    let ports = [free_port(), free_port()];
    let folder = tempfile::tempdir().expect("a folder");
    write(
        folder.path(),
        "all.yaml",
        &text(ports, 0, "blue", &services, &keys),
    );
    let proxy = Proxy::start(options(folder.path())).await.expect("started");
    let running = Running {
        folder,
        proxy,
        port: ports[0],
    };
    let (stop, sent) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU32::new(0)),
    );
    let mut clients = Vec::new();
    for number in 0..4 {
        let (stop, sent) = (stop.clone(), sent.clone());
        if number % 2 == 0 {
            clients.push(tokio::spawn(async move {
                let mut client = Client::connect(ports[0]).await;
                while !stop.load(Ordering::Relaxed) {
                    let (status, _, body) = client.get("a.test", "/").await;
                    assert!(
                        status == 200 && ["blue", "green"].contains(&body.as_str()),
                        "{status} {body}"
                    );
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            }));
            continue;
        }
        // A connection that was opened with the first certificate outlives all the others.
        let mut stream = BufReader::new(
            keys[0]
                .connect(ports[1], "a.test", None)
                .await
                .expect("TLS"),
        );
        clients.push(tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                stream
                    .write_all(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
                    .await
                    .expect("written");
                let (mut head, mut length) = (String::new(), 0);
                loop {
                    let mut line = String::new();
                    assert_ne!(
                        stream.read_line(&mut line).await.expect("read"),
                        0,
                        "closed"
                    );
                    if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().expect("a number");
                    }
                    head += &line;
                    if line == "\r\n" {
                        break;
                    }
                }
                let mut body = vec![0; length];
                stream.read_exact(&mut body).await.expect("read");
                assert!(
                    head.starts_with("HTTP/1.1 200") && (body == b"blue" || body == b"green"),
                    "{head}"
                );
                sent.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    for round in 1..=count() {
        let name = ["blue", "green"][round % 2];
        running.write("all.yaml", &text(ports, round, name, &services, &keys));
        eventually("the change is served", || async {
            running.get("a.test", "/").await.1 == name
                && running.get(&format!("x{round}.test"), "/").await.0 == 200
        })
        .await;
        assert_eq!(
            running.get(&format!("x{}.test", round - 1), "/").await.0,
            404
        );
        if round % 10 == 1 {
            let new = keys[round % 2].connect(ports[1], "a.test", None).await;
            assert!(new.is_ok(), "the new certificate is shown");
            assert!(
                keys[(round + 1) % 2]
                    .connect(ports[1], "a.test", None)
                    .await
                    .is_err()
            );
        }
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client
            .await
            .expect("no request failed, no connection was closed");
    }
    let sent = sent.load(Ordering::Relaxed);
    println!("{} changes, {sent} requests", count());
    assert!(sent > 100);
}
