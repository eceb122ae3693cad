//! Picking one of several backends by weight, and how far the shares are from exact.

use std::hint::black_box;

use gatepost::rule::{NoBackend, Tickets};
use gatepost_benches::selection::{backends, weights};
use rand::SeedableRng;
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand::rngs::SmallRng;
use rand_distr::weighted::WeightedAliasIndex;

use super::{Arguments, Subject, case};

/// Windows of picks, one after another, in which shares are counted.
const WINDOWS: usize = 50;
/// Picks of a window.
const WINDOW: usize = 1_000;

pub(crate) fn measure(arguments: &Arguments) {
    for count in [2, 10, 100] {
        let weights = weights(count);
        let backends = backends(count);
        let pick = |ticket| match backends.pick(ticket) {
            Err(NoBackend::Invalid { index, .. }) => usize::from(index),
            _ => unreachable!("no backend is valid, and one is picked"),
        };
        let mut own = Tickets::new(1);
        let own = || pick(own.draw_mut());
        let shared = Tickets::new(1);
        let shared = || pick(shared.draw());
        let kept = WeightedIndex::new(&weights).expect("weights are sound");
        let mut rng = SmallRng::seed_from_u64(1);
        let kept = || kept.sample(&mut rng);
        let mut rng = SmallRng::seed_from_u64(1);
        let rebuilt = || {
            let index = WeightedIndex::new(&weights).expect("weights are sound");
            index.sample(&mut rng)
        };
        let alias = WeightedAliasIndex::new(weights.clone()).expect("weights are sound");
        let mut rng = SmallRng::seed_from_u64(1);
        let alias = || alias.sample(&mut rng);
        let subjects = vec![
            subject("gatepost, Tickets of the thread's own", &weights, own),
            subject("gatepost, Tickets that threads share", &weights, shared),
            subject("rand, WeightedIndex", &weights, kept),
            subject("rand, WeightedIndex made anew", &weights, rebuilt),
            subject("rand_distr, WeightedAliasIndex", &weights, alias),
        ];
        case(arguments, "pick", &format!("{count} backends"), subjects);
    }
}

fn subject<'s>(
    name: &'static str,
    weights: &[u32],
    mut pick: impl FnMut() -> usize + 's,
) -> Subject<'s> {
    let share_error = share_error(weights, &mut pick);
    Subject {
        share_error: Some(share_error),
        ..Subject::new(name, move || {
            black_box(pick());
        })
    }
}

/// The largest difference from the exact share, of any backend in any window.
fn share_error(weights: &[u32], pick: &mut impl FnMut() -> usize) -> f64 {
    let total: f64 = weights.iter().copied().map(f64::from).sum();
    let mut worst = 0.0_f64;
    for _ in 0..WINDOWS {
        let mut counts = vec![0.0; weights.len()];
        for _ in 0..WINDOW {
            counts[pick()] += 1.0;
        }
        for (count, &weight) in counts.iter().zip(weights) {
            let exact = WINDOW as f64 * f64::from(weight) / total;
            worst = worst.max((count - exact).abs());
        }
    }
    worst
}
