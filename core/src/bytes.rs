//! Finding a byte in a text, eight or sixteen bytes at a time, without leaving safe Rust.
//!
//! Texts of requests are short: hostnames, paths and queries of some dozen bytes. Here nothing is set up and no function is
//! called for them.

/// The first place where `byte` stands in `text`.
#[inline]
pub(crate) fn position(text: &[u8], byte: u8) -> Option<usize> {
    let (words, rest) = text.as_chunks();
    for (number, word) in words.iter().enumerate() {
        let found = equal(u64::from_le_bytes(*word), byte);
        if found != 0 {
            return Some(number * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    match text.last_chunk() {
        // The last word overlaps the one before, where the byte is not.
        Some(last) if !rest.is_empty() => {
            let found = equal(u64::from_le_bytes(*last), byte);
            (found != 0).then(|| text.len() - 8 + found.trailing_zeros() as usize / 8)
        }
        _ => rest.iter().position(|&one| one == byte),
    }
}

/// Whether one of two bytes stands in `text`.
#[inline]
pub(crate) fn has_either(text: &[u8], [one, two]: [u8; 2]) -> bool {
    let in_word = |word: &[u8; 8]| {
        let word = u64::from_le_bytes(*word);
        equal(word, one) | equal(word, two)
    };
    match text.last_chunk() {
        Some(last) => {
            let (words, _) = text.as_chunks();
            words
                .iter()
                .fold(in_word(last), |found, word| found | in_word(word))
                != 0
        }
        None => text.iter().any(|&byte| byte == one || byte == two),
    }
}

/// The places of a byte among sixteen neighbours, or fewer at the end of a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    /// Where its first byte stands.
    at: usize,
    /// The top bit of each byte that is the one looked for.
    low: u64,
    high: u64,
}

impl Block {
    #[inline]
    fn new(at: usize, bytes: [u8; 16], byte: u8) -> Block {
        let both = u128::from_le_bytes(bytes);
        let (low, high) = (both as u64, (both >> 64) as u64);
        Block {
            at,
            low: equal(low, byte),
            high: equal(high, byte),
        }
    }

    /// How many are left.
    #[inline]
    pub(crate) fn left(&self) -> u32 {
        // At most two in each byte, so a product adds them up; counting all bits would take three times as long.
        const ONES: u64 = u64::from_le_bytes([1; 8]);
        let each = (self.low >> 7) + (self.high >> 7);
        (each.wrapping_mul(ONES) >> 56) as u32
    }
}

impl Iterator for Block {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.low == 0 {
            if self.high == 0 {
                return None;
            }
            self.at += 8;
            (self.low, self.high) = (self.high, 0);
        }
        let position = self.at + self.low.trailing_zeros() as usize / 8;
        self.low &= self.low - 1;
        Some(position)
    }
}

/// The places of a byte in a text, block by block.
#[inline]
pub(crate) fn blocks(text: &[u8], byte: u8) -> impl Iterator<Item = Block> + '_ {
    let (blocks, rest) = text.as_chunks();
    let whole = blocks.iter().enumerate();
    let whole = whole.map(move |(number, &bytes)| Block::new(number * 16, bytes, byte));
    let tail = (!rest.is_empty())
        .then(|| Block::new(text.len() - rest.len(), tail(text, rest, byte), byte));
    whole.chain(tail)
}

/// The bytes behind the last whole block, with other bytes than `byte` behind them.
#[inline]
fn tail(text: &[u8], rest: &[u8], byte: u8) -> [u8; 16] {
    match text.last_chunk() {
        // The last sixteen bytes overlap the block before; its part is shifted out.
        Some(last) if byte != 0 => {
            (u128::from_le_bytes(*last) >> (128 - 8 * rest.len())).to_le_bytes()
        }
        _ => {
            let mut bytes = [!byte; 16];
            for (to, from) in bytes.iter_mut().zip(rest) {
                *to = *from;
            }
            bytes
        }
    }
}

/// The top bit of each byte that is `byte`, exactly: no borrow runs from one byte into the next.
#[inline]
fn equal(word: u64, byte: u8) -> u64 {
    const LOW: u64 = u64::from_le_bytes([0x7f; 8]);
    let differs = word ^ u64::from_le_bytes([byte; 8]);
    !(((differs & LOW) + LOW) | differs | LOW)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_are_where_they_are(
            text in prop::collection::vec(prop::sample::select(b"/.a0\xaf\xff\0".to_vec()), 0..40),
            byte in prop::sample::select(b"/.\xff\0".to_vec()),
        ) {
            let found: Vec<usize> = blocks(&text, byte).flatten().collect();
            let expected: Vec<usize> = (0..text.len()).filter(|&at| text[at] == byte).collect();
            let left: u32 = blocks(&text, byte).map(|block| block.left()).sum();
            prop_assert_eq!(left as usize, expected.len());
            prop_assert_eq!(position(&text, byte), expected.first().copied());
            for other in [b'/', byte, b'b'] {
                let has = text.contains(&byte) || text.contains(&other);
                prop_assert_eq!(has_either(&text, [byte, other]), has);
            }
            prop_assert_eq!(found, expected);
        }
    }
}
