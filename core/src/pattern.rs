//! Regular expressions over whole values, within a budget.

use std::fmt;
use std::sync::Arc;

use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};
use regex_syntax::hir::{Hir, Look};

/// What one expression may cost. Those that routes write in earnest need a small part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PatternLimits {
    /// Bytes of the pattern's text: 4,096, the longest value that the CRDs allow.
    pub length: usize,
    /// Groups and repetitions inside each other: 50.
    pub nesting: u32,
    /// Bytes of the compiled automaton: 256 KiB.
    pub compiled: usize,
    /// Bytes that matching may keep by thread: 256 KiB.
    pub cache: usize,
}

impl Default for PatternLimits {
    fn default() -> Self {
        Self {
            length: 4_096,
            nesting: 50,
            compiled: 256 << 10,
            cache: 256 << 10,
        }
    }
}

/// A regular expression that matches whole values, byte for byte.
///
/// The syntax is that of the `regex` crate, except that `&&`, `--` and `~~` inside classes are plain characters, as in
/// RE2 and POSIX. Matching takes time linear in the value. Cloning is cheap.
///
/// ```
/// use gatepost::pattern::{Pattern, PatternLimits};
/// let pattern = Pattern::parse("/a|/ab", &PatternLimits::default())?;
/// assert!(pattern.matches(b"/ab") && !pattern.matches(b"/abc"));
/// assert!(Pattern::parse("foo)|(?:.*", &PatternLimits::default()).is_err());
/// # Ok::<(), gatepost::pattern::InvalidPattern>(())
/// ```
#[derive(Clone)]
pub struct Pattern {
    text: Arc<str>,
    hir: Arc<Hir>,
    regex: Regex,
}

/// An expression that does not parse, or costs more than allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidPattern {
    message: String,
}

impl fmt::Display for InvalidPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for InvalidPattern {}

impl Pattern {
    /// Parses a pattern by itself, then anchors what it means at both ends.
    ///
    /// The cost is bounded by the limits, whatever the pattern.
    ///
    /// # Errors
    ///
    /// If it does not parse, or exceeds a limit.
    pub fn parse(text: &str, limits: &PatternLimits) -> Result<Pattern, InvalidPattern> {
        let invalid = |message: String| InvalidPattern { message };
        let shown = crate::problem::excerpt(text);
        if text.len() > limits.length {
            let message = format!(
                "the regular expression `{shown}` has {} bytes, expected at most {}",
                text.len(),
                limits.length
            );
            return Err(invalid(message));
        }
        let mut parser = regex_syntax::ParserBuilder::new()
            .utf8(false)
            .nest_limit(limits.nesting)
            .build();
        let hir = parser.parse(&plain_classes(text)).map_err(|error| {
            invalid(format!(
                "the regular expression `{shown}` is not valid: {}",
                first_cause(&error)
            ))
        })?;
        // Anchoring the parsed form, never the text: pasted anchors would let `foo)|(?:.*` out of its group.
        let whole = Hir::concat(vec![Hir::look(Look::Start), hir, Hir::look(Look::End)]);
        let config = Regex::config()
            .utf8_empty(false)
            .nfa_size_limit(Some(limits.compiled))
            .onepass_size_limit(Some(limits.compiled))
            .hybrid_cache_capacity(limits.cache);
        let regex = Regex::builder()
            .configure(config)
            .syntax(syntax::Config::new().utf8(false))
            .build_from_hir(&whole)
            .map_err(|error| {
                let cause = match error.size_limit() {
                    Some(limit) => {
                        format!("is too large: compiled it needs more than {limit} bytes")
                    }
                    None => format!("cannot be compiled: {error}"),
                };
                invalid(format!("the regular expression `{shown}` {cause}"))
            })?;
        Ok(Pattern {
            text: text.into(),
            hir: Arc::new(whole),
            regex,
        })
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The parsed form, anchored at both ends.
    pub fn hir(&self) -> &Hir {
        &self.hir
    }

    /// Whether the whole value matches. Linear in the value.
    ///
    /// The engine keeps memory by thread, so the first matches on a thread may allocate.
    pub fn matches(&self, value: &[u8]) -> bool {
        self.regex
            .is_match(Input::new(value).anchored(Anchored::Yes))
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.text).finish()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

/// The first line of an error that says what is wrong; the parser's text draws the pattern over several lines.
fn first_cause(error: &regex_syntax::Error) -> String {
    match error {
        regex_syntax::Error::Parse(error) => error.kind().to_string(),
        regex_syntax::Error::Translate(error) => error.kind().to_string(),
        _ => "unknown syntax".to_owned(),
    }
}

/// Escapes what the `regex` crate takes as set operators inside classes (digest 2.8).
fn plain_classes(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut characters = text.chars().peekable();
    let mut depth = 0_usize;
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                out.push(character);
                out.extend(characters.next());
                continue;
            }
            '[' => {
                depth += 1;
                out.push(character);
                // `[^` and a `]` that comes first belong to the opening.
                if characters.peek() == Some(&'^') {
                    out.extend(characters.next());
                }
                if depth == 1 && characters.peek() == Some(&']') {
                    out.extend(characters.next());
                }
                continue;
            }
            ']' => depth = depth.saturating_sub(1),
            '&' | '-' | '~' if depth > 0 && characters.peek() == Some(&character) => {
                out.push('\\');
            }
            _ => {}
        }
        out.push(character);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text, &PatternLimits::default()).expect(text)
    }

    #[test]
    fn whole_values_match() {
        for (text, value, expected) in [
            ("/a|/ab", "/ab", true),
            ("/ab|/a", "/abc", false),
            ("a*", "", true),
            ("a", "aa", false),
            ("^a$", "a", true),
            ("(?i)AbC", "aBc", true),
            (r"\d+", "٣", true),
            ("[a&&b]", "&", true),
            ("[a&&b]+", "ab&", true),
            ("[a--b]", "-", true),
            ("[a~~b]", "~", true),
            ("[]a]+", "]a", true),
            (r"[\]&&]", "&", true),
            ("a.c", "a\nc", false),
        ] {
            assert_eq!(
                pattern(text).matches(value.as_bytes()),
                expected,
                "{text} on {value}"
            );
        }
        assert!(pattern(r"(?-u)\xff").matches(b"\xff"));
    }

    #[test]
    fn what_leaves_its_group_or_looks_around_is_refused() {
        for text in [
            "foo)|(?:.*",
            "(",
            "a(?=b)",
            r"(a)\1",
            "[z-a]",
            "a{2,1}",
            "*",
        ] {
            let error = Pattern::parse(text, &PatternLimits::default()).expect_err(text);
            assert!(
                error.to_string().contains(&crate::problem::excerpt(text)),
                "{error}"
            );
        }
    }

    #[test]
    fn hostile_patterns_are_refused_quickly() {
        let nested = format!("{}a{}", "(".repeat(200), ")".repeat(200));
        for text in [
            "(a{1000}){1000}",
            r"\pL{500}",
            "((a{100}){100}){100}",
            &nested,
        ] {
            assert!(
                Pattern::parse(text, &PatternLimits::default()).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn catastrophic_patterns_match_in_linear_time() {
        let value = format!("/{}!", "a".repeat(10_000));
        assert!(!pattern("/(a+)+").matches(value.as_bytes()));
    }
}
