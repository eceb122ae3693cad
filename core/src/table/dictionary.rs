//! Everything that a table looks up by a text in a scope: hostnames in a listener, paths below a host, values in a crowd.
//!
//! The texts lie in shards by the upper bits of their hash. A shard stands for itself: it holds its keys, their texts and
//! what the keys lead to, so a table that differs in one key shares all other shards. The directory names a shard for each
//! value of the upper bits; a shard that grows too large is split alone, and then the directory doubles where it has to.

use std::sync::Arc;

use super::candidate::{Answer, Candidates};
use super::crowd::Crowd;
use super::entry::{Entry, Leads, Packer, Source};
use super::groups::Head;
use super::hash::Hasher;
use super::index::{Index, Key};
use super::pages::Pages;
use super::texts::Texts;

/// What a key is: the lower four bits of its scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A hostname of a listener; leads to a host.
    Name,
    /// HTTPRoute: the whole path of a host.
    Exact,
    /// HTTPRoute: path elements from the start; the empty text is the prefix `/`.
    Prefix,
    /// HTTPRoute: the head of regular expressions.
    Head,
    /// GRPCRoute: service and method, `/service/method`.
    ServiceAndMethod,
    /// GRPCRoute: service alone, `/service`.
    Service,
    /// GRPCRoute: method alone, `/method`; the empty text holds what names neither exactly.
    Method,
    /// TLSRoute, TCPRoute, UDPRoute; the text is empty.
    Connection,
    /// A value that candidates of a crowd ask for.
    Value,
}

impl Kind {
    /// The scope of keys of this kind below a listener, host or subject.
    #[inline]
    pub(super) fn scope(self, owner: u32) -> u32 {
        owner << 4 | self as u32
    }

    /// Whether a scope is one of this kind.
    pub(super) fn is(self, scope: u32) -> bool {
        scope & 15 == self as u32
    }
}

/// The listener, host or subject of a scope.
pub(super) fn owner(scope: u32) -> u32 {
    scope >> 4
}

/// What the keys of a shard lead to.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) texts: Texts,
    pub(super) candidates: Candidates,
    pub(super) crowds: Vec<Crowd>,
    pub(super) heads: Vec<Head>,
}

impl Parts {
    /// The crowd that belongs to an answer.
    pub(super) fn crowd(&self, value: u32) -> Option<&Crowd> {
        match Answer::from_value(value) {
            Answer::Served(_) | Answer::Candidate(_) => None,
            Answer::Leaf(number) => {
                let leaf = self.candidates.leaves.get(number as usize)?;
                self.crowds.get(leaf.crowd as usize)
            }
        }
    }
}

/// Some of the keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Shard {
    pub(super) index: Index,
    pub(super) parts: Arc<Parts>,
}

/// A shard has at most so many keys, unless it cannot be split. Tests have small ones, so that small tables are split.
const MOST: usize = if cfg!(test) { 12 } else { 256 };
/// When it is split, into shards of so many to twice as many.
const WANTED: usize = if cfg!(test) { 4 } else { 96 };
/// Two shards that have no more together are joined.
const FEW: usize = if cfg!(test) { 3 } else { 64 };
/// The most bits that a directory goes by.
const DEEPEST: u32 = 20;

impl Shard {
    /// Its keys.
    fn keys(&self) -> impl Iterator<Item = Source<'_>> {
        let kept = |slot| Source::Kept(&self.parts, slot);
        self.index.slots().map(kept)
    }

    /// Its keys where some of them lead to something else, and how many there were before.
    fn edited<'p>(&'p self, edits: &'p [Entry<'p>]) -> (Vec<Source<'p>>, usize) {
        let mut keys = Vec::with_capacity(edits.len());
        let mut count = 0;
        let mut edits = edits.chunk_by(|one, two| one.hash == two.hash).peekable();
        let put = |all: &mut Vec<Source<'p>>, edits: &'p [Entry<'p>]| {
            let stay = edits
                .iter()
                .filter(|one| !matches!(one.leads, Leads::Nothing));
            all.extend(stay.map(Source::New));
        };
        let mut same_hash: &[Entry<'p>] = &[];
        for slot in self.index.slots() {
            count += 1;
            while let Some(before) =
                edits.next_if(|edits| edits.first().is_some_and(|one| one.hash <= slot.hash))
            {
                put(&mut keys, before);
                same_hash = before;
            }
            let is_edited = same_hash.iter().any(|edit| {
                let key = Key {
                    hash: edit.hash,
                    scope: edit.scope,
                    text: edit.text,
                };
                key.is(slot, &self.parts.texts)
            });
            if !is_edited {
                keys.push(Source::Kept(&self.parts, slot));
            }
        }
        edits.for_each(|rest| put(&mut keys, rest));
        (keys, count)
    }
}

/// Shards a page of the directory holds, as a power of two.
const PAGE: u32 = 5;

/// The directory of shards.
#[derive(Clone, Debug)]
pub(super) struct Dictionary {
    /// INVARIANT: two to the power of `depth` entries; a shard of smaller depth stands in all entries that begin with its
    /// bits.
    shards: Pages<Shard, PAGE>,
    depth: u32,
    /// Keys in all shards.
    pub(super) keys: usize,
}

impl Default for Dictionary {
    fn default() -> Self {
        Self {
            shards: Pages::of([Shard::default()]),
            depth: 0,
            keys: 0,
        }
    }
}

impl Dictionary {
    /// What a key leads to, and the shard that the answer is to be read in.
    #[inline]
    pub(super) fn find(&self, key: &Key<'_>) -> Option<(&Parts, u32)> {
        let shard = self.shard(key.hash)?;
        Some((&shard.parts, shard.index.find(key, &shard.parts.texts)?))
    }

    /// Where the shard of a hash stands.
    #[inline]
    fn place(&self, hash: u32) -> u32 {
        (u64::from(hash) >> (32 - self.depth)) as u32
    }

    /// The shard of a hash.
    #[inline]
    fn shard(&self, hash: u32) -> Option<&Shard> {
        self.shards.get(self.place(hash))
    }

    /// Has keys lead to something else. They come sorted by hash, no two of them are the same.
    pub(super) fn edit(&mut self, edits: &[Entry<'_>], packer: &mut Packer<'_>) {
        let mut rest = edits;
        let mut joined = false;
        while let Some(first) = rest.first() {
            let Some(shard) = self.shard(first.hash) else {
                return;
            };
            let depth = shard.index.depth;
            let start = first_hash(first.hash, depth);
            let end = u64::from(start) + (1 << (32 - depth));
            let (own, others) =
                rest.split_at(rest.partition_point(|edit| u64::from(edit.hash) < end));
            rest = others;
            let (keys, before) = shard.edited(own);
            let count = self.keys + keys.len() - before;
            let shards = split(&keys, (start, depth), count, packer);
            self.keys = count;
            self.replace(shards);
            joined |= self.join(start, packer);
        }
        if joined {
            self.shrink();
        }
    }

    /// Puts shards in place of the one that all their keys fell into.
    fn replace(&mut self, shards: Vec<(u32, Shard)>) {
        let deepest = shards.iter().map(|(_, shard)| shard.index.depth).max();
        let more = deepest.unwrap_or(0).saturating_sub(self.depth);
        if more > 0 {
            let repeated = |shard: &Shard| std::iter::repeat_n(shard.clone(), 1 << more);
            self.shards = Pages::of(self.shards.iter().flat_map(repeated));
            self.depth += more;
        }
        for (hash, shard) in shards {
            let first = self.place(hash);
            let count = 1 << (self.depth - shard.index.depth);
            for place in first..first + count {
                if let Some(place) = self.shards.get_mut(place) {
                    *place = shard.clone();
                }
            }
        }
    }

    /// Joins a shard with its neighbour, as often as both have few keys; says whether it did.
    fn join(&mut self, hash: u32, packer: &mut Packer<'_>) -> bool {
        let mut joined = false;
        loop {
            let Some(one) = self.shard(hash) else {
                return joined;
            };
            let depth = one.index.depth;
            let Some(up) = depth.checked_sub(1) else {
                return joined;
            };
            let start = first_hash(hash, up);
            let pair = [start, start | 1 << (32 - depth)].map(|hash| self.shard(hash));
            let [Some(lower), Some(upper)] = pair else {
                return joined;
            };
            if lower.index.depth != upper.index.depth
                || one.index.len() > FEW
                || lower.index.len() + upper.index.len() > FEW
            {
                return joined;
            }
            let keys: Vec<Source<'_>> = lower.keys().chain(upper.keys()).collect();
            let shard = packer.shard(&keys, up);
            self.replace(vec![(start, shard)]);
            joined = true;
        }
    }

    /// Halves the directory as often as no shard needs all its bits.
    fn shrink(&mut self) {
        let deepest = self.shards.iter().map(|shard| shard.index.depth).max();
        let less = self.depth - deepest.unwrap_or(0).min(self.depth);
        if less > 0 {
            self.shards = Pages::of(self.shards.iter().step_by(1 << less).cloned());
            self.depth -= less;
        }
    }

    fn distinct(&self) -> impl Iterator<Item = &Shard> {
        let mut before: Option<&Shard> = None;
        self.shards.iter().filter(move |shard| {
            let again = before.is_some_and(|before| before.index.is(&shard.index));
            before = Some(shard);
            !again
        })
    }

    /// Bytes of the keys, of the texts, and of what the keys lead to.
    pub(super) fn memory(&self) -> (usize, usize, usize) {
        let mut sums = (self.shards.memory(), 0, 0);
        for shard in self.distinct() {
            sums.0 += shard.index.memory();
            sums.1 += shard.parts.texts.memory();
            sums.2 += size_of::<Parts>()
                + 2 * size_of::<usize>()
                + shard.parts.candidates.memory()
                + shard.parts.crowds.iter().map(Crowd::memory).sum::<usize>()
                + shard.parts.heads.iter().map(Head::memory).sum::<usize>();
        }
        sums
    }
}

/// The first hash of the shard of this depth that a hash falls into.
fn first_hash(hash: u32, depth: u32) -> u32 {
    let bits = 32 - depth;
    u32::try_from(u64::from(hash) >> bits << bits).unwrap_or(0)
}

/// A shard of keys, which are sorted by hash and have so many of its bits in common; several, if it would be too large.
/// With each a hash that falls into it.
fn split(
    keys: &[Source<'_>],
    (hash, depth): (u32, u32),
    all: usize,
    packer: &mut Packer<'_>,
) -> Vec<(u32, Shard)> {
    let mut more = 0;
    if keys.len() > MOST {
        more = (keys.len() / WANTED).ilog2();
        // Hashes that have many bits in common would make the directory larger than what it leads to.
        let most = (all.max(keys.len()) / 8).ilog2().min(DEEPEST);
        more = more.min(most.saturating_sub(depth));
    }
    let mut rest = keys;
    let part = |number: u64| {
        let width = 1_u64 << (32 - depth - more);
        let first = u64::from(hash) + number * width;
        let (own, others) =
            rest.split_at(rest.partition_point(|key| u64::from(key.hash()) < first + width));
        rest = others;
        let first = u32::try_from(first).unwrap_or(u32::MAX);
        (first, packer.shard(own, depth + more))
    };
    (0..1_u64 << more).map(part).collect()
}

/// Something that finds the number of a name.
pub(super) trait Find {
    /// The number of a key.
    fn number(&self, key: &Key<'_>) -> Option<u32>;
}

impl Find for Dictionary {
    #[inline]
    fn number(&self, key: &Key<'_>) -> Option<u32> {
        self.find(key).map(|(_, value)| value)
    }
}

/// The key of a text of a kind below an owner.
#[inline]
pub(super) fn key<'x>(
    hasher: &Hasher,
    hash: u64,
    kind: Kind,
    owner: u32,
    text: &'x [u8],
) -> Key<'x> {
    Key::new(hasher, hash, kind.scope(owner), text)
}

#[cfg(test)]
mod tests {
    use super::super::index::Slot;
    use super::super::texts::Interner;
    use super::*;

    /// Keys whose hashes are equal in every bit still lead to their own numbers, whatever the depth of their shard.
    #[test]
    fn collisions_are_told_apart() {
        let hasher = Hasher::new([0, 0]);
        for hash in [0, 42 << 20, u32::MAX] {
            for depth in [0, 1, 9, 20] {
                let forged = |text| Key {
                    hash,
                    scope: 0,
                    text,
                };
                let mut interner = Interner::default();
                let texts: Vec<String> = (0..50).map(|number| format!("/{number}")).collect();
                let slot = |(value, text): (u32, &String)| Slot {
                    hash,
                    scope: 0,
                    text: interner.intern(&hasher, text.as_bytes(), hasher.text(text.as_bytes())),
                    value,
                };
                let slots: Vec<Slot> = (0..).zip(&texts).map(slot).collect();
                let parts = Parts {
                    texts: interner.finish(),
                    ..Parts::default()
                };
                let shard = Shard {
                    index: Index::of(depth, &slots, &mut Vec::new()),
                    parts: Arc::new(parts),
                };
                let mut dictionary = Dictionary::default();
                dictionary.replace(vec![(hash, shard)]);
                for (number, text) in (0..).zip(&texts) {
                    assert_eq!(dictionary.number(&forged(text.as_bytes())), Some(number));
                }
                assert_eq!(dictionary.number(&forged(b"/absent")), None);
                let other = forged(b"/1");
                let elsewhere = Key {
                    hash: hash ^ 1 << 31,
                    ..other
                };
                assert_eq!(dictionary.number(&elsewhere), None);
            }
        }
    }
}
