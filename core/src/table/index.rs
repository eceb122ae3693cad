//! A hash table from a text in a scope to a number.
//!
//! Listeners by name in a port are looked up here; everything that follows changes lies in a
//! [`Dictionary`](super::dictionary::Dictionary). A finished [`Index`] is one flat array that is sorted by hash: a key stands at its home, the place
//! that its hash points to, or a few slots behind it, and a look-up ends as soon as it meets a greater hash. So a key that is
//! absent costs no more than one that is there. A slot takes 16 bytes, and four in five are used.

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

/// Where a key would like to be: its hash, scaled to the table.
#[inline]
pub(super) fn home(hash: u32, length: usize) -> usize {
    ((u64::from(hash) * length as u64) >> 32) as usize
}

/// The finished table.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// INVARIANT: sorted by hash but for free slots; no key stands before its home; the last slot is free.
    slots: Vec<Slot>,
    /// How many slots are homes; a few more follow them.
    homes: usize,
}

impl Index {
    /// The number of a key.
    #[inline]
    pub(super) fn find(&self, key: &Key<'_>, texts: &Texts) -> Option<u32> {
        let mut at = home(key.hash, self.homes);
        loop {
            let slot = self.slots.get(at)?;
            if slot.hash >= key.hash {
                if slot.hash != key.hash || slot.value == NONE {
                    return None;
                }
                if key.is(slot, texts) {
                    return Some(slot.value);
                }
            }
            at += 1;
        }
    }

    /// Bytes that it holds.
    pub(super) fn memory(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
    }
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

    /// The finished table; every key gets the value that `change` makes of its own.
    pub(super) fn finish(self, change: impl Fn(u32) -> u32) -> Index {
        let mut used = self.slots;
        used.retain(|slot| slot.value != NONE);
        used.sort_unstable_by_key(|slot| (slot.hash, slot.scope, slot.text.number()));
        let homes = used.len() + used.len() / 4;
        let mut slots = Vec::with_capacity(homes + homes / 64 + 1);
        for slot in used {
            let wanted = home(slot.hash, homes);
            if wanted > slots.len() {
                slots.resize(wanted, FREE);
            }
            slots.push(Slot {
                value: change(slot.value),
                ..slot
            });
        }
        slots.push(FREE);
        slots.resize(slots.len().max(homes), FREE);
        slots.shrink_to_fit();
        Index { slots, homes }
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
            let index = index.finish(|value| value + 1);
            let texts = interner.finish();
            let find = |scope: u32, text: &[u8]| {
                index.find(&Key::new(&hasher, hasher.text(text), scope, text), &texts)
            };
            for ((scope, text), value) in &keys {
                prop_assert_eq!(find(*scope, text), Some(u32::from(*value) + 1));
            }
            let expected = keys.get(&absent).map(|value| u32::from(*value) + 1);
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
            let index = index.finish(|value| value);
            let stored = interner.finish();
            for (number, text) in (0..).zip(&texts) {
                let found = index.find(&forged(text.as_bytes()), &stored);
                assert_eq!(found, Some(number));
            }
            assert_eq!(index.find(&forged(b"/absent"), &stored), None);
        }
    }
}
