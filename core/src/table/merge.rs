//! Matches that go from a sorted list and come into it, in one pass over the list.

use std::cmp::Ordering;

use super::candidate::{Candidate, Served};
use super::index::NONE;

/// A list after a change.
#[derive(Debug)]
pub(super) struct Merged {
    /// The matches, in order.
    pub(super) all: Vec<Candidate>,
    /// Where those of before stand now; [`NONE`] for those that went.
    pub(super) places: Vec<u32>,
    /// Where those that came stand.
    pub(super) new: Vec<u32>,
}

/// Takes matches out of a list and puts others in, which are in order. What is to be taken and is not there stays in
/// `takes`.
///
/// The cost is linear in the list, but for comparing: that is done for what is put alone, as often as finding its place
/// takes by halves.
pub(super) fn merge(
    before: &[Candidate],
    takes: &mut Vec<Served>,
    puts: impl ExactSizeIterator<Item = Candidate>,
    order: impl Fn(Served, Served) -> Ordering,
) -> Merged {
    let mut places = Vec::with_capacity(before.len());
    let kept = take(before, takes, &mut places);
    let mut all = Vec::with_capacity(kept.len() + puts.len());
    let mut new = Vec::with_capacity(puts.len());
    let mut from = 0;
    for put in puts {
        let at = from + before_it(kept.get(from..).unwrap_or_default(), put, &order);
        all.extend_from_slice(kept.get(from..at).unwrap_or_default());
        new.push(small(all.len()));
        all.push(put);
        from = at;
    }
    all.extend_from_slice(kept.get(from..).unwrap_or_default());
    // What was put in front moves what was there.
    let mut moved = 0;
    for place in places.iter_mut().filter(|place| **place != NONE) {
        while new
            .get(moved as usize)
            .is_some_and(|&at| at <= *place + moved)
        {
            moved += 1;
        }
        *place += moved;
    }
    Merged { all, places, new }
}

/// What is left of a list, and where.
fn take(before: &[Candidate], takes: &mut Vec<Served>, places: &mut Vec<u32>) -> Vec<Candidate> {
    if takes.is_empty() {
        places.extend((0..).take(before.len()));
        return before.to_vec();
    }
    let key = |served: &Served| (served.rule, served.position);
    takes.sort_unstable_by_key(key);
    let mut found = vec![false; takes.len()];
    let mut kept = Vec::with_capacity(before.len());
    for candidate in before {
        let own = key(&candidate.served());
        match takes.binary_search_by_key(&own, key) {
            Ok(at) => {
                if let Some(found) = found.get_mut(at) {
                    *found = true;
                }
                places.push(NONE);
            }
            Err(_) => {
                places.push(small(kept.len()));
                kept.push(*candidate);
            }
        }
    }
    let mut found = found.into_iter();
    takes.retain(|_| found.next() == Some(false));
    kept
}

/// How many of a sorted list come before a match: looked for in steps that double, then by halves.
fn before_it(
    list: &[Candidate],
    put: Candidate,
    order: &impl Fn(Served, Served) -> Ordering,
) -> usize {
    let is_before = |one: &Candidate| order(one.served(), put.served()).is_lt();
    let (mut low, mut step) = (0, 1);
    while list.get(low + step - 1).is_some_and(is_before) {
        low += step;
        step *= 2;
    }
    let high = list.len().min(low + step - 1);
    low + list
        .get(low..high)
        .unwrap_or_default()
        .partition_point(is_before)
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(NONE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::Cell;
    use std::collections::BTreeSet;

    fn candidate(rule: u32) -> Candidate {
        Candidate::plain(Served { rule, position: 0 })
    }

    fn by_number(one: Served, two: Served) -> Ordering {
        one.rule.cmp(&two.rule)
    }

    proptest! {
        #[test]
        fn a_merged_list_is_the_sorted_one(before: BTreeSet<u8>, gone: BTreeSet<u8>, new: BTreeSet<u8>) {
            let list: Vec<Candidate> = before.iter().map(|&rule| candidate(rule.into())).collect();
            let mut takes: Vec<Served> = gone.iter().map(|&rule| candidate(rule.into()).served()).collect();
            // What is there and stays cannot come again.
            let new: Vec<u8> = new.into_iter().filter(|rule| !before.contains(rule) || gone.contains(rule)).collect();
            let puts: Vec<Candidate> = new.iter().map(|&rule| candidate(rule.into())).collect();
            let merged = merge(&list, &mut takes, puts.into_iter(), by_number);
            let mut expected: Vec<u8> = before.difference(&gone).chain(&new).copied().collect();
            expected.sort_unstable();
            let rule = |candidate: &Candidate| candidate.served().rule;
            prop_assert!(merged.all.iter().map(rule).eq(expected.iter().map(|&rule| u32::from(rule))));
            prop_assert!(takes.iter().map(|one| one.rule).eq(gone.difference(&before).map(|&rule| u32::from(rule))));
            for (one, &place) in before.iter().zip(&merged.places) {
                let there = merged.all.get(place as usize).map(rule);
                prop_assert_eq!(there, (!gone.contains(one)).then_some(u32::from(*one)));
            }
            prop_assert!(merged.new.iter().map(|&at| rule(&merged.all[at as usize])).eq(new.iter().map(|&rule| u32::from(rule))));
        }
    }

    /// 50,000 of 100,000 matches go and 50,000 come: by pairs that would be billions of comparisons.
    #[test]
    fn comparisons_grow_with_what_is_put() {
        let list: Vec<Candidate> = (0..100_000).map(|number| candidate(number * 2)).collect();
        let halves = |every: usize| list.iter().step_by(every);
        let mut takes: Vec<Served> = halves(2).map(|one| one.served()).collect();
        let puts: Vec<Candidate> = halves(2)
            .map(|one| candidate(one.served().rule + 1))
            .collect();
        for puts in [puts.clone(), puts[..3].to_vec()] {
            let compared = Cell::new(0);
            let count = puts.len();
            let merged = merge(&list, &mut takes, puts.into_iter(), |one, two| {
                compared.set(compared.get() + 1);
                by_number(one, two)
            });
            assert!(merged.all.is_sorted_by_key(|one| one.served().rule));
            let most = if count > 3 { 4 * count } else { 3 * 2 * 17 };
            assert!(compared.get() <= most, "{} for {count}", compared.get());
        }
    }
}
