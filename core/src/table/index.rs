//! A hash table from a text in a scope to a number.
//!
//! Every look-up of the table is one of these: listeners by name in a port, hosts by name in a listener, paths in a host,
//! values in a leaf. Open addressing with linear probing in one flat array; a slot takes 16 bytes.

use super::hash::Hasher;
use super::texts::{TextId, Texts};

/// The value of a slot that is free; no key maps to it.
pub(super) const NONE: u32 = u32::MAX;

/// A text in a scope, hashed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key<'x> {
    hash: u64,
    scope: u32,
    text: &'x [u8],
}

impl<'x> Key<'x> {
    /// A key; `hash` is [`Hasher::text`] of the text.
    #[inline]
    pub(super) fn new(hasher: &Hasher, hash: u64, scope: u32, text: &'x [u8]) -> Key<'x> {
        Key {
            hash: hasher.scoped(hash, scope),
            scope,
            text,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    tag: u32,
    scope: u32,
    text: TextId,
    value: u32,
}

const FREE: Slot = Slot {
    tag: 0,
    scope: 0,
    text: TextId::NONE,
    value: NONE,
};

/// The table.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// INVARIANT: empty, or at least one slot is free, so that probing ends.
    slots: Vec<Slot>,
    used: usize,
}

impl Index {
    /// The number of a key.
    #[inline]
    pub(super) fn find(&self, key: &Key<'_>, texts: &Texts) -> Option<u32> {
        let tag = tag(key.hash);
        let mut at = home(key.hash, self.slots.len());
        loop {
            let slot = self.slots.get(at)?;
            if slot.value == NONE {
                return None;
            }
            // Requests choose what is hashed, so equality is verified to the last byte.
            if slot.tag == tag && slot.scope == key.scope && texts.get(slot.text) == key.text {
                return Some(slot.value);
            }
            at += 1;
            if at == self.slots.len() {
                at = 0;
            }
        }
    }

    /// Adds a key that is not there, whose text is stored at `text`.
    pub(super) fn insert(
        &mut self,
        hasher: &Hasher,
        key: &Key<'_>,
        text: TextId,
        value: u32,
        texts: &Texts,
    ) {
        if (self.used + 1) * 4 > self.slots.len() * 3 {
            self.resize((self.used + 1) * 2, hasher, texts);
        }
        self.place(
            key.hash,
            Slot {
                tag: tag(key.hash),
                scope: key.scope,
                text,
                value,
            },
        );
        self.used += 1;
    }

    /// Gives every key the value that `change` makes of its own.
    pub(super) fn map(&mut self, change: impl Fn(u32) -> u32) {
        for slot in self.slots.iter_mut().filter(|slot| slot.value != NONE) {
            slot.value = change(slot.value);
        }
    }

    /// Gives back what growing has taken too much.
    pub(super) fn shrink(&mut self, hasher: &Hasher, texts: &Texts) {
        // Four slots in five are used: probes stay short, and a slot costs 20 bytes.
        let wanted = self.used + self.used / 4 + 1;
        if self.used > 0 && wanted < self.slots.len() {
            self.resize(wanted, hasher, texts);
        }
    }

    /// Bytes that it holds.
    pub(super) fn memory(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
    }

    fn resize(&mut self, length: usize, hasher: &Hasher, texts: &Texts) {
        let slots = std::mem::replace(&mut self.slots, vec![FREE; length.max(4)]);
        for slot in slots.into_iter().filter(|slot| slot.value != NONE) {
            let hash = hasher.scoped(hasher.text(texts.get(slot.text)), slot.scope);
            self.place(hash, slot);
        }
    }

    fn place(&mut self, hash: u64, slot: Slot) {
        let mut at = home(hash, self.slots.len());
        while let Some(taken) = self.slots.get_mut(at) {
            if taken.value == NONE {
                *taken = slot;
                return;
            }
            at += 1;
            if at == self.slots.len() {
                at = 0;
            }
        }
    }
}

/// The half of the hash that a slot keeps.
#[expect(clippy::cast_possible_truncation, reason = "the lower half is wanted")]
fn tag(hash: u64) -> u32 {
    hash as u32
}

/// Where a key would like to be: the upper half of the hash, scaled to the table.
fn home(hash: u64, length: usize) -> usize {
    (((hash >> 32) * length as u64) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::super::texts::Interner;
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn keys_find_their_numbers(keys: BTreeMap<(u32, Vec<u8>), u16>, absent: (u32, Vec<u8>), shrink: bool) {
            let hasher = Hasher::new([7, 9]);
            let mut interner = Interner::default();
            let mut index = Index::default();
            for ((scope, text), value) in &keys {
                let hash = hasher.text(text);
                let id = interner.intern(&hasher, text, hash);
                let key = Key::new(&hasher, hash, *scope, text);
                index.insert(&hasher, &key, id, u32::from(*value), interner.texts());
            }
            if shrink {
                index.shrink(&hasher, interner.texts());
            }
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
        let mut interner = Interner::default();
        let mut index = Index::default();
        let texts: Vec<String> = (0..50).map(|number| format!("/{number}")).collect();
        let forged = |text: &'static str| Key {
            hash: 42,
            scope: 0,
            text: text.as_bytes(),
        };
        // Room for all at once: growing would compute the true hashes.
        index.resize(100, &hasher, interner.texts());
        for (number, text) in (0..).zip(&texts) {
            let text: &'static str = text.clone().leak();
            let id = interner.intern(&hasher, text.as_bytes(), hasher.text(text.as_bytes()));
            index.insert(&hasher, &forged(text), id, number, interner.texts());
        }
        let stored = interner.finish();
        for (number, text) in (0..).zip(&texts) {
            let text: &'static str = text.clone().leak();
            assert_eq!(index.find(&forged(text), &stored), Some(number));
        }
        assert_eq!(index.find(&forged("/absent"), &stored), None);
    }
}
