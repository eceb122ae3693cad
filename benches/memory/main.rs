//! Measures what is held: resources and what they come to, in bytes a route; tables, in bytes a rule.
//!
//! A program of its own, because counting what is allocated costs time.

use std::alloc::System;
use std::sync::Arc;

use clap::Parser;
use gatepost::controller::{Controller, Resolver};
use gatepost::key::Kind;
use gatepost::resources::Change;
use gatepost::rule::{
    Backend, BackendDestination, BackendProtocol, Backends, Rare, Rule, ServicePort,
};
use serde::Serialize;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

use gatepost_benches::manifests::cluster;
use gatepost_benches::shapes::{Shape, Workload};
use gatepost_benches::subjects::gatepost::{build, routes};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Measure what resources, resolutions and tables hold.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many HTTPRoutes the cluster has.
    #[arg(long, default_value_t = 10_000)]
    routes: usize,
    /// Tables of these shapes instead, as JSON lines.
    #[arg(long, value_enum, num_args = 1..)]
    tables: Vec<Shape>,
    /// How many rules the tables have.
    #[arg(long, default_value_t = 100_000)]
    rules: usize,
}

/// What a table of one shape holds.
#[derive(Debug, Serialize)]
struct Held {
    shape: Shape,
    rules: usize,
    /// What `RouteTable::build` adds to the rules, a rule.
    index_bytes: f64,
    /// That, and the rules with their routes, hostnames and backends, a rule.
    whole_bytes: f64,
}

fn main() {
    let arguments = Arguments::parse();
    if arguments.tables.is_empty() {
        return resources(arguments.routes);
    }
    for &shape in &arguments.tables {
        let held = table(shape, arguments.rules);
        println!("{}", serde_json::to_string(&held).expect("plain data"));
    }
}

/// Bytes that came to live since.
fn live(region: &Region<'_, System>) -> f64 {
    let change = region.change();
    change.bytes_allocated as f64 - change.bytes_deallocated as f64
}

fn resources(routes: usize) {
    let print = |what: &str, region: &Region<'_, System>| {
        let name = format!("{what}: {routes} HTTPRoutes, 1,000 Services");
        let held = live(region) / routes as f64;
        println!("{name:<72} {held:>8.0} bytes a route");
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

/// A table of routes of 16 rules at most, each rule with 2 of 100 backends.
fn table(shape: Shape, rules: usize) -> Held {
    let workload = Workload::new(shape, rules, 1);
    let whole = Region::new(HEAP);
    let (mut resolved, numbers) = routes(&workload);
    drop(numbers);
    let services = (0..100).map(|number| {
        Arc::new(BackendDestination {
            port: ServicePort {
                kind: Kind::Service,
                namespace: "bench".into(),
                name: format!("service-{number:02}").into(),
                port: 8080,
            },
            protocol: BackendProtocol::default(),
            tls: None,
            session: None,
            retry_budget: None,
        })
    });
    // As the resolver keeps them: one value for each port of a Service.
    let services: Vec<Arc<BackendDestination>> = services.collect();
    let mut next = 0;
    let mut backends = || {
        let entries = [0_u16, 1].map(|index| {
            next += 1;
            Backend {
                index,
                weight: 1,
                destination: Ok(Arc::clone(&services[next % services.len()])),
                filters: Rare::default(),
            }
        });
        Backends::new(entries.into())
    };
    for route in &mut resolved {
        let mut with_backends = (**route).clone();
        for rule in &mut with_backends.rules {
            *rule = Arc::new(Rule {
                backends: backends(),
                ..Rule::clone(rule)
            });
        }
        *route = Arc::new(with_backends);
    }
    let index = Region::new(HEAP);
    let table = build(&resolved, shape.listener());
    let held = Held {
        shape,
        rules,
        index_bytes: live(&index) / rules as f64,
        whole_bytes: live(&whole) / rules as f64,
    };
    drop(table);
    held
}
