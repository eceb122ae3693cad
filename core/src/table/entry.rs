//! Shards taken apart and put together.

use std::borrow::Cow;
use std::sync::Arc;

use super::candidate::{Answer, Candidate, Candidates, Leaf, Range, Served};
use super::conditions::{Asked, Conditions};
use super::crowd::{Crowd, Subject};
use super::dictionary::{Dictionary, Kind, Parts, Shard, owner};
use super::groups::{Groups, Head};
use super::hash::Hasher;
use super::index::{NONE, Slot};
use super::pages::Pages;
use super::rules::Rules;
use super::texts::Interner;
use crate::rule::{GrpcMatch, Matches, ValueMatch};

/// A key and what it leads to, on its own.
#[derive(Debug)]
pub(super) struct Entry<'x> {
    pub(super) hash: u32,
    pub(super) scope: u32,
    pub(super) text: Cow<'x, [u8]>,
    pub(super) leads: Leads,
}

/// What a key leads to.
#[derive(Debug)]
pub(super) enum Leads {
    /// A host.
    Host(u32),
    /// One match that every request fits.
    Served(Served),
    /// Matches in the order of precedence.
    List(Vec<Served>),
    /// Matches in order, and the subjects by which more are filed.
    Crowd(Vec<Served>, Crowd),
    /// Matches by expression, in order.
    Head(Vec<Served>, Arc<Groups>),
    /// Nothing: the key is to go.
    Nothing,
}

/// A shard has at most so many keys, unless it cannot be split. Tests have small ones, so that small tables are split.
const MOST: usize = if cfg!(test) { 12 } else { 256 };
/// When it is split, into shards of about so many.
const WANTED: usize = if cfg!(test) { 4 } else { 96 };
/// The most bits that a directory goes by.
const DEEPEST: u32 = 20;

impl Shard {
    /// The keys, sorted by hash.
    pub(super) fn entries(&self) -> Vec<Entry<'_>> {
        let parts = &*self.parts;
        let entry = |slot: &Slot| Entry {
            hash: slot.hash,
            scope: slot.scope,
            text: Cow::Borrowed(parts.texts.get(slot.text)),
            leads: parts.leads(slot),
        };
        self.slots().map(entry).collect()
    }
}

impl Parts {
    fn leads(&self, slot: &Slot) -> Leads {
        if Kind::Name.is(slot.scope) {
            return Leads::Host(slot.value);
        }
        let served = |range: Range| -> Vec<Served> {
            let all = range.of(&self.candidates.all);
            all.iter().map(|candidate| candidate.served).collect()
        };
        if Kind::Head.is(slot.scope) {
            return match self.heads.get(slot.value as usize) {
                Some(head) => Leads::Head(served(head.candidates), head.groups.clone()),
                None => Leads::Nothing,
            };
        }
        match Answer::from_value(slot.value) {
            Answer::Served(served) => Leads::Served(served),
            Answer::Candidate(first) => Leads::List(served(Range { first, count: 1 })),
            Answer::Leaf(number) => {
                let Some(leaf) = self.candidates.leaves.get(number as usize) else {
                    return Leads::Nothing;
                };
                let served = served(leaf.candidates);
                match self.crowds.get(leaf.crowd as usize) {
                    Some(crowd) => Leads::Crowd(served, crowd.clone()),
                    None => Leads::List(served),
                }
            }
        }
    }
}

/// What shards are put together with.
pub(super) struct Packer<'p> {
    pub(super) hasher: &'p Hasher,
    pub(super) rules: &'p Rules,
    pub(super) subjects: &'p Pages<Subject>,
}

impl Packer<'_> {
    /// Puts a shard together that had this depth; several, if it has become too large. With each a hash that falls into it.
    pub(super) fn shards(
        &self,
        entries: &[Entry<'_>],
        depth: u32,
        hash: u32,
        dictionary: &Dictionary,
    ) -> Vec<(u32, Shard)> {
        let mut more = 0;
        if entries.len() > MOST {
            more = (entries.len() / WANTED).next_power_of_two().ilog2();
            // Hashes that have many bits in common would make the directory larger than what it leads to.
            let keys = dictionary.keys.max(entries.len());
            more = more.min((keys / 8).ilog2().min(DEEPEST).saturating_sub(depth));
        }
        let prefix = u64::from(hash) >> (32 - depth);
        let mut rest = entries;
        let part = |number: u64| {
            let upper = prefix << more | number;
            let bits = 32 - depth - more;
            let first = u32::try_from(upper << bits).unwrap_or(0);
            let last = u64::from(first) + (1 << bits);
            let count = rest.partition_point(|entry| u64::from(entry.hash) < last);
            let (own, others) = rest.split_at(count);
            rest = others;
            (first, self.shard(own, depth + more))
        };
        (0..1_u64 << more).map(part).collect()
    }

    fn shard(&self, entries: &[Entry<'_>], depth: u32) -> Shard {
        let mut building = Building {
            packer: self,
            interner: Interner::default(),
            conditions: Conditions::default(),
            candidates: Candidates::default(),
            crowds: Vec::new(),
            heads: Vec::new(),
        };
        let mut slots: Vec<Slot> = Vec::with_capacity(entries.len());
        for entry in entries {
            let hash = self.hasher.text(&entry.text);
            let text = building.interner.intern(self.hasher, &entry.text, hash);
            slots.push(Slot {
                hash: entry.hash,
                scope: entry.scope,
                text,
                value: building.value(entry),
            });
        }
        building.candidates.shrink();
        building.crowds.shrink_to_fit();
        building.heads.shrink_to_fit();
        let parts = Parts {
            texts: building.interner.finish(),
            candidates: building.candidates,
            crowds: building.crowds,
            heads: building.heads,
        };
        Shard::new(depth, &slots, Arc::new(parts))
    }
}

struct Building<'p> {
    packer: &'p Packer<'p>,
    interner: Interner,
    conditions: Conditions,
    candidates: Candidates,
    crowds: Vec<Crowd>,
    heads: Vec<Head>,
}

impl Building<'_> {
    fn value(&mut self, entry: &Entry<'_>) -> u32 {
        let served = match &entry.leads {
            Leads::Host(number) => return *number,
            Leads::Served(served) => {
                if let Some(answer) = Answer::direct(*served) {
                    return answer.value();
                }
                std::slice::from_ref(served)
            }
            Leads::List(all) | Leads::Crowd(all, _) | Leads::Head(all, _) => all,
            Leads::Nothing => &[],
        };
        let first = small(self.candidates.all.len());
        for served in served {
            self.candidate(*served, entry);
        }
        let candidates = Range {
            first,
            count: small(self.candidates.all.len()) - first,
        };
        let crowd = match &entry.leads {
            Leads::Head(_, groups) => {
                self.heads.push(Head {
                    candidates,
                    groups: groups.clone(),
                });
                return small(self.heads.len() - 1);
            }
            Leads::Crowd(_, crowd) => {
                self.crowds.push(crowd.clone());
                small(self.crowds.len() - 1)
            }
            _ => NONE,
        };
        if let (&[alone], NONE) = (candidates.of(&self.candidates.all), crowd) {
            if alone.unconditional()
                && let Some(answer) = Answer::direct(alone.served)
            {
                self.candidates.all.pop();
                return answer.value();
            }
            return Answer::Candidate(first).value();
        }
        self.candidates.leaves.push(Leaf { candidates, crowd });
        Answer::Leaf(small(self.candidates.leaves.len() - 1)).value()
    }

    fn candidate(&mut self, served: Served, entry: &Entry<'_>) {
        let first = small(self.candidates.conditions.len());
        let position = usize::from(served.position);
        let subject = Kind::Value
            .is(entry.scope)
            .then(|| self.packer.subjects.get(owner(entry.scope)))
            .flatten();
        let filed = subject.and_then(|subject| Some((subject.filed.as_ref()?, &*entry.text)));
        let asked = match self
            .packer
            .rules
            .get(served.rule)
            .map(|slot| &slot.rule.matches)
        {
            Some(Matches::Http(matches)) => matches.get(position).map(|one| Asked {
                method: one.method.as_ref().map(|method| method.as_str().as_bytes()),
                headers: &one.headers,
                query: &one.query,
            }),
            Some(Matches::Grpc(matches)) => {
                let matches = matches.get(position).filter(|one| !asks_whole(one));
                matches.map(|one| Asked {
                    method: None,
                    headers: &one.headers,
                    query: &[],
                })
            }
            Some(Matches::Connection) => Some(Asked {
                method: None,
                headers: &[],
                query: &[],
            }),
            None => None,
        };
        let asks = asked.map_or_else(Candidate::whole, |asked| {
            self.conditions.add(
                &asked,
                filed,
                &mut self.candidates,
                &mut self.interner,
                self.packer.hasher,
            )
        });
        self.candidates.push(Candidate { served, asks }, first);
    }
}

/// Whether a name of a gRPC match is an expression, which keys cannot answer for.
fn asks_whole(one: &GrpcMatch) -> bool {
    [&one.service, &one.method]
        .into_iter()
        .any(|name| matches!(name, Some(ValueMatch::Pattern(_))))
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(NONE)
}
