//! The load, and the backend that it ends at.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::subjects::{HOST, Running};

/// What every answer says.
pub(crate) const BODY: &str = "hello, world\n";
/// Connections, and over HTTP/2 how many streams each has.
const CONNECTIONS: usize = 32;
const STREAMS: usize = 4;

type Failure = Box<dyn std::error::Error>;

/// How the load talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Http1,
    Tls,
    Http2,
}

/// Answers every request with the same line, and with the version that the path begins with, if it does.
pub(crate) async fn backend() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    Ok(address)
}

async fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let text = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    let (mut buffer, mut filled) = (vec![0; 16 << 10], 0);
    loop {
        let count = stream
            .read(buffer.get_mut(filled..).unwrap_or_default())
            .await?;
        if count == 0 {
            return Ok(());
        }
        filled += count;
        // Requests have no bodies and are not pipelined.
        if buffer
            .get(..filled)
            .is_some_and(|head| head.ends_with(b"\r\n\r\n"))
        {
            filled = 0;
            stream.write_all(text.as_bytes()).await?;
        }
    }
}

/// Asks as fast as it can for a while, with every connection waiting for its answer; how many were answered.
pub(crate) async fn run(
    running: &Running,
    kind: Kind,
    routes: usize,
    time: Duration,
) -> Result<u64, Failure> {
    let count = Arc::new(AtomicU64::new(0));
    let end = Instant::now() + time;
    let mut work = Vec::new();
    for number in 0..CONNECTIONS {
        let seed = number * 7919;
        let stream = TcpStream::connect(("127.0.0.1", running.port(kind))).await?;
        stream.set_nodelay(true)?;
        let count = count.clone();
        match kind {
            Kind::Http1 => work.push(tokio::spawn(http1(stream, seed, routes, end, count))),
            Kind::Tls => {
                let name = ServerName::try_from(HOST)?;
                let stream = TlsConnector::from(running.tls())
                    .connect(name, stream)
                    .await?;
                work.push(tokio::spawn(http1(stream, seed, routes, end, count)));
            }
            Kind::Http2 => {
                let (sender, connection) =
                    http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
                tokio::spawn(connection);
                for _ in 0..STREAMS {
                    work.push(tokio::spawn(http2_requests(
                        sender.clone(),
                        end,
                        count.clone(),
                    )));
                }
            }
        }
    }
    for one in work {
        one.await??;
    }
    Ok(count.load(Ordering::Relaxed))
}

fn path(number: usize, routes: usize) -> String {
    format!("/r{:05}/x", number % routes)
}

async fn http1<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    mut number: usize,
    routes: usize,
    end: Instant,
    count: Arc<AtomicU64>,
) -> io::Result<()> {
    let mut buffer = vec![0; 4096];
    while Instant::now() < end {
        number = number
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ask(&mut stream, &mut buffer, &path(number >> 33, routes)).await?;
        count.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    buffer: &mut [u8],
    path: &str,
) -> io::Result<()> {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: load\r\nAccept: */*\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut filled = 0;
    loop {
        let read = stream
            .read(buffer.get_mut(filled..).unwrap_or_default())
            .await?;
        filled += read;
        let answer = buffer.get(..filled).unwrap_or_default();
        if answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(BODY.as_bytes()) {
            return Ok(());
        }
        if read == 0 {
            let text = String::from_utf8_lossy(answer).into_owned();
            return Err(io::Error::other(format!(
                "a wrong answer to `{path}`: {text}"
            )));
        }
    }
}

async fn http2_requests(
    mut sender: http2::SendRequest<Empty<bytes::Bytes>>,
    end: Instant,
    count: Arc<AtomicU64>,
) -> io::Result<()> {
    while Instant::now() < end {
        let uri = format!("http://{HOST}{}", path(0, 1));
        let request = http::Request::get(uri)
            .body(Empty::new())
            .map_err(io::Error::other)?;
        let response = sender
            .send_request(request)
            .await
            .map_err(io::Error::other)?;
        let status = response.status();
        let body = response
            .into_body()
            .collect()
            .await
            .map_err(io::Error::other)?
            .to_bytes();
        if status != 200 || body != BODY {
            return Err(io::Error::other(format!("a wrong answer: {status}")));
        }
        count.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Opens connections, asks once over each and leaves them open.
pub(crate) async fn rest(running: &Running, count: usize) -> io::Result<Vec<TcpStream>> {
    let mut held = Vec::new();
    let mut buffer = vec![0; 4096];
    for _ in 0..count {
        let mut stream = TcpStream::connect(("127.0.0.1", running.port(Kind::Http1))).await?;
        ask(&mut stream, &mut buffer, &path(0, 1)).await?;
        held.push(stream);
    }
    Ok(held)
}

/// Whether a connection still answers.
pub(crate) async fn alive(stream: &mut TcpStream) -> bool {
    let mut buffer = vec![0; 4096];
    ask(stream, &mut buffer, &path(0, 1)).await.is_ok()
}

/// The status that a path has now, over a connection of its own.
pub(crate) async fn status(port: u16, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()
}
