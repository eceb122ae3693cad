//! Writes `docs/performance.md` and its plots of what `scripts/performance` measured.

mod controller;
mod format;
mod goals;
mod matchers;
mod plot;
mod reasons;
mod requests;
mod run;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use run::Run;

/// Write docs/performance.md of what was measured.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where the measurements lie, and plots go.
    #[arg(long, default_value = "docs/performance")]
    data: PathBuf,
    /// The page.
    #[arg(long, default_value = "docs/performance.md")]
    page: PathBuf,
}

const HEAD: &str = "# Performance

Written by `make performance`; nothing here is typed by hand. Each part says of which commit it is, and `scripts/performance PART` measures
that part alone. What was measured lies in `docs/performance/`, a JSON object a line. Compare ratios with those of another machine, not times.
";

fn main() -> ExitCode {
    match write(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("report: {message}");
            ExitCode::FAILURE
        }
    }
}

fn write(arguments: &Arguments) -> Result<(), String> {
    let part = |name: &str| Run::read(&arguments.data.join(name));
    let mut page = HEAD.to_owned();
    if let Some(run) = part("matchers.jsonl")? {
        let measured = run
            .measured()
            .map_err(|error| format!("matchers.jsonl: {error}"))?;
        page += &goals::section(&run, &measured);
        let (text, plots) = matchers::section(&run, &measured.matchers);
        page += &text;
        for (name, plot) in plots {
            put(&arguments.data.join(name), &plot)?;
        }
        page += &requests::section(&measured);
    }
    if let Some(run) = part("controller.txt")? {
        page += &controller::section(&run);
    }
    if let Some(run) = part("proxies.txt")? {
        page += &controller::proxies(&run);
    }
    put(&arguments.page, &page)
}

fn put(path: &std::path::Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
