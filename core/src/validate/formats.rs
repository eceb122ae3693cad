//! The patterns of the CRDs (digest 1.2), as functions: they are short, and run on every object.

use super::schema::Format;

macro_rules! formats {
    ($($name:ident: $holds:expr, $pattern:literal, $expected:literal;)*) => {
        $(pub(super) const $name: Format = Format { pattern: $pattern, expected: $expected, holds: $holds };)*
        /// All of them, with their names.
        #[cfg(test)]
        const ALL: &[(&str, Format)] = &[$((stringify!($name), $name)),*];
    };
}

formats! {
    HOSTNAME: |text| subdomain(text.strip_prefix("*.").unwrap_or(text)),
        r#"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"#,
        "a host name in lower case such as `www.example.com` or `*.example.com`, without a port";
    PRECISE_HOSTNAME: subdomain,
        r#"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"#,
        "a host name in lower case such as `www.example.com`";
    SECTION_NAME: subdomain,
        r#"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"#,
        "letters in lower case, digits, `-` and `.`, such as `https`";
    LABEL: label,
        r#"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"#,
        "letters in lower case, digits and `-`, such as `shop`";
    GROUP: |text| text.is_empty() || subdomain(text),
        r#"^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"#,
        "an API group such as `gateway.networking.k8s.io`, or nothing for the core group";
    KIND: kind,
        r#"^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$"#,
        "the name of a kind such as `Service`";
    CONTROLLER: controller,
        r#"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/[A-Za-z0-9\/\-._~%!$&'()*+,;=:]+$"#,
        "a domain, `/` and a path, such as `gatepost.dev/gateway-controller`";
    HEADER_NAME: token,
        r#"^[A-Za-z0-9!#$%&'*+\-.^_\x60|~]+$"#,
        "an HTTP token: letters, digits and !#$%&'*+-.^_`|~";
    HEADER_VALUE: header_value,
        r#"^[!-~]+([\t ]?[!-~]+)*$"#,
        "visible ASCII characters, with single spaces or tabs between them";
    PROTOCOL: protocol,
        r#"^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$|[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/[A-Za-z0-9]+$"#,
        "a protocol such as HTTP, HTTPS, TLS, TCP or UDP, or `domain/name`";
    ADDRESS_TYPE: address_type,
        r#"^Hostname|IPAddress|NamedAddress|[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/[A-Za-z0-9\/\-._~%!$&'()*+,;=:]+$"#,
        "IPAddress, Hostname, NamedAddress, or `domain/name`";
    ABSOLUTE_URI: absolute_uri,
        r#"^(([^:/?#]+):)(//([^/?#]*))([^?#]*)(\?([^#]*))?(#(.*))?"#,
        "an absolute URI with an authority, such as `spiffe://cluster.local/ns/shop`";
    CORS_ORIGIN: cors_origin,
        r#"(^\*$)|(^(http(s)?):\/\/(((\*\.)?([a-zA-Z0-9\-]+\.)*[a-zA-Z0-9-]+|\*)(:([0-9]{1,5}))?)$)"#,
        "`*`, or a scheme and a host such as `https://www.example.com` or `https://*.example.com:8443`";
    DURATION: |text| crate::duration::parse(text).is_ok(),
        r#"^([0-9]{1,5}(h|m|s|ms)){1,4}$"#,
        "one to four numbers of at most five digits, each with a unit of h, m, s or ms, such as `1m30s`";
    LABEL_VALUE: label_value,
        r#"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"#,
        "letters, digits, `-`, `_` and `.`, with a letter or a digit at both ends";
    PATH_CHARACTERS: path_characters,
        r#"^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$"#,
        "an absolute path of the characters that RFC 3986 allows in one";
    WELL_KNOWN_CAS: well_known,
        r#"^(System|([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]))$"#,
        "`System`, or `domain/name`";
    ATTRIBUTE_NAME: |text| all(text, b"_.:/-"),
        r#"^[a-zA-Z0-9_.:/-]+$"#,
        "letters, digits and _.:/-";
    ATTRIBUTE_KEY: |text| all(text, b"_.-") && !text.bytes().any(|b| b.is_ascii_uppercase()),
        r#"^[a-z0-9_.-]+$"#,
        "letters in lower case, digits and _.-";
    SPAN_NAME: |text| text.split(' ').all(|word| all(word, b"_.:/-")),
        r#"^[a-zA-Z0-9_.:/-]+( [a-zA-Z0-9_.:/-]+)*$"#,
        "words of letters, digits and _.:/-, with single spaces between them";
    REASON: reason,
        r#"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"#,
        "a word such as `Accepted`";
    CONDITION_TYPE: condition_type,
        r#"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"#,
        "a word such as `Accepted`, or `domain/name`";
}

pub(super) fn label(text: &str) -> bool {
    let bytes = text.as_bytes();
    let outer = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    bytes.first().is_some_and(outer)
        && bytes.last().is_some_and(outer)
        && bytes.iter().all(|b| outer(b) || *b == b'-')
}

pub(super) fn subdomain(text: &str) -> bool {
    text.split('.').all(label)
}

fn all(text: &str, more: &[u8]) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
}

/// `^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$`.
fn kind(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && dashed(text)
}

/// `^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$`.
fn dashed(text: &str) -> bool {
    all(text, b"-") && !text.starts_with('-') && !text.ends_with('-')
}

fn path(text: &str) -> bool {
    all(text, b"/-._~%!$&'()*+,;=:")
}

fn controller(text: &str) -> bool {
    text.split_once('/')
        .is_some_and(|(domain, rest)| subdomain(domain) && path(rest))
}

fn token(text: &str) -> bool {
    all(text, b"!#$%&'*+-.^_`|~")
}

/// `^[!-~]+([\t ]?[!-~]+)*$`.
fn header_value(text: &str) -> bool {
    let space = |b: u8| b == b' ' || b == b'\t';
    let bytes = text.as_bytes();
    bytes.iter().all(|&b| space(b) || b.is_ascii_graphic())
        && !bytes.windows(2).any(|pair| pair.iter().all(|&b| space(b)))
        && bytes.first().is_some_and(|&b| !space(b))
        && bytes.last().is_some_and(|&b| !space(b))
}

/// A word, or `domain/name` at the end: the second alternative is not anchored at the start.
fn protocol(text: &str) -> bool {
    dashed(text)
        || text
            .rsplit_once('/')
            .is_some_and(|(domain, name)| domain.ends_with(label_end) && all(name, b""))
}

fn label_end(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

/// The alternation is not anchored inside (digest 1.2), so the words may stand at one end.
fn address_type(text: &str) -> bool {
    text.starts_with("Hostname")
        || text.contains("IPAddress")
        || text.contains("NamedAddress")
        || text
            .match_indices('/')
            .any(|(at, _)| text[..at].ends_with(label_end) && path(&text[at + 1..]))
}

/// RFC 3986 with an authority, which may be empty; the pattern has no end anchor.
fn absolute_uri(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, rest)| {
        !scheme.is_empty() && !scheme.contains(['/', '?', '#']) && rest.starts_with("//")
    })
}

fn cors_origin(text: &str) -> bool {
    if text == "*" {
        return true;
    }
    let Some(rest) = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
    else {
        return false;
    };
    let (host, port) = rest
        .split_once(':')
        .map_or((rest, None), |(host, port)| (host, Some(port)));
    let port =
        port.is_none_or(|p| (1..=5).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()));
    let labels = host.strip_prefix("*.").unwrap_or(host);
    port && (host == "*" || labels.split('.').all(|label| all(label, b"-")))
}

fn label_value(text: &str) -> bool {
    let end = |c: char| c.is_ascii_alphanumeric();
    text.is_empty() || all(text, b"-_.") && text.starts_with(end) && text.ends_with(end)
}

/// `^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$`.
pub(super) fn path_characters(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let fine = match byte {
            b'%' => (0..2).all(|_| bytes.next().is_some_and(|b| b.is_ascii_hexdigit())),
            byte => byte.is_ascii_alphanumeric() || b"-/._~!$&'()*+,;=:@".contains(&byte),
        };
        if !fine {
            return false;
        }
    }
    !text.is_empty()
}

fn well_known(text: &str) -> bool {
    text == "System"
        || text
            .split_once('/')
            .is_some_and(|(domain, name)| subdomain(domain) && short_name(name))
}

fn reason(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && all(text, b"_,:")
        && !text.ends_with([',', ':'])
}

fn condition_type(text: &str) -> bool {
    let (domain, name) = match text.split_once('/') {
        Some((domain, name)) => (Some(domain), name),
        None => (None, text),
    };
    domain.is_none_or(subdomain) && !name.is_empty() && label_value(name)
}

/// `([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]`.
fn short_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 63 && label_value(text)
}

/// An optional DNS prefix of any length, and a name of at most 63 characters: the key of a label.
pub(super) fn label_key(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => subdomain(prefix) && short_name(name),
        None => short_name(text),
    }
}

/// The same with a prefix of at most 253 characters.
pub(super) fn qualified_name(text: &str) -> bool {
    label_key(text)
        && text
            .split_once('/')
            .is_none_or(|(prefix, _)| prefix.len() <= 253)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    /// Texts that keep one pattern or another, and more that come near.
    const SEEDS: &[&str] = &[
        "a.b/C-1",
        "*.a-b.c1",
        "Hostname",
        "xIPAddress",
        "NamedAddress",
        "HTTP",
        "a/b/c",
        "System",
        "example.com/Name",
        "https://a.b",
        "http://*.a:8080",
        "https://*",
        "*",
        "spiffe://x/y?z#w",
        "1h30m10s5ms",
        "99999h",
        "x-forwarded-for",
        "a b",
        "a\tb",
        "/a%2Fb/../c",
        "Kind-1",
        "a_b.c:d/e f",
        "Accepted",
        "gw.example/Ready",
        "1m1",
        "A.b",
        "a..b",
    ];

    fn texts() -> impl Strategy<Value = String> {
        let near = (
            proptest::sample::select(SEEDS),
            any::<proptest::sample::Index>(),
            "[-a-zA-Z0-9*.:/?#_%@,;=~!$&'()+ \t\u{e9}]{0,2}",
            0..3_usize,
        );
        let near = near.prop_map(|(seed, at, new, cut)| {
            let at = at.index(seed.len() + 1);
            let end = seed.len().min(at + cut);
            format!("{}{new}{}", &seed[..at], &seed[end..])
        });
        prop_oneof![near, "[-a-c0-1A-B*.:/hms%]{0,12}", any::<String>()]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn every_function_is_its_pattern(text in texts()) {
            thread_local! {
                static PATTERNS: Vec<Regex> = ALL
                    .iter()
                    .map(|(_, format)| Regex::new(format.pattern).expect("a pattern"))
                    .collect();
            }
            PATTERNS.with(|patterns| {
                for ((name, format), pattern) in ALL.iter().zip(patterns) {
                    prop_assert_eq!((format.holds)(&text), pattern.is_match(&text), "{} on {:?}", name, text);
                }
                Ok(())
            })?;
        }
    }

    #[test]
    fn the_texts_fall_on_both_sides_of_every_pattern() {
        for (name, format) in ALL {
            assert!(
                SEEDS.iter().any(|seed| (format.holds)(seed)),
                "no seed keeps {name}"
            );
            assert!(!(format.holds)("a..b\n"), "{name}");
        }
    }
}
