//! Each row of the specification's digest that is listed, and each decision of ours, has a case or a test.

use std::collections::BTreeSet;
use std::path::Path;

use gatepost_conformance::coverage::Coverage;
use gatepost_conformance::upstream;

#[test]
fn every_row_has_a_case() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let coverage = Coverage::read(&top).expect("rows and cases");
    let bare: Vec<String> = coverage
        .bare()
        .map(|(id, held)| format!("{id}: {}", held.text))
        .collect();
    let count = |of: fn(&gatepost_conformance::coverage::Held) -> usize| -> usize {
        coverage.rows.values().map(of).sum()
    };
    println!(
        "{} rows, {} by cases, {} by tests, {} with a part that only traffic shows; rows without a case: {}",
        coverage.rows.len(),
        count(|held| usize::from(!held.cases.is_empty())),
        count(|held| usize::from(held.cases.is_empty() && !held.tests.is_empty())),
        count(|held| usize::from(held.traffic.is_some())),
        if bare.is_empty() {
            "none".to_owned()
        } else {
            format!("\n{}", bare.join("\n"))
        }
    );
    assert!(
        coverage.problems.is_empty(),
        "{}",
        coverage.problems.join("\n")
    );
    assert!(
        coverage.rows.len() > 100,
        "only {} rows",
        coverage.rows.len()
    );
    assert!(bare.is_empty(), "rows without a case:\n{}", bare.join("\n"));
}

/// The rows of section 7 are the tests of the suite for gateways, all of them and nothing else.
#[test]
fn every_test_of_the_suite_has_a_row() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let coverage = Coverage::read(&top).expect("rows and cases");
    let names = coverage.rows.keys().filter_map(|id| id.strip_prefix("7/"));
    let rows: BTreeSet<String> = names.map(str::to_owned).collect();
    let suite = upstream::suite().expect("the suite's sources");
    // Meshes are no business of a gateway.
    let suite: BTreeSet<String> = suite
        .into_iter()
        .filter(|name| !name.starts_with("Mesh"))
        .collect();
    println!("{} tests of the suite", suite.len());
    let no_test: Vec<&String> = rows.difference(&suite).collect();
    let no_row: Vec<&String> = suite.difference(&rows).collect();
    assert!(no_test.is_empty(), "rows that are no test: {no_test:?}");
    assert!(no_row.is_empty(), "tests without a row: {no_row:?}");
    assert!(suite.len() > 100, "only {} tests", suite.len());
}

/// `docs/semantics.md` names, for each decision, all cases and tests that hold it, and only such.
#[test]
fn decisions_name_what_holds_them() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let coverage = Coverage::read(&top).expect("rows and cases");
    let semantics = std::fs::read_to_string(top.join("docs/semantics.md")).expect("the decisions");
    let mut wrong = Vec::new();
    for line in semantics.lines().filter(|line| line.starts_with("| S:")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let (Some(id), Some(named)) = (cells.first(), cells.get(3)) else {
            wrong.push(format!(
                "{line}: expected id, question, decision and what holds it"
            ));
            continue;
        };
        let Some(held) = coverage.rows.get(*id) else {
            continue;
        };
        let tests = held
            .tests
            .iter()
            .filter_map(|test| test.rsplit("::").next());
        let known: Vec<&str> = held.cases.iter().map(String::as_str).chain(tests).collect();
        let named: Vec<&str> = named
            .split(", ")
            .map(|name| name.trim_matches('`'))
            .collect();
        for name in known.iter().filter(|name| !named.contains(name)) {
            wrong.push(format!("{id}: `{name}` holds it and is not named"));
        }
        for name in named {
            if !known.contains(&name) {
                wrong.push(format!(
                    "{id}: `{name}` does not hold it; what does: {}",
                    known.join(", ")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
