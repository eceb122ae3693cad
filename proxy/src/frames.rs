//! HTTP/2 as it passes: streams that a client opens and resets again and again are counted, and so are frames that ask for
//! work and carry nothing (CVE-2019-9511 to -9518); the rest is the server's.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// RFC 9113 section 3.4: what comes before the first frame.
const PREFACE: usize = 24;
/// RFC 9113 section 4.1.
const HEADER: usize = 9;
/// DATA, HEADERS and RST_STREAM (RFC 9113 section 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
/// Frames without content that a client may send within [`WINDOW`] in any case…
const EMPTY: u64 = 1000;
/// …and for each frame with content, each write to it and each KiB of that: windows are opened and round trips measured
/// as data flows.
const EACH: u64 = 8;
const WINDOW: Duration = Duration::from_secs(10);

/// Reads the headers of frames and skips what they hold.
#[derive(Debug)]
pub struct Frames {
    skip: usize,
    header: [u8; HEADER],
    have: usize,
    resets: VecDeque<Instant>,
    most: usize,
    within: Duration,
    /// Since when the following are counted.
    since: Instant,
    empty: u64,
    useful: u64,
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
            since: Instant::now(),
            empty: 0,
            useful: 0,
        }
    }

    /// So many bytes were written to the client.
    pub fn wrote(&mut self, bytes: usize) {
        self.useful += 1 + (bytes >> 10) as u64;
    }

    /// Takes what has arrived; `false` if there were too many resets, or frames without content.
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
                let bearable = match kind {
                    RESET => self.reset(Instant::now()),
                    HEADERS => self.content(),
                    DATA if self.skip > 0 => self.content(),
                    _ => self.nothing(Instant::now()),
                };
                if !bearable {
                    return false;
                }
            }
        }
    }

    fn content(&mut self) -> bool {
        self.useful += 1;
        true
    }

    /// A frame that carries nothing, or nothing by itself.
    fn nothing(&mut self, now: Instant) -> bool {
        if now.duration_since(self.since) >= WINDOW {
            (self.since, self.empty, self.useful) = (now, 0, 0);
        }
        self.empty += 1;
        self.empty <= EMPTY + EACH * self.useful
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
    fn frames_without_content_are_borne_as_data_flows() {
        let run = |kind, payload, times, wrote| {
            let mut frames = Frames::new(100, Duration::from_secs(10));
            frames.take(&[3; PREFACE]);
            (0..times).all(|_| {
                frames.wrote(wrote);
                frames.take(&frame(kind, payload))
            })
        };
        let few = |kind, payload, times| {
            let mut frames = Frames::new(100, Duration::from_secs(10));
            frames.take(&[3; PREFACE]);
            (0..times).all(|_| frames.take(&frame(kind, payload)))
        };
        for (kind, payload) in [(0, 0), (2, 5), (4, 0), (6, 8), (8, 4), (9, 0), (0x20, 1)] {
            assert!(
                few(kind, payload, 1000) && !few(kind, payload, 1001),
                "{kind}"
            );
            assert!(run(kind, payload, 5000, 2000), "{kind}");
        }
        assert!(few(0, 1, 5000) && few(1, 30, 5000));
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
