//! The machine itself: how long one dependent load takes over a working set of 80 bytes a rule.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::{Mode, Subject};

/// A random cycle through memory; each step waits for the one before.
#[derive(Debug)]
pub struct Probe {
    next: Vec<[u32; 16]>,
    at: u32,
}

impl Probe {
    /// A cycle over `rules` × 80 bytes, one load a cache line.
    pub fn new(rules: usize, seed: u64) -> Probe {
        let lines = (rules * 80).div_ceil(64).max(2);
        let mut order: Vec<u32> = (0..lines)
            .filter_map(|line| u32::try_from(line).ok())
            .collect();
        order.shuffle(&mut StdRng::seed_from_u64(seed));
        let mut next = vec![[0; 16]; lines];
        for (position, &line) in order.iter().enumerate() {
            next[line as usize][0] = order[(position + 1) % lines];
        }
        Probe { next, at: order[0] }
    }
}

impl Subject for Probe {
    fn find(&mut self, _: Mode, _: usize) -> Option<u32> {
        self.at = self.next[self.at as usize][0];
        Some(self.at)
    }
}
