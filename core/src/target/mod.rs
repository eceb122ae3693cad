//! Request targets: the host that is asked for, the path in canonical form, and the query.
//!
//! What is compared and what is forwarded is one [`Target`], and only this module makes one. Configured paths and the
//! results of rewrites go through the same [`canonical_path`].

mod host;
mod path;
mod query;

use std::fmt;

pub use host::Host;
pub use path::{EncodedSlash, PathPolicy, canonical_path};
pub use query::{Query, values_equal};

/// The parts of a request that name its target, as they came in.
pub struct Raw<'r, 'i> {
    /// The request target of HTTP/1 (RFC 9112 section 3.2), or the `:path` of HTTP/2.
    pub target: &'r [u8],
    /// The `:authority` of HTTP/2.
    pub authority: Option<&'r [u8]>,
    /// The values of all `Host` fields, in order.
    pub hosts: &'i mut dyn Iterator<Item = &'r [u8]>,
    /// Whether a request without a host is refused: so in HTTP/1.1 (RFC 9112 section 3.2).
    pub host_required: bool,
    /// Whether the method is `CONNECT`, whose target is an authority.
    pub connect: bool,
}

impl fmt::Debug for Raw<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Raw")
            .field("target", &self.target)
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

/// Why a request is refused with 400 before anything is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// HTTP/1.1 without a `Host` field.
    NoHost,
    /// More than one `Host` field.
    SeveralHosts,
    /// A host that is no name, no address, or has userinfo or a bad port.
    BadHost,
    /// A target that is neither a path, nor an `http` or `https` URL, nor `*`.
    BadTarget,
    /// A `%` without two hexadecimal digits.
    BadEscape,
    /// `%2F` where the policy refuses it.
    EncodedSlash,
    /// An escaped control character or backslash.
    EncodedControl,
    /// A control character, space, `#` or backslash as it is.
    BadCharacter,
    /// `/.;x` or `/..;x`: many servers drop the parameter and climb.
    DotSegmentParameters,
}

impl Refused {
    /// The reason in words, for logs and for the client.
    pub fn as_str(self) -> &'static str {
        match self {
            Refused::NoHost => "the request has no Host field",
            Refused::SeveralHosts => "the request has more than one Host field",
            Refused::BadHost => "the host is not a name or an address with an optional port",
            Refused::BadTarget => "the request target is not a path, an http URL or `*`",
            Refused::BadEscape => "the path has a `%` without two hexadecimal digits",
            Refused::EncodedSlash => "the path has an encoded slash",
            Refused::EncodedControl => "the path has an encoded control character or backslash",
            Refused::BadCharacter => "the path has a character that has to be encoded",
            Refused::DotSegmentParameters => "the path has a dot segment with parameters",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for Refused {}

/// A request target that has been judged: host in lower case, path in canonical form, query as it came.
#[derive(Clone, Copy, Debug)]
pub struct Target<'r> {
    host: Host<'r>,
    authority: Option<&'r [u8]>,
    path: &'r [u8],
    query: Option<&'r [u8]>,
    changed: bool,
}

impl<'r> Target<'r> {
    /// Judges the target of a request.
    ///
    /// `buffer` is the caller's and is overwritten; it is used only where something has to be changed, so a target that
    /// is canonical already costs no copy. No allocation, once the buffer is as long as the longest target.
    ///
    /// # Errors
    ///
    /// If the request has to be refused with 400.
    pub fn parse(
        raw: Raw<'r, '_>,
        policy: &PathPolicy,
        buffer: &'r mut Vec<u8>,
    ) -> Result<Target<'r>, Refused> {
        buffer.clear();
        let mut field = raw.hosts.next();
        if raw.hosts.next().is_some() {
            return Err(Refused::SeveralHosts);
        }
        if field.is_none() && raw.host_required {
            return Err(Refused::NoHost);
        }
        if raw.connect {
            let authority = raw.authority.unwrap_or(raw.target);
            let host = host::parse(authority, buffer)?;
            return Ok(Target {
                host: host.text(buffer),
                authority: Some(authority),
                path: b"",
                query: None,
                changed: false,
            });
        }
        let (authority, rest) = split_authority(raw.target)?;
        // Nearly all paths are canonical, and end where the first byte is that may not stand in one.
        let canonical = path::canonical_prefix(rest);
        let others = rest.get(canonical..).unwrap_or_default();
        let end = others.iter().position(|&byte| byte == b'?');
        let (path, query) = match end {
            Some(at) => (&rest[..canonical + at], others.get(at + 1..)),
            None => (rest, None),
        };
        let canonical = canonical == path.len();
        if query.is_some_and(|query| !query::is_sound(query)) {
            return Err(Refused::BadCharacter);
        }
        // RFC 9112 section 3.2.2: the authority of the target wins, but a Host field has to be sound all the same.
        if let (Some(_), Some(host)) = (raw.authority.or(authority), field) {
            host::parse(host, buffer)?;
            buffer.clear();
            field = None;
        }
        let host = match raw.authority.or(authority).or(field) {
            Some(authority) => host::parse(authority, buffer)?,
            None => host::Parsed::Absent,
        };
        let start = buffer.len();
        let (changed, asterisk) = match path {
            // Alone: what follows an authority begins with a slash or is empty, and nothing but `*` is neither.
            b"*" => (false, true),
            b"" => {
                buffer.push(b'/');
                (true, false)
            }
            _ if canonical => (false, false),
            path => (path::make_canonical(path, policy, buffer)?, false),
        };
        let changed_target = changed || authority.is_some();
        let buffer: &'r [u8] = buffer;
        let path = if changed && !asterisk {
            buffer.get(start..).unwrap_or_default()
        } else {
            path
        };
        Ok(Target {
            host: host.text(buffer),
            authority: raw.authority.or(authority),
            path,
            query,
            changed: changed_target,
        })
    }

    /// The host that is asked for.
    pub fn host(&self) -> Host<'r> {
        self.host
    }

    /// The authority of the target or `:authority`, as it came; `None` if at most a Host field names the host.
    ///
    /// It goes before the Host field (RFC 9112 section 3.2.2), so it is what the backend's Host has to be.
    pub fn authority(&self) -> Option<&'r [u8]> {
        self.authority
    }

    /// The path in canonical form, or `*`.
    pub fn path(&self) -> &'r [u8] {
        self.path
    }

    /// The query as it came, without `?`.
    pub fn query(&self) -> Option<&'r [u8]> {
        self.query
    }

    /// Whether path and query differ from the request target as it came, so that it has to be written anew.
    pub fn changed(&self) -> bool {
        self.changed
    }
}

/// Takes the authority off a target in absolute form; the rest is path and query.
fn split_authority(target: &[u8]) -> Result<(Option<&[u8]>, &[u8]), Refused> {
    match target.first() {
        Some(b'/') => return Ok((None, target)),
        Some(b'*') if target.len() == 1 => return Ok((None, target)),
        _ => {}
    }
    let scheme = |name: &[u8]| {
        target
            .get(..name.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(name))
    };
    let length = if scheme(b"http://") {
        7
    } else if scheme(b"https://") {
        8
    } else {
        return Err(Refused::BadTarget);
    };
    let rest = target.get(length..).unwrap_or_default();
    let end = rest
        .iter()
        .position(|&b| matches!(b, b'/' | b'?' | b'#'))
        .unwrap_or(rest.len());
    Ok((Some(&rest[..end]), &rest[end..]))
}

#[cfg(test)]
mod tests;
