//! Everything that a table looks up by a text in a scope: hostnames in a listener, paths below a host, values in a crowd.
//!
//! The texts lie in shards by the upper bits of their hash. A shard stands for itself: it holds its keys, their texts and
//! what the keys lead to, so a table that differs in one key shares all other shards. The directory names a shard for each
//! value of the upper bits; a shard that grows too large is split alone, and then the directory doubles where it has to.

use std::sync::Arc;

use super::candidate::Candidates;
use super::crowd::Crowd;
use super::groups::Head;
use super::hash::Hasher;
use super::index::{FREE, Key, NONE, Slot, home};
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

/// Some of the keys.
#[derive(Clone, Debug)]
pub(super) struct Shard {
    /// INVARIANT: sorted by hash but for free slots; no key stands before its home; the last slot is free.
    slots: Arc<[Slot]>,
    /// How many slots are homes; a few more follow them.
    homes: u32,
    /// How many upper bits of the hash all its keys have in common.
    pub(super) depth: u32,
    pub(super) parts: Arc<Parts>,
}

impl Shard {
    /// A shard of slots that are sorted by hash.
    pub(super) fn new(depth: u32, sorted: &[Slot], parts: Arc<Parts>) -> Shard {
        let homes = sorted.len() + sorted.len() / 4;
        let mut slots = Vec::with_capacity(homes + homes / 16 + 2);
        for slot in sorted {
            let wanted = home(below(slot.hash, depth), homes);
            if wanted > slots.len() {
                slots.resize(wanted, FREE);
            }
            slots.push(*slot);
        }
        slots.push(FREE);
        slots.resize(slots.len().max(homes), FREE);
        Shard {
            slots: slots.into(),
            homes: u32::try_from(homes).unwrap_or(u32::MAX),
            depth,
            parts,
        }
    }

    #[inline]
    fn find(&self, key: &Key<'_>) -> Option<u32> {
        let mut at = home(below(key.hash, self.depth), self.homes as usize);
        loop {
            let slot = self.slots.get(at)?;
            if slot.hash >= key.hash {
                if slot.hash != key.hash || slot.value == NONE {
                    return None;
                }
                if key.is(slot, &self.parts.texts) {
                    return Some(slot.value);
                }
            }
            at += 1;
        }
    }

    /// The slots in use, sorted by hash.
    pub(super) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter(|slot| slot.value != NONE)
    }
}

/// The bits of a hash below the first few.
#[inline]
fn below(hash: u32, depth: u32) -> u32 {
    hash.checked_shl(depth).unwrap_or(0)
}

/// The directory of shards.
#[derive(Clone, Debug)]
pub(super) struct Dictionary {
    /// INVARIANT: two to the power of `depth` entries; a shard of smaller depth stands in all entries that begin with its
    /// bits.
    shards: Vec<Shard>,
    depth: u32,
    /// Keys in all shards.
    pub(super) keys: usize,
}

impl Default for Dictionary {
    fn default() -> Self {
        Self {
            shards: vec![Shard::new(0, &[], Arc::default())],
            depth: 0,
            keys: 0,
        }
    }
}

impl Dictionary {
    /// What a key leads to, and the shard that the answer is to be read in.
    #[inline]
    pub(super) fn find(&self, key: &Key<'_>) -> Option<(&Parts, u32)> {
        let shard = self.shards.get(self.place(key.hash))?;
        Some((&shard.parts, shard.find(key)?))
    }

    /// Where the shard of a hash stands.
    #[inline]
    fn place(&self, hash: u32) -> usize {
        (u64::from(hash) >> (32 - self.depth)) as usize
    }

    /// The shard of a hash.
    pub(super) fn shard(&self, hash: u32) -> Option<&Shard> {
        self.shards.get(self.place(hash))
    }

    /// Puts shards in place of the one that all their keys fell into.
    pub(super) fn replace(&mut self, shards: impl IntoIterator<Item = (u32, Shard)>) {
        for (hash, shard) in shards {
            while self.depth < shard.depth {
                self.shards = self
                    .shards
                    .iter()
                    .flat_map(|shard| [shard.clone(), shard.clone()])
                    .collect();
                self.depth += 1;
            }
            let count = 1_usize << (self.depth - shard.depth);
            let first = self.place(hash) & !(count - 1);
            if let Some(places) = self.shards.get_mut(first..first + count) {
                places.fill(shard);
            }
        }
    }

    fn distinct(&self) -> impl Iterator<Item = &Shard> {
        let mut before: Option<&Shard> = None;
        self.shards.iter().filter(move |shard| {
            let again = before.is_some_and(|before| Arc::ptr_eq(&before.slots, &shard.slots));
            before = Some(shard);
            !again
        })
    }

    /// Bytes of the keys, of the texts, and of what the keys lead to.
    pub(super) fn memory(&self) -> (usize, usize, usize) {
        let mut sums = (self.shards.capacity() * size_of::<Shard>(), 0, 0);
        for shard in self.distinct() {
            sums.0 += size_of_val(&*shard.slots) + 2 * size_of::<usize>();
            sums.1 += shard.parts.texts.memory();
            sums.2 += size_of::<Parts>()
                + shard.parts.candidates.memory()
                + shard.parts.crowds.iter().map(Crowd::memory).sum::<usize>()
                + shard.parts.heads.iter().map(Head::memory).sum::<usize>();
        }
        sums
    }
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
                let shard = Shard::new(depth, &slots, Arc::new(parts));
                let mut dictionary = Dictionary::default();
                dictionary.replace([(hash, shard)]);
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
