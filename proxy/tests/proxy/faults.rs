//! What backends do wrong: the right status in the time that is configured, and never a part that passes for the whole.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::common::{Client, GATEWAY, Running, route, service};

/// How long a request may take here.
const LIMIT: u64 = 400;

/// Does as the path of a request says, once per connection.
async fn faulty() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // How a connection ends is the test's business.
            tokio::spawn(async move { fail(stream).await });
        }
    });
    address
}

async fn fail(mut stream: TcpStream) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let mut part = [0; 1024];
        let count = stream.read(&mut part).await?;
        if count == 0 {
            return Ok(());
        }
        head.extend_from_slice(&part[..count]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";
    match path {
        "/reset" => stream.set_zero_linger()?,
        "/reset-in-head" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nConte").await?;
            tokio::time::sleep(Duration::from_millis(50)).await;
            stream.set_zero_linger()?;
        }
        "/reset-in-body" => {
            stream.write_all(&[&whole[..], b"part"].concat()).await?;
            tokio::time::sleep(Duration::from_millis(50)).await;
            stream.set_zero_linger()?;
        }
        "/end-in-body" => stream.write_all(&[&whole[..], b"part"].concat()).await?,
        "/half-close" => {
            stream.write_all(&[&whole[..], b"part"].concat()).await?;
            stream.shutdown().await?;
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        "/half-close-after" => {
            stream
                .write_all(&[&whole[..], b"0123456789"].concat())
                .await?;
            stream.shutdown().await?;
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        "/stall" => tokio::time::sleep(Duration::from_secs(30)).await,
        "/stall-in-head" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nConte").await?;
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        "/stall-in-body" => {
            stream.write_all(&[&whole[..], b"part"].concat()).await?;
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        "/trickle-head" => {
            for byte in b"HTTP/1.1 200 OK\r\nX-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" {
                stream.write_all(&[*byte]).await?;
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        }
        "/trickle-body" => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
                .await?;
            for _ in 0..100 {
                stream.write_all(b"a").await?;
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        }
        "/chunk" => {
            let part = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n";
            stream.write_all(part).await?;
        }
        "/until-close" => stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nwhole").await?,
        "/until-reset" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\npart").await?;
            tokio::time::sleep(Duration::from_millis(50)).await;
            stream.set_zero_linger()?;
        }
        "/garbage" => stream.write_all(b"\x16\x03\x01\x02\x00garbage").await?,
        "/garbage-open" => {
            stream.write_all(b"SSH-2.0-server\r\n").await?;
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        "/early" => {
            // It has heard enough of the body, says so and goes on reading for a while.
            stream
                .write_all(b"HTTP/1.1 413 X\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
                .await?;
            stream.shutdown().await?;
            let mut rest = vec![0; 64 << 10];
            while stream.read(&mut rest).await? > 0 {}
        }
        "/echo" => {
            // Both directions at once.
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n")
                .await?;
            let at = head.find("\r\n\r\n").map_or(0, |at| at + 4);
            stream.write_all(&head.as_bytes()[at..]).await?;
            let (mut reader, mut writer) = stream.split();
            tokio::io::copy(&mut reader, &mut writer).await?;
        }
        _ => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                .await?
        }
    }
    Ok(())
}

async fn serving() -> Running {
    let services = service("faulty", "", &[faulty().await])
        + &service("dead", "", &[([127, 0, 0, 1], 1).into()]);
    let limits = format!("timeouts: {{request: {LIMIT}ms}}");
    let rules = format!(
        "{{matches: [{{path: {{value: /dead}}}}], backendRefs: [{{name: dead, port: 80}}], {limits}}}, \
         {{matches: [{{path: {{value: /early}}}}, {{path: {{value: /echo}}}}], backendRefs: [{{name: faulty, port: 80}}]}}, \
         {{backendRefs: [{{name: faulty, port: 80}}], {limits}}}"
    );
    Running::start(&(GATEWAY.to_owned() + &route("r", "a.test", &rules) + &services)).await
}

/// Everything that comes until the connection ends, and whether that was an orderly end.
async fn everything(running: &Running, request: &str) -> (String, bool, Duration) {
    let mut stream = TcpStream::connect(("127.0.0.1", running.port))
        .await
        .expect("connected");
    let start = Instant::now();
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut all = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut all)).await;
    let orderly = read.expect("an end").is_ok();
    (
        String::from_utf8_lossy(&all).into_owned(),
        orderly,
        start.elapsed(),
    )
}

fn get(path: &str, version: &str) -> String {
    format!("GET {path} HTTP/{version}\r\nHost: a.test\r\nConnection: close\r\n\r\n")
}

#[tokio::test]
async fn a_backend_that_gives_no_answer_is_a_status_in_time() {
    let running = serving().await;
    for (path, status, timed) in [
        ("/dead", 502, false),
        ("/reset", 502, false),
        ("/reset-in-head", 502, false),
        ("/garbage", 502, false),
        ("/garbage-open", 502, false),
        ("/stall", 504, true),
        ("/stall-in-head", 504, true),
        ("/trickle-head", 504, true),
        ("/half-close-after", 200, false),
        ("/until-close", 200, false),
        ("/", 200, false),
    ] {
        let (all, orderly, took) = everything(&running, &get(path, "1.1")).await;
        assert!(
            orderly && all.starts_with(&format!("HTTP/1.1 {status} ")),
            "{path}: {all}"
        );
        let limit = Duration::from_millis(LIMIT);
        assert_eq!(took >= limit, timed, "{path}: {took:?}");
        assert!(took < limit * 3, "{path}: {took:?}");
    }
}

#[tokio::test]
async fn a_part_of_an_answer_never_passes_for_the_whole() {
    let running = serving().await;
    for path in [
        "/reset-in-body",
        "/end-in-body",
        "/half-close",
        "/stall-in-body",
        "/trickle-body",
        "/chunk",
        "/until-reset",
    ] {
        for version in ["1.1", "1.0"] {
            let (all, orderly, took) = everything(&running, &get(path, version)).await;
            assert!(took < Duration::from_millis(LIMIT * 3), "{path}: {took:?}");
            let (head, body) = all.split_once("\r\n\r\n").unwrap_or((&all, ""));
            let length = crate::script::field(head, "content-length");
            let cut = match length.and_then(|length| length.parse::<usize>().ok()) {
                Some(length) => body.len() < length,
                None if crate::script::field(head, "transfer-encoding").is_some() => {
                    !body.ends_with("0\r\n\r\n")
                }
                // Nothing but the end of the connection can tell.
                None => !orderly,
            };
            let refused = all.starts_with("HTTP/1.1 5") || all.starts_with("HTTP/1.0 5");
            assert!(cut || refused, "{path}, HTTP/{version}: {all}");
        }
    }
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_body_is_the_answer() {
    let running = serving().await;
    let mut stream = TcpStream::connect(("127.0.0.1", running.port))
        .await
        .expect("connected");
    let head = "POST /early HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut all = vec![0; 1024];
    // The client goes on sending until it hears.
    let (mut reader, mut writer) = stream.split();
    let send = async {
        while writer.write_all(&[b'a'; 8192]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        std::future::pending::<()>().await;
    };
    let count = tokio::select! {
        count = tokio::time::timeout(Duration::from_secs(5), reader.read(&mut all)) => count.expect("an answer").expect("read"),
        () = send => 0,
    };
    let text = String::from_utf8_lossy(&all[..count]);
    assert!(text.starts_with("HTTP/1.1 413 "), "{text}");
}

#[tokio::test]
async fn both_directions_of_an_exchange_go_on_at_once() {
    let running = serving().await;
    let mut client = Client::connect(running.port).await;
    client
        .send(b"POST /echo HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2000000\r\n\r\n")
        .await;
    let head = client.head().await.expect("an answer before the body");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    for _ in 0..20 {
        client.send(&[b'x'; 100_000]).await;
        assert_eq!(client.bytes(100_000).await, [b'x'; 100_000]);
    }
}
