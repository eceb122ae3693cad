//! Hostile and invalid manifests: each gives the error that `expected.json` says, at the object and field it names.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use gatepost::document::Limits;
use gatepost::key::Channel;
use gatepost::manifest::{Collected, collect, read};
use gatepost::problem::{FieldPath, Level, Problem};
use serde_json::Value;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../conformance/attacks/manifests")
}

fn load(name: &str) -> Collected {
    let text = fs::read(folder().join(name)).expect("the attack is readable");
    let loaded = read(name, &text, &Limits::default());
    collect([loaded], Channel::Experimental, &Limits::default())
}

/// Whether a problem points at the object, and at the field or below it.
fn points_at(problem: &Problem, expected: &Value) -> bool {
    let object = expected["object"].as_str();
    let object = object.is_none_or(|object| {
        problem
            .object
            .as_deref()
            .is_some_and(|found| found == object || found.starts_with(&format!("{object}/")))
    });
    let field = expected["field"].as_str().is_none_or(|field| {
        let found = problem
            .field
            .as_ref()
            .map(FieldPath::to_string)
            .unwrap_or_default();
        found == field
            || found
                .strip_prefix(field)
                .is_some_and(|rest| rest.starts_with(['.', '[']))
    });
    object && field && problem.place.is_some()
}

#[test]
fn refused_manifests_are_refused_where_they_are_wrong() {
    let text = fs::read_to_string(folder().join("expected.json")).expect("readable");
    let expected: BTreeMap<String, Value> = serde_json::from_str(&text).expect("JSON");
    let mut wrong = Vec::new();
    let mut classes: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (name, expected) in &expected {
        let clock = Instant::now();
        let collected = load(name);
        if clock.elapsed() > Duration::from_secs(5) {
            wrong.push(format!("{name}: took {:?}", clock.elapsed()));
        }
        let class = expected["class"].as_str().expect("a class").to_owned();
        let of = |level: Level| collected.problems.iter().filter(move |p| p.level == level);
        let right = match expected["outcome"].as_str().expect("an outcome") {
            "error" => of(Level::Error).any(|problem| points_at(problem, expected)),
            "error-in-files, warning-in-controller" => {
                of(Level::Warning).any(|problem| points_at(problem, expected))
            }
            // An error has to be the one that is expected; what only resolution can know is not an error here.
            "condition-or-error" => of(Level::Error).all(|problem| points_at(problem, expected)),
            _ => of(Level::Error).next().is_none(),
        };
        let counts = classes.entry(class).or_default();
        counts.1 += 1;
        if right {
            counts.0 += 1;
        } else {
            let problems: Vec<String> =
                collected.problems.iter().map(ToString::to_string).collect();
            wrong.push(format!(
                "{name}: expected {} {} {}, found {problems:?}",
                expected["outcome"], expected["object"], expected["field"]
            ));
        }
    }
    for (class, (right, all)) in &classes {
        println!("{class}: {right} of {all}");
    }
    assert!(classes.len() >= 10, "only {} classes", classes.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What only resolution can know is a condition of the object at fault, and of nothing else.
#[test]
fn conditions_say_what_does_not_resolve() {
    let text = fs::read_to_string(folder().join("expected.json")).expect("readable");
    let expected: BTreeMap<String, Value> = serde_json::from_str(&text).expect("JSON");
    let mut wrong = Vec::new();
    let mut checked = 0;
    for (name, expected) in &expected {
        let outcome = expected["outcome"].as_str().expect("an outcome");
        let Some(condition) = expected
            .get("condition")
            .filter(|_| outcome.starts_with("condition"))
        else {
            continue;
        };
        checked += 1;
        let collected = load(name);
        if outcome == "condition-or-error"
            && collected
                .problems
                .iter()
                .any(|problem| problem.level == Level::Error)
        {
            continue;
        }
        let resolution = gatepost::controller::Controller::default().resolve(&collected.resources);
        let statuses = resolution.statuses(&gatepost::status::Facts::ideal());
        let object = condition["object"].as_str().expect("an object");
        let mut parts = object.split('/');
        let (kind, namespace, object_name, listeners) =
            (parts.next(), parts.next(), parts.next(), parts.next());
        let key = statuses.keys().find(|key| {
            Some(key.kind.as_str()) == kind
                && Some(&*key.namespace) == namespace
                && Some(&*key.name) == object_name
        });
        let now = gatepost::timestamp::Timestamp::from_unix_seconds(0);
        let status = key
            .and_then(|key| statuses.status(key, &collected.resources, now))
            .unwrap_or_default();
        let lists: Vec<Value> = match listeners {
            Some(names) => names
                .split(',')
                .map(|name| {
                    let listeners = status["listeners"].as_array().cloned().unwrap_or_default();
                    let found = listeners
                        .into_iter()
                        .find(|listener| listener["name"] == name);
                    found
                        .map(|listener| listener["conditions"].clone())
                        .unwrap_or_default()
                })
                .collect(),
            None => vec![status["parents"][0]["conditions"].clone()],
        };
        let holds = |list: &Value| {
            list.as_array().is_some_and(|list| {
                list.iter().any(|found| {
                    ["type", "status", "reason"]
                        .iter()
                        .all(|key| found[*key] == condition[*key])
                })
            })
        };
        if !lists.iter().all(holds) {
            wrong.push(format!("{name}: expected {condition}, found {status}"));
        }
    }
    println!("{checked} conditions");
    assert!(checked > 20, "only {checked} conditions");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
