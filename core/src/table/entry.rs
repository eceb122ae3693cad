//! Keys on their way into shards, and shards put together of them.

use std::sync::Arc;

use super::candidate::{Answer, Candidate, Candidates, Leaf, Range, Served};
use super::conditions::{Asked, Conditions, has_pattern};
use super::crowd::{Crowd, Subject};
use super::dictionary::{Kind, Parts, Shard, owner};
use super::groups::{Groups, Head};
use super::hash::Hasher;
use super::index::{Index, NONE, Slot};
use super::pages::Pages;
use super::rules::Rules;
use super::texts::Interner;
use crate::rule::Matches;

/// A key and what it leads to from now on.
#[derive(Debug)]
pub(super) struct Entry<'x> {
    pub(super) hash: u32,
    pub(super) scope: u32,
    pub(super) text: &'x [u8],
    pub(super) leads: Leads,
}

/// What a key leads to. What a candidate asks for is asked of its rule again, unless it asks for nothing.
#[derive(Debug)]
pub(super) enum Leads {
    /// A host.
    Host(u32),
    /// One match.
    Match(Candidate),
    /// Matches in the order of precedence.
    Matches(Vec<Candidate>),
    /// Matches in order, and the subjects by which more are filed.
    Crowd(Box<(Vec<Candidate>, Crowd)>),
    /// Matches by expression, in order.
    Head(Vec<Candidate>, Arc<Groups>),
    /// Nothing: the key is to go.
    Nothing,
}

/// A key of a shard that is being put together.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'p> {
    /// It leads to what it led to in a shard of before.
    Kept(&'p Parts, &'p Slot),
    /// It is new, or leads to something else.
    New(&'p Entry<'p>),
}

impl Source<'_> {
    pub(super) fn hash(&self) -> u32 {
        match self {
            Source::Kept(_, slot) => slot.hash,
            Source::New(entry) => entry.hash,
        }
    }
}

/// Puts shards together. What it works in is used again for the next shard.
pub(super) struct Packer<'p> {
    hasher: &'p Hasher,
    rules: &'p Rules,
    subjects: &'p Pages<Subject>,
    interner: Interner,
    conditions: Conditions,
    candidates: Candidates,
    crowds: Vec<Crowd>,
    heads: Vec<Head>,
    slots: Vec<Slot>,
    buffer: Vec<Slot>,
}

impl<'p> Packer<'p> {
    pub(super) fn new(
        hasher: &'p Hasher,
        rules: &'p Rules,
        subjects: &'p Pages<Subject>,
    ) -> Packer<'p> {
        Packer {
            hasher,
            rules,
            subjects,
            interner: Interner::default(),
            conditions: Conditions::default(),
            candidates: Candidates::default(),
            crowds: Vec::new(),
            heads: Vec::new(),
            slots: Vec::new(),
            buffer: Vec::new(),
        }
    }

    /// A shard of keys that are sorted by hash.
    pub(super) fn shard(&mut self, keys: &[Source<'_>], depth: u32) -> Shard {
        self.slots.clear();
        self.slots.reserve(keys.len());
        for key in keys {
            let (hash, scope, text) = match key {
                Source::Kept(parts, slot) => (slot.hash, slot.scope, parts.texts.get(slot.text)),
                Source::New(entry) => (entry.hash, entry.scope, entry.text),
            };
            let value = match key {
                Source::Kept(parts, slot) => self.kept(parts, slot, text),
                Source::New(entry) => self.new_value(entry),
            };
            let text_hash = self.hasher.text(text);
            self.slots.push(Slot {
                hash,
                scope,
                text: self.interner.intern(self.hasher, text, text_hash),
                value,
            });
        }
        self.conditions.clear();
        let parts = Parts {
            texts: self.interner.finish(),
            candidates: self.candidates.take(),
            crowds: self.crowds.drain(..).collect(),
            heads: self.heads.drain(..).collect(),
        };
        Shard {
            index: Index::of(depth, &self.slots, &mut self.buffer),
            parts: Arc::new(parts),
        }
    }

    /// The value of a key that leads to what it led to.
    fn kept(&mut self, parts: &Parts, slot: &Slot, text: &[u8]) -> u32 {
        let (scope, value) = (slot.scope, slot.value);
        let all = &parts.candidates.all;
        if Kind::Name.is(scope) {
            return value;
        }
        if Kind::Head.is(scope) {
            let head = parts.heads.get(value as usize);
            return head.map_or(NONE, |head| {
                self.head(head.candidates.of(all), &head.groups, (scope, text))
            });
        }
        match Answer::from_value(value) {
            Answer::Served(_) => value,
            Answer::Candidate(first) => {
                self.answer(Range { first, count: 1 }.of(all), None, (scope, text))
            }
            Answer::Leaf(number) => {
                let leaf = parts.candidates.leaves.get(number as usize);
                leaf.map_or(NONE, |leaf| {
                    let crowd = parts.crowds.get(leaf.crowd as usize);
                    self.answer(leaf.candidates.of(all), crowd, (scope, text))
                })
            }
        }
    }

    /// The value of a key that leads to something new.
    fn new_value(&mut self, entry: &Entry<'_>) -> u32 {
        let key = (entry.scope, entry.text);
        match &entry.leads {
            Leads::Host(number) => *number,
            Leads::Match(candidate) => self.answer(std::slice::from_ref(candidate), None, key),
            Leads::Matches(all) => self.answer(all, None, key),
            Leads::Crowd(both) => self.answer(&both.0, Some(&both.1), key),
            Leads::Head(all, groups) => self.head(all, groups, key),
            Leads::Nothing => NONE,
        }
    }

    fn head(&mut self, all: &[Candidate], groups: &Arc<Groups>, key: (u32, &[u8])) -> u32 {
        let candidates = self.add(all, key);
        self.heads.push(Head {
            candidates,
            groups: groups.clone(),
        });
        small(self.heads.len() - 1)
    }

    fn answer(&mut self, all: &[Candidate], crowd: Option<&Crowd>, key: (u32, &[u8])) -> u32 {
        if let (&[alone], None) = (all, crowd) {
            let first = small(self.candidates.all.len());
            let (conditions, asks) = self.asks(alone, key);
            if Candidate::new(alone.served(), asks).unconditional()
                && let Some(answer) = Answer::direct(alone.served())
            {
                return answer.value();
            }
            let candidate = Candidate::new(alone.served(), asks);
            self.candidates.push(candidate, conditions);
            return Answer::Candidate(first).value();
        }
        let candidates = self.add(all, key);
        let crowd = crowd.map_or(NONE, |crowd| {
            self.crowds.push(crowd.clone());
            small(self.crowds.len() - 1)
        });
        self.candidates.leaves.push(Leaf { candidates, crowd });
        Answer::Leaf(small(self.candidates.leaves.len() - 1)).value()
    }

    fn add(&mut self, all: &[Candidate], key: (u32, &[u8])) -> Range {
        let first = small(self.candidates.all.len());
        self.candidates.all.reserve(all.len());
        for candidate in all {
            let (conditions, asks) = self.asks(*candidate, key);
            let candidate = Candidate::new(candidate.served(), asks);
            self.candidates.push(candidate, conditions);
        }
        Range {
            first,
            count: small(all.len()),
        }
    }

    /// What a candidate asks for, and where its conditions begin.
    fn asks(&mut self, candidate: Candidate, (scope, text): (u32, &[u8])) -> (u32, u16) {
        let first = small(self.candidates.conditions.len());
        if candidate.unconditional() {
            return (first, Candidate::asks(0, 0));
        }
        let Served { rule, position } = candidate.served();
        let position = usize::from(position);
        let subject = Kind::Value
            .is(scope)
            .then(|| self.subjects.get(owner(scope)))
            .flatten();
        let filed = subject.and_then(|subject| Some((subject.filed.as_ref()?, text)));
        let asked = match self.rules.get(rule).map(|slot| &slot.rule.matches) {
            Some(Matches::Http(matches)) => matches.get(position).map(|one| Asked {
                method: (one.conditions.method.as_ref()).map(|method| method.as_str().as_bytes()),
                headers: &one.conditions.headers,
                query: &one.conditions.query,
            }),
            Some(Matches::Grpc(matches)) => {
                let matches = matches.get(position).filter(|one| !has_pattern(one));
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
                self.hasher,
            )
        });
        (first, asks)
    }
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(NONE)
}
