//! The conditions that hostile and invalid manifests come to, as `gatepost status -o json` tells them.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

/// The conditions of `Kind/namespace/name`, or of its listeners `Kind/namespace/name/a,b`: a list for each.
fn conditions(items: &[Value], object: &str) -> Vec<Vec<Value>> {
    let parts: Vec<&str> = object.splitn(4, '/').collect();
    let named = |item: &&Value| {
        parts.first().copied() == item["kind"].as_str()
            && parts.get(1).copied() == item["metadata"]["namespace"].as_str()
            && parts.get(2).copied() == item["metadata"]["name"].as_str()
    };
    let Some(status) = items.iter().find(named).map(|item| &item["status"]) else {
        return vec![Vec::new()];
    };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    match parts.get(3) {
        Some(names) => names
            .split(',')
            .map(|name| {
                let listeners = list(&status["listeners"]);
                let found = listeners.iter().find(|listener| listener["name"] == name);
                found.map_or_else(Vec::new, |listener| list(&listener["conditions"]))
            })
            .collect(),
        None => list(&status["parents"])
            .iter()
            .map(|parent| list(&parent["conditions"]))
            .collect(),
    }
}

/// Each condition is there with its status and reason, at the object at fault; other routes have no fault.
#[test]
fn attacks_come_to_their_conditions() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../conformance/attacks/manifests");
    let text = std::fs::read_to_string(folder.join("expected.json")).expect("readable");
    let expected: Value = serde_json::from_str(&text).expect("JSON");
    let (mut held, mut refused, mut wrong) = (0, 0, Vec::new());
    for (name, expected) in expected.as_object().expect("an object") {
        let outcome = expected["outcome"].as_str().expect("an outcome");
        let condition = &expected["condition"];
        if !outcome.starts_with("condition") || condition.is_null() {
            continue;
        }
        let output = Command::new(env!("CARGO_BIN_EXE_gatepost"))
            .args(["status", "-o", "json", "-f"])
            .arg(folder.join(name))
            .output()
            .expect("the binary runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        // What an API server would refuse never becomes an object, where either outcome is right.
        if outcome == "condition-or-error" && output.status.code() != Some(0) {
            let field = expected["field"].as_str().unwrap_or_default();
            let whole = format!("{told}{}", String::from_utf8_lossy(&output.stdout));
            if whole.contains(field) {
                refused += 1;
            } else {
                wrong.push(format!(
                    "{name}: refused without a word of {field}: {whole}"
                ));
            }
            continue;
        }
        if output.status.code() != Some(0) {
            wrong.push(format!("{name}: exit {:?}: {told}", output.status.code()));
            continue;
        }
        let list: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let items = list["items"].as_array().expect("items");
        let object = condition["object"].as_str().expect("an object");
        let found = conditions(items, object);
        let is = |one: &Value| {
            ["type", "status", "reason"]
                .iter()
                .all(|key| one[*key] == condition[*key])
        };
        // A type stands once, so the one that is there is the one that is expected.
        let exact = |all: &Vec<Value>| {
            let of_type = all.iter().filter(|one| one["type"] == condition["type"]);
            of_type.map(is).eq([true])
        };
        let says_why = |all: &Vec<Value>| {
            all.iter()
                .filter(|one| is(one))
                .all(|one| one["message"].as_str().is_some_and(|text| text.len() > 10))
        };
        if found.is_empty() || !found.iter().all(|all| exact(all) && says_why(all)) {
            wrong.push(format!("{name}: expected {condition}, found {found:?}"));
            continue;
        }
        let strangers = items.iter().filter(|item| {
            let kind = item["kind"].as_str().unwrap_or_default();
            let key = format!(
                "{kind}/{}/{}",
                item["metadata"]["namespace"].as_str().unwrap_or_default(),
                item["metadata"]["name"].as_str().unwrap_or_default()
            );
            let faulty = conditions(items, &key)
                .iter()
                .flatten()
                .any(|one| one["status"] == "False");
            kind.ends_with("Route") && !object.starts_with(&key) && faulty
        });
        let strangers: Vec<&Value> = strangers.collect();
        if strangers.is_empty() {
            held += 1;
        } else {
            wrong.push(format!("{name}: others are at fault too: {strangers:?}"));
        }
    }
    println!("{held} conditions, {refused} refused before");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(held >= 18, "only {held} conditions");
}
