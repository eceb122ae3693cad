//! What it costs to bring a table up to one route that changed.
//!
//! The table has the rules of `matchers`, at most 16 a route. Each measurement changes one rule of another route (what it
//! matches becomes what another rule matches, under a path of its own), puts the route into the listener's routes and
//! updates the table; all of that is in the bill, and the old table's end too.

use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use gatepost::rule::Routes;
use gatepost::table::RouteTable;
use gatepost_benches::changes::changed;
use gatepost_benches::shapes::{Shape, Workload};
use gatepost_benches::subjects::gatepost::{input, routes};
use serde::Serialize;

/// Measure changes of a table
#[derive(Debug, Parser)]
struct Arguments {
    /// Tables of these shapes
    #[arg(long, value_enum, num_args = 1.., default_values = ["a", "b", "c", "d", "e"])]
    shape: Vec<Shape>,
    /// With so many rules
    #[arg(long, num_args = 1.., default_values_t = [1_000, 100_000])]
    rules: Vec<usize>,
    /// How many changes are measured
    #[arg(long, default_value_t = 101)]
    changes: usize,
    /// Print a JSON line for each
    #[arg(long)]
    json: bool,
}

/// What was measured of one table
#[derive(Serialize)]
struct Line {
    shape: Shape,
    rules: usize,
    build_ms: f64,
    microseconds: f64,
    lowest: f64,
    p90: f64,
    highest: f64,
}

fn main() {
    let arguments = Arguments::parse();
    if !arguments.json {
        println!(
            "{:<10} {:>8} {:>12} {:>12} {:>12} {:>12} {:>12}",
            "shape", "rules", "build ms", "median µs", "lowest", "p90", "highest"
        );
    }
    for &shape in &arguments.shape {
        for &rules in &arguments.rules {
            let line = measure(shape, rules, arguments.changes.max(1));
            if arguments.json {
                println!("{}", serde_json::to_string(&line).expect("plain data"));
                continue;
            }
            println!(
                "{:<10} {:>8} {:>12.1} {:>12.1} {:>12.1} {:>12.1} {:>12.1}",
                format!("{:?}", line.shape).to_lowercase(),
                line.rules,
                line.build_ms,
                line.microseconds,
                line.lowest,
                line.p90,
                line.highest
            );
        }
    }
}

fn measure(shape: Shape, rules: usize, changes: usize) -> Line {
    let workload = Workload::new(shape, rules, 1);
    let hostname = shape.listener();
    let (resolved, _) = routes(&workload);
    let mut all: Routes = resolved.iter().cloned().collect();
    let clock = Instant::now();
    let mut table = RouteTable::build(&input(all.clone(), hostname));
    let build = clock.elapsed().as_secs_f64() * 1e3;
    let mut times: Vec<f64> = (0..changes)
        .map(|number| {
            let old = &resolved[number * 7_919 % resolved.len()];
            let known = all.get(&old.key).expect("it was put there");
            let new = Arc::new(changed(known, number));
            let clock = Instant::now();
            all.insert(new);
            table = table.update(&input(all.clone(), hostname));
            clock.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    Line {
        shape,
        rules,
        build_ms: build,
        microseconds: times[times.len() / 2],
        lowest: times[0],
        p90: times[times.len() * 9 / 10],
        highest: times[times.len() - 1],
    }
}
