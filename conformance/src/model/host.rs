//! Hosts (S:host, S:ip-host) and hostnames (digest 2.1).

/// A host that a request names.
pub(super) enum Host {
    Name(String),
    Address(String),
}

impl Host {
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Host::Name(name) => Some(name),
            Host::Address(_) => None,
        }
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Host::Name(text) | Host::Address(text) => text,
        }
    }
}

pub(super) fn parse(bytes: &[u8]) -> Option<Host> {
    let text = std::str::from_utf8(bytes)
        .ok()
        .filter(|text| text.is_ascii())?;
    let (name, port) = if text.starts_with('[') {
        let (name, rest) = text.split_once(']')?;
        name[1..].parse::<std::net::Ipv6Addr>().ok()?;
        let port = if rest.is_empty() {
            None
        } else {
            Some(rest.strip_prefix(':')?)
        };
        return port
            .is_none_or(port_is_sound)
            .then(|| Host::Address(format!("{name}]")));
    } else {
        text.split_once(':')
            .map_or((text, None), |(name, port)| (name, Some(port)))
    };
    if !port.is_none_or(port_is_sound) {
        return None;
    }
    let name = name.strip_suffix('.').unwrap_or(name).to_lowercase();
    let label = |label: &str| {
        !label.is_empty()
            && label
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    if name.len() > 253 || !name.split('.').all(label) {
        return None;
    }
    if name.parse::<std::net::Ipv4Addr>().is_ok() {
        return Some(Host::Address(name));
    }
    Some(Host::Name(name))
}

fn port_is_sound(port: &str) -> bool {
    port.is_empty()
        || port.chars().all(|c| c.is_ascii_digit())
            && port.parse::<u64>().is_ok_and(|port| port <= 65_535)
}

/// Whether a hostname of a listener or route means a host.
pub(super) fn means(hostname: &str, host: &str) -> bool {
    match hostname.strip_prefix("*.") {
        // One or more labels stand for the wildcard.
        Some(rest) => host
            .strip_suffix(rest)
            .is_some_and(|before| before.len() > 1 && before.ends_with('.')),
        None => hostname == host,
    }
}

/// Whether some host is meant by both: the more specific of the two is meant by the other, its wildcard read as a label.
pub(super) fn intersect(one: &str, two: &str) -> bool {
    let probe = |name: &str| name.replacen('*', "x", 1);
    one == two || means(one, &probe(two)) || means(two, &probe(one))
}
