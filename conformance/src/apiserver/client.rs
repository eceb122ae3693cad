//! HTTP/1.1 over one connection that is kept, to `kubectl proxy` on this machine.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

/// A connection.
#[derive(Debug)]
pub struct Client {
    address: String,
    connection: BufReader<TcpStream>,
}

/// A status and the JSON that came with it.
#[derive(Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The body; null if it is not JSON.
    pub body: Value,
}

impl Client {
    /// Connects to an address such as `127.0.0.1:8001`.
    ///
    /// # Errors
    ///
    /// If nobody listens there.
    pub fn connect(address: &str) -> io::Result<Client> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Client {
            address: address.to_owned(),
            connection: BufReader::new(stream),
        })
    }

    /// Sends a request and waits for the answer; a connection that was closed meanwhile is made anew, once.
    ///
    /// # Errors
    ///
    /// If the connection breaks, or the answer is not HTTP.
    pub fn send(&mut self, method: &str, path: &str, body: &str) -> io::Result<Response> {
        match self.exchange(method, path, body) {
            Err(_) => {
                *self = Client::connect(&self.address)?;
                self.exchange(method, path, body)
            }
            response => response,
        }
    }

    fn exchange(&mut self, method: &str, path: &str, body: &str) -> io::Result<Response> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\naccept: application/json\r\ncontent-length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        let stream = self.connection.get_mut();
        stream.write_all(format!("{head}{body}").as_bytes())?;
        let status_line = self.line()?;
        let status = status_line
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let status =
            status.ok_or_else(|| io::Error::other(format!("not HTTP: `{status_line}`")))?;
        let (mut length, mut chunked) = (0, false);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            chunked |= line.starts_with("transfer-encoding:") && line.ends_with("chunked");
        }
        let mut text = Vec::new();
        if chunked {
            loop {
                let size = self.line()?;
                let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
                self.take(size, &mut text)?;
                self.line()?;
                if size == 0 {
                    break;
                }
            }
        } else {
            self.take(length, &mut text)?;
        }
        Ok(Response {
            status,
            body: serde_json::from_slice(&text).unwrap_or_default(),
        })
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.connection.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        line.truncate(line.trim_end().len());
        Ok(line)
    }

    fn take(&mut self, size: usize, text: &mut Vec<u8>) -> io::Result<()> {
        let start = text.len();
        text.resize(start + size, 0);
        self.connection.read_exact(&mut text[start..])
    }
}
