//! Changes of keys carried out.
//!
//! Changes come key by key, sorted by hash; each key gets what it leads to from now on. A path that becomes crowded files its
//! candidates under values, which are keys of their own: such changes are carried out after all others. What comes of both
//! is put into the shards at last, each of which is made anew once.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::RouteTable;
use super::candidate::{Answer, Candidate, Served};
use super::changes::{Change, Changes, What};
use super::crowd::{Crowd, WALKED};
use super::dictionary::{Kind, Parts, owner};
use super::entry::{Entry, Leads, Packer};
use super::grouping::{Before, Grouping};
use super::index::{Key, NONE};
use super::merge::{Merged, merge};
use crate::rule::Route;
use crate::rule::precedence::route_order;

/// Changes the keys of a table that is a copy of `old` but for its rules and hosts. What is taken comes before what is put.
pub(super) fn apply(old: &RouteTable, table: &mut RouteTable, changes: &Changes) {
    let mut work = Work {
        old,
        table,
        filed: Changes::default(),
        pending: BTreeMap::new(),
    };
    let mut entries = work.pass(changes);
    let filed = std::mem::take(&mut work.filed);
    let values = work.pass(&filed);
    if !values.is_empty() {
        entries.extend(values);
        entries.sort_by_key(|entry| entry.hash);
    }
    let RouteTable {
        rules,
        subjects,
        hasher,
        dictionary,
        automata,
        ..
    } = table;
    dictionary.edit(&entries, &mut Packer::new(hasher, rules, subjects));
    automata.sweep();
}

/// A table whose keys are being changed.
pub(super) struct Work<'x, 't> {
    pub(super) old: &'x RouteTable,
    pub(super) table: &'t mut RouteTable,
    /// Changes of values that crowds file by.
    pub(super) filed: Changes,
    /// How many candidates are about to be filed, by subject and hash of the value.
    pub(super) pending: BTreeMap<(u32, u64), usize>,
}

impl Work<'_, '_> {
    /// What keys lead to after changes, sorted by hash.
    fn pass<'c>(&mut self, changes: &'c Changes) -> Vec<Entry<'c>> {
        let mut entries = Vec::with_capacity(changes.len());
        changes.each_key(|key, own| {
            let known = self.old.dictionary.find(&key);
            let leads = self.leads(&key, known, own);
            if known.is_some() || !matches!(leads, Leads::Nothing) {
                entries.push(Entry {
                    hash: key.hash,
                    scope: key.scope,
                    text: key.text,
                    leads,
                });
            }
        });
        entries
    }

    /// What a key leads to after changes.
    fn leads(&mut self, key: &Key<'_>, known: Option<(&Parts, u32)>, changes: &[Change]) -> Leads {
        let is_root = Kind::Prefix.is(key.scope) && key.text.is_empty();
        if let (&[change], None, false) = (changes, known, is_root || Kind::Head.is(key.scope))
            && let What::Put(candidate) = change.what
        {
            return Leads::Match(candidate);
        }
        let mut puts: Vec<(u64, Candidate)> = Vec::new();
        let mut takes: Vec<Served> = Vec::new();
        for change in changes {
            match change.what {
                What::Host(number) => return Leads::Host(number),
                What::NoHost => return Leads::Nothing,
                What::Put(candidate) => puts.push((change.rank, candidate)),
                What::Take(served) => takes.push(served),
            }
        }
        if Kind::Head.is(key.scope) {
            return self.head(known, takes, puts);
        }
        let mut alone = None;
        let (before, mut crowd) = match known {
            Some((parts, value)) => (
                parts.candidates.matches(value, &mut alone),
                parts.crowd(value).cloned(),
            ),
            None if is_root => {
                alone = self.root(owner(key.scope));
                (alone.as_slice(), None)
            }
            None => (&[][..], None),
        };
        if let Some(crowd) = &crowd {
            puts.retain(|(_, candidate)| !self.file(crowd, candidate.served()));
        }
        if Kind::Value.is(key.scope) {
            // They come in no order.
            let rules = &self.table.rules;
            puts.sort_by(|(_, one), (_, two)| rules.order(one.served(), two.served()));
        } else {
            self.sort(&mut puts);
        }
        let Merged { mut all, .. } = self.merge(before, &mut takes, &puts);
        if let Some(crowd) = &mut crowd {
            for served in takes {
                self.take_filed(crowd, served);
            }
        }
        let may_crowd = !Kind::Value.is(key.scope) && !Kind::Connection.is(key.scope);
        let patience = WALKED.max(crowd.as_ref().map_or(0, Crowd::patience));
        let try_to_file = may_crowd && all.len() > patience;
        if try_to_file {
            all = self.crowd(&all, crowd.get_or_insert_default());
        }
        if let Some(crowd) = &mut crowd {
            crowd.settle(all.len(), try_to_file);
        }
        // Many that cannot be filed are remembered, so that it is not tried again at each change.
        crowd = crowd.filter(|crowd| !crowd.subjects.is_empty() || all.len() > WALKED);
        if is_root {
            let direct = match (&*all, &crowd) {
                (&[alone], None) if alone.unconditional() => Answer::direct(alone.served()),
                _ => None,
            };
            if let Some(host) = self.table.hosts.get_mut(owner(key.scope)) {
                host.root = direct.map_or(NONE, Answer::value);
            }
            if direct.is_some() {
                return Leads::Nothing;
            }
        }
        match crowd {
            Some(crowd) => Leads::Crowd(Box::new((all, crowd))),
            None if all.is_empty() => Leads::Nothing,
            None => Leads::Matches(all),
        }
    }

    /// What the prefix `/` of a host leads to, if that is one match which every request fits.
    fn root(&self, host: u32) -> Option<Candidate> {
        let root = self.table.hosts.get(host).map_or(NONE, |host| host.root);
        match Answer::from_value(root) {
            Answer::Served(served) if root != NONE => Some(Candidate::plain(served)),
            _ => None,
        }
    }

    /// Brings matches that come to a key into the order of precedence. Those of one route come in their order.
    fn sort(&self, puts: &mut [(u64, Candidate)]) {
        puts.sort_by_key(|(rank, _)| *rank);
        let route = |(_, candidate): &(u64, Candidate)| {
            let slot = self.table.rules.get(candidate.served().rule)?;
            Some(&slot.route)
        };
        let order = |one: Option<&Arc<Route>>, two: Option<&Arc<Route>>| match (one, two) {
            (Some(one), Some(two)) if !Arc::ptr_eq(one, two) => route_order(one, two),
            _ => Ordering::Equal,
        };
        for ties in puts.chunk_by_mut(|one, two| one.0 == two.0) {
            // Most come in order, and to see that each route is looked up once.
            let mut routes = ties.iter().map(route);
            let mut before = routes.next().flatten();
            let in_order =
                routes.all(|next| order(std::mem::replace(&mut before, next), next).is_le());
            if !in_order {
                ties.sort_by(|one, two| order(route(one), route(two)));
            }
        }
    }

    /// Takes matches from a list, and puts others in, which are in order.
    fn merge(
        &self,
        before: &[Candidate],
        takes: &mut Vec<Served>,
        puts: &[(u64, Candidate)],
    ) -> Merged {
        let puts = puts.iter().map(|(_, candidate)| *candidate);
        let rules = &self.table.rules;
        merge(before, takes, puts, |one, two| rules.order(one, two))
    }

    fn head(
        &mut self,
        known: Option<(&Parts, u32)>,
        mut takes: Vec<Served>,
        mut puts: Vec<(u64, Candidate)>,
    ) -> Leads {
        self.sort(&mut puts);
        let head = known.and_then(|(parts, value)| {
            let head = parts.heads.get(value as usize)?;
            Some((head, head.candidates.of(&parts.candidates.all)))
        });
        let before = head.map_or(&[][..], |(_, all)| all);
        let Merged { all, places, new } = self.merge(before, &mut takes, &puts);
        if all.is_empty() {
            return Leads::Nothing;
        }
        let before = head.map(|(head, candidates)| Before {
            groups: &head.groups,
            candidates,
            places: &places,
        });
        let mut grouping = Grouping {
            hasher: &self.table.hasher,
            old: &self.old.rules,
            new: &self.table.rules,
            automata: &mut self.table.automata,
        };
        let groups = grouping.groups(before, &all, &new);
        Leads::Head(all, Arc::new(groups))
    }
}
