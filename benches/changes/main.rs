//! What it costs to bring a table up to one route that changed.
//!
//! The table has the rules of `matchers`, at most 16 a route. Each measurement changes one rule of another route (what it
//! matches becomes what another rule matches, under a path of its own), puts the route into the listener's routes and
//! updates the table; all of that is in the bill, and the old table's end too.

use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use gatepost::pattern::{Pattern, PatternLimits};
use gatepost::rule::{Matches, PathMatch, Route, Routes, Rule};
use gatepost::table::RouteTable;
use gatepost_benches::shapes::{Shape, Workload};
use gatepost_benches::subjects::gatepost::{input, routes};

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
}

fn main() {
    let arguments = Arguments::parse();
    println!(
        "{:<6} {:>8} {:>12} {:>12} {:>12} {:>12}",
        "shape", "rules", "build ms", "median µs", "lowest", "highest"
    );
    for &shape in &arguments.shape {
        for &rules in &arguments.rules {
            measure(shape, rules, arguments.changes);
        }
    }
}

fn measure(shape: Shape, rules: usize, changes: usize) {
    let workload = Workload::new(shape, rules, 1);
    let hostname = (shape == Shape::Hosts).then_some("*.bench.example");
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
    println!(
        "{:<6} {rules:>8} {build:>12.1} {:>12.1} {:>12.1} {:>12.1}",
        format!("{shape:?}").to_lowercase(),
        times[times.len() / 2],
        times[0],
        times[times.len() - 1]
    );
}

/// A route whose first rule matches something else.
fn changed(route: &Route, number: usize) -> Route {
    let mut route = route.clone();
    let Some(first) = route.rules.first_mut() else {
        return route;
    };
    let mut rule = Rule::clone(first);
    match &mut rule.matches {
        Matches::Http(matches) => {
            for one in matches {
                let longer =
                    |path: &[u8]| [path, format!("/new-{number}").as_bytes()].concat().into();
                one.path = match &one.path {
                    PathMatch::Exact(path) => PathMatch::Exact(longer(path)),
                    // Rules that are told apart by fields stay on their path.
                    PathMatch::Prefix(path) if one.headers.is_empty() && one.query.is_empty() => {
                        PathMatch::Prefix(longer(path))
                    }
                    PathMatch::Prefix(path) => {
                        one.query.clear();
                        PathMatch::Prefix(path.clone())
                    }
                    PathMatch::Pattern(pattern) => PathMatch::Pattern(
                        Pattern::parse(
                            &format!("{}-{number}", pattern.as_str()),
                            &PatternLimits::default(),
                        )
                        .expect("as sound as before"),
                    ),
                };
                one.method = Some(http::Method::PUT);
            }
        }
        Matches::Grpc(matches) => matches.iter_mut().for_each(|one| one.method = None),
        Matches::Connection => {}
    }
    *first = Arc::new(rule);
    route
}
