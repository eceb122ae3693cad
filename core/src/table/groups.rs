//! Regular expressions over paths, many at once.
//!
//! The literal head of an expression, as far as whole path elements go, is looked up like a prefix: a request runs only
//! those expressions whose head it has. What follows the head is compiled together with what follows the same head in
//! other expressions, as long as the common automaton stays small. Equal remainders share one automaton wherever they
//! stand, so ten thousand expressions that differ in their head only cost one.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use regex_syntax::hir::{Hir, HirKind, Look};

use super::RouteTable;
use super::candidate::{CANDIDATE, Range, Served};
use super::dictionary::Parts;
use super::find::Request;
use super::index::NONE;
use super::rules::Rules;
use crate::pattern::{Automaton, Pattern};
use crate::rule::ordered::{Ordered, Place};

/// The most expressions that are compiled together.
const GROUP: usize = 1_024;

/// Bytes that all automata over paths of a table may have together. Expressions beyond run one by one, each in the
/// automaton that it was admitted with.
const TOTAL: usize = 64 << 20;

/// Bytes that the common automaton of so many expressions may have, so that a few hostile expressions neither blow up
/// their neighbours' automaton nor the time it takes to build it.
fn budget(expressions: usize) -> usize {
    (16 + 2 * expressions) << 10
}

/// The expressions of one head of one host.
#[derive(Clone, Debug)]
pub(super) struct Head {
    /// All its candidates, in the order of precedence.
    pub(super) candidates: Range,
    pub(super) groups: Arc<Groups>,
}

impl Head {
    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + self.groups.memory()
    }
}

/// Expressions in groups. Candidates are numbered from the head's first.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: Vec<Group>,
    /// Lists of candidates that have one expression.
    lists: Vec<Range>,
    listed: Vec<u32>,
}

/// Expressions that share an automaton.
#[derive(Clone, Debug)]
struct Group {
    automaton: Arc<Automaton>,
    /// Whether the automaton is that of one whole expression, its head included.
    whole: bool,
    /// By expression of the automaton: its candidates, see [`Groups::list`].
    members: Vec<u32>,
    /// Its best candidate: the group cannot improve on a better one.
    best: u32,
}

impl Groups {
    fn memory(&self) -> usize {
        let members = |group: &Group| group.members.capacity() * size_of::<u32>();
        size_of::<Self>()
            + self.groups.capacity() * size_of::<Group>()
            + self.groups.iter().map(members).sum::<usize>()
            + self.lists.capacity() * size_of::<Range>()
            + self.listed.capacity() * size_of::<u32>()
    }

    /// The candidates of an expression: one, by number with a mark, or the number of a list, or [`NONE`].
    fn list(&mut self, candidates: &[u32]) -> u32 {
        match candidates {
            [] => NONE,
            &[alone] => CANDIDATE | alone,
            several => {
                let first = small(self.listed.len());
                self.listed.extend_from_slice(several);
                let count = small(several.len());
                self.lists.push(Range { first, count });
                small(self.lists.len() - 1)
            }
        }
    }

    fn first(&self, list: u32) -> Option<u32> {
        if list == NONE {
            None
        } else if list & CANDIDATE != 0 {
            Some(list & !CANDIDATE)
        } else {
            self.lists
                .get(list as usize)?
                .of(&self.listed)
                .first()
                .copied()
        }
    }
}

impl RouteTable {
    /// The first match of a head's expressions that a request fits; the head ends at `end`.
    pub(super) fn first_of_head(
        &self,
        parts: &Parts,
        head: u32,
        end: usize,
        request: &mut Request<'_, '_>,
    ) -> Option<Served> {
        let head = parts.heads.get(head as usize)?;
        let base = head.candidates.first;
        let path = request.head.target.path();
        let mut best = NONE;
        for group in &head.groups.groups {
            if group.best >= best {
                continue;
            }
            let start = if group.whole { 0 } else { end };
            group.automaton.matching(path, start, |expression| {
                let Some(&list) = group.members.get(expression) else {
                    return;
                };
                let alone = [list & !CANDIDATE];
                let numbers: &[u32] = if list == NONE {
                    &[]
                } else if list & CANDIDATE != 0 {
                    &alone
                } else {
                    let range = head.groups.lists.get(list as usize);
                    range.map_or(&[], |range| range.of(&head.groups.listed))
                };
                for &number in numbers {
                    if number >= best {
                        return;
                    }
                    if self.fits(parts, base + number, request) {
                        best = number;
                        return;
                    }
                }
            });
        }
        if best == NONE {
            return None;
        }
        Some(parts.candidates.all.get((base + best) as usize)?.served)
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

/// The automata of a table, so that equal ones are built once.
#[derive(Clone, Debug, Default)]
pub(super) struct Automata {
    known: Ordered<Known>,
    /// Bytes of all of them.
    bytes: usize,
    /// How many there were, and their bytes, when those that nobody uses were last dropped.
    kept: usize,
    kept_bytes: usize,
}

#[derive(Clone, Debug)]
struct Known {
    /// The expressions in words.
    text: Arc<str>,
    /// The expressions: what reads the same need not be the same.
    expressions: Arc<[Hir]>,
    automaton: Arc<Automaton>,
}

impl Place for Known {
    fn place(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl Automata {
    /// The common automaton of some remainders; `None` if it would be too large.
    fn of(&mut self, expressions: &[Hir]) -> Option<Arc<Automaton>> {
        let words: Vec<String> = expressions.iter().map(Hir::to_string).collect();
        let text = words.join("\n");
        let known = self.known.get(|known| (*known.text).cmp(text.as_str()));
        if let Some(known) = known {
            // Others that read the same do not fit: one by itself has its own, several are tried by halves.
            return (*known.expressions == *expressions).then(|| known.automaton.clone());
        }
        let limit = budget(expressions.len()).min(TOTAL.saturating_sub(self.bytes));
        let automaton = Arc::new(Automaton::build(expressions, limit).ok()?);
        self.bytes += automaton.memory();
        self.known.insert(Known {
            text: text.into(),
            expressions: expressions.into(),
            automaton: automaton.clone(),
        });
        Some(automaton)
    }

    /// Drops what nobody uses any more, when there are twice as many or half of the room that was left is taken: what is
    /// used up by automata that are gone would keep new ones out.
    pub(super) fn sweep(&mut self) {
        let few = self.known.len() < 64 + 2 * self.kept;
        if few && self.bytes < (TOTAL + self.kept_bytes) / 2 {
            return;
        }
        let used = |known: &&Known| Arc::strong_count(&known.automaton) > 1;
        self.known = Ordered::of(self.known.iter().filter(used).cloned().collect());
        self.bytes = self
            .known
            .iter()
            .map(|known| known.automaton.memory())
            .sum();
        self.kept = self.known.len();
        self.kept_bytes = self.bytes;
    }

    pub(super) fn memory(&self) -> usize {
        self.bytes + self.known.len() * size_of::<Known>()
    }
}

/// Groups of expressions that are being built anew.
pub(super) struct Grouping<'r> {
    /// The rules of the table before, and those of the table that is being built.
    pub(super) old: &'r Rules,
    pub(super) new: &'r Rules,
    pub(super) automata: &'r mut Automata,
}

impl Grouping<'_> {
    /// The groups of a head's candidates, which are in order. Groups of before are kept where all their expressions, or
    /// most of them, are still there.
    pub(super) fn groups(
        &mut self,
        before: Option<(&Groups, &[Served])>,
        candidates: &[Served],
    ) -> Groups {
        let rules = self.new;
        let mut by_text: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for (number, served) in (0..).zip(candidates) {
            if let Some(pattern) = rules.pattern(*served) {
                by_text.entry(pattern.as_str()).or_default().push(number);
            }
        }
        let mut groups = Groups::default();
        let mut placed: BTreeSet<&str> = BTreeSet::new();
        let mut kept: Vec<(Group, Vec<Option<&str>>)> = Vec::new();
        if let Some((before, served)) = before {
            for group in &before.groups {
                let text = |&list: &u32| {
                    let number = before.first(list)?;
                    let pattern = self.old.pattern(*served.get(number as usize)?)?;
                    let (text, _) = by_text.get_key_value(pattern.as_str())?;
                    (!placed.contains(text)).then_some(*text)
                };
                let texts: Vec<Option<&str>> = group.members.iter().map(text).collect();
                let alive = texts.iter().flatten().count();
                if alive > 0 && alive * 2 >= texts.len() {
                    placed.extend(texts.iter().flatten());
                    kept.push((group.clone(), texts));
                }
            }
        }
        let mut new: Vec<(&str, u32)> = by_text
            .iter()
            .filter(|(text, _)| !placed.contains(*text))
            .filter_map(|(text, numbers)| Some((*text, *numbers.first()?)))
            .collect();
        // New expressions join groups that are no larger than they are together, so that groups do not become many. Those
        // that stand alone, since they came alone or fit nowhere, are tried again each time that there are twice as many.
        if !new.is_empty() {
            let (mut alone, mut several): (Vec<_>, Vec<_>) =
                kept.into_iter().partition(|(_, texts)| texts.len() == 1);
            let all = alone.len() + new.len();
            let mut again = Vec::new();
            if all > 8 && all.next_power_of_two() > alone.len().next_power_of_two() {
                again.append(&mut alone);
            }
            several.sort_by_key(|(group, _)| std::cmp::Reverse(group.members.len()));
            let mut together = new.len() + again.len();
            while let Some((_, texts)) = several.last()
                && texts.len() <= together
                && texts.len() + together <= GROUP
            {
                together += texts.len();
                again.extend(several.pop());
            }
            let first = |text| by_text.get(text).and_then(|numbers| numbers.first());
            let texts = again.into_iter().flat_map(|(_, texts)| texts).flatten();
            new.extend(texts.filter_map(|text| Some((text, *first(text)?))));
            kept = several;
            kept.append(&mut alone);
        }
        for (group, texts) in kept {
            let members: Vec<&[u32]> = texts
                .iter()
                .map(|text| {
                    text.and_then(|text| by_text.get(text))
                        .map_or(&[][..], Vec::as_slice)
                })
                .collect();
            push(&mut groups, group.automaton, group.whole, &members);
        }
        new.sort_by_key(|(_, best)| *best);
        let mut at = 0;
        let mut size = GROUP;
        let mut went_well = 0;
        while at < new.len() {
            let end = new.len().min(at + size);
            let texts = new.get(at..end).unwrap_or_default();
            let patterns = texts
                .iter()
                .filter_map(|(_, best)| rules.pattern(*candidates.get(*best as usize)?));
            let patterns: Vec<&Pattern> = patterns.collect();
            let automaton = self.automaton(&patterns);
            let Some((automaton, whole)) = automaton else {
                // What was too large is tried by halves, and what follows in parts as small as those that went well.
                size = (texts.len() / 2).max(1);
                went_well = 0;
                continue;
            };
            let members: Vec<&[u32]> = texts
                .iter()
                .map(|(text, _)| by_text.get(text).map_or(&[][..], Vec::as_slice))
                .collect();
            push(&mut groups, automaton, whole, &members);
            at = end;
            went_well += 1;
            if went_well >= 4 {
                size = (size * 2).min(GROUP);
                went_well = 0;
            }
        }
        groups.groups.sort_by_key(|group| group.best);
        groups.groups.shrink_to_fit();
        groups.lists.shrink_to_fit();
        groups.listed.shrink_to_fit();
        groups
    }

    /// The common automaton of some expressions. One by itself always has one: that which it was admitted with.
    fn automaton(&mut self, patterns: &[&Pattern]) -> Option<(Arc<Automaton>, bool)> {
        let remainders: Vec<Hir> = patterns.iter().map(|pattern| split(pattern).1).collect();
        match (self.automata.of(&remainders), patterns) {
            (Some(automaton), _) => Some((automaton, false)),
            (None, [alone]) => Some((alone.automaton().clone(), true)),
            (None, _) => None,
        }
    }
}

fn push(groups: &mut Groups, automaton: Arc<Automaton>, whole: bool, members: &[&[u32]]) {
    let best = members.iter().filter_map(|list| list.first()).min();
    let best = best.copied().unwrap_or(NONE);
    let members = members.iter().map(|list| groups.list(list)).collect();
    groups.groups.push(Group {
        automaton,
        whole,
        members,
        best,
    });
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

    /// Expressions that are cheap alone and dear together, as each of them adds its own marks to every state.
    #[test]
    fn expressions_that_do_not_fit_together_are_grouped_within_the_budget() {
        for count in [14_usize, 200] {
            let route = |number: usize| {
                let text = format!(".*/t{number:03}.*");
                let pattern =
                    Pattern::parse(&text, &PatternLimits::default()).expect("it is sound");
                pattern_rule(number, pattern)
            };
            let mut rules = Rules::default();
            let served: Vec<Served> = (0..count)
                .map(|number| {
                    let rule = u32::try_from(number).expect("few");
                    rules.set(rule, Some(route(number)));
                    Served { rule, position: 0 }
                })
                .collect();
            let mut automata = Automata::default();
            let none = Rules::default();
            let mut grouping = Grouping {
                old: &none,
                new: &rules,
                automata: &mut automata,
            };
            let groups = grouping.groups(None, &served);
            assert!(
                groups.groups.len() < count,
                "{} of {count}",
                groups.groups.len()
            );
            for number in 0..count {
                let path = format!("/a/t{number:03}/b");
                let mut found = Vec::new();
                for group in &groups.groups {
                    group.automaton.matching(path.as_bytes(), 0, |expression| {
                        found.extend(groups.first(group.members[expression]));
                    });
                }
                assert_eq!(found, [u32::try_from(number).expect("few")]);
            }
            // One taken away: all groups stay but for that expression.
            let fewer = &served[1..];
            let mut grouping = Grouping {
                old: &rules,
                new: &rules,
                automata: &mut automata,
            };
            let after = grouping.groups(Some((&groups, &served)), fewer);
            let same = |one: &Group| {
                let mut all = groups.groups.iter();
                all.any(|other| Arc::ptr_eq(&one.automaton, &other.automaton))
            };
            let changed = after.groups.iter().filter(|group| !same(group)).count();
            assert!(changed <= 1, "{changed}");
            let bytes: usize = automata.memory();
            assert!(bytes <= count * (20 << 10), "{bytes}");
        }
    }

    /// As routes of a cluster come: each addition keeps what is there, and groups stay few all the same.
    #[test]
    fn expressions_that_come_one_by_one_share_automata() {
        let count = 200;
        // Those of the second kind hardly fit together.
        let kinds = [
            ("/a/[a-z]+-000", "/a/x-000", 2),
            (".*/t000.*", "/t000/b", 0),
        ];
        for (text, path, head) in kinds {
            let mut rules = Rules::default();
            let mut automata = Automata::default();
            let (mut served, mut groups) = (Vec::new(), Groups::default());
            for number in 0..count {
                let text = text.replace("000", &format!("{number:03}"));
                let pattern =
                    Pattern::parse(&text, &PatternLimits::default()).expect("it is sound");
                let rule = u32::try_from(number).expect("few");
                rules.set(rule, Some(pattern_rule(number, pattern)));
                let before = served.clone();
                served.push(Served { rule, position: 0 });
                let mut grouping = Grouping {
                    old: &rules,
                    new: &rules,
                    automata: &mut automata,
                };
                groups = grouping.groups(Some((&groups, &before)), &served);
            }
            let mut grouping = Grouping {
                old: &rules,
                new: &rules,
                automata: &mut automata,
            };
            let at_once = grouping.groups(None, &served).groups.len();
            let found = groups.groups.len();
            assert!(
                found <= 2 * at_once + 16,
                "{found}, at once {at_once}: {text}"
            );
            for number in 0..count {
                let path = path.replace("000", &format!("{number:03}"));
                let mut found = Vec::new();
                for group in &groups.groups {
                    let from = if group.whole { 0 } else { head };
                    let automaton = &group.automaton;
                    automaton.matching(path.as_bytes(), from, |expression| {
                        found.extend(groups.first(group.members[expression]));
                    });
                }
                assert_eq!(found, [u32::try_from(number).expect("few")], "{path}");
            }
            println!("{found} groups, {at_once} at once: {text}");
        }
    }

    fn pattern_rule(number: usize, pattern: Pattern) -> super::super::rules::RuleSlot {
        use crate::key::{Kind, ObjectKey};
        use crate::rule::{
            Backends, Filters, Matches, PathMatch, RequestMatch, Route, Rule, Timeouts,
        };
        let rule = Arc::new(Rule {
            index: 0,
            name: None,
            matches: Matches::Http(vec![RequestMatch {
                index: 0,
                path: PathMatch::Pattern(pattern),
                method: None,
                headers: Vec::new(),
                query: Vec::new(),
            }]),
            filters: Filters::default(),
            backends: Backends::default(),
            timeouts: Timeouts::default(),
            retry: None,
            session: None,
        });
        let route = Arc::new(Route {
            key: ObjectKey::new(Kind::HttpRoute, "n", format!("r{number}")).into(),
            created: None,
            hostnames: Vec::new(),
            rules: vec![rule.clone()],
        });
        super::super::rules::RuleSlot { route, rule }
    }
}
