//! Matchers beside each other.

use crate::format::{count, digits, table, time};
use crate::plot::{Series, plot};
use crate::run::{Matcher, Run};

/// In the order of tables and plots.
const SUBJECTS: [&str; 9] = [
    "gatepost",
    "matchit",
    "wayfind",
    "path-tree",
    "actix-router",
    "new-many",
    "list",
    "sorted",
    "probe",
];

/// The shapes with a plot each, and what they are.
const SHAPES: [(&str, &str); 5] = [
    (
        "a",
        "many hostnames with four paths each, one in ten a wildcard",
    ),
    (
        "b",
        "one hostname, long paths with shared prefixes, one in five exact",
    ),
    (
        "c",
        "one hostname, one prefix; header and query matches decide",
    ),
    (
        "d",
        "one hostname, regular expressions that a literal head tells apart",
    ),
    (
        "e",
        "one hostname, regular expressions that differ in the middle only",
    ),
];

/// Shapes that look for cliffs.
const OTHERS: [(&str, &str); 8] = [
    ("wildcards", "wildcard hosts of three labels"),
    ("depths", "one hostname, prefixes of 1 to 64 elements"),
    (
        "methods",
        "eight rules a path that differ in the method alone",
    ),
    (
        "headers",
        "16 header matches a rule, 15 of them everybody's",
    ),
    ("mixed", "as b, one in ten a regular expression"),
    ("long", "prefixes of 1,000 bytes, paths of 2 KiB"),
    ("hosts", "as many hostnames, behind one wildcard listener"),
    ("grpc", "gRPC methods of one hostname"),
];

const HEAD: &str = "
## Matchers

Subjects are interleaved over the rounds, one process a measurement; every answer is checked. Times are nanoseconds a match where no
unit stands: the median over the rounds of the median over chunks of 16 requests, in brackets the lowest and the highest round. `allocs` are
allocations a match once everything is sized, `B/rule` live heap bytes a rule after the build (of `gatepost` the index alone, which is all that
building adds to the rules), `build` the time from rules to the finished matcher.

- `hot`: the rule of lowest precedence, again and again. `random`: 4,096 requests, uniform over the rules. `miss`: 512 requests that
  nothing serves. `cold`: as `random`, with 96 MiB written before each.
- `gatepost` is `RouteTable::find` with everything a route can say, on a judged target; `target` stands below.
- `matchit`, `wayfind`, `path-tree` and `actix-router` know paths only: a host map stands in front of them, a prefix costs the first two three
  inserts, and in `d` they get parameters in the place of expressions, so they do less than is asked. `new-many` is `regex-automata` with all paths of a
  host as one expression, `list` a host map with a sorted list a host, `sorted` one sorted list. `probe` is no matcher: one dependent load
  over as many bytes as `gatepost` has.
- Who cannot express a shape is left out of it, and who takes too long to be built or asked is left out of that size.
";

/// The section, and the plots by name.
pub(crate) fn section(run: &Run, all: &[Matcher]) -> (String, Vec<(String, String)>) {
    let mut out = format!("{HEAD}\n{}", run.origin());
    let wrong: u64 = all.iter().map(|line| line.wrong).sum();
    let most = all
        .iter()
        .filter(|line| line.subject == "gatepost")
        .fold(0.0_f64, |most, line| most.max(line.allocations));
    out += &format!(
        "\nWrong answers in all {} measurements: {wrong}. The most allocations of `gatepost` in a look-up: {}.\n",
        count(all.len() as f64),
        count(most)
    );
    let mut plots = Vec::new();
    for (shape, what) in SHAPES {
        let lines: Vec<&Matcher> = all.iter().filter(|line| line.shape == shape).collect();
        if lines.is_empty() {
            continue;
        }
        let file = format!("matchers-{shape}.svg");
        out += &format!("\n### Shape {shape}: {what}\n\n");
        out += &format!(
            "![Shape {shape}, random requests: time of a match by the number of rules](performance/{file})\n\n"
        );
        out += "Random requests, by the number of rules:\n\n";
        out += &by_size(&lines);
        plots.push((file, growth(shape, &lines)));
        let largest = largest_of_all(&lines);
        out += &format!("\nAll modes at {} rules:\n\n", count(f64::from(largest)));
        out += &by_mode(&lines, largest);
    }
    out += "\n### Other shapes\n\n";
    out += &others(all);
    (out, plots)
}

fn subjects<'s>(lines: &'s [&Matcher]) -> impl Iterator<Item = &'static str> + 's {
    let known = |subject: &&str| lines.iter().any(|line| line.subject == *subject);
    SUBJECTS.into_iter().filter(known)
}

fn find<'l>(lines: &[&'l Matcher], subject: &str, rules: u32, mode: &str) -> Option<&'l Matcher> {
    let fits =
        |line: &&&Matcher| line.subject == subject && line.rules == rules && line.mode == mode;
    lines.iter().find(fits).copied()
}

fn sizes(lines: &[&Matcher]) -> Vec<u32> {
    let mut sizes: Vec<u32> = lines.iter().map(|line| line.rules).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

/// The largest size at which everything was measured, cold included.
fn largest_of_all(lines: &[&Matcher]) -> u32 {
    let cold = lines.iter().filter(|line| line.mode == "cold");
    let largest = cold.map(|line| line.rules).max();
    largest.unwrap_or_else(|| sizes(lines).last().copied().unwrap_or(0))
}

fn spread(line: &Matcher) -> String {
    format!(
        "{} ({} … {})",
        time(line.nanoseconds),
        time(line.lowest),
        time(line.highest)
    )
}

fn by_size(lines: &[&Matcher]) -> String {
    let sizes = sizes(lines);
    let columns: Vec<String> = sizes.iter().map(|&size| count(f64::from(size))).collect();
    let mut head = vec!["subject"];
    head.extend(columns.iter().map(String::as_str));
    let rows: Vec<Vec<String>> = subjects(lines)
        .map(|subject| {
            let mut row = vec![format!("`{subject}`")];
            row.extend(sizes.iter().map(|&size| {
                find(lines, subject, size, "random").map_or_else(String::new, spread)
            }));
            row
        })
        .collect();
    table(&head, &rows)
}

fn by_mode(lines: &[&Matcher], rules: u32) -> String {
    let head = [
        "subject", "hot", "random", "p90", "miss", "cold", "allocs", "B/rule", "build ms",
    ];
    let rows: Vec<Vec<String>> = subjects(lines)
        .filter_map(|subject| {
            let random = find(lines, subject, rules, "random")?;
            let mode = |mode| {
                find(lines, subject, rules, mode)
                    .map_or_else(String::new, |line| time(line.nanoseconds))
            };
            let matcher = subject != "probe";
            let only = |text: String| if matcher { text } else { String::new() };
            Some(vec![
                format!("`{subject}`"),
                mode("hot"),
                time(random.nanoseconds),
                time(random.p90),
                mode("miss"),
                mode("cold"),
                only(format!("{:.2}", random.allocations)),
                only(count(random.heap_bytes_per_rule)),
                only(digits(random.build_ms)),
            ])
        })
        .collect();
    table(&head, &rows)
}

/// The plot of random requests over sizes.
fn growth(shape: &str, lines: &[&Matcher]) -> String {
    let sizes = sizes(lines);
    let series: Vec<Series> = subjects(lines)
        .map(|subject| Series {
            name: subject.to_owned(),
            points: sizes
                .iter()
                .filter_map(|&size| {
                    let line = find(lines, subject, size, "random")?;
                    Some((f64::from(size), line.nanoseconds))
                })
                .collect(),
        })
        .collect();
    let title = format!("Shape {shape}, random requests: time of a match");
    plot(&title, "rules", &series)
}

fn others(all: &[Matcher]) -> String {
    let head = [
        "shape", "rules", "subject", "hot", "random", "miss", "allocs", "B/rule", "build ms",
    ];
    let mut rows = Vec::new();
    for (shape, what) in OTHERS {
        let lines: Vec<&Matcher> = all.iter().filter(|line| line.shape == shape).collect();
        let mut first = true;
        for size in sizes(&lines) {
            for subject in subjects(&lines) {
                let Some(random) = find(&lines, subject, size, "random") else {
                    continue;
                };
                let mode = |mode| {
                    find(&lines, subject, size, mode)
                        .map_or_else(String::new, |line| time(line.nanoseconds))
                };
                rows.push(vec![
                    if first {
                        what.to_owned()
                    } else {
                        String::new()
                    },
                    count(f64::from(size)),
                    format!("`{subject}`"),
                    mode("hot"),
                    spread(random),
                    mode("miss"),
                    format!("{:.2}", random.allocations),
                    count(random.heap_bytes_per_rule),
                    digits(random.build_ms),
                ]);
                first = false;
            }
        }
    }
    table(&head, &rows)
}
