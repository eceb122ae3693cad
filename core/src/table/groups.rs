//! Regular expressions over paths, many at once.
//!
//! The literal head of an expression, as far as whole path elements go, is looked up like a prefix: a request runs only
//! those expressions whose head it has. What follows the head is compiled together with what follows the same head in
//! other expressions, as long as the common automaton stays small. Equal remainders share one automaton wherever they
//! stand, so ten thousand expressions that differ in their head only cost one.

use std::sync::Arc;

use super::RouteTable;
use super::candidate::{CANDIDATE, Range, Served};
use super::dictionary::Parts;
use super::find::Request;
use super::index::NONE;
use crate::pattern::Automaton;

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
    pub(super) groups: Vec<Group>,
    /// Lists of candidates that have one expression.
    lists: Vec<Range>,
    listed: Vec<u32>,
}

/// Expressions that share an automaton.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) automaton: Arc<Automaton>,
    /// Whether the automaton is that of one whole expression, its head included.
    pub(super) whole: bool,
    /// By expression of the automaton: its candidates, see [`Groups::of`].
    pub(super) members: Vec<u32>,
    /// By expression: the hash of its text, so that changes find the group of an expression.
    pub(super) hashes: Vec<u32>,
    /// Its best candidate: the group cannot improve on a better one.
    best: u32,
}

impl Groups {
    fn memory(&self) -> usize {
        let members =
            |group: &Group| (group.members.capacity() + group.hashes.capacity()) * size_of::<u32>();
        size_of::<Self>()
            + self.groups.capacity() * size_of::<Group>()
            + self.groups.iter().map(members).sum::<usize>()
            + self.lists.capacity() * size_of::<Range>()
            + self.listed.capacity() * size_of::<u32>()
    }

    /// Adds a group; of each expression the hash and the candidates, in order.
    pub(super) fn push<'c>(
        &mut self,
        automaton: Arc<Automaton>,
        whole: bool,
        expressions: impl Iterator<Item = (u32, &'c [u32])>,
    ) {
        let (mut members, mut hashes) = (Vec::new(), Vec::new());
        let mut best = NONE;
        for (hash, candidates) in expressions {
            best = best.min(candidates.first().copied().unwrap_or(NONE));
            members.push(self.list(candidates));
            hashes.push(hash);
        }
        members.shrink_to_fit();
        hashes.shrink_to_fit();
        self.groups.push(Group {
            automaton,
            whole,
            members,
            hashes,
            best,
        });
    }

    /// All groups are there.
    pub(super) fn finish(&mut self) {
        self.groups.sort_by_key(|group| group.best);
        self.groups.shrink_to_fit();
        self.lists.shrink_to_fit();
        self.listed.shrink_to_fit();
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

    /// The candidates of a member of a group. One that stands in the member itself is put into `alone`.
    #[inline]
    pub(super) fn of<'g>(&'g self, member: u32, alone: &'g mut [u32; 1]) -> &'g [u32] {
        if member == NONE {
            &[]
        } else if member & CANDIDATE != 0 {
            *alone = [member & !CANDIDATE];
            alone
        } else {
            let range = self.lists.get(member as usize);
            range.map_or(&[], |range| range.of(&self.listed))
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
                let mut alone = [NONE];
                let numbers = head.groups.of(list, &mut alone);
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
        Some(parts.candidates.all.get((base + best) as usize)?.served())
    }
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(NONE)
}
