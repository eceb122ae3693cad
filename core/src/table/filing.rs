//! Candidates of crowded paths filed under values, and taken from them.

use std::collections::BTreeMap;

use super::apply::Work;
use super::candidate::{Candidate, Served};
use super::changes::What;
use super::conditions;
use super::crowd::{Asked, By, Crowd, Subject, WALKED, each_exact};
use super::dictionary::{Kind, key};
use super::index::NONE;

impl Work<'_, '_> {
    /// Files those of many candidates under values that share a subject with others; the rest is given back.
    pub(super) fn crowd(&mut self, all: &[Candidate], crowd: &mut Crowd) -> Vec<Candidate> {
        let table = &mut *self.table;
        let (rules, subjects) = (&table.rules, &mut table.subjects);
        let known: BTreeMap<By<'_>, u32> = crowd
            .subjects
            .iter()
            .filter_map(|&number| {
                let filed = self.old.subjects.get(number)?.filed.as_ref()?;
                Some((By::of(filed), number))
            })
            .collect();
        let mut asked = Asked::default();
        for candidate in all {
            let Served { rule, position } = candidate.served();
            if let Some(slot) = rules.get(rule) {
                each_exact(&slot.rule.matches, position, |by, value| {
                    asked.add(by, value, table.hasher.text(value));
                });
            }
            asked.next();
        }
        let chosen = asked.rarest();
        // Of each subject: how many are to be filed by it, and its number.
        let mut counts: Vec<(usize, u32)> = vec![(0, NONE); asked.subjects.len()];
        for at in chosen.iter().flatten() {
            if let Some((count, _)) = counts.get_mut(at.subject) {
                *count += 1;
            }
        }
        for ((_, number), by) in counts.iter_mut().zip(&asked.subjects) {
            *number = known.get(by).copied().unwrap_or(NONE);
        }
        let mut rest = Vec::new();
        for (candidate, chosen) in all.iter().zip(&chosen) {
            // A look-up costs as much as a few candidates.
            let wanted = chosen.as_ref().and_then(|value| {
                let (count, number) = counts.get_mut(value.subject)?;
                let by = asked.subjects.get(value.subject)?;
                (*count > 1 || *number != NONE).then_some((value, *by, number))
            });
            let Some((value, by, number)) = wanted else {
                rest.push(*candidate);
                continue;
            };
            if *number == NONE {
                *number = table.subject_numbers.take();
                crowd.subjects.push(*number);
            }
            let Some(subject) = subjects.get_mut(*number) else {
                rest.push(*candidate);
                continue;
            };
            if subject.filed.is_none() {
                subject.filed = by.filed();
            }
            let served = candidate.served();
            subject.add(value.text.len(), rules.rank(served));
            table.longest_value = table.longest_value.max(value.text.len());
            let slot = rules.get(served.rule);
            let left = slot.and_then(|slot| conditions::count(&slot.rule.matches, served.position));
            // Who asks for nothing else fits every request that has the value.
            let put = if left == Some(1) {
                Candidate::plain(served)
            } else {
                *candidate
            };
            let key = key(&table.hasher, value.hash, Kind::Value, *number, value.text);
            self.filed.push(&key, What::Put(put), 0);
        }
        let earliest = |number: &u32| subjects.get(*number).map(|subject| subject.earliest);
        crowd.subjects.sort_by_key(earliest);
        rest
    }

    /// Files a match under a value by which its crowd is filed already, if that leads to few.
    pub(super) fn file(&mut self, crowd: &Crowd, served: Served) -> bool {
        let table = &mut *self.table;
        let Some(slot) = table.rules.get(served.rule) else {
            return false;
        };
        let mut asked = 0;
        let mut best: Option<(usize, u32, u64, &[u8])> = None;
        each_exact(&slot.rule.matches, served.position, |own, value| {
            asked += 1;
            let hash = table.hasher.text(value);
            for &number in &crowd.subjects {
                let subject = table.subjects.get(number);
                let filed = subject.and_then(|subject| subject.filed.as_ref());
                if filed.map(By::of) != Some(own) {
                    continue;
                }
                let key = key(&table.hasher, hash, Kind::Value, number, value);
                let found = self.old.dictionary.find(&key);
                let there = found.map_or(0, |(parts, value)| parts.candidates.count(value));
                let count = there + self.pending.get(&(number, hash)).copied().unwrap_or(0);
                if best.is_none_or(|(least, ..)| count < least) {
                    best = Some((count, number, hash, value));
                }
            }
        });
        let Some((count, number, hash, value)) = best else {
            return false;
        };
        if count > WALKED && asked > 1 {
            return false;
        }
        *self.pending.entry((number, hash)).or_default() += 1;
        let key = key(&table.hasher, hash, Kind::Value, number, value);
        let put = Candidate::new(served, Candidate::whole());
        self.filed.push(&key, What::Put(put), 0);
        table.longest_value = table.longest_value.max(value.len());
        let (length, rank) = (value.len(), table.rules.rank(served));
        if let Some(subject) = table.subjects.get_mut(number) {
            subject.add(length, rank);
        }
        true
    }

    /// Takes a match away from the value that it is filed under.
    pub(super) fn take_filed(&mut self, crowd: &mut Crowd, served: Served) {
        let old = self.old;
        let Some(slot) = old.rules.get(served.rule) else {
            return;
        };
        let mut place = None;
        each_exact(&slot.rule.matches, served.position, |by, value| {
            if place.is_some() {
                return;
            }
            let hash = old.hasher.text(value);
            for &number in &crowd.subjects {
                let subject = old.subjects.get(number);
                let filed = subject.and_then(|subject| subject.filed.as_ref());
                if filed.map(By::of) != Some(by) {
                    continue;
                }
                let key = key(&old.hasher, hash, Kind::Value, number, value);
                if self.is_filed(served, &key) {
                    place = Some((number, key));
                    return;
                }
            }
        });
        let Some((number, key)) = place else {
            return;
        };
        self.filed.push(&key, What::Take(served), 0);
        let Some(subject) = self.table.subjects.get_mut(number) else {
            return;
        };
        subject.count = subject.count.saturating_sub(1);
        if subject.count == 0 {
            *subject = Subject::default();
            crowd.subjects.retain(|&other| other != number);
            self.table.subject_numbers.give_back(number);
        }
    }

    /// Whether a match of the old table is filed under a value.
    fn is_filed(&self, served: Served, key: &super::index::Key<'_>) -> bool {
        let old = self.old;
        let Some((parts, value)) = old.dictionary.find(key) else {
            return false;
        };
        let mut alone = None;
        let all = parts.candidates.matches(value, &mut alone);
        if all.len() <= WALKED {
            return all.iter().any(|one| one.served() == served);
        }
        all.binary_search_by(|one| old.rules.order(one.served(), served))
            .is_ok()
    }
}
