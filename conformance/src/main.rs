//! Long checks: `cargo run --release -p gatepost-conformance -- agree --pairs 100000 --seed 1`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use gatepost_conformance::generate::Generator;
use gatepost_conformance::subject::{Model, Subject, Table};
use serde_json::Value;

/// Long checks of gatepost.
#[derive(Debug, Parser)]
struct Command {
    #[command(subcommand)]
    check: Check,
}

#[derive(Debug, Subcommand)]
enum Check {
    /// Compare the table with the reference model on generated pairs of table and request or connection.
    Agree(Agree),
}

#[derive(Debug, Args)]
struct Agree {
    /// How many pairs of table and request.
    #[arg(long, default_value_t = 100_000)]
    pairs: u64,
    /// The seed of all of it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Requests for each table.
    #[arg(long, default_value_t = 50)]
    requests: u64,
}

fn main() -> ExitCode {
    let Check::Agree(arguments) = Command::parse().check;
    agree(&arguments)
}

fn agree(arguments: &Agree) -> ExitCode {
    let mut generator = Generator::new(arguments.seed);
    let mut classes: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut done, mut hits) = (0, 0);
    while done < arguments.pairs {
        let objects = generator.objects();
        let resources = Generator::resources(&objects);
        let (table, model) = (Table::new(&resources), Model::new(&resources));
        for _ in 0..arguments.requests.min(arguments.pairs - done) {
            let request = generator.request(&objects);
            let (from_table, from_model) = (table.answer(&request), model.answer(&request));
            if from_table != from_model {
                let objects = shrink(objects, &request);
                let resources = Generator::resources(&objects);
                println!(
                    "table and model disagree after {done} pairs (seed {}):",
                    arguments.seed
                );
                for object in objects.iter().filter(|object| object["kind"] != "Secret") {
                    println!("---\n{object:#}");
                }
                println!(
                    "request: {request:?}\ntarget: {}",
                    String::from_utf8_lossy(&request.target)
                );
                println!(
                    "table: {:?}\nmodel: {:?}",
                    Table::new(&resources).answer(&request),
                    Model::new(&resources).answer(&request)
                );
                return ExitCode::FAILURE;
            }
            *classes.entry(from_table.class()).or_default() += 1;
            hits += u64::from(from_table.is_hit());
            done += 1;
        }
    }
    let share = |count: u64| {
        format!(
            "{}.{:02} %",
            count * 100 / done,
            count * 10_000 / done % 100
        )
    };
    let classes: Vec<String> = classes
        .iter()
        .map(|(class, count)| format!("{class} {}", share(*count)))
        .collect();
    println!(
        "{done} pairs agree (seed {}): hits {}; {}",
        arguments.seed,
        share(hits),
        classes.join(", ")
    );
    ExitCode::SUCCESS
}

/// Takes objects and rules away as long as the two still disagree.
fn shrink(mut objects: Vec<Value>, request: &gatepost_conformance::request::Request) -> Vec<Value> {
    let disagree = |objects: &[Value]| {
        let resources = Generator::resources(objects);
        Table::new(&resources).answer(request) != Model::new(&resources).answer(request)
    };
    let mut at = 0;
    while at < objects.len() {
        let mut fewer = objects.clone();
        fewer.remove(at);
        if disagree(&fewer) {
            objects = fewer;
        } else {
            at += 1;
        }
    }
    for number in 0..objects.len() {
        for list in ["/spec/rules", "/spec/hostnames", "/spec/listeners"] {
            let mut index = 0;
            while objects[number]
                .pointer(list)
                .and_then(Value::as_array)
                .is_some_and(|items| index < items.len())
            {
                let mut fewer = objects.clone();
                if let Some(items) = fewer[number]
                    .pointer_mut(list)
                    .and_then(Value::as_array_mut)
                {
                    items.remove(index);
                }
                if disagree(&fewer) {
                    objects = fewer;
                } else {
                    index += 1;
                }
            }
        }
    }
    objects
}
