//! Each row of the specification's digest that is listed, and each decision of ours, has a case or a test.

use std::path::Path;

use gatepost_conformance::coverage::Coverage;

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
        "{} rows, {} by cases, {} by tests; rows without a case: {}",
        coverage.rows.len(),
        count(|held| usize::from(!held.cases.is_empty())),
        count(|held| usize::from(held.cases.is_empty() && !held.tests.is_empty())),
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
