//! What a change of configuration costs: resolving resources, building the table.

use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use gatepost::controller::Controller;
use gatepost_benches::manifests::{cluster, load, yaml};
use gatepost_benches::shapes::{Shape, Workload};
use gatepost_benches::subjects::gatepost::{build, routes};

fn documents(criterion: &mut Criterion) {
    let text = yaml(100, 10);
    criterion.bench_function("read and validate 100 routes x 10 rules", |bench| {
        bench.iter(|| load(&text));
    });
}

fn resolve(criterion: &mut Criterion) {
    let resources = cluster(1_000);
    criterion.bench_function("resolve 1,000 routes", |bench| {
        bench.iter(|| Controller::default().resolve(&resources));
    });
}

fn table(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("build");
    for (name, shape) in [("a", Shape::A), ("b", Shape::B), ("c", Shape::C)] {
        let (resolved, _) = routes(&Workload::new(shape, 10_000, 1));
        group.bench_function(format!("{name}, 10,000 rules"), |bench| {
            bench.iter_batched(|| (), |()| build(&resolved, None), BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(3));
    targets = documents, resolve, table
}
criterion_main!(benches);
