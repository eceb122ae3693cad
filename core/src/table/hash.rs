//! The keyed hash of the table's indexes.
//!
//! Requests choose the bytes that are hashed and this code is public, so the hash has a key that the caller brings
//! ([`super::TableSettings::hash_key`]), and every hit is verified byte for byte.

/// A keyed hash of texts, and of every prefix of a text in one pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hasher {
    start: u64,
    key: u64,
    scope: u64,
}

/// Digits of π: what a key of zero is mixed with.
const PI: [u64; 3] = [
    0x243f_6a88_85a3_08d3,
    0x1319_8a2e_0370_7344,
    0xa409_3822_299f_31d0,
];

impl Hasher {
    pub(super) fn new(key: [u64; 2]) -> Hasher {
        let [one, two] = key;
        Hasher {
            start: one ^ PI[0],
            key: two ^ PI[1],
            scope: fold(one ^ PI[2], two ^ PI[1]) | 1,
        }
    }

    /// The hash of a text.
    #[inline]
    pub(super) fn text(&self, text: &[u8]) -> u64 {
        self.prefixes(text).up_to(text.len())
    }

    /// Hashes prefixes of a text, the shorter before the longer.
    #[inline]
    pub(super) fn prefixes<'x>(&self, text: &'x [u8]) -> Prefixes<'x> {
        Prefixes {
            text,
            rest: text.as_chunks().0,
            state: self.start,
            key: self.key,
            absorbed: 0,
        }
    }

    /// The hash of a text in a scope, such as a path below a host.
    #[inline]
    pub(super) fn scoped(&self, text: u64, scope: u32) -> u64 {
        // Hosts are numbered one after the other and have paths in common: their numbers are spread over all bits, or the
        // products would lie at equal distances, and several such rows crowd together.
        fold(text ^ u64::from(scope).wrapping_mul(PI[0]), self.scope)
    }
}

/// The state of a hash that walks along a text.
#[derive(Debug)]
pub(super) struct Prefixes<'x> {
    text: &'x [u8],
    /// The blocks that are not absorbed yet.
    rest: &'x [[u8; 16]],
    state: u64,
    key: u64,
    absorbed: usize,
}

impl Prefixes<'_> {
    /// The hash of the first `end` bytes: the same as [`Hasher::text`] of them alone.
    ///
    /// All blocks of 16 bytes that end before `end` are absorbed, then the last 16 bytes, which may overlap them, and the
    /// length. Only the last part is done anew for each prefix.
    #[inline]
    pub(super) fn up_to(&mut self, end: usize) -> u64 {
        let before = end.saturating_sub(1) / 16;
        if let Some((blocks, rest)) = self
            .rest
            .split_at_checked(before.saturating_sub(self.absorbed))
        {
            for block in blocks {
                let (low, high) = halves(block);
                self.state = fold(low ^ self.state, high ^ self.key);
            }
            self.rest = rest;
            self.absorbed = before;
        }
        let text = self.text.get(..end).unwrap_or_default();
        let (low, high) = match text.last_chunk() {
            Some(last) => halves(last),
            None => short(text),
        };
        // The length comes in after the product: before it, bytes could make up for another length without knowing the key.
        fold(low ^ self.state, high ^ self.key) ^ (end as u64).wrapping_mul(PI[0])
    }
}

/// Both halves of a product, folded into one.
#[inline]
fn fold(one: u64, two: u64) -> u64 {
    let product = u128::from(one) * u128::from(two);
    let (low, high) = (product as u64, (product >> 64) as u64);
    low ^ high
}

/// The two words of a block.
#[inline]
fn halves(block: &[u8; 16]) -> (u64, u64) {
    let both = u128::from_le_bytes(*block);
    (both as u64, (both >> 64) as u64)
}

/// The words of fewer than 16 bytes; they may overlap.
#[inline]
fn short(text: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        return (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
    }
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        return (u64::from(first), u64::from(last));
    }
    let byte = |at: usize| text.get(at).map_or(0, |&byte| u64::from(byte));
    (byte(0) | byte(1) << 8 | byte(2) << 16, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn prefixes_hash_as_they_do_alone(text: Vec<u8>, key: [u64; 2]) {
            let hasher = Hasher::new(key);
            let mut prefixes = hasher.prefixes(&text);
            for end in 0..=text.len() {
                prop_assert_eq!(prefixes.up_to(end), hasher.text(&text[..end]));
            }
        }
    }

    #[test]
    fn hashes_differ_by_byte_length_scope_and_key() {
        let hasher = Hasher::new([1, 2]);
        let mut seen = std::collections::BTreeSet::new();
        for length in 0..100 {
            assert!(seen.insert(hasher.text(&vec![0; length])), "{length}");
            for at in 0..length {
                let mut text = vec![0; length];
                text[at] = 1;
                assert!(seen.insert(hasher.text(&text)), "{length} {at}");
            }
        }
        let text = hasher.text(b"/a");
        assert_ne!(hasher.scoped(text, 1), hasher.scoped(text, 2));
        assert_ne!(text, Hasher::new([1, 3]).text(b"/a"));
    }
}
