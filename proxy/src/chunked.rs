//! Chunked bodies, judged on the bytes (RFC 9112 section 7.1).
//!
//! What comes out of a request is chunked too, but plain: sizes without extensions, and no trailers, which a recipient may discard
//! (RFC 9110 section 6.5.1) and which no backend has to tell from fields.

use crate::head::{Refusal, judge_field};

/// Bytes of the extensions of one chunk.
pub const EXTENSION: usize = 256;
/// Bytes of the extensions of a body.
pub const EXTENSIONS: usize = 16 << 10;
/// Bytes of the trailers.
pub const TRAILERS: usize = 8 << 10;
/// Digits of a size.
const DIGITS: usize = 15;

/// A body that arrives bit by bit.
#[derive(Debug, Default)]
pub struct Chunked {
    state: State,
    line: Vec<u8>,
    extensions: usize,
    trailers: usize,
    /// Whether only the data comes out.
    bare: bool,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Size,
    Data(u64),
    /// Behind the data: CR, then LF.
    DataEnd,
    Trailer,
    Done,
}

impl Chunked {
    /// A body of which only the data comes out.
    pub fn bare() -> Chunked {
        Chunked {
            bare: true,
            ..Chunked::default()
        }
    }

    /// Whether the body has ended.
    pub fn done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Takes what has arrived and appends what may go on to `out`; the bytes taken are told. It stops behind the body.
    ///
    /// # Errors
    ///
    /// If the body is not well formed.
    pub fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, Refusal> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match self.state {
                State::Done => break,
                State::Data(left) => {
                    let here =
                        usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
                    out.extend_from_slice(rest.get(..here).unwrap_or_default());
                    at += here;
                    let left = left - here as u64;
                    self.state = if left == 0 {
                        State::DataEnd
                    } else {
                        State::Data(left)
                    };
                }
                State::Size | State::DataEnd | State::Trailer => {
                    let byte = rest.first().copied().unwrap_or_default();
                    self.line.push(byte);
                    at += 1;
                    if byte == b'\n' {
                        self.line(out)?;
                        self.line.clear();
                    } else {
                        self.limit()?;
                    }
                }
            }
        }
        Ok(at)
    }

    fn limit(&self) -> Result<(), Refusal> {
        let (most, why) = match self.state {
            State::DataEnd => (1, "a chunk is longer than its size"),
            State::Trailer => (TRAILERS, "trailers are longer than 8 KiB"),
            _ => (
                DIGITS + 1 + EXTENSION + 1,
                "a chunk's extensions are too long",
            ),
        };
        let carriage_return = matches!(self.state, State::DataEnd)
            && self.line.first().is_some_and(|&byte| byte != b'\r');
        if self.line.len() > most || carriage_return {
            return Err(Refusal::bad(why));
        }
        Ok(())
    }

    fn line(&mut self, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let Some(line) = self.line.strip_suffix(b"\r\n") else {
            return Err(Refusal::bad("a line of a chunk ends with a bare LF"));
        };
        match self.state {
            State::Size => {
                let digits = line
                    .iter()
                    .take_while(|byte| byte.is_ascii_hexdigit())
                    .count();
                let (size, extension) = line.split_at(digits);
                let text = std::str::from_utf8(size).unwrap_or_default();
                let size = u64::from_str_radix(text, 16)
                    .ok()
                    .filter(|_| digits <= DIGITS)
                    .ok_or(Refusal::bad("a chunk's size is no number"))?;
                let sound = |byte: &u8| (*byte >= b' ' && *byte != 0x7f) || *byte == b'\t';
                if extension.first().is_some_and(|&byte| byte != b';')
                    || !extension.iter().all(sound)
                {
                    return Err(Refusal::bad("a chunk's size is followed by something else"));
                }
                self.extensions += extension.len();
                if extension.len() > EXTENSION || self.extensions > EXTENSIONS {
                    return Err(Refusal::bad("a chunk's extensions are too long"));
                }
                if size > 0 {
                    if !self.bare {
                        out.extend_from_slice(format!("{size:x}\r\n").as_bytes());
                    }
                    self.state = State::Data(size);
                } else {
                    self.state = State::Trailer;
                }
            }
            State::DataEnd => {
                if !line.is_empty() {
                    return Err(Refusal::bad("a chunk is longer than its size"));
                }
                if !self.bare {
                    out.extend_from_slice(b"\r\n");
                }
                self.state = State::Size;
            }
            State::Trailer if line.is_empty() => {
                if !self.bare {
                    out.extend_from_slice(b"0\r\n\r\n");
                }
                self.state = State::Done;
            }
            State::Trailer => {
                judge_field(line)?;
                self.trailers += line.len();
                if self.trailers > TRAILERS {
                    return Err(Refusal::bad("trailers are longer than 8 KiB"));
                }
            }
            State::Data(_) | State::Done => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Result<(String, usize), Refusal> {
        let (mut body, mut out) = (Chunked::default(), Vec::new());
        let taken = body.take(text.as_bytes(), &mut out)?;
        assert!(body.done(), "{text:?}");
        Ok((String::from_utf8_lossy(&out).into_owned(), taken))
    }

    #[test]
    fn extensions_and_trailers_do_not_go_on() {
        let (out, taken) = whole("5;a=b\r\nhello\r\n0;x\r\nX-Sum: 9\r\n\r\nGET").expect("sound");
        assert_eq!((out.as_str(), taken), ("5\r\nhello\r\n0\r\n\r\n", 31));
    }

    #[test]
    fn of_an_answer_only_the_data_comes_out() {
        let (mut body, mut out) = (Chunked::bare(), Vec::new());
        let taken = body.take(
            b"5;a\r\nhello\r\n1\r\n!\r\n0\r\nX-A: 1\r\n\r\nHTTP",
            &mut out,
        );
        assert!(body.done());
        assert_eq!((taken, &out[..]), (Ok(31), &b"hello!"[..]));
    }

    #[test]
    fn bytes_that_come_one_by_one_say_the_same() {
        let text = b"00A\r\n0123456789\r\n0\r\n\r\n";
        let (mut body, mut out) = (Chunked::default(), Vec::new());
        for byte in text {
            assert_eq!(body.take(&[*byte], &mut out), Ok(1));
        }
        assert!(body.done());
        assert_eq!(out, b"a\r\n0123456789\r\n0\r\n\r\n");
    }

    #[test]
    fn nothing_is_repaired() {
        for text in [
            "g\r\nhello\r\n",
            "0x5\r\nhello\r\n",
            " 5\r\nhello\r\n",
            "5 \r\nhello\r\n",
            "FFFFFFFFFFFFFFFF\r\n",
            "5\nhello\r\n",
            "5\r\nhello\n",
            "5\r\nhelloXX",
            "5;a\u{0}b\r\n",
            "5\rhello\r\n",
            "\r\n",
            "0\r\nbad\r\n",
            "0\r\nX-A: 1\r\n 2\r\n",
        ] {
            let mut out = Vec::new();
            let taken = Chunked::default().take(text.as_bytes(), &mut out);
            assert_eq!(
                taken.map_err(|refusal| refusal.status.as_u16()),
                Err(400),
                "{text:?}"
            );
        }
        let long = format!("1;{}\r\n", "e".repeat(300));
        assert!(
            Chunked::default()
                .take(long.as_bytes(), &mut Vec::new())
                .is_err()
        );
    }
}
