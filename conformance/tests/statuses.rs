//! Every case about statuses, and that each row of `coverage/resolution.toml` has one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use gatepost_conformance::status_case::{File, Judge};

fn folder(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn rows() -> toml::Table {
    let text = fs::read_to_string(folder("coverage/resolution.toml")).expect("the rows");
    toml::from_str(&text).expect("TOML")
}

#[test]
fn status_cases_hold() {
    let judge = Judge::new().expect("a certificate");
    let (mut wrong, mut names, mut held) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    let mut expectations = 0;
    for entry in fs::read_dir(folder("statuses")).expect("the folder of cases") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("readable");
        let file: File =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for case in file.case {
            assert!(
                names.insert(case.name.clone()),
                "two cases are called {}",
                case.name
            );
            held.extend(case.source.iter().cloned());
            expectations += case.expect.len();
            match judge.judge(&case) {
                Ok(problems) => {
                    wrong.extend(
                        problems
                            .iter()
                            .map(|problem| format!("{}: {problem}", case.name)),
                    );
                }
                Err(error) => wrong.push(format!("{}: {error}", case.name)),
            }
        }
    }
    let rows = rows();
    let rows = rows["row"].as_array().expect("rows");
    let mut ids = BTreeSet::new();
    let mut bare = Vec::new();
    for row in rows {
        let id = row["id"].as_str().expect("an id");
        assert!(ids.insert(id.to_owned()), "two rows are called {id}");
        let tests = row.get("tests").and_then(toml::Value::as_array);
        if !held.contains(id) && tests.is_none_or(Vec::is_empty) {
            bare.push(id);
        }
    }
    for source in held.difference(&ids) {
        wrong.push(format!("{source} is no row of coverage/resolution.toml"));
    }
    println!(
        "{} cases, {expectations} expectations, {} rows; rows without a case: {}",
        names.len(),
        rows.len(),
        if bare.is_empty() {
            "none".to_owned()
        } else {
            bare.join(", ")
        }
    );
    assert!(names.len() > 50, "only {} cases", names.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(bare.is_empty(), "rows without a case: {}", bare.join(", "));
}
