//! Every case about statuses. That each row has one is for `coverage.rs`.

use std::collections::BTreeSet;
use std::path::Path;

use gatepost_conformance::case::read_folder;
use gatepost_conformance::status_case::{Case, Judge};

#[test]
fn lines_that_would_hold_for_ever_are_refused() {
    let judge = Judge::default();
    let judged = |line: &str| {
        let manifests = "{kind: Gateway, metadata: {name: gw}, spec: {listeners: [{name: http, port: 80, protocol: HTTP}]}}\n---\n{kind: HTTPRoute, metadata: {name: r}, spec: {parentRefs: [{name: gw}]}}";
        judge.judge(&Case {
            name: "a".to_owned(),
            source: Vec::new(),
            manifests: manifests.to_owned(),
            kubernetes: false,
            no_address: false,
            taken: Vec::new(),
            expect: vec![line.to_owned()],
        })
    };
    for line in [
        "Gateway/app/gw !Conflictd",
        "Gateway/app/gw !Accepted=True",
        "Gateway/app/gw Accepted",
        "Gateway/app/gw#http attached=1",
        "Gateway/app/none no status",
        "Gatewy/app/gw no status",
        "HTTPRoute/app/none@gw !PartiallyInvalid",
        "HTTPRoute/app/r@none no entry",
        "Finalizers/GatewayClass/none as they are",
        "Endpoints/app unknown",
        "nothing",
    ] {
        judged(line).expect_err(line);
    }
    for line in [
        "Gateway/app/gw !Conflicted",
        "HTTPRoute/app/r@gw !PartiallyInvalid",
        "HTTPRoute/app/r@gw#http no entry",
        "Gateway/app/gw#http attachedRoutes=1",
    ] {
        assert_eq!(judged(line), Ok(Vec::new()), "{line}");
    }
    for line in [
        "Gateway/app/gw !Accepted",
        "Gateway/app/gw no status",
        "HTTPRoute/app/r@gw no entry",
    ] {
        assert_eq!(judged(line).map(|wrong| wrong.len()), Ok(1), "{line}");
    }
}

#[test]
fn status_cases_hold() {
    let judge = Judge::default();
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
