//! Incremental and fresh resolution on random sequences of changes: `cargo run --release -p gatepost-conformance --bin follow`.

use std::process::ExitCode;

use clap::Parser;
use gatepost_conformance::sequence::{Changes, run};

/// Compare a resolver that follows changes with fresh resolutions.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many sequences.
    #[arg(long, default_value_t = 20_000)]
    sequences: u64,
    /// Steps in each.
    #[arg(long, default_value_t = 30)]
    steps: u32,
    /// The seed of the first.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut changes = Changes::new(arguments.seed);
    let mut count = 0_u64;
    for number in 0..arguments.sequences {
        let seed = arguments.seed.wrapping_add(number);
        changes.reseed(seed);
        match run(&mut changes, number % 2 == 1, arguments.steps) {
            Ok(done) => count += u64::from(done),
            Err(why) => {
                println!("seed {seed}: {why}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!(
        "{} sequences, {count} changes, no difference",
        arguments.sequences
    );
    ExitCode::SUCCESS
}
