//! What a request costs beside the rule that is found, and what a change of the table costs.

use crate::format::{count, digits, table, time};
use crate::run::{Change, Held, Measured, Request};

pub(crate) fn section(measured: &Measured) -> String {
    let mut out = String::new();
    let of = |part: &str| -> Vec<&Request> {
        let lines = measured.requests.iter().filter(|line| line.part == part);
        lines.collect()
    };
    out += "
### Changes

One rule of another route is changed each time, the route put into the listener's routes, and the table brought up to it
(`RouteTable::update`); the old table's end is in the bill. Routes have at most 16 rules. `build` makes the table of resolved rules.

";
    out += &changes(&measured.changes);
    out += "
### Memory

Bytes a rule, in routes of at most 16 rules, each rule with 2 of 100 backends: the index is what building the table adds to the rules; the
whole has the rules with their routes, matches and backends in it.

";
    out += &memory(&measured.held);
    out += "
### Targets

`gatepost` judges a request target and its host and brings the path into canonical form; `http::Uri` parses the same text and judges nothing.

";
    out += &plain(&of("target"));
    out += "
### Fields

What a match may ask for besides the path, read from a request of shape c.

";
    out += &plain(&of("fields"));
    out += "
### Picking a backend

The worst difference from the exact share is that of any backend in any of 50 windows of 1,000 picks, one after the other. `rand` and
`rand_distr` draw from a small generator; `made anew` builds the index for each pick, as some proxies do. Tickets that
threads share cost an atomic addition; those of a thread's own (`Tickets::draw_mut`) do not.

";
    out += &picks(&of("pick"));
    out += "
### Two threads

One table, and one row of tickets, used by one thread and by two at the same time: time of one turn of each thread.

";
    out += &plain(&of("threads"));
    out
}

fn spread(line: &Request) -> String {
    format!(
        "{} ({} … {})",
        time(line.nanoseconds),
        time(line.lowest),
        time(line.highest)
    )
}

fn plain(lines: &[&Request]) -> String {
    let row = |line: &&Request| {
        vec![
            line.case.clone(),
            format!("`{}`", line.subject),
            spread(line),
        ]
    };
    let rows: Vec<Vec<String>> = lines.iter().map(row).collect();
    table(&["case", "subject", "time"], &rows)
}

fn picks(lines: &[&Request]) -> String {
    let row = |line: &&Request| {
        vec![
            line.case.clone(),
            format!("`{}`", line.subject),
            spread(line),
            format!("{:.2}", line.allocations),
            line.share_error
                .map_or_else(String::new, |error| format!("±{error:.1}")),
        ]
    };
    let rows: Vec<Vec<String>> = lines.iter().map(row).collect();
    table(&["case", "subject", "time", "allocs", "of 1,000"], &rows)
}

fn changes(lines: &[Change]) -> String {
    let row = |line: &Change| {
        vec![
            format!("`{}`", line.shape),
            count(f64::from(line.rules)),
            digits(line.build_ms),
            format!(
                "{} ({} … {})",
                digits(line.microseconds),
                digits(line.lowest),
                digits(line.highest)
            ),
            digits(line.p90),
        ]
    };
    let rows: Vec<Vec<String>> = lines.iter().map(row).collect();
    table(
        &["shape", "rules", "build ms", "change µs", "p90 µs"],
        &rows,
    )
}

fn memory(lines: &[Held]) -> String {
    let row = |line: &Held| {
        vec![
            format!("`{}`", line.shape),
            count(f64::from(line.rules)),
            count(line.index_bytes),
            count(line.whole_bytes),
        ]
    };
    let rows: Vec<Vec<String>> = lines.iter().map(row).collect();
    table(&["shape", "rules", "index", "whole"], &rows)
}
