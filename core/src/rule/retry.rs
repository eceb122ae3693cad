//! Timeouts and retries: the limits, which answers ask for another attempt, and how long to wait before it.

use std::time::Duration;

use super::rare::Empty;

/// `backoff` where the route names none: short enough that a second attempt fits into half a second.
const BASE: Duration = Duration::from_millis(25);
/// Pauses grow up to this multiple of the base.
const GROWTH: u32 = 10;

/// `HTTPRouteTimeouts`. `None` is unset; `0s` in the route is [`Duration::ZERO`] and switches the limit off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// `request`: the whole exchange as the client sees it, retries included.
    pub request: Option<Duration>,
    /// `backendRequest`: each attempt.
    pub backend_request: Option<Duration>,
}

impl Empty for Timeouts {
    fn empty() -> &'static Self {
        static EMPTY: Timeouts = Timeouts {
            request: None,
            backend_request: None,
        };
        &EMPTY
    }
}

/// `HTTPRouteRetry`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// `codes`, ascending.
    pub codes: Vec<u16>,
    /// `attempts`: retries on top of the first try; 0 switches retries off.
    pub attempts: u32,
    /// `backoff`: the base interval.
    pub backoff: Option<Duration>,
}

/// `RetryConstraint` of an XBackendTrafficPolicy: how many retries a backend may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBudget {
    /// `budget.percent`: retries may be this share of the requests of the interval.
    pub percent: u32,
    /// `budget.interval`.
    pub interval: Duration,
    /// `minRetryRate.count`: so many retries are allowed in any case…
    pub least: u32,
    /// `minRetryRate.interval`: …in each of these.
    pub least_interval: Duration,
}

impl Retry {
    /// Whether an answer of a backend asks for another attempt.
    pub fn asks(&self, status: u16) -> bool {
        self.codes.binary_search(&status).is_ok()
    }

    /// The pause before a retry, counted from 0: the base interval doubled each time, up to ten times the base, and
    /// spread over its upper half by `draw` (even over `u64`) so that clients do not come back in step.
    pub fn pause(&self, retry: u32, draw: u64) -> Duration {
        let base = self.backoff.unwrap_or(BASE);
        let factor = 1_u32.checked_shl(retry).unwrap_or(GROWTH).min(GROWTH);
        let whole = base.saturating_mul(factor).max(base);
        let half = whole / 2;
        let share = u32::try_from(draw >> 32).unwrap_or(0);
        let spread = half.as_nanos().saturating_mul(u128::from(share)) >> 32;
        let spread = Duration::from_nanos(u64::try_from(spread).unwrap_or(u64::MAX));
        // The base interval is the least: a route that names one does not get less.
        (half + spread).max(base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry(backoff: Option<Duration>) -> Retry {
        Retry {
            codes: vec![500, 503],
            attempts: 3,
            backoff,
        }
    }

    #[test]
    fn listed_codes_ask_and_no_others() {
        let retry = retry(None);
        assert!(retry.asks(500) && retry.asks(503) && !retry.asks(502) && !retry.asks(200));
    }

    #[test]
    fn pauses_grow_from_the_base_to_ten_times_the_base() {
        for base in [None, Some(Duration::from_millis(100)), Some(Duration::ZERO)] {
            let (retry, base) = (retry(base), base.unwrap_or(BASE));
            for number in [0, 1, 2, 3, 10, 31, 32, 100, u32::MAX] {
                for draw in [0, 1 << 63, u64::MAX] {
                    let pause = retry.pause(number, draw);
                    assert!(
                        pause >= base && pause <= base * GROWTH,
                        "{number} {draw} {pause:?}"
                    );
                }
            }
            assert!(retry.pause(3, 1 << 63) >= retry.pause(1, u64::MAX));
        }
    }
}
