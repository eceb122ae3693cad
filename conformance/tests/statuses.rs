//! Every case about statuses. That each row has one is for `coverage.rs`.

use std::collections::BTreeSet;
use std::path::Path;

use gatepost_conformance::case::read_folder;
use gatepost_conformance::status_case::{Case, Judge};

#[test]
fn status_cases_hold() {
    let judge = Judge::new().expect("a certificate");
    let (mut wrong, mut names, mut expectations) = (Vec::new(), BTreeSet::new(), 0);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("statuses");
    for case in read_folder::<Case>(&folder).expect("cases") {
        assert!(
            names.insert(case.name.clone()),
            "two cases are called {}",
            case.name
        );
        expectations += case.expect.len();
        match judge.judge(&case) {
            Ok(problems) => {
                let named = |problem: &String| format!("{}: {problem}", case.name);
                wrong.extend(problems.iter().map(named));
            }
            Err(error) => wrong.push(format!("{}: {error}", case.name)),
        }
    }
    println!("{} cases, {expectations} expectations", names.len());
    assert!(names.len() > 50, "only {} cases", names.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
