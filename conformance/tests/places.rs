//! Five hundred mistakes in files as hands write them: the line and the column that are reported are the value's own.

use gatepost::document::Limits;
use gatepost::key::Channel;
use gatepost::manifest;
use gatepost::validate::validate;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

/// Stands where the mistake will be, so that its place can be found without reading the file.
const MARK: &str = "MISTAKE";

/// Files with one mark each, and the field that it stands for.
const FILES: &[(&str, &str)] = &[
    (
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata:\n  name: r\nspec:\n  rules:\n  - backendRefs:\n    - name: a\n      port: MISTAKE\n",
        "spec.rules[0].backendRefs[0].port",
    ),
    (
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\nspec: {rules: [{backendRefs: [{name: ü, port:   MISTAKE}, {name: b, port: 80}]}]}\n",
        "spec.rules[0].backendRefs[0].port",
    ),
    (
        "{\"apiVersion\": \"gateway.networking.k8s.io/v1\", \"kind\": \"HTTPRoute\",\r\n\t\"metadata\": {\"name\": \"r\"},\r\n  \"spec\": {\"rules\": [{\"backendRefs\": [{\"name\": \"é\", \"port\": MISTAKE}]}]}}\r\n",
        "spec.rules[0].backendRefs[0].port",
    ),
    (
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: gateway.networking.k8s.io/v1\n  kind: HTTPRoute\n  metadata: {name: r}\n  spec:\n    rules:\n    - backendRefs: # the shop\n      - port: MISTAKE # no\n        name: a\n",
        "spec.rules[0].backendRefs[0].port",
    ),
    (
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\nspec:\n  rules:\n  - backendRefs: [&shop {name: a, port: MISTAKE}]\n    name: one\n",
        "spec.rules[0].backendRefs[0].port",
    ),
    (
        "# a comment\n---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata:\n    name:   r\nspec:\n    rules:\n        -   name: \"x\"\n            backendRefs:\n                -   {name: a,\n                     port:\n                       MISTAKE}\n",
        "spec.rules[0].backendRefs[0].port",
    ),
    (
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: g}\nspec:\n  gatewayClassName: c\n  listeners:\n  - name: http\n    protocol: HTTP\n    port: MISTAKE\n",
        "spec.listeners[0].port",
    ),
    (
        "kind: GRPCRoute\napiVersion: gateway.networking.k8s.io/v1\nmetadata: {name: 'r'}\nspec: {\n  rules: [ # one\n    {backendRefs: [{name: a,\n      port: MISTAKE # here\n    }]}]}\n",
        "spec.rules[0].backendRefs[0].port",
    ),
];

/// What is no port: beyond the bounds, or of another type. The last is YAML alone.
const VALUES: &[&str] = &[
    "0",
    "-1",
    "65536",
    "70000",
    "2147483648",
    "\"80\"",
    "true",
    "1.5",
    "[]",
    "{}",
    "[80]",
    "\"ü\"",
    "eighty",
];

#[test]
fn mistakes_are_reported_at_their_own_line_and_column() {
    let mut rng = StdRng::seed_from_u64(500);
    let mut wrong = Vec::new();
    for number in 0..500 {
        let (file, field) = FILES[number % FILES.len()];
        let json = file.starts_with('{');
        let value = loop {
            let value = *VALUES.choose(&mut rng).expect("there are values");
            if !json || value != "eighty" {
                break value;
            }
        };
        let text = dressed(file, json, &mut rng);
        let before = text.split(MARK).next().expect("a text");
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().expect("a line").chars().count() + 1;
        let text = text.replace(MARK, value);
        let loaded = manifest::read("file", text.as_bytes(), &Limits::default());
        assert!(loaded.problems.is_empty(), "{:?}\n{text}", loaded.problems);
        let document = loaded.documents.last().expect("an object");
        let found = validate(document, Channel::Standard);
        let here =
            |violation: &&gatepost::validate::Violation| violation.field.to_string() == field;
        let places: Vec<String> = found
            .iter()
            .filter(here)
            .map(|found| found.place.to_string())
            .collect();
        if places.is_empty()
            || places
                .iter()
                .any(|place| *place != format!("{line}:{column}"))
        {
            wrong.push(format!(
                "expected {line}:{column}, found {places:?} in\n{text}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of 500: {}", wrong.len(), wrong[0]);
}

/// The same file with more around it: comments, empty lines, another document in front, other line breaks.
fn dressed(file: &str, json: bool, rng: &mut StdRng) -> String {
    let mut text = file.to_owned();
    if json {
        text.insert_str(0, &"\n".repeat(rng.random_range(0..4)));
        return text;
    }
    for _ in 0..rng.random_range(0..4) {
        let lines: Vec<usize> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        let at = *lines.choose(rng).expect("there are lines");
        text.insert_str(at, "      # ünd a comment\n");
    }
    if rng.random_bool(0.3) {
        text.insert_str(
            0,
            "apiVersion: v1\nkind: Namespace\nmetadata: &m\n  name: &n shop\n---\n",
        );
    }
    if rng.random_bool(0.3) {
        text = text.replace("\r\n", "\n").replace('\n', "\r\n");
    }
    text
}
