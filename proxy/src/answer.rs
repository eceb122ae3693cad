//! Heads of answers, judged on the bytes as those of requests are (RFC 9112 section 4).
//!
//! Nothing is repaired here either: what a backend says in a way that two readers could take differently is no answer.

use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::fields::framed;
use crate::head::judge_field;

/// Bytes of a head.
pub const HEAD: usize = 256 << 10;
/// Fields of a head.
pub const FIELDS: usize = 1000;

/// A head, and what it means for the connection.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain facts")]
pub struct AnswerHead {
    /// The status.
    pub status: StatusCode,
    /// The fields.
    pub headers: HeaderMap,
    /// Where the body ends.
    pub framing: Framing,
    /// Whether the connection may be used again afterwards.
    pub lasting: bool,
}

/// RFC 9112 section 6.3, of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are no others")]
pub enum Framing {
    /// After so many bytes, none included.
    Length(u64),
    /// After the last chunk.
    Chunked,
    /// With the connection.
    Close,
}

/// The length of the head that bytes begin with, if it is complete; what comes before `from` was looked at already.
///
/// # Errors
///
/// As soon as it cannot become a head any more: it is too long, is of no version that is known, or a line ends with a bare LF.
pub fn end(bytes: &[u8], from: usize) -> Result<Option<usize>, &'static str> {
    const BEGINNING: &[u8] = b"HTTP/1.";
    let beginning = bytes.len().min(BEGINNING.len());
    if bytes.get(..beginning) != BEGINNING.get(..beginning) {
        return Err("the answer is not of HTTP/1.1 or HTTP/1.0");
    }
    let mut at = from;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr(b'\n', rest)) {
        at += found + 1;
        match bytes.get(..at) {
            Some([.., b'\r', b'\n', b'\r', b'\n']) => return Ok(Some(at)),
            Some([.., b'\r', b'\n']) => {}
            _ => return Err("a line of the answer ends with a bare LF"),
        }
    }
    if bytes.len() > HEAD {
        return Err("the head of the answer is too long");
    }
    Ok(None)
}

/// Takes a complete head, `end` bytes long, off the bytes.
///
/// # Errors
///
/// If it is not well formed, or leaves open where the answer ends.
pub fn take(bytes: &mut BytesMut, end: usize, to_head: bool) -> Result<AnswerHead, &'static str> {
    let head = bytes.split_to(end).freeze();
    let mut lines = Lines(head);
    let (minor, status) = status_line(&lines.next().ok_or("there is no status line")??)?;
    let mut headers = HeaderMap::with_capacity(16);
    let mut told = false;
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if headers.len() >= FIELDS {
            return Err("the answer has too many fields");
        }
        let (name, value) = judge_field(&line).map_err(|refusal| refusal.why)?;
        let name = HeaderName::from_bytes(name).map_err(|_| "a field's name is no token")?;
        let value = HeaderValue::from_maybe_shared(line.slice_ref(value))
            .map_err(|_| "a field's value has a control character")?;
        told |= name == CONNECTION;
        headers.append(name, value);
    }
    let connection = |wanted: &str| {
        if !told {
            return false;
        }
        let values = headers.get_all(CONNECTION).iter();
        values
            .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
            .any(|name| name.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes()))
    };
    let mut lasting = if minor == b'1' {
        !connection("close")
    } else {
        connection("keep-alive")
    };
    if !framed(&headers) || (minor == b'0' && headers.contains_key(TRANSFER_ENCODING)) {
        return Err("the answer leaves open where it ends");
    }
    let length = headers.get(CONTENT_LENGTH).map(HeaderValue::as_bytes);
    let none = to_head || status.is_informational() || matches!(status.as_u16(), 204 | 304);
    let framing = if none {
        Framing::Length(0)
    } else if headers.contains_key(TRANSFER_ENCODING) {
        Framing::Chunked
    } else if let Some(length) = length {
        let length = std::str::from_utf8(length)
            .ok()
            .and_then(|text| text.parse().ok());
        Framing::Length(length.ok_or("a Content-Length beyond all measure")?)
    } else {
        lasting = false;
        Framing::Close
    };
    Ok(AnswerHead {
        status,
        headers,
        framing,
        lasting,
    })
}

fn status_line(line: &[u8]) -> Result<(u8, StatusCode), &'static str> {
    let (version, rest) = line
        .split_at_checked(9)
        .ok_or("the status line is too short")?;
    let minor = match version {
        [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            b'1',
            b'.',
            minor @ (b'0' | b'1'),
            b' ',
        ] => *minor,
        _ => return Err("the answer is not of HTTP/1.1 or HTTP/1.0"),
    };
    let (status, reason) = rest
        .split_at_checked(3)
        .ok_or("the status line is too short")?;
    let sound = |byte: &u8| (*byte >= b' ' && *byte != 0x7f) || *byte == b'\t';
    if !reason.iter().all(sound) || reason.first().is_some_and(|&byte| byte != b' ') {
        return Err("the status is not three digits");
    }
    let status = StatusCode::from_bytes(status).map_err(|_| "the status is not three digits")?;
    Ok((minor, status))
}

/// Lines that end with CR LF, as parts of the same memory.
struct Lines(Bytes);

impl Iterator for Lines {
    type Item = Result<Bytes, &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        let end = memchr::memchr(b'\n', &self.0)?;
        let mut line = self.0.split_to(end);
        self.0.advance(1);
        if line.last() != Some(&b'\r') {
            return Some(Err("a line of the answer ends with a bare LF"));
        }
        line.truncate(end - 1);
        Some(Ok(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str, to_head: bool) -> Result<(u16, Framing, bool), &'static str> {
        let mut bytes = BytesMut::from(text);
        let end = end(&bytes, 0)?.ok_or("incomplete")?;
        let head = take(&mut bytes, end, to_head)?;
        Ok((head.status.as_u16(), head.framing, head.lasting))
    }

    #[test]
    fn the_end_is_where_the_fields_say() {
        let answer = |version: &str, status: u16, fields: &str| {
            judged(&format!("HTTP/{version} {status} X\r\n{fields}\r\n"), false)
        };
        let length = Framing::Length;
        for (version, status, fields, framing, lasting) in [
            ("1.1", 200, "Content-Length: 5\r\n", length(5), true),
            (
                "1.1",
                200,
                "Transfer-Encoding: chunked\r\n",
                Framing::Chunked,
                true,
            ),
            ("1.1", 200, "", Framing::Close, false),
            ("1.1", 204, "", length(0), true),
            ("1.1", 304, "Content-Length: 5\r\n", length(0), true),
            ("1.1", 101, "", length(0), true),
            (
                "1.1",
                200,
                "Content-Length: 5\r\nConnection: X, close\r\n",
                length(5),
                false,
            ),
            ("1.0", 200, "Content-Length: 5\r\n", length(5), false),
            (
                "1.0",
                200,
                "Content-Length: 5\r\nConnection: Keep-Alive\r\n",
                length(5),
                true,
            ),
        ] {
            assert_eq!(
                answer(version, status, fields),
                Ok((status, framing, lasting)),
                "{fields}"
            );
        }
        assert_eq!(
            judged("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true),
            Ok((200, length(0), true))
        );
        assert_eq!(
            judged("HTTP/1.1 200\r\n\r\n", false).map(|judged| judged.0),
            Ok(200)
        );
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_no_answer() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX-A: 1\n\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX-A : 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX-A: a\rb\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.2 200 OK\r\n\r\n",
            "HTTP/2.0 200 OK\r\n\r\n",
            "\r\nHTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\n\n",
        ] {
            assert!(judged(text, false).is_err(), "{text:?}");
        }
        assert!(end(&[b'a'; HEAD + 1], 0).is_err());
    }

    #[test]
    fn a_head_that_comes_byte_by_byte_ends_where_it_ends() {
        let text = b"HTTP/1.1 200 OK\r\nX-A: 1\r\n\r\nbody";
        let found = (1..=text.len()).find_map(|n| end(&text[..n], n - 1).expect("sound"));
        assert_eq!(found, Some(text.len() - 4));
    }
}
