//! How long to wait before the next try.

use std::time::Duration;

use crate::random;

/// The first pause.
const FIRST: Duration = Duration::from_millis(50);
/// The longest: an API server that returns is found within this.
const LONGEST: Duration = Duration::from_secs(1);

/// Pauses that double from try to try, each shortened by chance so that many do not come at once.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Backoff {
    /// The pause before the next try: three quarters to all of the present length.
    pub(super) fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = LONGEST.min(pause * 2);
        let quarter = pause / 4;
        let share = f64::from(u32::try_from(random::seed() & 0xffff).unwrap_or(0)) / 65536.0;
        pause - quarter.mul_f64(share)
    }

    /// Something worked: the next pause is short again.
    pub(super) fn reset(&mut self) {
        self.next = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_second_and_start_again() {
        let mut backoff = Backoff::default();
        let pauses: Vec<Duration> = (0..8).map(|_| backoff.next()).collect();
        assert!(pauses[0] <= FIRST && pauses[0] >= FIRST * 3 / 4);
        assert!(pauses.iter().all(|pause| *pause <= LONGEST));
        assert!(pauses[7] >= LONGEST * 3 / 4, "{pauses:?}");
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
