//! A hash table from a text in a scope to a number.
//!
//! Listeners by name in a port are looked up here, and so is everything that lies in the shards of a
//! [`Dictionary`](super::dictionary::Dictionary). A finished [`Index`] is one flat array that is sorted by hash: a key stands
//! at its home, the place that its hash points to, or a few slots behind it, and a look-up ends as soon as it meets a greater
//! hash. So a key that is absent costs no more than one that is there. A slot takes 16 bytes, and four in five are used.

use std::sync::Arc;

use super::hash::Hasher;
use super::texts::{TextId, Texts};

/// The value of a slot that is free; no key maps to it.
pub(super) const NONE: u32 = u32::MAX;

/// A text in a scope, hashed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key<'x> {
    pub(super) hash: u32,
    pub(super) scope: u32,
    pub(super) text: &'x [u8],
}

impl<'x> Key<'x> {
    /// A key; `hash` is [`Hasher::text`] of the text.
    #[inline]
    pub(super) fn new(hasher: &Hasher, hash: u64, scope: u32, text: &'x [u8]) -> Key<'x> {
        let hash = (hasher.scoped(hash, scope) >> 32) as u32;
        Key { hash, scope, text }
    }

    /// Requests choose what is hashed, so equality is verified to the last byte.
    #[inline]
    pub(super) fn is(&self, slot: &Slot, texts: &Texts) -> bool {
        slot.hash == self.hash && slot.scope == self.scope && texts.get(slot.text) == self.text
    }
}

/// A key and its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) hash: u32,
    pub(super) scope: u32,
    pub(super) text: TextId,
    pub(super) value: u32,
}

/// Its hash is the greatest, so that every look-up ends there.
pub(super) const FREE: Slot = Slot {
    hash: u32::MAX,
    scope: 0,
    text: TextId::NONE,
    value: NONE,
};

/// So many slots are looked at together.
const COUNTED: usize = 4;

/// Where a key would like to be: its hash, scaled to the table.
#[inline]
pub(super) fn home(hash: u32, length: usize) -> usize {
    ((u64::from(hash) * length as u64) >> 32) as usize
}

/// The finished table. Copies share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// INVARIANT: sorted by hash but for free slots; no key stands before its home, and no free slot between the two; empty, or
    /// the last [`COUNTED`] slots are free.
    slots: Arc<[Slot]>,
    /// How many slots are homes; a few more follow them.
    homes: u32,
    /// How many upper bits of the hash all its keys have in common.
    pub(super) depth: u32,
}

impl Index {
    /// A table of slots that are sorted by hash. The buffer is for working in.
    pub(super) fn of(depth: u32, sorted: &[Slot], buffer: &mut Vec<Slot>) -> Index {
        let homes = sorted.len() + sorted.len() / 4;
        buffer.clear();
        buffer.reserve(homes + homes / 16 + 2);
        for slot in sorted {
            let wanted = home(below(slot.hash, depth), homes);
            if wanted > buffer.len() {
                buffer.resize(wanted, FREE);
            }
            buffer.push(*slot);
        }
        buffer.resize(buffer.len().max(homes) + COUNTED, FREE);
        Index {
            slots: buffer.as_slice().into(),
            homes: u32::try_from(homes).unwrap_or(u32::MAX),
            depth,
        }
    }

    /// The number of a key.
    #[inline]
    pub(super) fn find(&self, key: &Key<'_>, texts: &Texts) -> Option<u32> {
        let mut at = home(below(key.hash, self.depth), self.homes as usize);
        // How far a key stands from its home cannot be foreseen, so the lesser hashes are counted without a branch on each.
        loop {
            let next: &[Slot; COUNTED] = self.slots.get(at..)?.first_chunk()?;
            let lesser = next.iter().map(|slot| usize::from(slot.hash < key.hash));
            let lesser: usize = lesser.sum();
            at += lesser;
            if lesser < COUNTED {
                break;
            }
        }
        loop {
            let slot = self.slots.get(at)?;
            if slot.hash != key.hash || slot.value == NONE {
                return None;
            }
            if key.is(slot, texts) {
                return Some(slot.value);
            }
            at += 1;
        }
    }

    /// The slots in use, sorted by hash.
    pub(super) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter(|slot| slot.value != NONE)
    }

    /// How many keys it has.
    pub(super) fn len(&self) -> usize {
        self.slots().count()
    }

    /// Whether both are the same memory.
    pub(super) fn is(&self, other: &Index) -> bool {
        Arc::ptr_eq(&self.slots, &other.slots)
    }

    /// Bytes that it holds.
    pub(super) fn memory(&self) -> usize {
        size_of_val(&*self.slots) + 2 * size_of::<usize>()
    }
}

/// The bits of a hash below the first few.
#[inline]
fn below(hash: u32, depth: u32) -> u32 {
    hash.checked_shl(depth).unwrap_or(0)
}

/// A table that keys are added to.
#[derive(Debug, Default)]
pub(super) struct IndexBuilder {
    /// INVARIANT: empty, or at least one slot in four is free, so that probing ends.
    slots: Vec<Slot>,
    used: usize,
}

impl IndexBuilder {
    /// The number of a key.
    pub(super) fn find(&self, key: &Key<'_>, texts: &Texts) -> Option<u32> {
        let mut at = home(key.hash, self.slots.len());
        loop {
            let slot = self.slots.get(at)?;
            if slot.value == NONE {
                return None;
            }
            if key.is(slot, texts) {
                return Some(slot.value);
            }
            at = self.after(at);
        }
    }

    /// Adds a key that is not there, whose text is stored at `text`.
    pub(super) fn insert(&mut self, key: &Key<'_>, text: TextId, value: u32) {
        if (self.used + 1) * 4 > self.slots.len() * 3 {
            let length = (self.used + 1) * 2;
            let slots = std::mem::replace(&mut self.slots, vec![FREE; length.max(4)]);
            for slot in slots.into_iter().filter(|slot| slot.value != NONE) {
                self.place(slot);
            }
        }
        self.place(Slot {
            hash: key.hash,
            scope: key.scope,
            text,
            value,
        });
        self.used += 1;
    }

    fn place(&mut self, slot: Slot) {
        let mut at = home(slot.hash, self.slots.len());
        while let Some(taken) = self.slots.get_mut(at) {
            if taken.value == NONE {
                *taken = slot;
                return;
            }
            at = self.after(at);
        }
    }

    fn after(&self, at: usize) -> usize {
        if at + 1 == self.slots.len() {
            0
        } else {
            at + 1
        }
    }

    /// Forgets all keys, and keeps the room for as many unless they were very many.
    pub(super) fn clear(&mut self) {
        if self.slots.len() > 4_096 {
            self.slots = Vec::new();
        }
        self.slots.fill(FREE);
        self.used = 0;
    }

    /// The finished table.
    pub(super) fn finish(self) -> Index {
        let mut used = self.slots;
        used.retain(|slot| slot.value != NONE);
        used.sort_unstable_by_key(|slot| (slot.hash, slot.scope, slot.text.number()));
        Index::of(0, &used, &mut Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::super::texts::Interner;
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn keys_find_their_numbers(keys: BTreeMap<(u32, Vec<u8>), u16>, absent: (u32, Vec<u8>)) {
            let hasher = Hasher::new([7, 9]);
            let mut interner = Interner::default();
            let mut index = IndexBuilder::default();
            for ((scope, text), value) in &keys {
                let hash = hasher.text(text);
                let id = interner.intern(&hasher, text, hash);
                let key = Key::new(&hasher, hash, *scope, text);
                prop_assert_eq!(index.find(&key, interner.texts()), None);
                index.insert(&key, id, u32::from(*value));
                prop_assert_eq!(index.find(&key, interner.texts()), Some(u32::from(*value)));
            }
            let index = index.finish();
            let texts = interner.finish();
            let find = |scope: u32, text: &[u8]| {
                index.find(&Key::new(&hasher, hasher.text(text), scope, text), &texts)
            };
            for ((scope, text), value) in &keys {
                prop_assert_eq!(find(*scope, text), Some(u32::from(*value)));
            }
            let expected = keys.get(&absent).map(|value| u32::from(*value));
            prop_assert_eq!(find(absent.0, &absent.1), expected);
        }
    }

    /// Keys whose hashes are equal in every bit still find their own numbers.
    #[test]
    fn collisions_are_told_apart() {
        let hasher = Hasher::new([0, 0]);
        for hash in [0, 42, u32::MAX] {
            let forged = |text| Key {
                hash,
                scope: 0,
                text,
            };
            let mut interner = Interner::default();
            let mut index = IndexBuilder::default();
            let texts: Vec<String> = (0..50).map(|number| format!("/{number}")).collect();
            for (number, text) in (0..).zip(&texts) {
                let text = text.as_bytes();
                let id = interner.intern(&hasher, text, hasher.text(text));
                index.insert(&forged(text), id, number);
            }
            let index = index.finish();
            let stored = interner.finish();
            for (number, text) in (0..).zip(&texts) {
                let found = index.find(&forged(text.as_bytes()), &stored);
                assert_eq!(found, Some(number));
            }
            assert_eq!(index.find(&forged(b"/absent"), &stored), None);
        }
    }

    /// Numbered hosts that have paths in common do not crowd, whatever the key is.
    #[test]
    fn keys_stand_near_their_homes() {
        let paths: [&[u8]; 3] = [b"/api/v1", b"/api/v2/users", b"/healthz"];
        for key in 0..40 {
            let hasher = Hasher::new([key, 0]);
            for hosts in [25, 250, 2_500] {
                let numbers = (0..hosts).flat_map(|host| paths.map(|path| (host << 4, path)));
                let slot = |(scope, path)| Slot {
                    hash: Key::new(&hasher, hasher.text(path), scope, path).hash,
                    scope,
                    text: TextId::NONE,
                    value: 0,
                };
                let mut slots: Vec<Slot> = numbers.map(slot).collect();
                slots.sort_unstable_by_key(|slot| slot.hash);
                let index = Index::of(0, &slots, &mut Vec::new());
                let off = |(at, slot): (usize, &Slot)| at - home(slot.hash, index.homes as usize);
                let used = index.slots.iter().enumerate();
                let used = used.filter(|(_, slot)| slot.value != NONE);
                let off: usize = used.map(off).sum();
                // Two slots where hashes are spread like random numbers.
                assert!(off < 5 * slots.len(), "{off} of {} keys", slots.len());
            }
        }
    }
}
