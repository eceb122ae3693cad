//! Measures what a request costs beside the rule that is found: judging its target, reading its fields, picking a backend; and what
//! two threads cost each other.
//!
//! Each line is one subject in one case: the median over the rounds, with the lowest and highest; in each round all subjects have
//! their turn.

mod fields;
mod selection;
mod target;
mod threads;

use std::alloc::System;
use std::io::Write;
use std::time::Instant;

use clap::Parser;
use serde::Serialize;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How often something is done between two looks at the clock.
const CHUNK: u32 = 10_000;

/// Measure judging of targets, picking of backends, and threads beside each other.
#[derive(Debug, Parser)]
struct Arguments {
    /// How often each subject is measured, in turn with the others.
    #[arg(long, default_value_t = 11)]
    rounds: usize,
    /// Print a JSON line for each.
    #[arg(long)]
    json: bool,
}

/// One subject in one case.
#[derive(Debug, Serialize)]
struct Line {
    part: &'static str,
    case: String,
    subject: &'static str,
    nanoseconds: f64,
    lowest: f64,
    highest: f64,
    allocations: f64,
    /// The largest difference from the exact share, of any backend in any 1,000 picks.
    #[serde(skip_serializing_if = "Option::is_none")]
    share_error: Option<f64>,
}

/// One subject of a case: what is done again and again, and what it is called.
struct Subject<'s> {
    name: &'static str,
    run: Box<dyn FnMut(u32) + 's>,
    share_error: Option<f64>,
}

impl<'s> Subject<'s> {
    /// A subject that does something once.
    fn new(name: &'static str, mut once: impl FnMut() + 's) -> Subject<'s> {
        Subject {
            name,
            run: Box::new(move |times| {
                for _ in 0..times {
                    once();
                }
            }),
            share_error: None,
        }
    }
}

fn main() {
    let arguments = Arguments::parse();
    if !arguments.json {
        println!(
            "{:<10} {:<32} {:<32} {:>8} {:>19} {:>7} {:>12}",
            "part", "case", "subject", "ns", "lowest … highest", "allocs", "share error"
        );
    }
    target::measure(&arguments);
    fields::measure(&arguments);
    selection::measure(&arguments);
    threads::measure(&arguments);
}

/// Measures the subjects of one case, in turn.
fn case(arguments: &Arguments, part: &'static str, case: &str, mut subjects: Vec<Subject<'_>>) {
    let mut times: Vec<Vec<f64>> = subjects.iter().map(|_| Vec::new()).collect();
    let mut allocations = vec![0.0; subjects.len()];
    for _ in 0..arguments.rounds.max(1) {
        for (number, subject) in subjects.iter_mut().enumerate() {
            (subject.run)(CHUNK);
            let mut chunks: Vec<f64> = Vec::with_capacity(21);
            let region = Region::new(HEAP);
            for _ in 0..chunks.capacity() {
                let clock = Instant::now();
                (subject.run)(CHUNK);
                chunks.push(clock.elapsed().as_nanos() as f64 / f64::from(CHUNK));
            }
            let done = chunks.len() as f64 * f64::from(CHUNK);
            allocations[number] = region.change().allocations as f64 / done;
            chunks.sort_by(f64::total_cmp);
            times[number].push(chunks[chunks.len() / 2]);
        }
    }
    for ((subject, times), allocations) in subjects.iter().zip(times).zip(allocations) {
        print(
            arguments,
            Line {
                allocations,
                share_error: subject.share_error,
                ..line(part, case, subject.name, times)
            },
        );
    }
}

/// The line of these rounds.
fn line(part: &'static str, case: &str, subject: &'static str, mut times: Vec<f64>) -> Line {
    times.sort_by(f64::total_cmp);
    Line {
        part,
        case: case.to_owned(),
        subject,
        nanoseconds: times[times.len() / 2],
        lowest: times[0],
        highest: times[times.len() - 1],
        allocations: 0.0,
        share_error: None,
    }
}

fn print(arguments: &Arguments, line: Line) {
    let mut out = std::io::stdout().lock();
    let written = if arguments.json {
        writeln!(out, "{}", serde_json::to_string(&line).expect("plain data"))
    } else {
        let share = line
            .share_error
            .map_or_else(String::new, |error| format!("±{error:.1}"));
        writeln!(
            out,
            "{:<10} {:<32} {:<32} {:>8.1} {:>8.1} … {:>8.1} {:>7.2} {share:>12}",
            line.part,
            line.case,
            line.subject,
            line.nanoseconds,
            line.lowest,
            line.highest,
            line.allocations
        )
    };
    // A reader that went away (`| head`) ends the run quietly.
    if written.is_err() {
        std::process::exit(0);
    }
}
