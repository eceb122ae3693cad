//! A backend that does as it is told, request by request, and keeps what it got.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    pub(crate) at: Instant,
}

impl Seen {
    /// The value of a field, if there is exactly one.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        field(&self.head, name)
    }
}

/// The value of a field of a head, if there is exactly one.
pub(crate) fn field(head: &str, name: &str) -> Option<String> {
    let mut values = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(own, _)| own.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim().to_owned());
    values.next().filter(|_| values.next().is_none())
}

/// What is done, in order.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    Send(String),
    Pause(u64),
    Close,
}

/// What a request is answered with; the number counts the requests of the backend.
pub(crate) type Script = fn(usize, &Seen) -> Vec<Part>;

#[derive(Clone, Debug)]
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// An answer with a status, more fields and a body.
pub(crate) fn answer(status: u16, fields: &str, body: &str) -> Part {
    let length = body.len();
    Part::Send(format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n{fields}\r\n{body}"
    ))
}

impl Scripted {
    pub(crate) async fn start(script: Script) -> Scripted {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let log = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let log = log.clone();
                // How a connection ends is the test's business.
                tokio::spawn(async move { serve(BufReader::new(stream), script, log).await });
            }
        });
        Scripted { address, seen }
    }

    /// Everything that came so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic").clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.seen.lock().expect("no panic").len()
    }
}

async fn serve(
    mut stream: BufReader<TcpStream>,
    script: Script,
    log: Arc<Mutex<Vec<Seen>>>,
) -> Option<()> {
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await.ok()? == 0 {
                return None;
            }
        }
        let body = read_body(&mut stream, &head).await?;
        let seen = Seen {
            head,
            body,
            at: Instant::now(),
        };
        let number = {
            let mut log = log.lock().expect("no panic");
            log.push(seen.clone());
            log.len() - 1
        };
        for part in script(number, &seen) {
            match part {
                Part::Send(text) => stream.write_all(text.as_bytes()).await.ok()?,
                Part::Pause(milliseconds) => {
                    tokio::time::sleep(Duration::from_millis(milliseconds)).await
                }
                Part::Close => return None,
            }
        }
    }
}

async fn read_body(stream: &mut BufReader<TcpStream>, head: &str) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    if let Some(length) = field(head, "content-length") {
        body.resize(length.parse().ok()?, 0);
        stream.read_exact(&mut body).await.ok()?;
    } else if field(head, "transfer-encoding").is_some() {
        loop {
            let mut size = String::new();
            stream.read_line(&mut size).await.ok()?;
            let size = usize::from_str_radix(size.trim(), 16).ok()?;
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk).await.ok()?;
            if size == 0 {
                break;
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }
    Some(body)
}
