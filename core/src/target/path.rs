//! The canonical form of a path.

use super::Refused;

/// What becomes of `%2F` in a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the policy has these values")]
pub enum EncodedSlash {
    /// It becomes a slash, before dot segments are removed.
    Decode,
    /// It stays `%2F`, part of its segment.
    Keep,
    /// The request is refused with 400.
    #[default]
    Reject,
}

/// How paths are brought into canonical form. The default is the strict one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "plain settings")]
pub struct PathPolicy {
    /// What becomes of `%2F`.
    pub encoded_slash: EncodedSlash,
    /// Whether `//` becomes `/`.
    pub merge_slashes: bool,
}

impl Default for PathPolicy {
    fn default() -> Self {
        Self {
            encoded_slash: EncodedSlash::Reject,
            merge_slashes: true,
        }
    }
}

/// Appends the canonical form of a path to `out`, if it differs from the path; says whether it does.
///
/// Unreserved characters are decoded once, hexadecimal digits become upper case, bytes that RFC 3986 does not allow in a
/// path are encoded, dot segments are removed (`/..` at the root stays there), then slashes are merged. A canonical path is
/// its own canonical form. Linear in the path.
///
/// # Errors
///
/// For what many servers read in two ways: see [`Refused`].
///
/// ```
/// use gatepost::target::{PathPolicy, canonical_path};
/// let mut out = Vec::new();
/// assert_eq!(canonical_path(b"/a/%2e%2e/%61dmin//x", &PathPolicy::default(), &mut out), Ok(true));
/// assert_eq!(out, b"/admin/x");
/// ```
pub fn canonical_path(
    path: &[u8],
    policy: &PathPolicy,
    out: &mut Vec<u8>,
) -> Result<bool, Refused> {
    if !path.is_empty() && canonical_prefix(path) == path.len() {
        return Ok(false);
    }
    make_canonical(path, policy, out)
}

/// [`canonical_path`] of a path that is not all [`canonical_prefix`].
pub(super) fn make_canonical(
    path: &[u8],
    policy: &PathPolicy,
    out: &mut Vec<u8>,
) -> Result<bool, Refused> {
    if path.first() != Some(&b'/') {
        return Err(Refused::BadTarget);
    }
    let start = out.len();
    decode(path, policy, out)?;
    remove_dot_segments(out, start)?;
    if policy.merge_slashes {
        merge_slashes(out, start);
    }
    let changed = out.get(start..) != Some(path);
    if !changed {
        out.truncate(start);
    }
    Ok(changed)
}

/// How many bytes from the start of a path stay what they are, whatever the policy: all of nearly every path.
///
/// It works on blocks, without a branch for each byte, so that compilers make it a handful of vector instructions.
pub(super) fn canonical_prefix(path: &[u8]) -> usize {
    if path.first() != Some(&b'/') {
        return 0;
    }
    let rest = path.get(1..).unwrap_or_default();
    let stays = |(&before, &byte): (&u8, &u8)| {
        is_plain(byte) & !((before == b'/') & ((byte == b'/') | (byte == b'.')))
    };
    let mut whole = 0;
    for (before, block) in path.as_chunks::<BLOCK>().0.iter().zip(rest.as_chunks().0) {
        let block: &[u8; BLOCK] = block;
        if !before
            .iter()
            .zip(block)
            .fold(true, |all, pair| all & stays(pair))
        {
            break;
        }
        whole += BLOCK;
    }
    let mut before = path.get(whole).copied().unwrap_or(b'/');
    let mut length = 1 + whole;
    for &byte in rest.get(whole..).unwrap_or_default() {
        if !PLAIN[usize::from(byte)] || (before == b'/' && matches!(byte, b'/' | b'.')) {
            break;
        }
        before = byte;
        length += 1;
    }
    length
}

/// How many bytes are looked at together.
const BLOCK: usize = 16;

/// Bytes that stay what they are: RFC 3986's `pchar` without `%`, and the slash.
const fn is_plain(byte: u8) -> bool {
    (byte.wrapping_sub(b'&') <= b';' - b'&')
        | (byte.wrapping_sub(b'@') <= b'Z' - b'@')
        | (byte.wrapping_sub(b'a') <= b'z' - b'a')
        | (byte == b'_')
        | (byte == b'~')
        | (byte == b'!')
        | (byte == b'$')
        | (byte == b'=')
}

/// [`is_plain`], for one byte at a time.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0;
    while byte < 128_u8 {
        plain[byte as usize] = is_plain(byte);
        byte += 1;
    }
    plain
};

fn decode(path: &[u8], policy: &PathPolicy, out: &mut Vec<u8>) -> Result<(), Refused> {
    let mut rest = path;
    while let [byte, after @ ..] = rest {
        rest = after;
        match byte {
            b'%' => {
                let [high, low, after @ ..] = rest else {
                    return Err(Refused::BadEscape);
                };
                let (high, low) = (hex(*high)?, hex(*low)?);
                rest = after;
                match high << 4 | low {
                    b'/' => match policy.encoded_slash {
                        EncodedSlash::Reject => return Err(Refused::EncodedSlash),
                        EncodedSlash::Keep => encode(b'/', out),
                        EncodedSlash::Decode => out.push(b'/'),
                    },
                    b'\\' | 0..=0x1f | 0x7f => return Err(Refused::EncodedControl),
                    byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                        out.push(byte)
                    }
                    byte => encode(byte, out),
                }
            }
            b'\\' | b'#' | 0..=b' ' | 0x7f => return Err(Refused::BadCharacter),
            &byte if PLAIN[usize::from(byte)] => out.push(byte),
            &byte => encode(byte, out),
        }
    }
    Ok(())
}

fn hex(digit: u8) -> Result<u8, Refused> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(Refused::BadEscape),
    }
}

fn encode(byte: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.extend([
        b'%',
        DIGITS[usize::from(byte >> 4)],
        DIGITS[usize::from(byte & 15)],
    ]);
}

/// RFC 3986 section 5.2.4, in place: the part from `start` begins with a slash and only shrinks.
fn remove_dot_segments(out: &mut Vec<u8>, start: usize) -> Result<(), Refused> {
    let (mut read, mut write) = (start, start);
    while read < out.len() {
        // `read` stands on the slash before a segment.
        let length = out[read + 1..].iter().position(|&b| b == b'/');
        let end = length.map_or(out.len(), |length| read + 1 + length);
        let segment = &out[read + 1..end];
        if segment.starts_with(b".;") || segment.starts_with(b"..;") {
            return Err(Refused::DotSegmentParameters);
        }
        let last = end == out.len();
        match segment {
            b"." | b".." => {
                if segment.len() == 2 {
                    while write > start {
                        write -= 1;
                        if out[write] == b'/' {
                            break;
                        }
                    }
                }
                if last {
                    out[write] = b'/';
                    write += 1;
                }
            }
            _ => {
                out.copy_within(read..end, write);
                write += end - read;
            }
        }
        read = end;
    }
    out.truncate(write);
    if out.len() == start {
        out.push(b'/');
    }
    Ok(())
}

fn merge_slashes(out: &mut Vec<u8>, start: usize) {
    let mut write = start;
    for read in start..out.len() {
        if out[read] == b'/' && write > start && out[write - 1] == b'/' {
            continue;
        }
        out[write] = out[read];
        write += 1;
    }
    out.truncate(write);
}
