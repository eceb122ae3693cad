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
    let name = match authority.iter().position(|&b| b == b':') {
        Some(at) if is_port(&authority[at + 1..]) => &authority[..at],
        Some(_) => return Err(Refused::BadHost),
        None => authority,
    };
    let name = name.strip_suffix(b".").unwrap_or(name);
    let mut upper = false;
    let mut before = b'.';
    for &byte in name {
        upper |= byte.is_ascii_uppercase();
        let sound = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_')
            || (byte == b'.' && before != b'.');
        if !sound {
            return Err(Refused::BadHost);
        }
        before = byte;
    }
    // Also empty, or with two dots at its end.
    if before == b'.' || name.len() > 253 {
        return Err(Refused::BadHost);
    }
    if before.is_ascii_digit()
        && std::str::from_utf8(name).is_ok_and(|text| text.parse::<Ipv4Addr>().is_ok())
    {
        return Ok(Parsed::Address(name));
    }
    if !upper {
        return Ok(Parsed::Name(name));
    }
    let start = buffer.len();
    buffer.extend(name.iter().map(u8::to_ascii_lowercase));
    Ok(Parsed::Changed(start..buffer.len()))
}

/// Digits up to 65535, or nothing (RFC 3986 section 3.2.3).
fn is_port(text: &[u8]) -> bool {
    let value = text.iter().try_fold(0_u32, |value, digit| {
        let digit = digit.is_ascii_digit().then(|| u32::from(digit - b'0'))?;
        Some(value * 10 + digit).filter(|&value| value <= 65_535)
    });
    value.is_some()
}
