//! The goals, beside what was measured.

use crate::format::{count, digits, table};
use crate::reasons;
use crate::run::{Change, Held, Measured, Run};

const HEAD: &str = "
## Goals

What the table is built to reach, on a virtual machine with two processors, and what it reached. `further` is where it would be out of anyone's
reach. Times in nanoseconds where no unit stands.

";

/// One row: what is measured, what it should be at most, and what it is.
struct Row {
    quantity: String,
    goal: f64,
    further: Option<f64>,
    measured: Option<f64>,
    unit: &'static str,
}

pub(crate) fn section(run: &Run, measured: &Measured) -> String {
    let mut rows = Vec::new();
    matches(&mut rows, measured);
    held(&mut rows, &measured.held);
    changes(&mut rows, &measured.changes);
    requests(&mut rows, measured);
    let reasons = reasons::section(measured, |start| {
        let mut rows = rows.iter().filter(|row| row.quantity.starts_with(start));
        rows.any(|row| row.measured.is_some_and(|measured| measured > row.goal))
    });
    let rows: Vec<Vec<String>> = rows.into_iter().map(cells).collect();
    let head = ["quantity", "goal", "further", "measured", "reached"];
    format!("{HEAD}{}\n{}{reasons}", run.origin(), table(&head, &rows))
}

fn cells(row: Row) -> Vec<String> {
    let with_unit = |value: f64| format!("{}{}", digits(value), row.unit);
    let reached = match (row.measured, row.further) {
        (None, _) => "not measured",
        (Some(measured), Some(further)) if measured <= further => "further",
        (Some(measured), _) if measured <= row.goal => "yes",
        _ => "no",
    };
    vec![
        row.quantity,
        with_unit(row.goal),
        row.further.map_or_else(String::new, with_unit),
        row.measured.map_or_else(String::new, with_unit),
        reached.to_owned(),
    ]
}

fn matches(rows: &mut Vec<Row>, measured: &Measured) {
    let mut time = |shape, rules: u32, mode, goal, further| {
        rows.push(Row {
            quantity: format!(
                "`find`, shape {shape}, {} rules, {mode}",
                count(rules.into())
            ),
            goal,
            further: Some(further),
            measured: measured.find("gatepost", shape, rules, mode),
            unit: "",
        });
    };
    time("a", 100_000, "random", 130.0, 100.0);
    time("a", 100_000, "hot", 60.0, 45.0);
    time("b", 100_000, "random", 160.0, 100.0);
    time("b", 100_000, "hot", 65.0, 45.0);
    time("c", 100_000, "random", 300.0, 200.0);
    time("c", 100_000, "hot", 120.0, 100.0);
    time("d", 1_000, "random", 300.0, 150.0);
    time("e", 1_000, "random", 300.0, 150.0);
    for shape in ["a", "b", "c"] {
        time(shape, 10, "random", 60.0, 40.0);
    }
    for shape in ["a", "b", "c"] {
        time(shape, 100_000, "miss", 60.0, 40.0);
    }
    // A share of another's time, so that less is better here as well.
    for (shape, factor) in [("a", 4.0), ("b", 2.0)] {
        let time = |subject| measured.find(subject, shape, 100_000, "random");
        let share = time("gatepost").zip(time("matchit"));
        rows.push(Row {
            quantity: format!("the same, shape {shape}, random, as a share of `matchit`'s"),
            goal: 1.0 / factor,
            further: None,
            measured: share.map(|(own, other)| own / other),
            unit: "",
        });
    }
    let lines = measured.matchers.iter();
    let allocations = lines.filter(|line| line.subject == "gatepost");
    rows.push(Row {
        quantity: "allocations of a look-up, in any shape".to_owned(),
        goal: 0.0,
        further: None,
        measured: allocations.map(|line| line.allocations).reduce(f64::max),
        unit: "",
    });
}

fn held(rows: &mut Vec<Row>, lines: &[Held]) {
    let of = |shape: &str| lines.iter().find(|line| line.shape == shape);
    for (shape, goal, further) in [("a", 80.0, Some(64.0)), ("b", 110.0, None)] {
        rows.push(Row {
            quantity: format!("index, shape {shape}, bytes a rule"),
            goal,
            further,
            measured: of(shape).map(|line| line.index_bytes),
            unit: "",
        });
    }
    for shape in ["a", "b"] {
        rows.push(Row {
            quantity: format!("whole table, shape {shape}, bytes a rule"),
            goal: 160.0,
            further: Some(110.0),
            measured: of(shape).map(|line| line.whole_bytes),
            unit: "",
        });
    }
}

fn changes(rows: &mut Vec<Row>, lines: &[Change]) {
    let of = |shape: &str, rules: u32| {
        let fits = |line: &&Change| line.shape == shape && line.rules == rules;
        lines.iter().find(fits)
    };
    for shape in ["a", "b", "c"] {
        rows.push(Row {
            quantity: format!("build of 100,000 resolved rules, shape {shape}"),
            goal: 120.0,
            further: Some(30.0),
            measured: of(shape, 100_000).map(|line| line.build_ms),
            unit: " ms",
        });
    }
    for (shape, rules, goal, further) in [
        ("a", 100_000, 200.0, Some(50.0)),
        ("b", 100_000, 2_000.0, Some(200.0)),
        ("c", 100_000, 2_000.0, Some(200.0)),
        ("d", 1_000, 50_000.0, None),
        ("e", 1_000, 50_000.0, None),
    ] {
        rows.push(Row {
            quantity: format!(
                "one route changed, shape {shape}, {} rules",
                count(rules.into())
            ),
            goal,
            further,
            measured: of(shape, rules).map(|line| line.microseconds),
            unit: " µs",
        });
    }
}

fn requests(rows: &mut Vec<Row>, measured: &Measured) {
    rows.push(Row {
        quantity: "`target`, canonical, 60 bytes".to_owned(),
        goal: 40.0,
        further: None,
        measured: measured.request("target", "canonical, 60 bytes", "gatepost"),
        unit: "",
    });
    for (case, goal) in [
        ("2 backends", 4.0),
        ("10 backends", 5.0),
        ("100 backends", 7.0),
    ] {
        for (subject, tickets) in [
            ("gatepost, Tickets of", "the thread's own"),
            ("gatepost, Tickets that", "that threads share"),
        ] {
            rows.push(Row {
                quantity: format!("pick of {case}, tickets {tickets}"),
                goal,
                further: Some(3.0),
                measured: measured.request("pick", case, subject),
                unit: "",
            });
        }
    }
    let picks = measured
        .requests
        .iter()
        .filter(|line| line.subject.starts_with("gatepost"));
    rows.push(Row {
        quantity: "worst share error of a backend in 1,000 picks".to_owned(),
        goal: 2.0,
        further: Some(1.0),
        measured: picks.filter_map(|line| line.share_error).reduce(f64::max),
        unit: "",
    });
}
