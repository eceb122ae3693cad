//! Changes of keys, collected before they are carried out.

use super::candidate::{Candidate, Served};
use super::index::Key;

/// What becomes of a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// A match is put to it. What the match asks for is asked of its rule, unless every request fits.
    Put(Candidate),
    /// A match is taken from it.
    Take(Served),
    /// It leads to a host.
    Host(u32),
    /// It leads to no host any more.
    NoHost,
}

/// A change of a key. Its text is in [`Changes`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    hash: u32,
    scope: u32,
    start: usize,
    length: u32,
    pub(super) what: What,
    /// Of a match that is put: its rank. Matches of one route and rank come in their order.
    pub(super) rank: u64,
}

/// Changes with the texts of their keys, which are copied together so that they are read from near memory later on.
#[derive(Debug, Default)]
pub(super) struct Changes {
    all: Vec<Change>,
    texts: Vec<u8>,
}

impl Changes {
    /// Makes room for some more.
    pub(super) fn reserve(&mut self, more: usize) {
        self.all.reserve(more);
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn push(&mut self, key: &Key<'_>, what: What, rank: u64) {
        let start = self.texts.len();
        self.texts.extend_from_slice(key.text);
        self.all.push(Change {
            hash: key.hash,
            scope: key.scope,
            start,
            length: u32::try_from(key.text.len()).unwrap_or(u32::MAX),
            what,
            rank,
        });
    }

    /// The key of a change.
    pub(super) fn key(&self, change: &Change) -> Key<'_> {
        let rest = self.texts.get(change.start..).unwrap_or_default();
        Key {
            hash: change.hash,
            scope: change.scope,
            text: rest.get(..change.length as usize).unwrap_or_default(),
        }
    }

    /// The hash of each change above its number, sorted: those of one hash in the order in which they came.
    fn sorted(&self) -> Vec<u64> {
        let mut order: Vec<u64> = (0_u64..)
            .zip(&self.all)
            .map(|(number, change)| u64::from(change.hash) << 32 | number)
            .collect();
        order.sort_unstable();
        order
    }

    /// Goes through the keys, sorted by hash, each with its changes in the order in which they came.
    pub(super) fn each_key<'c>(&'c self, mut key: impl FnMut(Key<'c>, &[Change])) {
        let mut same_hash: Vec<Change> = Vec::new();
        for numbers in self.sorted().chunk_by(|one, two| one >> 32 == two >> 32) {
            same_hash.clear();
            let change = |number: &u64| self.all.get(*number as u32 as usize);
            same_hash.extend(numbers.iter().filter_map(change));
            let Some(first) = same_hash.first().map(|first| self.key(first)) else {
                continue;
            };
            let is_first = |change: &Change| {
                let own = self.key(change);
                own.scope == first.scope && own.text == first.text
            };
            if same_hash.iter().skip(1).all(is_first) {
                key(first, &same_hash);
                continue;
            }
            let of = |change: &Change| {
                let own = self.key(change);
                (own.scope, own.text)
            };
            same_hash.sort_by_key(of);
            for own in same_hash.chunk_by(|one, two| of(one) == of(two)) {
                if let Some(first) = own.first() {
                    key(self.key(first), own);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_one_hash_are_told_apart_and_changes_keep_their_order() {
        let mut changes = Changes::default();
        for number in 0..40_u32 {
            let text = [b'a' + (number % 3) as u8];
            let key = Key {
                hash: 7 - number / 20,
                scope: number % 2,
                text: &text,
            };
            changes.push(&key, What::Host(number), 0);
        }
        let mut seen = Vec::new();
        let mut hashes = Vec::new();
        changes.each_key(|key, own| {
            hashes.push(key.hash);
            let mut before = None;
            for change in own {
                let What::Host(number) = change.what else {
                    unreachable!("hosts only")
                };
                assert_eq!(
                    (7 - number / 20, number % 2, [b'a' + (number % 3) as u8]),
                    (key.hash, key.scope, [key.text[0]])
                );
                assert!(before < Some(number));
                before = Some(number);
                seen.push(number);
            }
        });
        assert!(hashes.is_sorted() && hashes.len() == 12);
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..40));
    }
}
