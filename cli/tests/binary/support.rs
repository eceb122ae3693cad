//! The real binary, and an application behind it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A release of the sample application.
#[derive(Debug)]
pub(crate) struct Application {
    pub(crate) address: SocketAddr,
    pub(crate) requests: Arc<AtomicU64>,
}

impl Application {
    /// Answers every request with a line, over connections that stay open.
    pub(crate) fn start(line: &'static str) -> Application {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::new(AtomicU64::new(0));
        let count = requests.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let count = count.clone();
                thread::spawn(move || answer(stream, line, &count));
            }
        });
        Application { address, requests }
    }

    pub(crate) fn count(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }
}

fn answer(stream: TcpStream, line: &str, count: &AtomicU64) {
    let mut reader = BufReader::new(stream.try_clone().expect("a clone"));
    let mut stream = stream;
    loop {
        let mut head = 0;
        loop {
            let mut text = String::new();
            match reader.read_line(&mut text) {
                Ok(0) | Err(_) => return,
                Ok(_) if text == "\r\n" => break,
                Ok(length) => head += length,
            }
        }
        if head == 0 {
            return;
        }
        count.fetch_add(1, Ordering::SeqCst);
        let response = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{line}",
            line.len()
        );
        if stream.write_all(response.as_bytes()).is_err() {
            return;
        }
    }
}

/// `gatepost serve`, ended when it is dropped.
#[derive(Debug)]
pub(crate) struct Serve {
    child: Child,
    pub(crate) offset: u16,
}

impl Serve {
    /// Serves a folder on ports that are shifted to where nobody else is, and waits until the admin endpoint answers.
    pub(crate) fn start(folder: &Path, offset: u16, more: &[String]) -> Serve {
        let admin = format!("127.0.0.1:{}", offset + 1);
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
        command.args([
            "serve",
            "--bind",
            "127.0.0.1",
            "--admin",
            &admin,
            "--port-offset",
            &offset.to_string(),
            "-f",
        ]);
        command
            .arg(folder)
            .args(more)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::null());
        let child = command.spawn().expect("the binary starts");
        let serve = Serve { child, offset };
        let ready =
            || request(serve.port(1), "/readyz", "localhost").is_ok_and(|answer| answer.0 == 200);
        until("the admin endpoint answers", ready);
        serve
    }

    /// The bound port of a port of the specification.
    pub(crate) fn port(&self, port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port + self.offset))
    }

    /// Ends it as a cluster would; the exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .expect("kill")
                .success()
        );
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a status") {
                return status.code();
            }
            assert!(
                start.elapsed() < Duration::from_secs(15),
                "it does not stop"
            );
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        // One that has ended already cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something holds.
pub(crate) fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "after 20 s it is not so that {what}"
        );
        thread::sleep(Duration::from_millis(10));
    }
}

/// One request over a connection of its own: status, head and body.
pub(crate) fn request(
    address: SocketAddr,
    path: &str,
    host: &str,
) -> std::io::Result<(u16, String, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = text
        .split_once("\r\n\r\n")
        .ok_or_else(|| std::io::Error::other(format!("no head in {text:?}")))?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| std::io::Error::other(format!("no status in {head:?}")))?;
    Ok((status, head.to_owned(), body.to_owned()))
}

/// Puts a file where another may be, at once.
pub(crate) fn put(folder: &Path, name: &str, text: &str) {
    let draft = folder.join(format!(".{name}.draft"));
    std::fs::write(&draft, text).expect("written");
    std::fs::rename(&draft, folder.join(name)).expect("renamed");
}
