//! The host of a request.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::Refused;

/// The host that a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a host is a name, an address or absent"
)]
pub enum Host<'r> {
    /// A name in lower case, without port and trailing dot.
    Name(&'r str),
    /// An IP address: no hostname of a route or listener means it.
    Address(&'r str),
    /// None was given, where none is needed.
    Absent,
}

impl<'r> Host<'r> {
    /// The name, for what compares names.
    pub fn name(self) -> Option<&'r str> {
        match self {
            Host::Name(name) => Some(name),
            Host::Address(_) | Host::Absent => None,
        }
    }

    /// The text without port, empty if none was given.
    pub fn as_str(self) -> &'r str {
        match self {
            Host::Name(text) | Host::Address(text) => text,
            Host::Absent => "",
        }
    }
}

/// A host that was judged: its text as it came, or in the buffer.
pub(super) enum Parsed<'r> {
    Name(&'r [u8]),
    Changed(Range<usize>),
    Address(&'r [u8]),
    Absent,
}

impl<'r> Parsed<'r> {
    pub(super) fn text(self, buffer: &'r [u8]) -> Host<'r> {
        // INVARIANT: what was judged is ASCII.
        let text = |bytes: &'r [u8]| std::str::from_utf8(bytes).unwrap_or_default();
        match self {
            Parsed::Name(bytes) => Host::Name(text(bytes)),
            Parsed::Changed(range) => Host::Name(text(buffer.get(range).unwrap_or_default())),
            Parsed::Address(bytes) => Host::Address(text(bytes)),
            Parsed::Absent => Host::Absent,
        }
    }
}

/// Judges `host[:port]`; what has to be changed is appended to the buffer.
pub(super) fn parse<'r>(authority: &'r [u8], buffer: &mut Vec<u8>) -> Result<Parsed<'r>, Refused> {
    if let Some(rest) = authority.strip_prefix(b"[") {
        let end = rest
            .iter()
            .position(|&b| b == b']')
            .ok_or(Refused::BadHost)?;
        let (address, port) = (&rest[..end], &rest[end + 1..]);
        let sound = std::str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok());
        if !sound || !(port.is_empty() || port.strip_prefix(b":").is_some_and(is_port)) {
            return Err(Refused::BadHost);
        }
        return Ok(Parsed::Address(&authority[..end + 2]));
    }
    // What the bytes are, all of them, and whether a dot follows a dot, or nothing.
    let (mut seen, mut before, mut length) = (0, DOT, 0);
    for &byte in authority {
        let class = CLASS[usize::from(byte)];
        if class == COLON {
            break;
        }
        seen |= class | if before & class & DOT == 0 { 0 } else { OTHER };
        before = class;
        length += 1;
    }
    let (name, port) = authority
        .split_at_checked(length)
        .unwrap_or((authority, b""));
    if seen & OTHER != 0 || !port.strip_prefix(b":").is_none_or(is_port) {
        return Err(Refused::BadHost);
    }
    let name = name.strip_suffix(b".").unwrap_or(name);
    if name.is_empty() || name.len() > 253 {
        return Err(Refused::BadHost);
    }
    if name.last().is_some_and(u8::is_ascii_digit)
        && std::str::from_utf8(name).is_ok_and(|text| text.parse::<Ipv4Addr>().is_ok())
    {
        return Ok(Parsed::Address(name));
    }
    if seen & UPPER == 0 {
        return Ok(Parsed::Name(name));
    }
    let start = buffer.len();
    buffer.extend(name.iter().map(u8::to_ascii_lowercase));
    Ok(Parsed::Changed(start..buffer.len()))
}

/// What a byte is in the name of a host.
const CLASS: [u8; 256] = {
    let mut class = [OTHER; 256];
    let mut byte = 0;
    while byte < 128_u8 {
        class[byte as usize] = match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => LETTER,
            b'A'..=b'Z' => UPPER,
            b'.' => DOT,
            b':' => COLON,
            _ => OTHER,
        };
        byte += 1;
    }
    class
};
/// Stands in a name as it is; so do digits, hyphens and underscores.
const LETTER: u8 = 0;
/// Is written small.
const UPPER: u8 = 1;
/// Stands between two labels, or at the end.
const DOT: u8 = 2;
/// Ends the name: a port follows.
const COLON: u8 = 4;
/// Has no place in a name.
const OTHER: u8 = 8;

/// Digits up to 65535, or nothing (RFC 3986 section 3.2.3).
fn is_port(text: &[u8]) -> bool {
    let value = text.iter().try_fold(0_u32, |value, digit| {
        let digit = digit.is_ascii_digit().then(|| u32::from(digit - b'0'))?;
        Some(value * 10 + digit).filter(|&value| value <= 65_535)
    });
    value.is_some()
}
