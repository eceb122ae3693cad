//! What expressions over paths begin with, and what follows.

use regex_syntax::hir::{Hir, HirKind, Look};

use crate::pattern::Pattern;

/// An expression taken apart: the elements that every match begins with, and what follows.
///
/// What follows begins with a slash wherever the head is not empty.
pub(super) fn split(pattern: &Pattern) -> (Vec<u8>, Hir) {
    let mut parts = Vec::new();
    flatten(pattern.parsed(), &mut parts);
    let (mut literal, taken) = literal(&parts);
    let rest = Hir::literal(literal.split_off(elements(&literal)));
    let follows = parts.into_iter().skip(taken).cloned();
    (
        literal,
        Hir::concat(std::iter::once(rest).chain(follows).collect()),
    )
}

/// The elements that every match of an expression begins with.
pub(super) fn head(pattern: &Pattern) -> Vec<u8> {
    let mut parts = Vec::new();
    flatten(pattern.parsed(), &mut parts);
    let (mut literal, _) = literal(&parts);
    literal.truncate(elements(&literal));
    literal
}

/// What every match begins with, and how many parts of the expression that is.
fn literal(parts: &[&Hir]) -> (Vec<u8>, usize) {
    let mut literal = Vec::new();
    let mut taken = 0;
    for part in parts {
        match part.kind() {
            HirKind::Literal(more) => literal.extend_from_slice(&more.0),
            // At the very start `^` says nothing.
            HirKind::Look(Look::Start) if literal.is_empty() => {}
            _ => break,
        }
        taken += 1;
    }
    (literal, taken)
}

/// Where the whole elements of a text end.
fn elements(text: &[u8]) -> usize {
    text.iter().rposition(|&byte| byte == b'/').unwrap_or(0)
}

/// What an expression matches one after another; groups do not matter, since nobody asks for what they capture.
fn flatten<'h>(expression: &'h Hir, parts: &mut Vec<&'h Hir>) {
    match expression.kind() {
        HirKind::Concat(all) => all.iter().for_each(|part| flatten(part, parts)),
        HirKind::Capture(capture) => flatten(&capture.sub, parts),
        _ => parts.push(expression),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::{Automaton, PatternLimits};

    #[test]
    fn heads_are_whole_elements() {
        for (text, head, rest) in [
            ("/svc-1/v[0-9]+/x", "/svc-1", "(?-u:/v[0-9]+/x)"),
            ("^/a/b/.*", "/a/b", "/.*"),
            ("/(a/b)/(c.*)", "/a/b", "/c.*"),
            ("/a/b.*", "/a", "/b.*"),
            ("/a/b", "/a", "/b"),
            ("/[a-z]+/x", "", "/[a-z]+/x"),
            (".*", "", ".*"),
            ("/a/.*|/b/.*", "", "/a/.*|/b/.*"),
            ("a|b", "", "[ab]"),
        ] {
            let pattern = Pattern::parse(text, &PatternLimits::default()).expect(text);
            let (found, remainder) = split(&pattern);
            assert_eq!(super::head(&pattern), found, "{text}");
            assert_eq!(String::from_utf8_lossy(&found), head, "{text}");
            let path = format!("{head}{}", if rest.contains('x') { "/v1/x" } else { "/c" });
            let automaton = Automaton::build([&remainder], usize::MAX).expect("small");
            let mut by_parts = false;
            automaton.matching(path.as_bytes(), head.len(), |_| by_parts = true);
            assert_eq!(by_parts, pattern.matches(path.as_bytes()), "{text} {path}");
        }
    }
}
