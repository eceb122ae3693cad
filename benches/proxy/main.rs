//! Measures proxies beside each other: same routes, same backend, same load, subjects interleaved over several rounds.
//!
//! CPU is what the kernel accounts to the processes of the proxy, so it counts what the proxy does and not how fast the
//! load comes. Every answer is checked. Pin this program and its subjects to different processors with `--cpus`.

mod account;
mod load;
mod subjects;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use load::Kind;
use subjects::{Name, Running, Setup};

/// Measure proxies beside each other.
#[derive(Debug, Parser)]
struct Arguments {
    /// Which proxies; one whose program is missing is left out.
    #[arg(long, value_enum, num_args = 1.., default_values = ["gatepost", "nginx", "haproxy", "envoy"])]
    subject: Vec<Name>,
    /// How many rounds.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long each measurement lasts, in seconds.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// The program `gatepost`.
    #[arg(long, default_value = "target/release/gatepost")]
    gatepost: PathBuf,
    /// The program `envoy`.
    #[arg(long, default_value = "envoy")]
    envoy: PathBuf,
    /// The processor of the proxies; the load should run on another one.
    #[arg(long)]
    cpu: Option<usize>,
    /// How many idle connections are opened.
    #[arg(long, default_value_t = 1000)]
    idle: usize,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Scenario {
    Http1,
    Routes,
    Tls,
    Http2,
}

impl Scenario {
    const ALL: [(Scenario, &str, Kind, usize); 4] = [
        (Scenario::Http1, "HTTP/1, 1 route", Kind::Http1, 1),
        (
            Scenario::Routes,
            "HTTP/1, 10,000 routes on one host",
            Kind::Http1,
            10_000,
        ),
        (Scenario::Tls, "HTTP/1 over TLS, 1 route", Kind::Tls, 1),
        (Scenario::Http2, "HTTP/2, 1 route", Kind::Http2, 1),
    ];
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("proxies: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(measure(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("proxies: {error}");
            ExitCode::FAILURE
        }
    }
}

type Failure = Box<dyn std::error::Error>;

async fn measure(arguments: &Arguments) -> Result<(), Failure> {
    let backend = load::backend().await?;
    let mut cpu: BTreeMap<(Scenario, Name), Vec<f64>> = BTreeMap::new();
    let mut idle: BTreeMap<Name, Vec<f64>> = BTreeMap::new();
    for round in 0..arguments.rounds {
        for (scenario, _, kind, routes) in Scenario::ALL {
            for &name in &arguments.subject {
                let setup = Setup {
                    backend,
                    routes,
                    arguments,
                };
                let Some(running) = subjects::start(name, &setup).await? else {
                    continue;
                };
                let cost = cost(&running, kind, routes, arguments).await?;
                eprintln!("round {round}: {name:?} {scenario:?}: {cost:.2} µs");
                cpu.entry((scenario, name)).or_default().push(cost);
                if scenario == Scenario::Http1 {
                    idle.entry(name)
                        .or_default()
                        .push(resting(&running, arguments.idle).await?);
                }
            }
        }
    }
    println!(
        "CPU µs a request: median (lowest … highest) over {} rounds\n",
        arguments.rounds
    );
    for (scenario, title, ..) in Scenario::ALL {
        for &name in &arguments.subject {
            if let Some(costs) = cpu.get(&(scenario, name)) {
                println!("{title:<36}{name:<10?}{}", spread(costs));
            }
        }
    }
    println!(
        "\nMemory of an idle connection, KiB, of {}\n",
        arguments.idle
    );
    for (name, costs) in &idle {
        println!(
            "{:<36}{name:<10?}{}",
            "HTTP/1, after one request",
            spread(costs)
        );
    }
    println!(
        "\nReload of 10,000 routes: milliseconds until the change is served, connections closed\n"
    );
    for &name in &arguments.subject {
        let setup = Setup {
            backend,
            routes: 10_000,
            arguments,
        };
        let Some(running) = subjects::start(name, &setup).await? else {
            continue;
        };
        let mut times = Vec::new();
        let mut closed = 0;
        for round in 0..arguments.rounds {
            let Some((milliseconds, lost)) = running.reload(&setup, round).await? else {
                break;
            };
            times.push(milliseconds);
            closed += lost;
        }
        if !times.is_empty() {
            println!(
                "{:<36}{name:<10?}{}   {closed} of {}",
                "one rule of 10,000 changes",
                spread(&times),
                100 * times.len()
            );
        }
    }
    Ok(())
}

async fn cost(
    running: &Running,
    kind: Kind,
    routes: usize,
    arguments: &Arguments,
) -> Result<f64, Failure> {
    load::run(running, kind, routes, Duration::from_millis(500)).await?;
    let before = account::nanoseconds(running.process())?;
    let count = load::run(
        running,
        kind,
        routes,
        Duration::from_secs(arguments.seconds),
    )
    .await?;
    let after = account::nanoseconds(running.process())?;
    #[expect(clippy::cast_precision_loss, reason = "a few digits are enough")]
    let cost = (after - before) as f64 / 1000.0 / count.max(1) as f64;
    Ok(cost)
}

async fn resting(running: &Running, count: usize) -> Result<f64, Failure> {
    let before = account::kibibytes(running.process())?;
    let held = load::rest(running, count).await?;
    let after = account::kibibytes(running.process())?;
    drop(held);
    #[expect(clippy::cast_precision_loss, reason = "a few digits are enough")]
    let each = after.saturating_sub(before) as f64 / count.max(1) as f64;
    Ok(each)
}

fn spread(costs: &[f64]) -> String {
    let mut sorted = costs.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    format!(
        "{:>8.2} ({:.2} … {:.2})",
        at(sorted.len() / 2),
        at(0),
        at(sorted.len().saturating_sub(1))
    )
}
