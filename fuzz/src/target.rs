//! Any request target and host under any policy: refused, or in canonical form, which is its own canonical form and says
//! the same as before; under the default policy the reference model judges alike.

use gatepost::target::{EncodedSlash, Host, PathPolicy, Query, Raw, Target, values_equal};
use gatepost_conformance::model;
use gatepost_conformance::request::{Outcome, Request};

/// The claim; see the module. The bytes are one of settings, then the host, a line break, and the target.
///
/// # Panics
///
/// If it does not hold.
pub fn holds(bytes: &[u8]) {
    let Some((&settings, rest)) = bytes.split_first() else {
        return;
    };
    let cut = rest.iter().position(|&byte| byte == b'\n').unwrap_or(0);
    let (host, target) = (&rest[..cut], rest.get(cut + 1..).unwrap_or_default());
    let policy = PathPolicy {
        encoded_slash: match settings % 3 {
            0 => EncodedSlash::Reject,
            1 => EncodedSlash::Keep,
            _ => EncodedSlash::Decode,
        },
        merge_slashes: settings & 4 == 0,
    };
    let version2 = settings & 8 != 0;
    let connect = settings & 16 != 0;
    let mut buffer = Vec::new();
    let judged = parse(host, target, version2, connect, &policy, &mut buffer);
    if let Ok(found) = &judged {
        canonical(found, target, connect, &policy);
        parameters(found);
    }
    if policy == PathPolicy::default() && !version2 && !connect {
        like_the_model(host, target, judged.is_ok());
    }
}

fn parse<'r>(
    host: &'r [u8],
    target: &'r [u8],
    version2: bool,
    connect: bool,
    policy: &PathPolicy,
    buffer: &'r mut Vec<u8>,
) -> Result<Target<'r>, gatepost::target::Refused> {
    let mut hosts = (!version2).then_some(host).into_iter();
    let raw = Raw {
        target,
        authority: version2.then_some(host),
        hosts: &mut hosts,
        host_required: !version2,
        connect,
    };
    Target::parse(raw, policy, buffer)
}

fn canonical(found: &Target<'_>, raw: &[u8], connect: bool, policy: &PathPolicy) {
    let path = found.path();
    if let Host::Name(name) = found.host() {
        assert!(!name.is_empty() && name.len() <= 253, "{name:?}");
        assert!(
            !name.contains("..") && !name.starts_with('.') && !name.ends_with('.'),
            "{name:?}"
        );
        let sound = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.')
        };
        assert!(name.bytes().all(sound), "{name:?}");
    }
    if connect {
        assert!(path.is_empty() && found.query().is_none());
        return;
    }
    if path == b"*" {
        assert_eq!(raw, b"*");
        return;
    }
    let text = std::str::from_utf8(path).expect("a canonical path is ASCII");
    assert!(text.starts_with('/'), "{text:?}");
    assert!(
        text.bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\'),
        "{text:?}"
    );
    let segments = text.split('/').skip(1);
    for segment in segments.clone() {
        assert!(segment != "." && segment != "..", "{text:?}");
        assert!(
            !segment.starts_with(".;") && !segment.starts_with("..;"),
            "{text:?}"
        );
    }
    if policy.merge_slashes {
        assert!(!text.contains("//"), "{text:?}");
    }
    if policy.encoded_slash != EncodedSlash::Keep {
        assert!(!text.contains("%2F"), "{text:?}");
    }
    for (at, _) in text.match_indices('%') {
        let digits = text.get(at + 1..at + 3).expect("two digits");
        let value = u8::from_str_radix(digits, 16).expect("hexadecimal");
        assert_eq!(format!("{value:02X}"), digits, "{text:?}");
        let plain = value.is_ascii_alphanumeric() || b"-._~".contains(&value);
        assert!(
            !plain && value > 0x1f && value != 0x7f && value != b'\\',
            "{text:?}"
        );
    }
    if let Some(query) = found.query() {
        assert!(raw.ends_with(query), "the query is not as it came");
    }
    if !found.changed() {
        let whole = match found.query() {
            Some(query) => [path, b"?", query].concat(),
            None => path.to_vec(),
        };
        assert_eq!(whole, raw, "it says that nothing changed");
    }
    // Under its own policy a canonical path stays what it is.
    let mut buffer = Vec::new();
    let again = gatepost::target::canonical_path(path, policy, &mut buffer);
    assert_eq!(
        again,
        Ok(false),
        "{text:?} becomes {:?}",
        String::from_utf8_lossy(&buffer)
    );
}

/// Parameters are found by their decoded names, the first of a name, and compared decoded.
fn parameters(found: &Target<'_>) {
    let Some(raw) = found.query() else {
        return;
    };
    let query = Query::new(raw);
    let decode = |text: &[u8]| Query::decode(text).collect::<Vec<u8>>();
    let pairs: Vec<(Vec<u8>, Vec<u8>)> = query
        .pairs()
        .map(|(name, value)| (decode(name), decode(value)))
        .collect();
    for (name, _) in &pairs {
        let first = pairs
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value);
        let found = query.first(name);
        assert_eq!(found.map(decode).as_ref(), first);
        assert!(
            found
                .zip(first)
                .is_some_and(|(value, first)| values_equal(value, first))
        );
    }
    assert!(query.first(b"\0 no such name").is_none() || raw.contains(&0) || raw.contains(&b'%'));
}

/// The model refuses what the table refuses: without listeners all else is 404.
fn like_the_model(host: &[u8], target: &[u8], sound: bool) {
    let request = Request {
        port: 80,
        method: "GET".to_owned(),
        target: target.to_vec(),
        hosts: vec![host.to_vec()],
        ..Request::default()
    };
    let outcome = model::answer(&Vec::new(), &request);
    assert_eq!(
        outcome != Outcome::Refused,
        sound,
        "the model says {outcome:?}"
    );
}
