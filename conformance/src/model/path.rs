//! Targets and canonical paths (S:path), segment by segment.

pub(super) struct Target {
    pub(super) authority: Option<Vec<u8>>,
    pub(super) path: String,
    pub(super) query: Option<Vec<u8>>,
}

/// `None` is 400.
pub(super) fn target(raw: &[u8]) -> Option<Target> {
    let end = raw.iter().position(|&b| b == b'?').unwrap_or(raw.len());
    let query = raw
        .get(end + 1..)
        .filter(|_| end < raw.len())
        .map(<[u8]>::to_vec);
    if query
        .as_ref()
        .is_some_and(|query| query.iter().any(|&b| b <= 32 || b == 127 || b == b'#'))
    {
        return None;
    }
    let before = &raw[..end];
    if raw == b"*" {
        return Some(Target {
            authority: None,
            path: "*".to_owned(),
            query: None,
        });
    }
    if before.starts_with(b"/") {
        return Some(Target {
            authority: None,
            path: canonical(before)?,
            query,
        });
    }
    let text = String::from_utf8_lossy(before).to_lowercase();
    let scheme = ["http://", "https://"]
        .into_iter()
        .find(|scheme| text.starts_with(scheme))?;
    let rest = &before[scheme.len()..];
    let slash = rest
        .iter()
        .position(|&b| b == b'/' || b == b'#')
        .unwrap_or(rest.len());
    let path = if slash == rest.len() {
        "/".to_owned()
    } else {
        canonical(&rest[slash..])?
    };
    Some(Target {
        authority: Some(rest[..slash].to_vec()),
        path,
        query,
    })
}

/// The canonical form of a path, or `None` where it is refused.
pub(super) fn canonical(path: &[u8]) -> Option<String> {
    let mut text = String::new();
    let mut at = 0;
    while at < path.len() {
        let byte = path[at];
        at += 1;
        if byte == b'%' {
            let digits = path
                .get(at..at + 2)
                .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
            at += 2;
            let value = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
            match value {
                b'/' | b'\\' | 127 => return None,
                value if value < 32 => return None,
                value if unreserved(value) => text.push(char::from(value)),
                value => text.push_str(&format!("%{value:02X}")),
            }
        } else if byte <= 32 || byte == 127 || byte == b'\\' || byte == b'#' {
            return None;
        } else if byte == b'/' || unreserved(byte) || b"!$&'()*+,;=:@".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    // Dot segments first, then slashes.
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<&str> = text.strip_prefix('/')?.split('/').collect();
    for (number, segment) in segments.iter().enumerate() {
        let last = number + 1 == segments.len();
        if segment.starts_with(".;") || segment.starts_with("..;") {
            return None;
        }
        match *segment {
            "." if last => kept.push(""),
            "." => {}
            ".." => {
                kept.pop();
                if last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    let ends = kept.last().is_some_and(|last| last.is_empty());
    let full: Vec<&str> = kept
        .into_iter()
        .filter(|segment| !segment.is_empty())
        .collect();
    let mut out: String = full.iter().map(|segment| format!("/{segment}")).collect();
    if ends || out.is_empty() {
        out.push('/');
    }
    Some(out)
}

fn unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// A configured path; the CRD refuses what has no canonical form.
pub(super) fn configured(value: &str) -> Option<String> {
    canonical(value.as_bytes())
}

/// A prefix without its trailing slashes (digest 2.4), so that `/` is empty.
pub(super) fn prefix(value: &str) -> Option<String> {
    Some(configured(value)?.trim_end_matches('/').to_owned())
}
