//! Putting expressions over paths into groups, and following changes of them.
//!
//! A change works on the expressions that come; groups that nothing comes to or goes from keep their automata and have their
//! candidates numbered anew.

use std::cmp::Reverse;
use std::sync::Arc;

use regex_syntax::hir::Hir;

use super::automata::Automata;
use super::candidate::Candidate;
use super::groups::Groups;
use super::hash::Hasher;
use super::heads::split;
use super::index::NONE;
use super::rules::Rules;
use crate::pattern::{Automaton, Pattern};

/// The most expressions that are compiled together.
const GROUP: usize = 1_024;

/// Groups of expressions that are being built.
pub(super) struct Grouping<'r> {
    pub(super) hasher: &'r Hasher,
    /// The rules of the table before, and those of the table that is being built.
    pub(super) old: &'r Rules,
    pub(super) new: &'r Rules,
    pub(super) automata: &'r mut Automata,
}

/// The groups of a head before a change.
#[derive(Clone, Copy)]
pub(super) struct Before<'b> {
    pub(super) groups: &'b Groups,
    pub(super) candidates: &'b [Candidate],
    /// Where the candidates stand now; [`NONE`] for those that went.
    pub(super) places: &'b [u32],
}

/// An expression and who asks for it.
struct Expression<'r> {
    hash: u32,
    text: &'r str,
    askers: Askers,
}

/// The numbers of candidates that ask for one expression, in order.
enum Askers {
    Nobody,
    One(u32),
    Several(Vec<u32>),
}

impl Askers {
    fn as_slice(&self) -> &[u32] {
        match self {
            Askers::Nobody => &[],
            Askers::One(alone) => std::slice::from_ref(alone),
            Askers::Several(all) => all,
        }
    }

    fn first(&self) -> Option<u32> {
        self.as_slice().first().copied()
    }

    fn add(&mut self, number: u32) {
        *self = match std::mem::replace(self, Askers::Nobody) {
            Askers::Nobody => Askers::One(number),
            Askers::One(first) => Askers::Several(vec![first, number]),
            Askers::Several(mut all) => {
                all.push(number);
                Askers::Several(all)
            }
        };
    }

    fn sort(&mut self) {
        if let Askers::Several(all) = self {
            all.sort_unstable();
        }
    }
}

/// A group of before, with its candidates as they are numbered now.
struct Kept {
    automaton: Arc<Automaton>,
    whole: bool,
    /// By expression of the automaton: its hash and its candidates.
    members: Vec<(u32, Askers)>,
}

impl Kept {
    /// The expressions that somebody asks for.
    fn alive(self) -> impl Iterator<Item = (u32, Askers)> {
        let members = self.members.into_iter();
        members.filter(|(_, askers)| askers.first().is_some())
    }
}

impl Grouping<'_> {
    /// The groups of a head's candidates, which are in order; `came` says which of them are new. Groups of before are kept
    /// where all their expressions, or most of them, are still there.
    pub(super) fn groups(
        &mut self,
        before: Option<Before<'_>>,
        candidates: &[Candidate],
        came: &[u32],
    ) -> Groups {
        let mut expressions = self.expressions(candidates, came);
        let mut kept: Vec<Kept> = Vec::new();
        let mut new: Vec<(u32, Askers)> = Vec::new();
        if let Some(before) = before {
            for group in self.kept(before, &mut expressions) {
                let all = group.members.len();
                let alive = group.members.iter();
                let alive = alive.filter(|(_, askers)| askers.first().is_some()).count();
                if alive > 0 && alive * 2 >= all {
                    kept.push(group);
                } else {
                    new.extend(group.alive());
                }
            }
        }
        let left = expressions
            .into_iter()
            .filter(|one| one.askers.first().is_some());
        new.extend(left.map(|one| (one.hash, one.askers)));
        if !new.is_empty() {
            again(&mut kept, &mut new);
        }
        let mut groups = Groups::default();
        for group in &kept {
            let members = group.members.iter();
            let members = members.map(|(hash, askers)| (*hash, askers.as_slice()));
            groups.push(group.automaton.clone(), group.whole, members);
        }
        new.sort_by_key(|(_, askers)| askers.first());
        self.compile(&new, candidates, &mut groups);
        groups.finish();
        groups
    }

    /// The expressions of new candidates, sorted by hash.
    fn expressions(&self, candidates: &[Candidate], came: &[u32]) -> Vec<Expression<'_>> {
        let text = |number: u32| {
            let candidate = candidates.get(number as usize)?;
            Some(self.new.pattern(candidate.served())?.as_str())
        };
        let mut all: Vec<(u32, &str, u32)> = came
            .iter()
            .filter_map(|&number| {
                let text = text(number)?;
                Some((self.hash(text), text, number))
            })
            .collect();
        // Texts are compared only where hashes are equal.
        all.sort_unstable();
        let mut expressions: Vec<Expression<'_>> = Vec::with_capacity(all.len());
        for (hash, text, number) in all {
            match expressions.last_mut() {
                Some(last) if last.hash == hash && last.text == text => last.askers.add(number),
                _ => expressions.push(Expression {
                    hash,
                    text,
                    askers: Askers::One(number),
                }),
            }
        }
        expressions
    }

    fn hash(&self, text: &str) -> u32 {
        (self.hasher.text(text.as_bytes()) >> 32) as u32
    }

    /// The groups of before as they are numbered now. New candidates whose expression is there already join it, and are
    /// taken out of `expressions`.
    fn kept(&self, before: Before<'_>, expressions: &mut [Expression<'_>]) -> Vec<Kept> {
        let old_text = |number: u32| {
            let candidate = before.candidates.get(number as usize)?;
            Some(self.old.pattern(candidate.served())?.as_str())
        };
        let mut member = |hash: u32, member: u32| {
            let mut alone = [NONE];
            let numbers = before.groups.of(member, &mut alone);
            let mut askers = Askers::Nobody;
            for &number in numbers {
                let place = before.places.get(number as usize).copied();
                if let Some(place) = place.filter(|&place| place != NONE) {
                    askers.add(place);
                }
            }
            let first = expressions.partition_point(|one| one.hash < hash);
            let same = expressions.get_mut(first..).unwrap_or_default().iter_mut();
            for one in same.take_while(|one| one.hash == hash) {
                let text = numbers.first().and_then(|&number| old_text(number));
                if text == Some(one.text) {
                    let joining = std::mem::replace(&mut one.askers, Askers::Nobody);
                    joining
                        .as_slice()
                        .iter()
                        .for_each(|&number| askers.add(number));
                    askers.sort();
                }
            }
            (hash, askers)
        };
        let group = |group: &super::groups::Group| {
            let members = group.hashes.iter().zip(&group.members);
            Kept {
                automaton: group.automaton.clone(),
                whole: group.whole,
                members: members.map(|(&hash, &own)| member(hash, own)).collect(),
            }
        };
        before.groups.groups.iter().map(group).collect()
    }

    /// Compiles expressions together, in order, as far as they fit.
    fn compile(&mut self, new: &[(u32, Askers)], candidates: &[Candidate], groups: &mut Groups) {
        let mut at = 0;
        let mut size = GROUP;
        let mut went_well = 0;
        while at < new.len() {
            let end = new.len().min(at + size);
            let expressions = new.get(at..end).unwrap_or_default();
            let pattern = |(_, askers): &(u32, Askers)| {
                let candidate = candidates.get(askers.first()? as usize)?;
                self.new.pattern(candidate.served())
            };
            let patterns: Vec<&Pattern> = expressions.iter().filter_map(pattern).collect();
            let Some((automaton, whole)) = self.automaton(&patterns) else {
                // What was too large is tried by halves, and what follows in parts as small as those that went well.
                size = (expressions.len() / 2).max(1);
                went_well = 0;
                continue;
            };
            let members = expressions.iter();
            let members = members.map(|(hash, askers)| (*hash, askers.as_slice()));
            groups.push(automaton, whole, members);
            at = end;
            went_well += 1;
            if went_well >= 4 {
                size = (size * 2).min(GROUP);
                went_well = 0;
            }
        }
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

/// Moves expressions of groups to those that are new, to be compiled again with them.
///
/// New expressions join groups that are no larger than they are together, so that groups do not become many. Those that
/// stand alone, since they came alone or fit nowhere, are tried again each time that there are twice as many.
fn again(kept: &mut Vec<Kept>, new: &mut Vec<(u32, Askers)>) {
    let is_alone = |group: &Kept| group.members.len() == 1;
    let (mut alone, mut several): (Vec<Kept>, Vec<Kept>) = kept.drain(..).partition(is_alone);
    let all = alone.len() + new.len();
    let mut again = Vec::new();
    if all > 8 && all.next_power_of_two() > alone.len().next_power_of_two() {
        again.append(&mut alone);
    }
    several.sort_by_key(|group| Reverse(group.members.len()));
    let mut together = new.len() + again.len();
    while let Some(last) = several.last()
        && last.members.len() <= together
        && last.members.len() + together <= GROUP
    {
        together += last.members.len();
        again.extend(several.pop());
    }
    new.extend(again.into_iter().flat_map(Kept::alive));
    kept.append(&mut several);
    kept.append(&mut alone);
}

#[cfg(test)]
mod tests {
    use super::super::candidate::Served;
    use super::super::groups::Group;
    use super::*;
    use crate::pattern::PatternLimits;

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
            let all: Vec<Candidate> = (0..count)
                .map(|number| {
                    let rule = u32::try_from(number).expect("few");
                    rules.set(rule, Some(route(number)));
                    Candidate::plain(Served { rule, position: 0 })
                })
                .collect();
            let numbers: Vec<u32> = (0..).take(count).collect();
            let mut automata = Automata::default();
            let none = Rules::default();
            let mut grouping = Grouping {
                hasher: &hasher(),
                old: &none,
                new: &rules,
                automata: &mut automata,
            };
            let groups = grouping.groups(None, &all, &numbers);
            assert!(
                groups.groups.len() < count,
                "{} of {count}",
                groups.groups.len()
            );
            for number in 0..count {
                let path = format!("/a/t{number:03}/b");
                let mut found: Vec<u32> = Vec::new();
                for group in &groups.groups {
                    group.automaton.matching(path.as_bytes(), 0, |expression| {
                        found.extend(groups.of(group.members[expression], &mut [NONE]).first());
                    });
                }
                assert_eq!(found, [u32::try_from(number).expect("few")]);
            }
            // One taken away: all groups stay but for that expression.
            let places: Vec<u32> = std::iter::once(NONE).chain(0..).take(count).collect();
            let before = Before {
                groups: &groups,
                candidates: &all,
                places: &places,
            };
            let mut grouping = Grouping {
                hasher: &hasher(),
                old: &rules,
                new: &rules,
                automata: &mut automata,
            };
            let after = grouping.groups(Some(before), &all[1..], &[]);
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
            let mut all: Vec<Candidate> = Vec::new();
            let mut groups = Groups::default();
            for number in 0..count {
                let text = text.replace("000", &format!("{number:03}"));
                let pattern =
                    Pattern::parse(&text, &PatternLimits::default()).expect("it is sound");
                let rule = u32::try_from(number).expect("few");
                rules.set(rule, Some(pattern_rule(number, pattern)));
                let candidates = all.clone();
                all.push(Candidate::plain(Served { rule, position: 0 }));
                let places: Vec<u32> = (0..rule).collect();
                let before = Before {
                    groups: &groups,
                    candidates: &candidates,
                    places: &places,
                };
                let mut grouping = Grouping {
                    hasher: &hasher(),
                    old: &rules,
                    new: &rules,
                    automata: &mut automata,
                };
                groups = grouping.groups(Some(before), &all, &[rule]);
            }
            let mut grouping = Grouping {
                hasher: &hasher(),
                old: &rules,
                new: &rules,
                automata: &mut automata,
            };
            let numbers: Vec<u32> = (0..).take(count).collect();
            let at_once = grouping.groups(None, &all, &numbers).groups.len();
            let found = groups.groups.len();
            assert!(
                found <= 2 * at_once + 16,
                "{found}, at once {at_once}: {text}"
            );
            for number in 0..count {
                let path = path.replace("000", &format!("{number:03}"));
                let mut found: Vec<u32> = Vec::new();
                for group in &groups.groups {
                    let from = if group.whole { 0 } else { head };
                    let automaton = &group.automaton;
                    automaton.matching(path.as_bytes(), from, |expression| {
                        found.extend(groups.of(group.members[expression], &mut [NONE]).first());
                    });
                }
                assert_eq!(found, [u32::try_from(number).expect("few")], "{path}");
            }
            println!("{found} groups, {at_once} at once: {text}");
        }
    }

    fn hasher() -> Hasher {
        Hasher::new([3, 4])
    }

    fn pattern_rule(number: usize, pattern: Pattern) -> super::super::rules::RuleSlot {
        use crate::key::{Kind, ObjectKey};
        use crate::rule::{Backends, Matches, PathMatch, Rare, RequestMatch, Route, Rule};
        let rule = Arc::new(Rule {
            index: 0,
            name: None,
            matches: Matches::Http(
                [RequestMatch {
                    index: 0,
                    path: PathMatch::Pattern(pattern),
                    conditions: Rare::default(),
                }]
                .into(),
            ),
            filters: Rare::default(),
            backends: Backends::default(),
            timeouts: Rare::default(),
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
