//! A backend that takes well-formed requests only and says what is wrong with the others.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request that arrived completely.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) backend: &'static str,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) trailers: Vec<String>,
    pub(crate) deviations: Vec<&'static str>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    pub(crate) complete: Arc<Mutex<Vec<Recorded>>>,
    pub(crate) bytes: Arc<Mutex<usize>>,
    /// The scripted answer of the case that runs.
    pub(crate) script: Arc<Mutex<Option<Value>>>,
}

pub(crate) async fn start(name: &'static str, log: Log) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(name, stream, log.clone()));
        }
    });
    port
}

async fn connection(name: &'static str, mut stream: TcpStream, log: Log) {
    let mut bytes = Vec::new();
    loop {
        while let Some((recorded, length)) = parse(name, &bytes) {
            bytes.drain(..length);
            let script = log.script.lock().expect("no panic").clone();
            let scripted = script.filter(|script| script["path"] == recorded.target.as_str());
            log.complete.lock().expect("no panic").push(recorded);
            let Some(script) = scripted else {
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                if stream.write_all(answer).await.is_err() {
                    return;
                }
                continue;
            };
            if crate::http1::send(&mut stream, &script["reply"])
                .await
                .is_err()
                || script["close"] == true
            {
                return;
            }
        }
        let mut part = [0; 4096];
        match stream.read(&mut part).await {
            Ok(count) if count > 0 => {
                *log.bytes.lock().expect("no panic") += count;
                bytes.extend_from_slice(&part[..count]);
            }
            _ => return,
        }
    }
}

/// The first request of the bytes and its length, once it is complete.
fn parse(backend: &'static str, bytes: &[u8]) -> Option<(Recorded, usize)> {
    let text = crate::http1::latin1(bytes);
    let end = text.find("\r\n\r\n")?;
    let (head, rest) = (&text[..end], &text[end + 4..]);
    // Each character of `text` was one byte, but takes up to two here.
    let count = |part: &str| part.chars().count();
    let mut deviations = Vec::new();
    let mut lines = head.split("\r\n");
    let words: Vec<&str> = lines.next()?.split(' ').collect();
    if words.len() != 3 || words[2] != "HTTP/1.1" {
        deviations.push("the request line is not method, target, HTTP/1.1");
    }
    let mut fields = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || !name.chars().all(token) {
            deviations.push("a field's name is no token");
        }
        if value.chars().any(|c| (c < ' ' && c != '\t') || c == '\x7f') {
            deviations.push("a field's value has a control character");
        }
        fields.push((
            name.to_lowercase(),
            value.trim_matches([' ', '\t']).to_owned(),
        ));
    }
    let values = |name: &str| {
        fields
            .iter()
            .filter(|(own, _)| own == name)
            .map(|(_, value)| value.clone())
            .collect::<Vec<_>>()
    };
    if values("host").len() != 1 {
        deviations.push("there is not one Host field");
    }
    let (lengths, codings) = (values("content-length"), values("transfer-encoding"));
    if lengths.len() + codings.len() > 1 {
        deviations.push("the length is said twice");
    }
    let (mut body, mut trailers) = (String::new(), Vec::new());
    let mut taken = end + 4;
    let taken_bytes = count(&text[..taken]);
    let used = if let Some(length) = lengths.first() {
        let length: usize = length.parse().unwrap_or(0);
        if count(rest) < length {
            return None;
        }
        body = rest.chars().take(length).collect();
        length
    } else if codings.is_empty() {
        0
    } else {
        let mut left = rest;
        loop {
            let (size, after) = left.split_once("\r\n")?;
            if size.is_empty() || !size.chars().all(|c| c.is_ascii_hexdigit()) {
                deviations.push("a chunk's size is no plain number");
            }
            let size = usize::from_str_radix(size, 16).ok()?;
            left = after;
            if size == 0 {
                break;
            }
            let at = left.char_indices().nth(size)?.0;
            body += &left[..at];
            left = left[at..].strip_prefix("\r\n").or_else(|| {
                deviations.push("a chunk does not end with its size");
                None
            })?;
        }
        loop {
            let (line, after) = left.split_once("\r\n")?;
            left = after;
            if line.is_empty() {
                break;
            }
            trailers.push(line.split(':').next().unwrap_or_default().to_lowercase());
        }
        count(rest) - count(left)
    };
    taken = taken_bytes + used;
    let word = |at: usize| {
        words
            .get(at)
            .map(|word| (*word).to_owned())
            .unwrap_or_default()
    };
    Some((
        Recorded {
            backend,
            method: word(0),
            target: word(1),
            fields,
            body,
            trailers,
            deviations,
        },
        taken,
    ))
}
