//! Measuring one subject in one mode: time by chunks, allocations, and whether every answer is right.

use std::alloc::System;
use std::hint::black_box;
use std::sync::atomic::{Ordering, fence};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use stats_alloc::{Region, StatsAlloc};

use crate::shapes::{Request, Workload};
use crate::subjects::{Mode, Subject};

/// Requests timed together, so that reading the clock does not count.
const CHUNK: usize = 16;
/// Each mode runs for at least this long.
const LEAST: Duration = Duration::from_millis(150);
/// Checking beforehand ends after this long, for those who are slow; what is timed is checked as well.
const CHECK: Duration = Duration::from_millis(250);
/// Bytes written before each cold match.
const EVICT: usize = 96 << 20;

/// What one mode of one subject gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// Median over chunks, per match.
    pub nanoseconds: f64,
    /// 90th percentile over chunks, per match.
    pub p90: f64,
    /// Allocations a match.
    pub allocations: f64,
    /// Answers that were not the intended ones.
    pub wrong: u64,
}

/// Measures one mode.
pub fn mode(
    subject: &mut dyn Subject,
    workload: &Workload,
    mode: Mode,
    judged: bool,
    heap: &StatsAlloc<System>,
) -> Sample {
    let requests = mode.requests(workload);
    let mut wrong = 0;
    // Every answer is checked once before the clock starts; this also warms what grows on first use.
    let start = Instant::now();
    for (number, request) in requests.iter().enumerate() {
        let found = subject.find(mode, number);
        wrong += u64::from(judged && found != request.want);
        if number % CHUNK == 0 && start.elapsed() > CHECK {
            break;
        }
    }
    let mut times = Vec::with_capacity(1 << 16);
    let mut evict = if mode == Mode::Cold {
        vec![0_u8; EVICT]
    } else {
        Vec::new()
    };
    let chunk = if mode == Mode::Cold { 1 } else { CHUNK };
    let mut allocations = 0;
    let mut matches = 0_u64;
    let start = Instant::now();
    let mut next = 0;
    while start.elapsed() < LEAST || times.len() < 32 {
        let numbers: [usize; CHUNK] = std::array::from_fn(|step| (next + step) % requests.len());
        next = (next + chunk) % requests.len();
        evict
            .iter_mut()
            .step_by(64)
            .for_each(|byte| *byte = byte.wrapping_add(1));
        black_box(&evict);
        // The request is warm in every mode: a proxy has just parsed it.
        for &number in &numbers[..chunk] {
            touch(&requests[number]);
        }
        let mut answers = [None; CHUNK];
        let region = Region::new(heap);
        fence(Ordering::SeqCst);
        let clock = Instant::now();
        for (answer, &number) in answers.iter_mut().zip(&numbers[..chunk]) {
            *answer = subject.find(mode, black_box(number));
        }
        let elapsed = clock.elapsed();
        fence(Ordering::SeqCst);
        allocations += region.change().allocations;
        matches += chunk as u64;
        for (answer, &number) in answers.iter().zip(&numbers[..chunk]) {
            wrong += u64::from(judged && *answer != requests[number].want);
        }
        if times.len() < times.capacity() {
            times.push(elapsed.as_nanos() as f64 / chunk as f64);
        }
    }
    times.sort_by(f64::total_cmp);
    Sample {
        nanoseconds: times[times.len() / 2],
        p90: times[times.len() * 9 / 10],
        allocations: allocations as f64 / matches as f64,
        wrong,
    }
}

/// Reads a request as a proxy that has just parsed it would have.
fn touch(request: &Request) {
    let mut sum = 0_u64;
    for byte in request
        .host
        .bytes()
        .chain(request.path.bytes())
        .chain(request.query.bytes())
    {
        sum = sum.wrapping_add(u64::from(byte));
    }
    for (name, value) in &request.headers {
        sum = sum.wrapping_add(name.as_str().len() as u64);
        sum = sum.wrapping_add(u64::from(value.as_bytes().first().copied().unwrap_or(0)));
    }
    black_box(sum);
}
