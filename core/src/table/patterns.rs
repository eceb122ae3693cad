//! Regular expressions over paths, many at once.
//!
//! The literal head of an expression, as far as whole path elements go, is looked up like a prefix: a request runs only
//! those expressions whose head it has. What follows the head is compiled together with what follows the same head in
//! other expressions, as long as the common automaton stays small. Equal remainders share one automaton wherever they
//! stand, so ten thousand expressions that differ in their head only cost one.

use std::collections::BTreeMap;

use regex_syntax::hir::{Hir, HirKind, Look};

use super::RouteTable;
use super::candidate::Range;
use super::find::Request;
use super::index::NONE;
use crate::pattern::{Automaton, Pattern};

/// The most expressions that are compiled together.
const GROUP: usize = 1_024;

/// Bytes that the common automaton of so many expressions may have. What takes more is halved, so that a few hostile
/// expressions neither blow up their neighbours' automaton nor the time it takes to build it.
fn budget(expressions: usize) -> usize {
    (16 + 2 * expressions) << 10
}

/// All automata of a table, and who is found by them.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    automata: Vec<Automaton>,
    groups: Vec<Group>,
    /// By expression of a group: its candidates, a list as in [`RouteTable::better`].
    members: Vec<u32>,
    /// By number: the groups of one head of one host.
    heads: Vec<Range>,
}

/// Expressions with the same head that share an automaton.
#[derive(Clone, Copy, Debug)]
struct Group {
    automaton: u32,
    /// Its first expression in `members`.
    members: u32,
    /// Its best candidate: the group cannot improve on a better one.
    best: u32,
}

impl Patterns {
    pub(super) fn memory(&self) -> usize {
        let automata: usize = self.automata.iter().map(Automaton::memory).sum();
        automata
            + self.groups.capacity() * size_of::<Group>()
            + self.members.capacity() * size_of::<u32>()
            + self.heads.capacity() * size_of::<Range>()
    }
}

impl RouteTable {
    /// Lowers `best` to the first candidate that a path fits by the expressions of a head, which ends at `end`.
    pub(super) fn better_by_head(
        &self,
        head: u32,
        end: usize,
        best: &mut u32,
        request: &mut Request<'_, '_>,
    ) {
        let patterns = &self.patterns;
        let groups = patterns.heads.get(head as usize);
        let path = request.head.target.path();
        for group in groups.map_or(&[][..], |head| head.of(&patterns.groups)) {
            if group.best >= *best {
                continue;
            }
            let Some(automaton) = patterns.automata.get(group.automaton as usize) else {
                continue;
            };
            automaton.matching(path, end, |expression| {
                let list = patterns.members.get(group.members as usize + expression);
                if let Some(&list) = list {
                    self.better(list, best, request);
                }
            });
        }
    }
}

/// An expression taken apart: the elements that every match begins with, and what follows.
///
/// What follows begins with a slash wherever the head is not empty.
pub(super) fn split(pattern: &Pattern) -> (Vec<u8>, Hir) {
    let mut parts = Vec::new();
    flatten(pattern.parsed(), &mut parts);
    let mut literal = Vec::new();
    let mut taken = 0;
    for part in &parts {
        match part.kind() {
            HirKind::Literal(more) => literal.extend_from_slice(&more.0),
            // At the very start `^` says nothing.
            HirKind::Look(Look::Start) if literal.is_empty() => {}
            _ => break,
        }
        taken += 1;
    }
    let end = literal.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
    let rest = Hir::literal(literal.split_off(end));
    let follows = parts.into_iter().skip(taken).cloned();
    (
        literal,
        Hir::concat(std::iter::once(rest).chain(follows).collect()),
    )
}

/// What an expression matches one after another; groups do not matter, since nobody asks for what they capture.
fn flatten<'h>(expression: &'h Hir, parts: &mut Vec<&'h Hir>) {
    match expression.kind() {
        HirKind::Concat(all) => all.iter().for_each(|part| flatten(part, parts)),
        HirKind::Capture(capture) => flatten(&capture.sub, parts),
        _ => parts.push(expression),
    }
}

/// Collects the expressions of a table.
#[derive(Debug, Default)]
pub(super) struct PatternsBuilder {
    patterns: Patterns,
    /// Remainders that are known, by their text; few expressions with the same text differ.
    known: BTreeMap<String, Vec<u32>>,
    remainders: Vec<Hir>,
    automata: BTreeMap<Vec<u32>, u32>,
}

/// One expression below a head: the number of its remainder, its candidates as a list, and the best of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expression {
    pub(super) remainder: u32,
    pub(super) list: u32,
    pub(super) best: u32,
}

impl PatternsBuilder {
    /// The number of a remainder.
    pub(super) fn remainder(&mut self, hir: Hir) -> u32 {
        let same = self.known.entry(hir.to_string()).or_default();
        let known = same
            .iter()
            .find(|&&number| self.remainders.get(number as usize) == Some(&hir));
        if let Some(&number) = known {
            return number;
        }
        let number = small(self.remainders.len());
        same.push(number);
        self.remainders.push(hir);
        number
    }

    /// Adds the expressions of one head of one host, the best first; says the head's number.
    pub(super) fn head(&mut self, expressions: &[Expression]) -> u32 {
        let first = small(self.patterns.groups.len());
        for group in expressions.chunks(GROUP) {
            self.group(group);
        }
        let count = small(self.patterns.groups.len()) - first;
        self.patterns.heads.push(Range { first, count });
        small(self.patterns.heads.len() - 1)
    }

    fn group(&mut self, expressions: &[Expression]) {
        let Some(automaton) = self.automaton(expressions) else {
            let (front, back) = expressions.split_at(expressions.len() / 2);
            for half in [front, back] {
                if !half.is_empty() && half.len() < expressions.len() {
                    self.group(half);
                }
            }
            return;
        };
        let members = small(self.patterns.members.len());
        self.patterns
            .members
            .extend(expressions.iter().map(|expression| expression.list));
        self.patterns.groups.push(Group {
            automaton,
            members,
            best: expressions.iter().map(|e| e.best).min().unwrap_or(NONE),
        });
    }

    /// The common automaton of some expressions; `None` if it would be too large.
    ///
    /// An expression by itself is never too large: it was admitted when it was parsed.
    fn automaton(&mut self, expressions: &[Expression]) -> Option<u32> {
        let key: Vec<u32> = expressions.iter().map(|e| e.remainder).collect();
        if let Some(&known) = self.automata.get(&key) {
            return Some(known);
        }
        let limit = if key.len() == 1 {
            usize::MAX
        } else {
            budget(key.len())
        };
        let remainders = key
            .iter()
            .filter_map(|&number| self.remainders.get(number as usize));
        let automaton = Automaton::build(remainders, limit).ok()?;
        let number = small(self.patterns.automata.len());
        self.patterns.automata.push(automaton);
        self.automata.insert(key, number);
        Some(number)
    }

    pub(super) fn finish(mut self) -> Patterns {
        self.patterns.automata.shrink_to_fit();
        self.patterns.groups.shrink_to_fit();
        self.patterns.members.shrink_to_fit();
        self.patterns.heads.shrink_to_fit();
        self.patterns
    }
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(NONE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::PatternLimits;

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
            assert_eq!(String::from_utf8_lossy(&found), head, "{text}");
            let path = format!("{head}{}", if rest.contains('x') { "/v1/x" } else { "/c" });
            let automaton = Automaton::build([&remainder], usize::MAX).expect("small");
            let mut by_parts = false;
            automaton.matching(path.as_bytes(), head.len(), |_| by_parts = true);
            assert_eq!(by_parts, pattern.matches(path.as_bytes()), "{text} {path}");
        }
    }
}
