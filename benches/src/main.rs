//! Measures route matchers beside each other: one process a measurement, subjects interleaved over several rounds.
//!
//! Each line printed is one subject in one mode: the median over the rounds, with the lowest and highest round. A wrong answer of anyone,
//! or an allocation of gatepost's in a look-up, is a failure.

use std::alloc::System;
use std::io::Write;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use clap::{Parser, ValueEnum};
use serde::{Deserialize, Serialize};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

use gatepost_benches::measure::{self, Sample};
use gatepost_benches::shapes::{Shape, Workload};
use gatepost_benches::subjects::gatepost::{Buffers, Gatepost, routes};
use gatepost_benches::subjects::list::{List, Sorted};
use gatepost_benches::subjects::new_many::NewMany;
use gatepost_benches::subjects::paths::{Actix, ByHost, Matchit, PathTree, Wayfind};
use gatepost_benches::subjects::probe::Probe;
use gatepost_benches::subjects::{Mode, Name, Subject};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Measure route matchers beside each other.
#[derive(Debug, Parser)]
#[command(
    after_help = "Example:\n  matchers --subject gatepost matchit list probe --shape a --rules 100000 --json"
)]
struct Arguments {
    /// Which matchers.
    #[arg(long, value_enum, num_args = 1.., default_values = ["gatepost", "matchit", "list", "probe"])]
    subject: Vec<Name>,
    /// Which shapes of table.
    #[arg(long, value_enum, num_args = 1.., default_values = ["a", "b"])]
    shape: Vec<Shape>,
    /// How many rules.
    #[arg(long, num_args = 1.., default_values_t = [10, 1_000, 100_000])]
    rules: Vec<usize>,
    /// Which requests.
    #[arg(long, value_enum, num_args = 1.., default_values = ["hot", "random", "miss", "cold"])]
    mode: Vec<Mode>,
    /// How often each subject is measured, in turn with the others.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seed of rules and requests.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print a JSON line for each subject and mode.
    #[arg(long)]
    json: bool,
    /// Measure here, once, and print the raw result.
    #[arg(long, hide = true)]
    child: bool,
    /// How many bytes the probe goes through.
    #[arg(long, hide = true, default_value_t = 0)]
    probe_bytes: usize,
}

/// What one process measured.
#[derive(Debug, Serialize, Deserialize)]
struct Measured {
    build_ms: f64,
    heap_bytes_per_rule: f64,
    modes: Vec<Sample>,
}

/// One line of the result.
#[derive(Debug, Serialize)]
struct Line {
    subject: Name,
    shape: Shape,
    rules: usize,
    mode: Mode,
    nanoseconds: f64,
    lowest: f64,
    highest: f64,
    p90: f64,
    allocations: f64,
    heap_bytes_per_rule: f64,
    build_ms: f64,
    wrong: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.child {
        let measured = child(&arguments);
        println!("{}", serde_json::to_string(&measured).expect("plain data"));
        return ExitCode::SUCCESS;
    }
    let (mut wrong, mut allocating) = (0, false);
    if !arguments.json {
        println!(
            "{:<12} {:>9} {:>8} {:<7} {:>10} {:>19} {:>10} {:>7} {:>9} {:>9} {:>6}",
            "subject",
            "shape",
            "rules",
            "mode",
            "ns",
            "lowest … highest",
            "p90",
            "allocs",
            "B/rule",
            "build ms",
            "wrong"
        );
    }
    for &shape in &arguments.shape {
        for &rules in &arguments.rules {
            match table(&arguments, shape, rules) {
                Ok(lines) => {
                    for line in lines {
                        wrong += line.wrong;
                        allocating |= line.subject == Name::Gatepost && line.allocations > 0.0;
                        print(&line, arguments.json);
                    }
                }
                Err(message) => {
                    eprintln!("matchers: {message}");
                    return ExitCode::from(2);
                }
            }
        }
    }
    if wrong > 0 {
        eprintln!("matchers: {wrong} answers were wrong");
    }
    if allocating {
        eprintln!("matchers: gatepost allocated in a look-up");
    }
    ExitCode::from(u8::from(wrong > 0 || allocating))
}

/// Measures all subjects on one table, in turn, and merges the rounds.
fn table(arguments: &Arguments, shape: Shape, rules: usize) -> Result<Vec<Line>, String> {
    let subjects: Vec<Name> = arguments
        .subject
        .iter()
        .copied()
        .filter(|name| name.can(shape, rules))
        .collect();
    let mut rounds: Vec<Vec<Measured>> = subjects.iter().map(|_| Vec::new()).collect();
    // The probe goes through as much memory as the first matcher holds.
    let mut table = rules * 80;
    for _ in 0..arguments.rounds.max(1) {
        for (subject, results) in subjects.iter().zip(&mut rounds) {
            let measured = spawn(arguments, *subject, shape, rules, table)?;
            if Some(subject) == subjects.iter().find(|name| **name != Name::Probe) {
                table = (measured.heap_bytes_per_rule * rules as f64) as usize;
            }
            results.push(measured);
        }
    }
    let mut lines = Vec::new();
    for (subject, results) in subjects.iter().zip(&rounds) {
        for (position, mode) in arguments.mode.iter().enumerate() {
            let of = |pick: fn(&Sample) -> f64| -> Vec<f64> {
                let mut values: Vec<f64> = results
                    .iter()
                    .map(|round| pick(&round.modes[position]))
                    .collect();
                values.sort_by(f64::total_cmp);
                values
            };
            let nanoseconds = of(|sample| sample.nanoseconds);
            let mut builds: Vec<f64> = results.iter().map(|round| round.build_ms).collect();
            builds.sort_by(f64::total_cmp);
            lines.push(Line {
                subject: *subject,
                shape,
                rules,
                mode: *mode,
                nanoseconds: median(&nanoseconds),
                lowest: nanoseconds[0],
                highest: nanoseconds[nanoseconds.len() - 1],
                p90: median(&of(|sample| sample.p90)),
                // The most of any round: once is too often.
                allocations: of(|sample| sample.allocations)[results.len() - 1],
                heap_bytes_per_rule: results[0].heap_bytes_per_rule,
                build_ms: median(&builds),
                wrong: results
                    .iter()
                    .map(|round| round.modes[position].wrong)
                    .sum(),
            });
        }
    }
    Ok(lines)
}

fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}

fn spawn(
    arguments: &Arguments,
    subject: Name,
    shape: Shape,
    rules: usize,
    probe_bytes: usize,
) -> Result<Measured, String> {
    let mut command = Command::new(std::env::current_exe().map_err(|error| error.to_string())?);
    command.arg("--child");
    command.args(["--subject", &word(&subject), "--shape", &word(&shape)]);
    command.args([
        "--rules",
        &rules.to_string(),
        "--seed",
        &arguments.seed.to_string(),
        "--probe-bytes",
        &probe_bytes.to_string(),
    ]);
    command.arg("--mode").args(arguments.mode.iter().map(word));
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("the measuring process could not start: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "the measuring process of `{}` failed",
            word(&subject)
        ));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("unreadable result: {error}"))
}

/// The word of a value as it stands on the command line and in JSON.
fn word(value: &impl ValueEnum) -> String {
    let possible = value.to_possible_value().expect("no value is hidden");
    possible.get_name().to_owned()
}

/// Builds one subject on one table and measures the modes.
fn child(arguments: &Arguments) -> Measured {
    let (subject, shape, rules) = (arguments.subject[0], arguments.shape[0], arguments.rules[0]);
    let workload = Workload::new(shape, rules, arguments.seed);
    // Resolved rules and judged targets are what the table is given; they are not part of its bill.
    let (resolved, numbers) = if subject == Name::Gatepost {
        routes(&workload)
    } else {
        Default::default()
    };
    let mut buffers = Buffers::new(&workload);
    let targets = buffers.targets(&workload);
    let region = Region::new(HEAP);
    let clock = Instant::now();
    let mut built: Box<dyn Subject + '_> = match subject {
        Name::Gatepost => Box::new(Gatepost::new(&workload, &resolved, &numbers, targets)),
        Name::List => Box::new(List::new(&workload)),
        Name::Sorted => Box::new(Sorted::new(&workload)),
        Name::Matchit => Box::new(ByHost::<Matchit>::new(&workload)),
        Name::Wayfind => Box::new(ByHost::<Wayfind>::new(&workload)),
        Name::PathTree => Box::new(ByHost::<PathTree>::new(&workload)),
        Name::ActixRouter => Box::new(ByHost::<Actix>::new(&workload)),
        Name::NewMany => Box::new(NewMany::new(&workload)),
        Name::Probe => Box::new(Probe::new(arguments.probe_bytes, arguments.seed)),
    };
    let build_ms = clock.elapsed().as_secs_f64() * 1e3;
    let change = region.change();
    let live = change.bytes_allocated as f64 - change.bytes_deallocated as f64;
    let judged = subject != Name::Probe;
    let modes = arguments
        .mode
        .iter()
        .map(|&mode| measure::mode(&mut *built, &workload, mode, judged, HEAP))
        .collect();
    Measured {
        build_ms,
        heap_bytes_per_rule: live / rules as f64,
        modes,
    }
}

fn print(line: &Line, json: bool) {
    let mut out = std::io::stdout().lock();
    let result = if json {
        writeln!(out, "{}", serde_json::to_string(line).expect("plain data"))
    } else {
        writeln!(
            out,
            "{:<12} {:>9} {:>8} {:<7} {:>10.1} {:>8.1} … {:>8.1} {:>10.1} {:>7.2} {:>9.0} {:>9.1} {:>6}",
            word(&line.subject),
            word(&line.shape),
            line.rules,
            word(&line.mode),
            line.nanoseconds,
            line.lowest,
            line.highest,
            line.p90,
            line.allocations,
            line.heap_bytes_per_rule,
            line.build_ms,
            line.wrong
        )
    };
    // A reader that went away (`| head`) ends the run quietly.
    if result.is_err() {
        std::process::exit(0);
    }
}
