//! Hostnames of listeners and routes: exact, or a wildcard over everything below a name.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// A hostname as listeners and routes write it, in lower case: `www.example.com` or `*.example.com`.
///
/// A wildcard stands for one or more labels, never for none (`Hostname` of the specification):
///
/// ```
/// use gatepost::hostname::Hostname;
/// let wildcard = Hostname::parse("*.example.com")?;
/// assert!(wildcard.matches("a.example.com") && wildcard.matches("a.b.example.com"));
/// assert!(!wildcard.matches("example.com"));
/// # Ok::<(), gatepost::hostname::InvalidHostname>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hostname(Arc<str>);

/// A text that is not a hostname.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidHostname(String);

impl fmt::Display for InvalidHostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a host name: expected labels of letters in lower case, digits and `-`, such as `www.example.com` or `*.example.com`",
            self.0
        )
    }
}

impl std::error::Error for InvalidHostname {}

impl Hostname {
    /// Reads a hostname.
    ///
    /// # Errors
    ///
    /// If it is longer than 253 characters, not in lower case, or not made of labels; the wildcard may be the first
    /// label only. An IPv4 address is refused too: routes and listeners name hosts.
    pub fn parse(text: &str) -> Result<Hostname, InvalidHostname> {
        let labels = text.strip_prefix("*.").unwrap_or(text);
        let sound = text.len() <= 253 && are_labels(labels) && !is_ipv4(text);
        if sound {
            Ok(Hostname(text.into()))
        } else {
            Err(InvalidHostname(text.chars().take(300).collect()))
        }
    }

    /// The text, `*.` included.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What follows the `*` of a wildcard, with its dot: `.example.com`.
    pub fn suffix(&self) -> Option<&str> {
        self.0.strip_prefix('*')
    }

    /// Whether it is a wildcard.
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with('*')
    }

    /// Whether a host in lower case, without port and trailing dot, is meant.
    pub fn matches(&self, host: &str) -> bool {
        match self.suffix() {
            Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
            None => *self.0 == *host,
        }
    }

    /// Whether some host is meant by both.
    pub fn intersects(&self, other: &Hostname) -> bool {
        match (self.suffix(), other.suffix()) {
            (None, None) => self == other,
            (None, Some(_)) => other.matches(&self.0),
            (Some(_), None) => self.matches(&other.0),
            (Some(one), Some(two)) => one.ends_with(two) || two.ends_with(one),
        }
    }

    /// The more specific of two hostnames that intersect: the hosts that both mean.
    pub fn intersection<'h>(&'h self, other: &'h Hostname) -> Option<&'h Hostname> {
        self.intersects(other).then(|| {
            if self.specificity(other) == Ordering::Less {
                other
            } else {
                self
            }
        })
    }

    /// Orders by how specific a name is: exact above wildcard, then the longer one.
    pub fn specificity(&self, other: &Hostname) -> Ordering {
        let rank = |name: &Hostname| (!name.is_wildcard(), name.0.len());
        rank(self).cmp(&rank(other))
    }
}

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text is labels with dots between them; none is empty, none begins or ends with `-`.
fn are_labels(text: &str) -> bool {
    let mut before = b'.';
    for &byte in text.as_bytes() {
        let inner = match byte {
            b'a'..=b'z' | b'0'..=b'9' => true,
            b'-' => before != b'.',
            b'.' => before != b'.' && before != b'-',
            _ => false,
        };
        if !inner {
            return false;
        }
        before = byte;
    }
    before != b'.' && before != b'-'
}

fn is_ipv4(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
        && text.parse::<std::net::Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> Hostname {
        Hostname::parse(text).expect(text)
    }

    #[test]
    fn what_is_no_hostname_is_refused() {
        let long = format!("{}.example", "a".repeat(250));
        for text in [
            "", "*", "*.", "A.b", "a..b", "a.", "-a", "a-", "a_b", "a:80", "1.2.3.4", "*.*.a",
            "a.*.b", &long,
        ] {
            assert!(Hostname::parse(text).is_err(), "{text}");
        }
        for text in ["a", "*.a", "1.2.3.4.5", "xn--bcher-kva.example"] {
            assert!(Hostname::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_wildcard_stands_for_a_label_at_least() {
        let wildcard = name("*.a.test");
        assert!(wildcard.matches("b.a.test") && wildcard.matches("c.b.a.test"));
        assert!(!wildcard.matches("a.test") && !wildcard.matches(".a.test"));
        let longest = format!("{}.{}", "a.".repeat(125) + "a", "b");
        assert_eq!(longest.len(), 253);
        assert!(Hostname::parse(&longest).is_ok());
        assert!(Hostname::parse(&format!("a{longest}")).is_err());
    }

    #[test]
    fn a_name_is_written_as_it_was_read() {
        for text in ["a.test", "*.a.test"] {
            assert_eq!(name(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_refused_is_said() {
        let refused = Hostname::parse("A.b").expect_err("upper case").to_string();
        assert!(refused.starts_with("`A.b` is not a host name: expected labels"));
    }

    #[test]
    fn intersections_are_the_more_specific_name() {
        for (one, two, both) in [
            ("a.example.com", "*.example.com", Some("a.example.com")),
            ("*.com", "*.example.com", Some("*.example.com")),
            ("*.example.com", "example.com", None),
            ("a.example.com", "b.example.com", None),
            ("*.a.com", "*.b.com", None),
            ("*.ample.com", "*.example.com", None),
        ] {
            let (one, two) = (name(one), name(two));
            assert_eq!(one.intersection(&two).map(Hostname::as_str), both);
            assert_eq!(two.intersection(&one).map(Hostname::as_str), both);
        }
    }

    proptest! {
        #[test]
        fn labels_are_what_lies_between_dots(text in "[ab0.-]{0,8}") {
            let outer = |end: Option<char>| end.is_some_and(|end| end != '-');
            let label = |label: &str| outer(label.chars().next()) && outer(label.chars().last());
            prop_assert_eq!(are_labels(&text), text.split('.').all(label));
        }

        // Intersection is commutative and agrees with membership.
        #[test]
        fn intersection_agrees_with_membership(
            one in "(\\*\\.)?([ab]\\.){0,2}[ab]", two in "(\\*\\.)?([ab]\\.){0,2}[ab]", host in "([ab]\\.){0,4}[ab]",
        ) {
            let (one, two) = (name(&one), name(&two));
            prop_assert_eq!(one.intersects(&two), two.intersects(&one));
            let both = one.matches(&host) && two.matches(&host);
            let intersection = one.intersection(&two).is_some_and(|name| name.matches(&host));
            prop_assert_eq!(both, intersection);
        }
    }
}
