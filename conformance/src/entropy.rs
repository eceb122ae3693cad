//! Where a generator's choices come from: a seed, or bytes that somebody else chose.

use std::convert::Infallible;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng, TryRng};

/// A source of choices. From bytes, each choice takes one byte, so that whoever bends the bytes bends single choices; when
/// they are used up, choices go on from a fixed seed.
#[derive(Debug)]
pub struct Entropy {
    bytes: Vec<u8>,
    at: usize,
    rest: StdRng,
}

impl Entropy {
    /// All choices from a seed.
    pub fn from_seed(seed: u64) -> Entropy {
        Entropy {
            bytes: Vec::new(),
            at: 0,
            rest: StdRng::seed_from_u64(seed),
        }
    }

    /// A choice for each byte, then others that are always the same.
    pub fn from_bytes(bytes: &[u8]) -> Entropy {
        Entropy {
            bytes: bytes.to_vec(),
            at: 0,
            rest: StdRng::seed_from_u64(0),
        }
    }

    /// Whether all bytes were used.
    pub fn is_spent(&self) -> bool {
        self.at >= self.bytes.len()
    }
}

impl TryRng for Entropy {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        // The upper half: it is what decides.
        self.try_next_u64()
            .map(|word| u32::try_from(word >> 32).unwrap_or_default())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let Some(&byte) = self.bytes.get(self.at) else {
            return Ok(self.rest.next_u64());
        };
        self.at += 1;
        // The byte decides; what is below it only has to be something.
        let below = u64::from(byte).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 8;
        Ok(u64::from(byte) << 56 | below)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for chunk in out.chunks_mut(8) {
            let word = self.try_next_u64()?.to_be_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    #[test]
    fn each_byte_is_one_choice() {
        let mut entropy = Entropy::from_bytes(&[0, 255, 128, 0]);
        assert_eq!(entropy.random_range(0..10_usize), 0);
        assert_eq!(entropy.random_range(0..10_usize), 9);
        assert!(!entropy.random_bool(0.4));
        assert!(entropy.random_bool(0.4));
        assert!(entropy.is_spent());
        let more: Vec<usize> = (0..100).map(|_| entropy.random_range(0..10)).collect();
        assert!(more.iter().any(|&one| one != more[0]));
    }
}
