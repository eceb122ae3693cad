//! The classes `path` and `host` of `attacks/http1.jsonl`, put to the table and to the model: what no parser of heads has a
//! part in.

use std::fs;
use std::path::Path;

use gatepost::document::Limits;
use gatepost::key::Channel;
use gatepost::manifest::{collect, read};
use gatepost_conformance::request::{Outcome, Protocol, Request};
use gatepost_conformance::subject::{Model, Subject, Table};
use serde_json::Value;

/// The request of a case, if its head is whole lines with names: others are for whoever reads heads.
fn request(case: &Value) -> Option<Request> {
    let parts = case["send"].as_array()?.iter();
    let text: String = parts.map(Value::as_str).collect::<Option<_>>()?;
    let (head, rest) = text.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    if !rest.is_empty() || words.next().is_some() {
        return None;
    }
    let bytes = |text: &str| -> Option<Vec<u8>> {
        let byte = |c: char| u8::try_from(u32::from(c)).ok();
        text.chars().map(byte).collect()
    };
    let protocol = if version == "HTTP/1.0" {
        Protocol::Http10
    } else {
        Protocol::Http11
    };
    let mut request = Request {
        protocol,
        port: 27_080,
        method: method.to_owned(),
        target: bytes(target)?,
        ..Request::default()
    };
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let token = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if name.is_empty() || !name.chars().all(token) {
            return None;
        }
        let value: Option<Vec<u8>> = bytes(value.trim_matches([' ', '\t']));
        if name.eq_ignore_ascii_case("host") {
            request.hosts.push(value?);
        } else {
            request.headers.push((name.to_lowercase(), value?));
        }
    }
    Some(request)
}

fn fits(expected: &Value, outcome: &Outcome) -> bool {
    let status = match outcome {
        Outcome::Refused => 400,
        Outcome::NotServed { status, .. } | Outcome::Answered { status, .. } => *status,
        Outcome::Forwarded {
            backend,
            target,
            host,
            ..
        } => {
            let wanted = &expected["requests"][0];
            let is = |key: &str, found: &str| wanted[key].as_str().is_none_or(|own| own == found);
            return expected["kind"] == "route"
                && backend.starts_with(&format!(
                    "app/{}:",
                    wanted["backend"].as_str().unwrap_or("")
                ))
                && is("target", target)
                && is("host", host);
        }
        _ => return false,
    };
    let listed = expected["status"].as_array();
    let listed = listed.is_some_and(|all| all.iter().any(|one| one == status));
    (expected["kind"] == "reject" || expected["kind"] == "answer")
        && (listed || expected["status"] == "any")
}

#[test]
fn paths_and_hosts_have_their_outcomes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("attacks");
    let fixture = fs::read(folder.join("fixture.yaml")).expect("the fixture");
    let limits = Limits::default();
    let loaded = read("fixture.yaml", &fixture, &limits);
    let resources = collect([loaded], Channel::Experimental, &limits).resources;
    let (table, model) = (Table::new(&resources), Model::new(&resources));
    let (mut done, mut left, mut wrong) = (0, Vec::new(), Vec::new());
    let cases = fs::read_to_string(folder.join("http1.jsonl")).expect("the cases");
    for line in cases.lines() {
        let case: Value = serde_json::from_str(line).expect("JSON");
        if case["class"] != "path" && case["class"] != "host" {
            continue;
        }
        let Some(request) = request(&case) else {
            left.push(case["id"].as_str().unwrap_or_default().to_owned());
            continue;
        };
        done += 1;
        for subject in [&table as &dyn Subject, &model] {
            let outcome = subject.answer(&request);
            let expected = case["expect"].as_array().expect("outcomes");
            if !expected.iter().any(|expected| fits(expected, &outcome)) {
                wrong.push(format!(
                    "{} ({}, {}): {outcome:?}",
                    case["id"],
                    case["title"],
                    subject.name()
                ));
            }
        }
    }
    println!(
        "{done} cases; left to whoever reads heads: {}",
        left.join(", ")
    );
    assert!(done >= 70, "only {done} cases");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
