//! Every case, put to the table and to the model.

use std::collections::BTreeSet;
use std::path::Path;

use gatepost_conformance::case::{Case, read_folder};
use gatepost_conformance::subject::{Model, Subject, Table};

#[test]
fn cases_hold_for_the_table_and_the_model() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let (mut wrong, mut names, mut requests) = (Vec::new(), BTreeSet::new(), 0);
    for case in read_folder::<Case>(&folder).expect("cases") {
        assert!(
            names.insert(case.name.clone()),
            "two cases are called {}",
            case.name
        );
        let resources = match case.resources() {
            Ok(resources) => resources,
            Err(problems) => {
                wrong.push(format!("{}: {problems}", case.name));
                continue;
            }
        };
        let subjects: [Box<dyn Subject>; 2] = [
            Box::new(Table::new(&resources)),
            Box::new(Model::new(&resources)),
        ];
        for ask in &case.request {
            requests += 1;
            for subject in &subjects {
                for problem in ask.judge(&subject.answer(&ask.request())) {
                    wrong.push(format!(
                        "{} ({}): {} {}: {problem}",
                        case.name,
                        subject.name(),
                        ask.ask,
                        ask.host.as_deref().unwrap_or("")
                    ));
                }
            }
        }
    }
    println!("{} cases, {requests} requests", names.len());
    assert!(names.len() >= 25, "only {} cases", names.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
