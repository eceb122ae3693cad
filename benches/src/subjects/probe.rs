//! The machine itself: how long one dependent load takes over as many bytes as a table has.

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
    /// A cycle over this many bytes, one load a cache line.
    pub fn new(bytes: usize, seed: u64) -> Probe {
        let lines = bytes.div_ceil(64).max(2);
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
    fn find(&mut self, mode: Mode, _: usize) -> Option<u32> {
        // Hot stays on one line, and so does a miss: it is what a look-up costs that waits for nothing.
        let step = u32::from(matches!(mode, Mode::Random | Mode::Cold));
        let next = self.next[self.at as usize][0];
        self.at = next * step + self.at * (1 - step);
        Some(self.at)
    }
}
