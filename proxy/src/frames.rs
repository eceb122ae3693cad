//! HTTP/2 as it passes: streams that a client opens and resets again and again are counted, the rest is the server's.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// RFC 9113 section 3.4: what comes before the first frame.
const PREFACE: usize = 24;
/// RFC 9113 section 4.1.
const HEADER: usize = 9;
/// RST_STREAM (RFC 9113 section 6.4).
const RESET: u8 = 3;

/// Reads the headers of frames and skips what they hold.
#[derive(Debug)]
pub struct Frames {
    skip: usize,
    header: [u8; HEADER],
    have: usize,
    resets: VecDeque<Instant>,
    most: usize,
    within: Duration,
}

impl Frames {
    /// Frames behind a preface, of which at most so many may be resets within a time.
    pub fn new(most: usize, within: Duration) -> Frames {
        Frames {
            skip: PREFACE,
            header: [0; HEADER],
            have: 0,
            resets: VecDeque::new(),
            most,
            within,
        }
    }

    /// Takes what has arrived; `false` if there were too many resets.
    pub fn take(&mut self, mut bytes: &[u8]) -> bool {
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            let Some((first, rest)) = bytes.split_first() else {
                return true;
            };
            if let Some(place) = self.header.get_mut(self.have) {
                *place = *first;
            }
            (bytes, self.have) = (rest, self.have + 1);
            if self.have == HEADER {
                let [a, b, c, kind, ..] = self.header;
                self.skip = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                self.have = 0;
                if kind == RESET && !self.reset(Instant::now()) {
                    return false;
                }
            }
        }
    }

    fn reset(&mut self, now: Instant) -> bool {
        let old = |at: &Instant| now.duration_since(*at) >= self.within;
        while self.resets.front().is_some_and(old) {
            self.resets.pop_front();
        }
        self.resets.push_back(now);
        self.resets.len() <= self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: usize) -> Vec<u8> {
        let mut frame = vec![
            0,
            0,
            u8::try_from(payload).expect("small"),
            kind,
            0,
            0,
            0,
            0,
            1,
        ];
        frame.extend(std::iter::repeat_n(3, payload));
        frame
    }

    #[test]
    fn resets_are_counted_however_the_bytes_are_cut() {
        let mut bytes = vec![3; PREFACE];
        for _ in 0..5 {
            bytes.extend(frame(1, 30));
            bytes.extend(frame(RESET, 4));
        }
        for size in [1, 2, 7, 9, 13, 1000] {
            let run = |most| {
                let mut frames = Frames::new(most, Duration::from_secs(10));
                bytes.chunks(size).all(|part| frames.take(part))
            };
            assert!(run(5) && !run(4), "{size}");
        }
    }

    #[test]
    fn old_resets_do_not_count() {
        let mut frames = Frames::new(2, Duration::from_secs(10));
        let start = Instant::now();
        for second in [0, 6, 12, 18, 24] {
            assert!(frames.reset(start + Duration::from_secs(second)));
        }
        assert!(!frames.reset(start + Duration::from_secs(25)));
    }
}
