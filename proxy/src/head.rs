//! Strict HTTP/1 request heads, judged on the bytes (RFC 9112).
//!
//! Two readers of one connection that disagree on where a request ends are how requests are smuggled. So nothing is
//! repaired here: what RFC 9112 lets a recipient refuse is refused, before the server reads it.

use http::StatusCode;

/// Bytes of a request line.
pub const REQUEST_LINE: usize = 16 << 10;
/// Bytes of a field line.
pub const FIELD_LINE: usize = 16 << 10;
/// Bytes of a head.
pub const HEAD: usize = 64 << 10;
/// Fields of a head.
pub const FIELDS: usize = 128;
/// Bytes of a method.
const METHOD: usize = 64;
/// Empty lines that may come before a request (RFC 9112 section 2.2 asks for one).
const EMPTY_LINES: usize = 2;

/// Why a request is refused, and with which status. The connection is closed afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a status and its reason")]
pub struct Refusal {
    /// The status of the answer.
    pub status: StatusCode,
    /// The reason, for logs.
    pub why: &'static str,
}

impl Refusal {
    /// A refusal with 400.
    pub(crate) const fn bad(why: &'static str) -> Refusal {
        Refusal {
            status: StatusCode::BAD_REQUEST,
            why,
        }
    }

    pub(crate) const fn with(status: StatusCode, why: &'static str) -> Refusal {
        Refusal { status, why }
    }
}

/// How long the body of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "RFC 9112 section 6.3 has no more")]
pub enum Framing {
    /// This many bytes, none included.
    Length(u64),
    /// Chunks.
    Chunked,
}

/// What the rest of a connection has to know of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain facts")]
pub struct Judged {
    /// How long the body is.
    pub framing: Framing,
    /// Whether what follows may be another protocol, so that nothing of it is read before the answer is known.
    pub may_switch: bool,
}

/// Finds the end of a head in bytes that arrive bit by bit; no byte is looked at twice.
#[derive(Debug, Default)]
pub struct Scanner {
    at: usize,
    line: usize,
    fields: usize,
    empty: usize,
    /// Where the request line begins, behind empty lines.
    start: Option<usize>,
}

impl Scanner {
    /// Looks at the bytes that have arrived so far; `Some((start, end))` once the head is complete.
    ///
    /// # Errors
    ///
    /// As soon as the bytes cannot become a head any more, so that nobody waits for the rest.
    pub fn scan(&mut self, bytes: &[u8]) -> Result<Option<(usize, usize)>, Refusal> {
        loop {
            let rest = bytes.get(self.at..).unwrap_or_default();
            let Some(found) = memchr::memchr(b'\n', rest) else {
                self.at = bytes.len();
                let pending = bytes.get(self.line..).unwrap_or_default();
                if self.start.is_none() {
                    early(pending)?;
                }
                return self.limit(pending.len()).map(|()| None);
            };
            let end = self.at + found;
            let line = bytes.get(self.line..end).unwrap_or_default();
            let Some(line) = line.strip_suffix(b"\r") else {
                return Err(Refusal::bad("a line ends with a bare LF"));
            };
            self.limit(line.len())?;
            if line.is_empty() {
                if let Some(start) = self.start {
                    return Ok(Some((start, end + 1)));
                }
                self.empty += 1;
                if self.empty > EMPTY_LINES {
                    return Err(Refusal::bad("empty lines before the request"));
                }
            } else if self.start.is_none() {
                self.start = Some(self.line);
                // HTTP/0.9 ends here, so it is refused here.
                judge_request_line(line)?;
            } else {
                self.fields += 1;
                if self.fields > FIELDS {
                    return Err(too_large("more than 128 fields"));
                }
            }
            self.line = end + 1;
            self.at = end + 1;
        }
    }

    /// Whether a request has begun.
    pub fn begun(&self, bytes: &[u8]) -> bool {
        self.start.is_some() || bytes.len() > self.line
    }

    fn limit(&self, line: usize) -> Result<(), Refusal> {
        match self.start {
            None if line > REQUEST_LINE => Err(Refusal::with(
                StatusCode::URI_TOO_LONG,
                "the request line is longer than 16 KiB",
            )),
            Some(_) if line > FIELD_LINE => Err(too_large("a field is longer than 16 KiB")),
            Some(start) if self.line - start + line > HEAD => {
                Err(too_large("the head is longer than 64 KiB"))
            }
            _ => Ok(()),
        }
    }
}

const fn too_large(why: &'static str) -> Refusal {
    Refusal::with(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, why)
}

/// The beginning of a request line has to be a method: TLS or another protocol is refused at once.
fn early(line: &[u8]) -> Result<(), Refusal> {
    let method = line.split(|&byte| byte == b' ').next().unwrap_or_default();
    // A CR may be the end of an empty line of which the LF has not come.
    let tokens = method.iter().all(|&byte| is_token(byte)) || line == b"\r";
    if tokens && method.len() <= METHOD {
        Ok(())
    } else {
        Err(Refusal::bad("the request does not begin with a method"))
    }
}

/// Judges a complete head, from the method to the empty line.
///
/// # Errors
///
/// If it is not well formed, or if it does not say beyond doubt where the request ends.
pub fn judge(head: &[u8]) -> Result<Judged, Refusal> {
    let mut lines = lines(head);
    let request_line = lines.next().unwrap_or_default();
    let (method, version) = judge_request_line(request_line)?;
    let mut seen = Seen::default();
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = judge_field(line)?;
        seen.take(name, value)?;
    }
    if seen.hosts > 1 {
        return Err(Refusal::bad("more than one Host field"));
    }
    if seen.hosts == 0 && version == Minor::One {
        return Err(Refusal::bad("no Host field"));
    }
    let framing = match (seen.chunked, seen.length) {
        (true, _) if version == Minor::Zero => {
            return Err(Refusal::bad("Transfer-Encoding in HTTP/1.0"));
        }
        (true, Some(_)) => {
            return Err(Refusal::bad("Content-Length and Transfer-Encoding"));
        }
        (true, None) => Framing::Chunked,
        (false, length) => Framing::Length(length.unwrap_or(0)),
    };
    Ok(Judged {
        framing,
        may_switch: method == b"CONNECT" || seen.upgrade,
    })
}

/// The lines of a head, without their CR LF.
fn lines(mut head: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let end = memchr::memchr(b'\n', head)?;
        let (line, rest) = head.split_at(end);
        head = rest.get(1..).unwrap_or_default();
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Minor {
    Zero,
    One,
}

/// RFC 9112 section 3: three words, one space between them.
fn judge_request_line(line: &[u8]) -> Result<(&[u8], Minor), Refusal> {
    let mut words = line.split(|&byte| byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Refusal::bad(
            "the request line is not method, target and version",
        ));
    };
    if method.is_empty() || !method.iter().all(|&byte| is_token(byte)) {
        return Err(Refusal::bad("the method is no token"));
    }
    if !is_target(target) {
        return Err(Refusal::bad(
            "the request target has a character that has to be encoded",
        ));
    }
    let starts = |scheme: &[u8]| {
        let start = target.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    // RFC 9112 section 3.2: origin form, absolute form, authority form for CONNECT, asterisk form for OPTIONS.
    let form = match method {
        b"CONNECT" => true,
        b"OPTIONS" if target == b"*" => true,
        _ => starts(b"/") || starts(b"http://") || starts(b"https://"),
    };
    if !form {
        return Err(Refusal::bad(
            "the request target is no path and no http URL",
        ));
    }
    match version {
        b"HTTP/1.1" => Ok((method, Minor::One)),
        b"HTTP/1.0" => Ok((method, Minor::Zero)),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => Err(Refusal::with(
            StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            "the version is neither HTTP/1.1 nor HTTP/1.0",
        )),
        _ => Err(Refusal::bad("the version is not an HTTP version")),
    }
}

/// Whether a request target has no character that RFC 3986 does not know; `#` would be cut off silently further on.
pub(crate) fn is_target(target: &[u8]) -> bool {
    let sound = |byte: &u8| {
        !matches!(
            byte,
            0..=b' ' | 0x7f | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'}' | b'#'
        )
    };
    !target.is_empty() && target.iter().all(sound)
}

/// RFC 9112 section 5: a token, a colon, a value without control characters; no folding.
pub(crate) fn judge_field(line: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    if line
        .first()
        .is_some_and(|byte| matches!(byte, b' ' | b'\t'))
    {
        return Err(Refusal::bad("a folded field"));
    }
    let colon = memchr::memchr(b':', line).ok_or(Refusal::bad("a field without a colon"))?;
    let (name, rest) = line.split_at(colon);
    if name.is_empty() || !name.iter().all(|&byte| is_token(byte)) {
        return Err(Refusal::bad("a field's name is no token"));
    }
    let value = trim(rest.get(1..).unwrap_or_default());
    // Every byte is looked at, without a branch: many at a time.
    let control = |byte: u8| ((byte < b' ') & (byte != b'\t')) | (byte == 0x7f);
    if value.iter().fold(false, |any, &byte| any | control(byte)) {
        return Err(Refusal::bad("a field's value has a control character"));
    }
    Ok((name, value))
}

/// What the fields say of framing.
#[derive(Default)]
struct Seen {
    hosts: usize,
    length: Option<u64>,
    chunked: bool,
    upgrade: bool,
}

impl Seen {
    fn take(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
        if name.eq_ignore_ascii_case(b"host") {
            self.hosts += 1;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            if self.length.is_some() {
                return Err(Refusal::bad("more than one Content-Length field"));
            }
            self.length = Some(content_length(value)?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.chunked {
                return Err(Refusal::bad("more than one Transfer-Encoding field"));
            }
            // Only `chunked` alone leaves no doubt; codings before it are not implemented (RFC 9112 section 6.1).
            if value.is_empty() {
                return Err(Refusal::bad("an empty Transfer-Encoding"));
            }
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Refusal::with(
                    StatusCode::NOT_IMPLEMENTED,
                    "a Transfer-Encoding other than `chunked`",
                ));
            }
            self.chunked = true;
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            self.upgrade = true;
        }
        Ok(())
    }
}

/// RFC 9110 section 8.6: digits and nothing else.
fn content_length(value: &[u8]) -> Result<u64, Refusal> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::bad("a Content-Length that is no number"));
    }
    let digits = std::str::from_utf8(value).unwrap_or_default();
    match digits.parse::<u64>() {
        Ok(length) if length < 1 << 62 => Ok(length),
        _ => Err(Refusal::with(
            StatusCode::PAYLOAD_TOO_LARGE,
            "a Content-Length beyond all measure",
        )),
    }
}

/// Without the spaces and tabs around it.
fn trim(value: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value
        .iter()
        .position(|byte| !blank(byte))
        .unwrap_or(value.len());
    let end = value
        .iter()
        .rposition(|byte| !blank(byte))
        .map_or(start, |last| last + 1);
    value.get(start..end).unwrap_or_default()
}

/// RFC 9110 section 5.6.2: the bytes that a token may have.
static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            );
        byte += 1;
    }
    table
};

#[inline]
fn is_token(byte: u8) -> bool {
    // A byte is below 256: nothing is checked.
    TOKEN[usize::from(byte)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(head: &str) -> u16 {
        judge(head.as_bytes()).expect_err(head).status.as_u16()
    }

    #[test]
    fn framing_is_what_the_fields_say() {
        let head = |fields: &str| format!("POST / HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n");
        let framing = |fields: &str| judge(head(fields).as_bytes()).map(|judged| judged.framing);
        assert_eq!(framing(""), Ok(Framing::Length(0)));
        assert_eq!(framing("content-length: 5 \r\n"), Ok(Framing::Length(5)));
        assert_eq!(
            framing("Transfer-Encoding:\tChunked\r\n"),
            Ok(Framing::Chunked)
        );
        for (fields, status) in [
            ("Content-Length: 5\r\nContent-Length: 5\r\n", 400),
            ("Content-Length: +5\r\n", 400),
            ("Content-Length: 5, 5\r\n", 400),
            ("Content-Length:\r\n", 400),
            ("Content-Length: 18446744073709551621\r\n", 413),
            ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
            (
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                400,
            ),
            ("Transfer-Encoding: gzip, chunked\r\n", 501),
            ("Transfer-Encoding: \u{b}chunked\r\n", 400),
            ("X-A : 1\r\n", 400),
            ("X-A: 1\r\n 2\r\n", 400),
            ("X-A: a\rb\r\n", 400),
            ("Host: b.test\r\n", 400),
        ] {
            assert_eq!(refused(&head(fields)), status, "{fields:?}");
        }
    }

    #[test]
    fn a_request_line_is_three_words() {
        for (line, status) in [
            ("GET /", 400),
            ("GET  / HTTP/1.1", 400),
            ("GET / HTTP/1.1 ", 400),
            ("GET /a#b HTTP/1.1", 400),
            ("GE(T / HTTP/1.1", 400),
            ("GET * HTTP/1.1", 400),
            ("GET ftp://a.test/ HTTP/1.1", 400),
            ("GET / HTTP/2.0", 505),
            ("GET / http/1.1", 400),
            ("GET / HTTP/1.10", 400),
        ] {
            assert_eq!(
                refused(&format!("{line}\r\nHost: a.test\r\n\r\n")),
                status,
                "{line}"
            );
        }
    }

    #[test]
    fn a_head_that_comes_byte_by_byte_ends_where_it_ends() {
        let head = b"\r\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\nrest";
        let mut scanner = Scanner::default();
        let end = (1..=head.len()).find_map(|n| scanner.scan(&head[..n]).expect("sound"));
        assert_eq!(end, Some((2, head.len() - 4)));
    }

    #[test]
    fn limits_hold_before_the_head_is_complete() {
        let status = |bytes: &[u8]| {
            Scanner::default()
                .scan(bytes)
                .expect_err("refused")
                .status
                .as_u16()
        };
        let long = "a".repeat(REQUEST_LINE + 1);
        assert_eq!(status(format!("GET /{long}").as_bytes()), 414);
        assert_eq!(
            status(format!("GET / HTTP/1.1\r\nX: {long}").as_bytes()),
            431
        );
        let fields = "X: 1\r\n".repeat(FIELDS + 1);
        assert_eq!(
            status(format!("GET / HTTP/1.1\r\n{fields}").as_bytes()),
            431
        );
        let fields = format!("X: {}\r\n", "a".repeat(8000)).repeat(9);
        assert_eq!(
            status(format!("GET / HTTP/1.1\r\n{fields}").as_bytes()),
            431
        );
        assert_eq!(status(b"\x16\x03\x01"), 400);
        assert_eq!(status(b"\r\n\r\n\r\n\r\n"), 400);
        assert_eq!(status(b"GET / HTTP/1.1\n"), 400);
    }
}
