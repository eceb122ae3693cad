//! Regular expressions over whole values, within a budget.

mod automaton;
mod classes;

use std::fmt;
use std::sync::Arc;

use regex_syntax::hir::Hir;

pub(crate) use automaton::{Automaton, NotBuilt, Run};

/// What one expression may cost. Those that routes write in earnest need a small part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PatternLimits {
    /// Bytes of the pattern's text: 4,096, the longest value that the CRDs allow.
    pub length: usize,
    /// Groups and repetitions inside each other: 50.
    pub nesting: u32,
    /// Bytes of the automaton that it becomes: 256 KiB. Building one takes time and memory in proportion.
    pub automaton: usize,
    /// Bytes of all automata of one route: 4 MiB.
    pub route: usize,
}

impl Default for PatternLimits {
    fn default() -> Self {
        Self {
            length: 4_096,
            nesting: 50,
            automaton: 256 << 10,
            route: 4 << 20,
        }
    }
}

/// A regular expression that matches whole values, byte for byte.
///
/// The syntax is that of the `regex` crate, except that classes mean what they mean in RE2 and POSIX (`&&`, `--` and `~~`
/// are plain characters) and that letters, digits and the rest of what `\w`, `\d`, `\s`, `\b` and `.` stand for are those of
/// ASCII and single bytes, unless the pattern says `(?u)`. A pattern is a deterministic automaton of bounded size: matching
/// takes one step for each byte and allocates nothing. Cloning is cheap.
///
/// ```
/// use gatepost::pattern::{Pattern, PatternLimits};
/// let pattern = Pattern::parse("/a|/ab", &PatternLimits::default())?;
/// assert!(pattern.matches(b"/ab") && !pattern.matches(b"/abc"));
/// assert!(Pattern::parse("foo)|(?:.*", &PatternLimits::default()).is_err());
/// # Ok::<(), gatepost::pattern::InvalidPattern>(())
/// ```
#[derive(Clone)]
pub struct Pattern(Arc<Parts>);

struct Parts {
    text: Box<str>,
    parsed: Hir,
    automaton: Arc<Automaton>,
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
            .unicode(false)
            .nest_limit(limits.nesting)
            .build();
        // The pattern is parsed by itself and its parsed form is anchored, never its text: pasted anchors would let
        // `foo)|(?:.*` out of its group.
        let parsed = parser.parse(&classes::plain(text)).map_err(|error| {
            invalid(format!(
                "the regular expression `{shown}` is not valid: {}",
                first_cause(&error)
            ))
        })?;
        let automaton = Automaton::build([&parsed], limits.automaton).map_err(|error| {
            let cause = match error {
                NotBuilt::TooLarge(limit) => {
                    format!("is too large: its automaton would need more than {limit} bytes")
                }
                NotBuilt::Unsupported(cause) => format!("cannot be compiled: {cause}"),
            };
            invalid(format!("the regular expression `{shown}` {cause}"))
        })?;
        Ok(Pattern(Arc::new(Parts {
            text: text.into(),
            parsed,
            automaton: Arc::new(automaton),
        })))
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// The parsed form, not anchored.
    pub(crate) fn parsed(&self) -> &Hir {
        &self.0.parsed
    }

    /// Its own automaton.
    pub(crate) fn automaton(&self) -> &Arc<Automaton> {
        &self.0.automaton
    }

    /// Whether the whole value matches. One step for each byte; allocates nothing.
    pub fn matches(&self, value: &[u8]) -> bool {
        self.0.automaton.is_match(value)
    }

    /// Starts to match a value that comes in pieces.
    pub(crate) fn run(&self) -> Run<'_> {
        self.0.automaton.start(b"", 0)
    }

    /// Bytes that it holds.
    pub fn memory(&self) -> usize {
        self.0.text.len() + self.0.automaton.memory()
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.0.text).finish()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.text == other.0.text
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
            (r"\d+", "٣", false),
            (r"(?u)\d+", "٣", true),
            (r"\w+", "é", false),
            (".", "é", false),
            ("..", "é", true),
            ("é+", "éé", true),
            (r"\ba\b", "a", true),
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
        assert!(pattern(r"\xff").matches(b"\xff") && pattern(".*").matches(b"\xff\0"));
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
            r"(?u)\pL{500}",
            r"/(\pL{100}){100}",
            "/[a-z]*.*(a|b)[^/]{60}x.*",
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
