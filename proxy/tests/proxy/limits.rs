//! Limits on what clients take, each exceeded.

use std::time::{Duration, Instant};

use gatepost_proxy::{Limits, Options, Proxy};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::common::{self, Client, GATEWAY, Running, free_port, route, service};
use crate::frames::{decode, encode, preface};
use crate::script::{Part, Scripted, answer};

async fn serving(limits: Limits) -> (Scripted, Running) {
    let one = Scripted::start(|_, seen| {
        if seen.head.starts_with("GET /slow") {
            return vec![Part::Pause(700), answer(200, "", "ok")];
        }
        if seen.head.starts_with("GET /large") {
            return vec![answer(200, "", &"x".repeat(64 << 20))];
        }
        vec![answer(200, "", "ok")]
    })
    .await;
    let port = free_port();
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!(
        "{GATEWAY}{}{}",
        route(
            "main",
            "gate.test",
            "{backendRefs: [{name: one, port: 80}]}"
        ),
        service("one", "", &[one.address])
    );
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
    (
        one,
        Running {
            folder,
            proxy,
            port,
        },
    )
}

fn close_to(took: Duration, milliseconds: u64) -> bool {
    let wanted = Duration::from_millis(milliseconds);
    took >= wanted && took < wanted + Duration::from_secs(1)
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_and_room_is_used_again() {
    let (_one, running) = serving(Limits {
        connections: 3,
        ..Limits::default()
    })
    .await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut client = Client::connect(running.port).await;
        assert_eq!(client.get("gate.test", "/").await.0, 200);
        held.push(client);
    }
    assert!(Client::connect(running.port).await.closed().await);
    assert!(
        running
            .admin("/metrics")
            .await
            .1
            .contains("gatepost_connections_refused_total 1")
    );
    held.pop();
    common::eventually("there is room again", || async {
        let mut client = Client::connect(running.port).await;
        client
            .send(b"GET / HTTP/1.1\r\nHost: gate.test\r\n\r\n")
            .await;
        client.head().await.is_some()
    })
    .await;
}

#[tokio::test]
async fn a_head_that_takes_too_long_gets_408() {
    let (one, running) = serving(Limits {
        head: Duration::from_millis(1_500),
        ..Limits::default()
    })
    .await;
    for before in [0, 1] {
        let mut client = Client::connect(running.port).await;
        for _ in 0..before {
            assert_eq!(client.get("gate.test", "/").await.0, 200);
        }
        let start = Instant::now();
        client.send(b"GET / HTTP/1.1\r\nHost: ga").await;
        // A byte now and then is no excuse.
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(600)).await;
            client.send(b"t").await;
        }
        let head = client.head().await.expect("an answer");
        assert!(
            head.starts_with("HTTP/1.1 408") && close_to(start.elapsed(), 1_500),
            "{head} {:?}",
            start.elapsed()
        );
    }
    let start = Instant::now();
    assert!(Client::connect(running.port).await.closed().await);
    assert!(close_to(start.elapsed(), 1_500), "{:?}", start.elapsed());
    assert_eq!(one.count(), 1);
}

#[tokio::test]
async fn a_connection_that_is_not_used_is_closed_and_one_that_waits_is_not() {
    let (_one, running) = serving(Limits {
        idle: Duration::from_millis(600),
        ..Limits::default()
    })
    .await;
    let mut client = Client::connect(running.port).await;
    assert_eq!(client.get("gate.test", "/slow").await.0, 200);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(client.get("gate.test", "/").await.0, 200);
    let start = Instant::now();
    assert!(
        client.closed().await && close_to(start.elapsed(), 600),
        "{:?}",
        start.elapsed()
    );
    let mut stream = http2(
        &running,
        &json!([{"t": "HEADERS", "sid": 1, "flags": ["ES", "EH"], "fields": get("/slow")}]),
    )
    .await;
    let (start, mut bytes) = (Instant::now(), Vec::new());
    stream.read_to_end(&mut bytes).await.expect("an end");
    assert_eq!(decode(&bytes).statuses, [200]);
    assert!(close_to(start.elapsed(), 1_300), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_body_that_pauses_too_long_gets_408_and_is_never_whole() {
    let (one, running) = serving(Limits {
        body_idle: Duration::from_secs(1),
        ..Limits::default()
    })
    .await;
    let mut client = Client::connect(running.port).await;
    client
        .send(b"POST / HTTP/1.1\r\nHost: gate.test\r\nContent-Length: 10\r\n\r\n")
        .await;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(400)).await;
        client.send(b"x").await;
    }
    let start = Instant::now();
    let head = client.head().await.expect("an answer");
    assert!(
        head.starts_with("HTTP/1.1 408") && close_to(start.elapsed(), 1_000),
        "{head} {:?}",
        start.elapsed()
    );
    assert_eq!(one.count(), 0);
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_let_go() {
    let (_one, running) = serving(Limits {
        body_idle: Duration::from_millis(300),
        ..Limits::default()
    })
    .await;
    let mut client = Client::connect(running.port).await;
    client
        .send(b"GET /large HTTP/1.1\r\nHost: gate.test\r\n\r\n")
        .await;
    assert!(client.head().await.is_some());
    common::eventually("the connection is closed", || async {
        let text = running.admin("/metrics").await.1;
        text.contains("gatepost_connections 0")
    })
    .await;
}

fn get(path: &str) -> serde_json::Value {
    json!([
        [":method", "GET"],
        [":scheme", "http"],
        [":authority", "gate.test"],
        [":path", path]
    ])
}

async fn http2(running: &Running, frames: &serde_json::Value) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", running.port))
        .await
        .expect("connected");
    let mut bytes = preface();
    encode(frames, 0, &mut bytes);
    // A peer that has had enough closes while we still send.
    let _ = stream.write_all(&bytes).await;
    stream
}

async fn answers(mut stream: TcpStream, milliseconds: u64) -> (crate::frames::Answers, bool) {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        match tokio::time::timeout(Duration::from_millis(milliseconds), stream.read(&mut part))
            .await
        {
            Err(_) => return (decode(&bytes), false),
            Ok(Ok(count)) if count > 0 => bytes.extend_from_slice(&part[..count]),
            Ok(_) => return (decode(&bytes), true),
        }
    }
}

#[tokio::test]
async fn a_hundred_resets_are_taken_and_no_more() {
    let (_one, running) = serving(Limits::default()).await;
    let round = json!([{"t": "HEADERS", "sid": 1, "flags": ["ES", "EH"], "fields": get("/slow")}, {"t": "RST", "sid": 1, "code": 8}]);
    let pause = Duration::from_millis(5);
    for (times, closed) in [(100, false), (101, true)] {
        let mut stream = http2(&running, &json!([])).await;
        let mut broken = false;
        for round_number in 0..times {
            let mut bytes = Vec::new();
            encode(&round, round_number * 2, &mut bytes);
            broken |= stream.write_all(&bytes).await.is_err();
            // Slowly, so that each stream is taken up before it is reset.
            tokio::time::sleep(pause).await;
        }
        let (answers, ended) = answers(stream, 300).await;
        assert_eq!(
            broken || ended || answers.goaway,
            closed,
            "{times}: {answers:?}"
        );
    }
}

#[tokio::test]
async fn streams_beyond_the_limit_are_refused() {
    let (one, running) = serving(Limits {
        streams: 5,
        ..Limits::default()
    })
    .await;
    let frames = json!([{"t": "LOOP", "times": 8, "sid_step": 2, "frames": [{"t": "HEADERS", "sid": 1, "flags": ["ES", "EH"], "fields": get("/slow")}]}]);
    let (answers, _) = answers(http2(&running, &frames).await, 1500).await;
    assert_eq!(
        (answers.statuses.len(), answers.resets),
        (5, 3),
        "{answers:?}"
    );
    assert_eq!(one.count(), 5);
}

#[tokio::test]
async fn a_field_section_beyond_the_limit_is_refused() {
    let (one, running) = serving(Limits::default()).await;
    let frames = json!([{"t": "BOMB", "sid": 1, "refs": 40}]);
    let (answers, closed) = answers(http2(&running, &frames).await, 500).await;
    assert!(
        answers.resets > 0
            || closed
            || answers.goaway
            || answers.statuses.iter().all(|status| *status != 200),
        "{answers:?}"
    );
    assert_eq!(one.count(), 0);
}
