//! The patterns of the CRDs (digest 1.2), as functions: they are short, and run on every object.

use super::schema::Format;

macro_rules! format {
    ($($(#[$meta:meta])* $name:ident: $holds:expr, $expected:literal;)*) => {
        $($(#[$meta])* pub(super) const $name: Format = Format { expected: $expected, holds: $holds };)*
    };
}

format! {
    HOSTNAME: |text| subdomain(text.strip_prefix("*.").unwrap_or(text)), "a host name in lower case such as `www.example.com` or `*.example.com`, without a port";
    PRECISE_HOSTNAME: subdomain, "a host name in lower case such as `www.example.com`";
    SECTION_NAME: subdomain, "letters in lower case, digits, `-` and `.`, such as `https`";
    LABEL: label, "letters in lower case, digits and `-`, such as `shop`";
    GROUP: |text| text.is_empty() || subdomain(text), "an API group such as `gateway.networking.k8s.io`, or nothing for the core group";
    KIND: kind, "the name of a kind such as `Service`";
    CONTROLLER: controller, "a domain, `/` and a path, such as `gatepost.dev/gateway-controller`";
    HEADER_NAME: token, "an HTTP token: letters, digits and !#$%&'*+-.^_`|~";
    HEADER_VALUE: header_value, "visible ASCII characters, with single spaces or tabs between them";
    PROTOCOL: protocol, "a protocol such as HTTP, HTTPS, TLS, TCP or UDP, or `domain/name`";
    ADDRESS_TYPE: address_type, "IPAddress, Hostname, NamedAddress, or `domain/name`";
    ABSOLUTE_URI: absolute_uri, "an absolute URI with an authority, such as `spiffe://cluster.local/ns/shop`";
    CORS_ORIGIN: cors_origin, "`*`, or a scheme and a host such as `https://www.example.com` or `https://*.example.com:8443`";
    DURATION: |text| crate::duration::parse(text).is_ok(), "one to four numbers of at most five digits, each with a unit of h, m, s or ms, such as `1m30s`";
    LABEL_VALUE: label_value, "letters, digits, `-`, `_` and `.`, with a letter or a digit at both ends";
    PATH_CHARACTERS: path_characters, "an absolute path of the characters that RFC 3986 allows in one";
    WELL_KNOWN_CAS: well_known, "`System`, or `domain/name`";
    ATTRIBUTE_NAME: |text| all(text, b"_.:/-"), "letters, digits and _.:/-";
    ATTRIBUTE_KEY: |text| all(text, b"_.-") && !text.bytes().any(|b| b.is_ascii_uppercase()), "letters in lower case, digits and _.-";
    SPAN_NAME: |text| text.split(' ').all(|word| all(word, b"_.:/-")), "words of letters, digits and _.:/-, with single spaces between them";
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

/// `…|[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.…)*\/[A-Za-z0-9]+`.
fn protocol(text: &str) -> bool {
    dashed(text)
        || text
            .split_once('/')
            .is_some_and(|(domain, name)| subdomain(domain) && all(name, b""))
}

/// The alternation is not anchored inside (digest 1.2), so the words may stand at one end.
fn address_type(text: &str) -> bool {
    text.starts_with("Hostname")
        || text.contains("IPAddress")
        || text.contains("NamedAddress")
        || text.find('/').is_some_and(|_| domain_path_at_end(text))
}

/// `L(\.L)*\/[A-Za-z0-9\/\-._~%!$&'()*+,;=:]+$` somewhere up to the end.
fn domain_path_at_end(text: &str) -> bool {
    text.match_indices('/').any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + 1..]);
        path(after) && before.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
    })
}

/// RFC 3986 with an authority; the pattern has no end anchor.
fn absolute_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && all(scheme, b"+.-")
        && rest.starts_with(|c: char| !matches!(c, '/' | '?' | '#'))
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
    port && (host == "*" || labels.split('.').all(dashed))
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
    text == "System" || controller(text)
}

/// An optional DNS prefix of fewer than 253 characters, and a name of at most 63.
pub(super) fn qualified_name(text: &str) -> bool {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    prefix.is_none_or(subdomain) && !name.is_empty() && name.len() <= 63 && label_value(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_hold_on_both_sides() {
        let rows: &[(&Format, &[&str], &[&str])] = &[
            (
                &HOSTNAME,
                &["a", "a.b", "*.a.b", "1.2.3.4", "a-b.c"],
                &[
                    "", "*", "*.", "A.b", "a..b", "a.b.", "-a", "a:80", "*.*.a", "a_b",
                ],
            ),
            (&HEADER_NAME, &["x-a", "A1!"], &["", "a b", "a:b", "a\r\n"]),
            (
                &HEADER_VALUE,
                &["a", "a b", "a\tb"],
                &["", " a", "a  b", "a\r\nb", "é"],
            ),
            (
                &CORS_ORIGIN,
                &[
                    "*",
                    "https://a.b",
                    "http://*.a",
                    "https://*",
                    "http://a:99999",
                ],
                &["a.b", "ftp://a", "https://a/b", "https://a:123456"],
            ),
            (&CONTROLLER, &["a.b/c", "a/b/c"], &["a", "a/", "/b", "A/b"]),
            (
                &PROTOCOL,
                &["HTTP", "a.b/C1"],
                &["", "-a", "a.b/", "a.b/c-d"],
            ),
            (
                &PATH_CHARACTERS,
                &["/", "/a%2F"],
                &["", "/a b", "/%2", "/%zz", "/#"],
            ),
            (&SPAN_NAME, &["a", "a b"], &["", " a", "a  b"]),
        ];
        for (format, good, bad) in rows {
            for text in *good {
                assert!((format.holds)(text), "{text} is {}", format.expected);
            }
            for text in *bad {
                assert!(!(format.holds)(text), "{text} is not {}", format.expected);
            }
        }
    }
}
