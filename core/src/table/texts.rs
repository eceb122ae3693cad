//! The texts that a table compares requests with, each stored once.

use super::hash::Hasher;
use super::index::{IndexBuilder, Key};

/// Where a text lies in [`Texts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TextId(u32);

impl TextId {
    /// No text.
    pub(super) const NONE: TextId = TextId(u32::MAX);

    pub(super) fn of(number: u32) -> TextId {
        TextId(number)
    }

    pub(super) fn number(self) -> u32 {
        self.0
    }
}

/// Texts end to end in one allocation, each after its length.
#[derive(Debug, Default)]
pub(super) struct Texts {
    bytes: Vec<u8>,
}

impl Texts {
    /// A text.
    #[inline]
    pub(super) fn get(&self, id: TextId) -> &[u8] {
        // INVARIANT: ids are given out by `push` and never outlive their texts.
        let stored = self.bytes.get(id.0 as usize..).unwrap_or_default();
        match stored.split_first_chunk() {
            Some((length, rest)) => rest
                .get(..u32::from_le_bytes(*length) as usize)
                .unwrap_or_default(),
            None => &[],
        }
    }

    /// Bytes that they hold.
    pub(super) fn memory(&self) -> usize {
        self.bytes.capacity()
    }

    pub(super) fn push(&mut self, text: &[u8]) -> TextId {
        // Offsets are 32 bits wide: 4 GiB of distinct hostnames, paths and values are far beyond what a table can hold.
        let at = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(text);
        TextId(at)
    }
}

/// Texts that are still being collected.
#[derive(Debug, Default)]
pub(super) struct Interner {
    texts: Texts,
    index: IndexBuilder,
}

impl Interner {
    /// The id of a text with this hash.
    pub(super) fn intern(&mut self, hasher: &Hasher, text: &[u8], hash: u64) -> TextId {
        let key = Key::new(hasher, hash, 0, text);
        if let Some(at) = self.index.find(&key, &self.texts) {
            return TextId(at);
        }
        let id = self.texts.push(text);
        self.index.insert(&key, id, id.0);
        id
    }

    pub(super) fn texts(&self) -> &Texts {
        &self.texts
    }

    /// The texts; the interner is empty then, and may be used again.
    pub(super) fn finish(&mut self) -> Texts {
        self.index.clear();
        Texts {
            bytes: self.texts.bytes.drain(..).collect(),
        }
    }
}
