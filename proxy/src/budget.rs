//! How many retries a backend may get, so that retries do not bury one that is in trouble (GEP-3388's defaults).

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Retries may be this percentage of the requests of the last window…
const PERCENT: u64 = 20;
const WINDOW: Duration = Duration::from_secs(10);
/// …and so many a second in any case.
const LEAST: u64 = 10;

/// Counts requests and retries of one backend.
#[derive(Debug, Default)]
pub struct Budget(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    window: Option<Instant>,
    requests: u64,
    retries: u64,
    /// Requests of the window before.
    before: u64,
    second: Option<Instant>,
    this_second: u64,
}

impl Budget {
    /// Counts a request that may have to be retried.
    pub fn request(&self) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.roll(Instant::now());
        counts.requests += 1;
    }

    /// Takes a retry out of the budget; `false` if there is none left.
    pub fn retry(&self) -> bool {
        self.retry_at(Instant::now())
    }

    fn retry_at(&self, now: Instant) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.roll(now);
        let share = (counts.requests + counts.before) * PERCENT / 100;
        let allowed = counts.retries < share || counts.this_second < LEAST;
        if allowed {
            counts.retries += 1;
            counts.this_second += 1;
        }
        allowed
    }
}

impl Counts {
    fn roll(&mut self, now: Instant) {
        let window = *self.window.get_or_insert(now);
        if now.duration_since(window) >= WINDOW {
            // After two windows without a request nothing of the old one counts.
            let recent = now.duration_since(window) < 2 * WINDOW;
            self.before = if recent { self.requests } else { 0 };
            (self.requests, self.retries, self.window) = (0, 0, Some(now));
        }
        let second = *self.second.get_or_insert(now);
        if now.duration_since(second) >= Duration::from_secs(1) {
            (self.this_second, self.second) = (0, Some(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_a_second_are_allowed_and_a_fifth_of_the_requests() {
        let (budget, now) = (Budget::default(), Instant::now());
        let allowed = |at: Instant| (0..100).filter(|_| budget.retry_at(at)).count();
        assert_eq!(allowed(now), 10);
        assert_eq!(allowed(now + Duration::from_millis(1500)), 10);
        for _ in 0..500 {
            budget.request();
        }
        assert_eq!(allowed(now + Duration::from_secs(3)), 80);
    }
}
