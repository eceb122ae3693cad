//! Changes of keys, shard by shard.
//!
//! Shards that changes fall into are taken apart, changed, and put together again. A path that becomes crowded files its
//! candidates under values, which are keys of other shards: such changes are carried out after all others.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::RouteTable;
use super::candidate::{Answer, Served};
use super::crowd::{By, Crowd, Subject, WALKED, exact, rarest};
use super::dictionary::{Kind, key, owner};
use super::entry::{Entry, Leads, Packer};
use super::groups::{Grouping, Groups};
use super::index::NONE;

/// What becomes of a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// A match is put to it.
    Put(Served),
    /// A match is taken from it.
    Take(Served),
    /// It leads to a host, or goes.
    Host(Option<u32>),
}

/// A change of a key.
#[derive(Clone, Debug)]
pub(super) struct Change<'x> {
    pub(super) hash: u32,
    pub(super) scope: u32,
    pub(super) text: Cow<'x, [u8]>,
    pub(super) what: What,
    /// Of a match: its rank. Matches of one rank come in their order.
    pub(super) rank: u64,
}

/// Changes the keys of a table that is a copy of `old` but for its rules and hosts. What is taken comes before what is put.
pub(super) fn apply(old: &RouteTable, table: &mut RouteTable, changes: Vec<Change<'_>>) {
    let mut work = Work {
        old,
        table,
        shards: BTreeMap::new(),
        filed: Vec::new(),
        pending: BTreeMap::new(),
    };
    work.pass(changes);
    let filed = std::mem::take(&mut work.filed);
    work.pass(filed);
    work.pack();
}

/// A shard that is taken apart.
struct Open<'x> {
    depth: u32,
    keys: usize,
    entries: Vec<Entry<'x>>,
}

struct Work<'x, 't> {
    old: &'x RouteTable,
    table: &'t mut RouteTable,
    /// By the first hash that falls into it.
    shards: BTreeMap<u32, Open<'x>>,
    /// Changes of values that crowds file by.
    filed: Vec<Change<'x>>,
    /// How many candidates are about to be filed, by subject and hash of the value.
    pending: BTreeMap<(u32, u64), usize>,
}

impl<'x> Work<'x, '_> {
    fn pass(&mut self, mut changes: Vec<Change<'x>>) {
        changes.sort_by_key(|change| change.hash);
        let mut changes = changes.into_iter().peekable();
        while let Some(first) = changes.peek().map(|change| change.hash) {
            let Some(shard) = self.old.dictionary.shard(first) else {
                return;
            };
            let bits = 32 - shard.depth;
            let start = u64::from(first) >> bits << bits;
            let end = start + (1 << bits);
            let start = u32::try_from(start).unwrap_or(0);
            let mut open = self.shards.remove(&start).unwrap_or_else(|| {
                let entries = shard.entries();
                Open {
                    depth: shard.depth,
                    keys: entries.len(),
                    entries,
                }
            });
            let before = std::mem::take(&mut open.entries);
            let mut before = before.into_iter().peekable();
            while let Some(change) = changes.next_if(|change| u64::from(change.hash) < end) {
                let hash = change.hash;
                while let Some(entry) = before.next_if(|entry| entry.hash < hash) {
                    open.entries.push(entry);
                }
                let from = open.entries.len();
                while let Some(entry) = before.next_if(|entry| entry.hash == hash) {
                    open.entries.push(entry);
                }
                let mut same_hash = vec![change];
                while let Some(change) = changes.next_if(|change| change.hash == hash) {
                    same_hash.push(change);
                }
                self.keys(&mut open.entries, from, same_hash);
            }
            open.entries.extend(before);
            open.entries
                .retain(|entry| !matches!(entry.leads, Leads::Nothing));
            self.shards.insert(start, open);
        }
    }

    /// Changes of keys with one hash, which are nearly always one key. Entries with that hash stand from `from` on.
    fn keys(&mut self, entries: &mut Vec<Entry<'x>>, from: usize, mut changes: Vec<Change<'x>>) {
        while let Some(Change {
            hash, scope, text, ..
        }) = changes.first().cloned()
        {
            let (own, others): (Vec<_>, Vec<_>) = changes
                .into_iter()
                .partition(|change| change.scope == scope && change.text == text);
            changes = others;
            let known = entries
                .iter()
                .skip(from)
                .position(|entry| entry.scope == scope && entry.text == text);
            let at = known.map_or(entries.len(), |at| from + at);
            if known.is_none() {
                entries.push(Entry {
                    hash,
                    scope,
                    text,
                    leads: Leads::Nothing,
                });
            }
            if let Some(entry) = entries.get_mut(at) {
                let leads = std::mem::replace(&mut entry.leads, Leads::Nothing);
                entry.leads = self.key(scope, &entry.text, leads, &own);
            }
        }
    }

    /// What a key leads to after changes.
    fn key(&mut self, scope: u32, text: &[u8], leads: Leads, changes: &[Change<'x>]) -> Leads {
        let is_root = Kind::Prefix.is(scope) && text.is_empty();
        let mut crowd = None;
        let mut groups: Option<Arc<Groups>> = None;
        let mut all = match leads {
            Leads::Nothing if is_root => {
                let root = self
                    .table
                    .hosts
                    .get(owner(scope))
                    .map_or(NONE, |host| host.root);
                match Answer::from_value(root) {
                    Answer::Served(served) if root != NONE => vec![served],
                    _ => Vec::new(),
                }
            }
            Leads::Nothing | Leads::Host(_) => Vec::new(),
            Leads::Served(served) => vec![served],
            Leads::List(all) => all,
            Leads::Crowd(all, known) => {
                crowd = Some(known);
                all
            }
            Leads::Head(all, known) => {
                groups = Some(known);
                all
            }
        };
        let before = groups.as_ref().map(|_| all.clone());
        let mut puts: Vec<(u64, Served)> = Vec::new();
        for change in changes {
            match change.what {
                What::Host(number) => return number.map_or(Leads::Nothing, Leads::Host),
                What::Put(served) => puts.push((change.rank, served)),
                What::Take(served) => match all.iter().position(|one| *one == served) {
                    Some(at) => {
                        all.remove(at);
                    }
                    None => {
                        if let Some(crowd) = &mut crowd {
                            self.take_filed(crowd, served);
                        }
                    }
                },
            }
        }
        if let Some(crowd) = &crowd {
            puts.retain(|&(rank, served)| !self.file(crowd, served, rank));
        }
        self.put(&mut all, puts);
        if Kind::Head.is(scope) {
            return self.head(all, groups.as_deref().zip(before.as_deref()));
        }
        let may_crowd = !Kind::Value.is(scope) && !Kind::Connection.is(scope);
        if may_crowd && all.len() > WALKED {
            all = self.crowd(all, &mut crowd);
        }
        if is_root {
            let direct = match (&*all, &crowd) {
                (&[alone], None) if self.table.rules.is_unconditional(alone) => {
                    Answer::direct(alone)
                }
                _ => None,
            };
            if let Some(host) = self.table.hosts.get_mut(owner(scope)) {
                host.root = direct.map_or(NONE, Answer::value);
            }
            if direct.is_some() {
                return Leads::Nothing;
            }
        }
        match crowd.filter(|crowd| !crowd.subjects.is_empty()) {
            Some(crowd) => Leads::Crowd(all, crowd),
            None if all.is_empty() => Leads::Nothing,
            None => Leads::List(all),
        }
    }

    /// Puts matches into a list in their order.
    fn put(&self, all: &mut Vec<Served>, mut puts: Vec<(u64, Served)>) {
        if all.is_empty() {
            puts.sort_by_key(|(rank, _)| *rank);
            all.extend(puts.into_iter().map(|(_, served)| served));
            return;
        }
        let rules = &self.table.rules;
        for (_, served) in puts {
            let at = all.partition_point(|one| rules.order(*one, served).is_lt());
            all.insert(at, served);
        }
    }

    fn head(&mut self, all: Vec<Served>, before: Option<(&Groups, &[Served])>) -> Leads {
        if all.is_empty() {
            return Leads::Nothing;
        }
        let mut grouping = Grouping {
            old: &self.old.rules,
            new: &self.table.rules,
            automata: &mut self.table.automata,
        };
        let groups = grouping.groups(before, &all);
        Leads::Head(all, Arc::new(groups))
    }

    /// Files those of many candidates under values that share a subject with others; the rest is given back.
    fn crowd(&mut self, all: Vec<Served>, crowd: &mut Option<Crowd>) -> Vec<Served> {
        let RouteTable {
            rules,
            subjects,
            subject_numbers,
            hasher,
            longest_value,
            ..
        } = &mut *self.table;
        let asked = |served: &Served| {
            let slot = rules.get(served.rule);
            slot.map_or_else(Vec::new, |slot| exact(&slot.rule, served.position))
        };
        let asked: Vec<_> = all.iter().map(asked).collect();
        let chosen = rarest(&asked, |text| hasher.text(text));
        let chosen = || {
            let each = asked.iter().zip(&chosen);
            each.map(|(asked, at)| asked.get((*at)?).copied())
        };
        let mut counts: BTreeMap<By<'_>, (usize, u32)> = BTreeMap::new();
        for (by, _) in chosen().flatten() {
            counts.entry(by).or_insert((0, NONE)).0 += 1;
        }
        let mut rest = Vec::new();
        for (rank, (served, chosen)) in (0..).zip(all.iter().zip(chosen())) {
            // A look-up costs as much as a few candidates.
            let entry = chosen.and_then(|(by, value)| {
                let (count, number) = counts.get_mut(&by)?;
                (*count > 2).then_some((by, value, number))
            });
            let Some((by, value, number)) = entry else {
                rest.push(*served);
                continue;
            };
            if *number == NONE {
                *number = subject_numbers.take();
                crowd.get_or_insert_default().subjects.push(*number);
            }
            let Some(subject) = subjects.get_mut(*number) else {
                continue;
            };
            if subject.filed.is_none() {
                subject.filed = by.filed();
            }
            subject.count += 1;
            subject.longest = subject.longest.max(value.len());
            *longest_value = (*longest_value).max(value.len());
            let key = key(hasher, hasher.text(value), Kind::Value, *number, &[]);
            self.filed.push(Change {
                hash: key.hash,
                scope: key.scope,
                text: Cow::Owned(value.to_vec()),
                what: What::Put(*served),
                rank,
            });
        }
        rest
    }

    /// Files a match under a value by which its crowd is filed already, if that leads to few.
    fn file(&mut self, crowd: &Crowd, served: Served, rank: u64) -> bool {
        let table = &mut *self.table;
        let Some(slot) = table.rules.get(served.rule) else {
            return false;
        };
        let asked = exact(&slot.rule, served.position);
        let mut best: Option<(usize, u32, &[u8])> = None;
        for &number in &crowd.subjects {
            let filed = table
                .subjects
                .get(number)
                .and_then(|subject| subject.filed.as_ref());
            let Some(by) = filed.map(By::of) else {
                continue;
            };
            for (_, value) in asked.iter().filter(|(own, _)| *own == by) {
                let hash = table.hasher.text(value);
                let key = key(&table.hasher, hash, Kind::Value, number, value);
                let found = self.old.dictionary.find(&key);
                let there = found.map_or(0, |(parts, value)| parts.candidates.count(value));
                let count = there + self.pending.get(&(number, hash)).copied().unwrap_or(0);
                if best.is_none_or(|(least, ..)| count < least) {
                    best = Some((count, number, value));
                }
            }
        }
        let Some((count, number, value)) = best else {
            return false;
        };
        if count > WALKED && asked.len() > 1 {
            return false;
        }
        let hash = table.hasher.text(value);
        *self.pending.entry((number, hash)).or_default() += 1;
        let key = key(&table.hasher, hash, Kind::Value, number, &[]);
        self.filed.push(Change {
            hash: key.hash,
            scope: key.scope,
            text: Cow::Owned(value.to_vec()),
            what: What::Put(served),
            rank,
        });
        table.longest_value = table.longest_value.max(value.len());
        let longest = value.len();
        if let Some(subject) = table.subjects.get_mut(number) {
            subject.count += 1;
            subject.longest = subject.longest.max(longest);
        }
        true
    }

    /// Takes a match away from the value that it is filed under.
    fn take_filed(&mut self, crowd: &mut Crowd, served: Served) {
        let old = self.old;
        let Some(slot) = old.rules.get(served.rule) else {
            return;
        };
        for (by, value) in exact(&slot.rule, served.position) {
            for at in 0..crowd.subjects.len() {
                let Some(&number) = crowd.subjects.get(at) else {
                    break;
                };
                let filed = old
                    .subjects
                    .get(number)
                    .and_then(|subject| subject.filed.as_ref());
                if filed.map(By::of) != Some(by) {
                    continue;
                }
                let key = key(
                    &old.hasher,
                    old.hasher.text(value),
                    Kind::Value,
                    number,
                    value,
                );
                let found = old.dictionary.find(&key);
                if !found.is_some_and(|(parts, value)| parts.candidates.contains(value, served)) {
                    continue;
                }
                self.filed.push(Change {
                    hash: key.hash,
                    scope: key.scope,
                    text: Cow::Borrowed(value),
                    what: What::Take(served),
                    rank: 0,
                });
                let Some(subject) = self.table.subjects.get_mut(number) else {
                    return;
                };
                subject.count = subject.count.saturating_sub(1);
                if subject.count == 0 {
                    *subject = Subject::default();
                    crowd.subjects.swap_remove(at);
                    self.table.subject_numbers.give_back(number);
                }
                return;
            }
        }
    }

    /// Puts the shards together again.
    fn pack(self) {
        let RouteTable {
            rules,
            subjects,
            hasher,
            dictionary,
            automata,
            ..
        } = self.table;
        let packer = Packer {
            hasher,
            rules,
            subjects,
        };
        for (start, open) in self.shards {
            dictionary.keys = dictionary.keys + open.entries.len() - open.keys;
            let shards = packer.shards(&open.entries, open.depth, start, dictionary);
            dictionary.replace(shards);
        }
        automata.sweep();
    }
}
