//! What one request costs: judging its target, finding its rule, picking its backend.
//!
//! For comparisons with peers see `matchers`; these are for whoever changes one of the three and wants to see what it did.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use gatepost_benches::selection::backends;
use gatepost_benches::shapes::{Shape, Workload};
use gatepost_benches::subjects::gatepost::{Buffers, Gatepost, routes, target};
use gatepost_benches::subjects::{Mode, Subject};

fn targets(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("target");
    for (name, path) in [
        (
            "canonical, 60 bytes",
            "/api/v1/organizations/org-00123/projects/proj-00456/tasks/7?a=1",
        ),
        (
            "to be decoded",
            "/api/v1/%6Frganizations/../org-00123//projects/caf%c3%a9?a=1",
        ),
    ] {
        let mut buffer = Vec::new();
        group.bench_function(name, |bench| {
            bench.iter(|| {
                let target = target(
                    black_box(path),
                    black_box("shop.apps.bench.example"),
                    &mut buffer,
                );
                black_box(target.path().len())
            });
        });
    }
    group.finish();
}

fn find(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("find");
    for (name, shape) in [("a", Shape::A), ("b", Shape::B), ("c", Shape::C)] {
        let workload = Workload::new(shape, 10_000, 1);
        let (resolved, numbers) = routes(&workload);
        let mut buffers = Buffers::new(&workload);
        let mut gatepost =
            Gatepost::new(&workload, &resolved, &numbers, buffers.targets(&workload));
        let mut at = 0;
        group.bench_function(format!("{name}, 10,000 rules, random"), |bench| {
            bench.iter(|| {
                at = (at + 1) % workload.random.len();
                let found = gatepost.find(Mode::Random, at);
                assert_eq!(found, workload.random[at].want);
                found
            });
        });
    }
    group.finish();
}

fn pick(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pick");
    for count in [2_u16, 10, 100] {
        let backends = backends(count);
        let mut ticket = 0_u64;
        group.bench_function(format!("{count} backends"), |bench| {
            bench.iter(|| {
                ticket = ticket.wrapping_add(0x9E37_79B9_7F4A_7C15);
                black_box(backends.pick(black_box(ticket)).is_ok())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, targets, find, pick);
criterion_main!(benches);
