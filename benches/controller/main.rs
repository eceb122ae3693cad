//! Measures what a controller does: reading and validating manifests, resolving them, and one change among many.
//!
//! Each line is one quantity: the median over the repeats, with the lowest and the highest.

use std::hint::black_box;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use gatepost::controller::{Controller, Resolver};
use gatepost::document::Limits;
use gatepost::manifest;
use gatepost::resources::{Change, Resource, Resources};
use gatepost::status::Facts;
use gatepost::timestamp::Timestamp;
use serde::Serialize;

use gatepost_benches::manifests::{
    certificate, cluster, endpoint_slice, grant, load, resource, route, secret, yaml,
};

/// Measure reading, validating, resolving and changes.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many HTTPRoutes the cluster has.
    #[arg(long, default_value_t = 10_000)]
    routes: usize,
    /// How often each quantity is measured.
    #[arg(long, default_value_t = 11)]
    repeats: usize,
    /// Which quantities: those whose name has this in it.
    #[arg(long, default_value = "")]
    only: String,
    /// Print a JSON line for each quantity.
    #[arg(long)]
    json: bool,
}

/// One quantity.
#[derive(Debug, Serialize)]
struct Line {
    quantity: String,
    unit: &'static str,
    median: f64,
    lowest: f64,
    highest: f64,
    goal: Option<f64>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if !arguments.json {
        println!(
            "{:<52} {:>10} {:>10} {:>10} {:>8}",
            "quantity", "median", "lowest", "highest", "goal"
        );
    }
    texts(&arguments);
    resolution(&arguments);
    changes(&arguments);
    ExitCode::SUCCESS
}

/// Reading and validating, as `gatepost check` does.
fn texts(arguments: &Arguments) {
    for (routes, rules, goal) in [(1_000, 10, 100.0), (10_000, 1, 300.0)] {
        let text = yaml(routes, rules);
        let size = text.len() as f64 / f64::from(1 << 20);
        let name = format!("{routes} HTTPRoutes x {rules} rules, {size:.1} MiB of YAML");
        milliseconds(arguments, &format!("read: {name}"), None, || {
            manifest::read("bench.yaml", text.as_bytes(), &Limits::default())
        });
        milliseconds(
            arguments,
            &format!("read and validate: {name}"),
            Some(goal),
            || load(&text),
        );
    }
}

/// A fresh resolution, and its statuses: of resources that have none yet, and of a cluster at rest.
fn resolution(arguments: &Arguments) {
    let resources = cluster(arguments.routes);
    let name = |what: &str| format!("{what}: {} HTTPRoutes, 1,000 Services", arguments.routes);
    let controller = Controller::default();
    milliseconds(arguments, &name("resolve"), Some(60.0), || {
        controller.resolve(&resources)
    });
    let now = Timestamp::from_unix_seconds(0);
    let resolution = controller.resolve(&resources);
    milliseconds(arguments, &name("statuses, all new"), None, || {
        resolution
            .statuses(&Facts::ideal())
            .changes(&resources, now)
    });
    let resources = settled(resources);
    milliseconds(
        arguments,
        &name("statuses, all as they should be"),
        None,
        || {
            resolution
                .statuses(&Facts::ideal())
                .changes(&resources, now)
        },
    );
}

/// One object changed among many, to the new table and the statuses.
fn changes(arguments: &Arguments) {
    let resources = settled(cluster(arguments.routes));
    let mut resolver = Resolver::new(Controller::default());
    resolver.apply(resources.iter().map(|(_, one)| Change::Put(one.clone())));
    let middle = arguments.routes / 2;
    let certificates = (certificate(), certificate());
    for (kind, one, two) in [
        ("HTTPRoute", route(middle, "/api"), route(middle, "/other")),
        ("EndpointSlice", endpoint_slice(7, 3), endpoint_slice(7, 4)),
        (
            "Secret",
            secret(3, &certificates.0),
            secret(3, &certificates.1),
        ),
        (
            "ReferenceGrant",
            grant(5, "HTTPRoute"),
            grant(5, "GRPCRoute"),
        ),
    ] {
        let versions = [resource(two), resource(one)];
        let mut turn = 0;
        let name = format!("one {kind} changed among {} HTTPRoutes", arguments.routes);
        milliseconds(arguments, &name, Some(0.5), || {
            turn += 1;
            change(&mut resolver, &versions[turn % 2])
        });
    }
}

/// What a controller does about one change: resolve it, and find the statuses to write.
fn change(resolver: &mut Resolver, to: &Arc<Resource>) -> usize {
    let delta = resolver.apply([Change::Put(to.clone())]);
    let now = Timestamp::from_unix_seconds(1);
    let changed = resolver.status_changes(&delta, &Facts::ideal(), now);
    delta.objects.len() + changed.len()
}

/// The resources with the statuses that they come to, as a cluster at rest.
fn settled(mut resources: Resources) -> Resources {
    let changes = Controller::default()
        .resolve(&resources)
        .statuses(&Facts::ideal())
        .changes(&resources, Timestamp::from_unix_seconds(0));
    for (key, status) in changes {
        let mut whole = resources.get(&key).expect("the object").to_json();
        whole["status"] = status;
        resources.insert(resource(whole));
    }
    resources
}

fn milliseconds<T>(
    arguments: &Arguments,
    quantity: &str,
    goal: Option<f64>,
    mut run: impl FnMut() -> T,
) {
    if !quantity.contains(&arguments.only) {
        return;
    }
    // Once for what grows on first use.
    drop(black_box(run()));
    let mut times: Vec<f64> = (0..arguments.repeats.max(1))
        .map(|_| {
            let clock = Instant::now();
            let done = black_box(run());
            let elapsed = clock.elapsed().as_secs_f64() * 1e3;
            // What was made is thrown away behind the clock.
            drop(done);
            elapsed
        })
        .collect();
    times.sort_by(f64::total_cmp);
    print(
        arguments,
        &Line {
            quantity: quantity.to_owned(),
            unit: "ms",
            median: times[times.len() / 2],
            lowest: times[0],
            highest: times[times.len() - 1],
            goal,
        },
    );
}

fn print(arguments: &Arguments, line: &Line) {
    let mut out = std::io::stdout().lock();
    let written = if arguments.json {
        writeln!(out, "{}", serde_json::to_string(line).expect("plain data"))
    } else {
        let goal = line.goal.map_or_else(String::new, |goal| format!("{goal}"));
        let digits = if line.unit == "ms" { 3 } else { 0 };
        writeln!(
            out,
            "{:<52} {:>10.digits$} {:>10.digits$} {:>10.digits$} {:>8} {}",
            line.quantity, line.median, line.lowest, line.highest, goal, line.unit
        )
    };
    // A reader that went away (`| head`) ends the run quietly.
    if written.is_err() {
        std::process::exit(0);
    }
}
