//! One table, and one row of tickets, used by several threads at the same time.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use gatepost::rule::Tickets;
use gatepost_benches::selection::backends;
use gatepost_benches::shapes::{Shape, Workload};
use gatepost_benches::subjects::gatepost::{Buffers, Gatepost, build, routes};
use gatepost_benches::subjects::{Mode, Subject};

use super::{Arguments, line, print};

const RULES: usize = 100_000;
/// What each thread does in one round.
const FINDS: usize = 400_000;
const PICKS: usize = 4_000_000;

/// What one thread does: it gets ready, waits for the others, and says how long it took.
type Work<'w> = &'w (dyn Fn(u64, &Barrier) -> f64 + Sync);

pub(crate) fn measure(arguments: &Arguments) {
    for (shape, title) in [
        (Shape::A, "find, shape a, 100,000 rules"),
        (Shape::B, "find, shape b, 100,000 rules"),
    ] {
        let workload = Workload::new(shape, RULES, 1);
        let (resolved, numbers) = routes(&workload);
        let table = build(&resolved, shape.listener());
        beside(arguments, title, &|thread, barrier| {
            let mut buffers = Buffers::new(&workload);
            let targets = buffers.targets(&workload);
            let mut gatepost = Gatepost::of(&workload, table.clone(), &numbers, targets);
            let mut at = thread as usize * 1_000;
            timed(barrier, FINDS, || {
                at = (at + 1) % workload.random.len();
                assert_eq!(gatepost.find(Mode::Random, at), workload.random[at].want);
            })
        });
    }
    let backends = backends(10);
    let shared = Tickets::new(1);
    beside(arguments, "pick of 10, Tickets shared", &|_, barrier| {
        timed(barrier, PICKS, || {
            black_box(backends.pick(shared.draw()).is_ok());
        })
    });
    beside(arguments, "pick of 10, Tickets each", &|thread, barrier| {
        let own = Tickets::new(thread);
        timed(barrier, PICKS, || {
            black_box(backends.pick(own.draw()).is_ok());
        })
    });
}

/// Starts with the others; how long one turn took.
fn timed(barrier: &Barrier, times: usize, mut once: impl FnMut()) -> f64 {
    barrier.wait();
    let clock = Instant::now();
    for _ in 0..times {
        once();
    }
    clock.elapsed().as_nanos() as f64 / times as f64
}

/// Measures one thread alone and two at once, in turn.
fn beside(arguments: &Arguments, case: &str, work: Work<'_>) {
    let subjects = [(1, "one thread"), (2, "each of two threads")];
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..arguments.rounds.max(1) {
        for ((count, _), times) in subjects.iter().zip(&mut times) {
            let barrier = Barrier::new(*count);
            let took: Vec<f64> = thread::scope(|scope| {
                let threads: Vec<_> = (0_u64..)
                    .take(*count)
                    .map(|thread| {
                        let barrier = &barrier;
                        scope.spawn(move || work(thread, barrier))
                    })
                    .collect();
                let results = threads.into_iter().map(|thread| thread.join());
                results
                    .map(|took| took.expect("every answer is right"))
                    .collect()
            });
            times.push(took.iter().sum::<f64>() / took.len() as f64);
        }
    }
    for ((_, subject), times) in subjects.into_iter().zip(times) {
        print(arguments, line("threads", case, subject, times));
    }
}
