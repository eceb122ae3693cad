//! Measures what a controller holds: resources, and what they come to, in bytes a route.
//!
//! A program of its own, because counting what is allocated costs time.

use std::alloc::System;

use clap::Parser;
use gatepost::controller::{Controller, Resolver};
use gatepost::resources::Change;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

use gatepost_benches::manifests::cluster;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Measure what resources and resolutions hold.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many HTTPRoutes the cluster has.
    #[arg(long, default_value_t = 10_000)]
    routes: usize,
}

fn main() {
    let Arguments { routes } = Arguments::parse();
    let print = |what: &str, region: &Region<'_, System>| {
        let change = region.change();
        let held = change.bytes_allocated as f64 - change.bytes_deallocated as f64;
        let name = format!("{what}: {routes} HTTPRoutes, 1,000 Services");
        println!("{name:<72} {:>8.0} bytes a route", held / routes as f64);
    };
    let region = Region::new(HEAP);
    let resources = cluster(routes);
    print("resources hold", &region);
    let region = Region::new(HEAP);
    let resolution = Controller::default().resolve(&resources);
    print("a resolution holds, tables included", &region);
    drop(resolution);
    let region = Region::new(HEAP);
    let mut resolver = Resolver::new(Controller::default());
    let objects = resources.iter();
    resolver.apply(objects.map(|(_, one)| Change::Put(one.clone())));
    print("a resolver that follows changes holds beside them", &region);
}
