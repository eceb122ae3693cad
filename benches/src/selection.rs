//! Backends to pick from, with the weights of the measurements.

use std::sync::Arc;

use gatepost::rule::{Backend, Backends, InvalidBackend, Rare};

/// 90 and 10 for two backends, else a mixture, again and again.
pub fn weights(count: u16) -> Vec<u32> {
    const MIXTURE: [u32; 11] = [1, 2, 3, 5, 10, 20, 1, 7, 50, 1, 1];
    match count {
        2 => vec![90, 10],
        _ => MIXTURE
            .iter()
            .copied()
            .cycle()
            .take(usize::from(count))
            .collect(),
    }
}

/// Backends with these weights. None is valid: they are picked and never asked, and a pick that falls on one that is invalid
/// costs the same and says its position.
pub fn backends(count: u16) -> Backends {
    let entry = |(index, weight)| Backend {
        index,
        weight,
        destination: Err(Arc::new(InvalidBackend {
            reason: "BackendNotFound",
            message: "only picked, never asked".into(),
        })),
        filters: Rare::default(),
    };
    Backends::new((0..count).zip(weights(count)).map(entry).collect())
}
