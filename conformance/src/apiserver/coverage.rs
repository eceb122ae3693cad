//! Which rules were kept and which were broken.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::upstream::Crd;

/// For each rule of a field of a kind, how often it was kept in an object that was taken, and how often it was broken.
#[derive(Clone, Debug, Default)]
pub struct Coverage(pub BTreeMap<String, (u64, u64)>);

impl Coverage {
    /// Puts down all rules of a version, none of them seen.
    pub fn declare(&mut self, crd: &Crd) {
        visit(&crd.schema, "", &mut |path, message| {
            self.0.entry(key(crd, path, message)).or_default();
        });
    }

    /// An object was taken: it keeps every rule of its fields.
    pub fn accepted(&mut self, crd: &Crd, object: &Value) {
        let mut kept = Vec::new();
        keep(&crd.schema, object, "", &mut kept);
        for (path, message) in kept {
            self.0.entry(key(crd, &path, &message)).or_default().0 += 1;
        }
    }

    /// A field broke a rule.
    pub fn refused(&mut self, crd: &Crd, field: &str, rule: &str) {
        if let Some(counts) = self.0.get_mut(&key(crd, &without_indices(field), rule)) {
            counts.1 += 1;
        }
    }

    /// What a file says, see [`Coverage::lines`].
    pub fn from_lines(text: &str) -> Coverage {
        let mut coverage = Coverage::default();
        for line in text.lines() {
            let mut parts = line.splitn(3, '\t');
            let mut count = || parts.next()?.parse().ok();
            if let (Some(kept), Some(broken)) = (count(), count())
                && let Some(rule) = parts.next()
            {
                coverage.0.insert(rule.to_owned(), (kept, broken));
            }
        }
        coverage
    }

    /// A line for each rule: how often it was kept and broken, and which it is.
    pub fn lines(&self) -> String {
        let line =
            |(rule, (kept, broken)): (&String, &(u64, u64))| format!("{kept}\t{broken}\t{rule}\n");
        self.0.iter().map(line).collect()
    }

    /// Adds what another has seen.
    pub fn add(&mut self, other: &Coverage) {
        for (key, (kept, broken)) in &other.0 {
            let counts = self.0.entry(key.clone()).or_default();
            counts.0 += kept;
            counts.1 += broken;
        }
    }
}

fn key(crd: &Crd, path: &str, message: &str) -> String {
    format!("{}/{} {path}: {message}", crd.kind, crd.version)
}

fn without_indices(field: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for character in field.chars() {
        inside &= character != ']';
        if !inside {
            out.push(character);
        }
        inside |= character == '[';
    }
    out
}

fn child(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// The schemas that carry a rule with a message, with the names of those rules.
pub fn schemas_with<'s>(crd: &'s Crd, message: &str) -> Vec<(String, &'s Value)> {
    let mut found = Vec::new();
    find(&crd.schema, "", message, &mut |path, schema| {
        found.push((key(crd, path, message), schema));
    });
    found
}

fn find<'s>(schema: &'s Value, path: &str, message: &str, found: &mut impl FnMut(&str, &'s Value)) {
    if path == "status" {
        return;
    }
    if rules(schema).any(|one| one == message) {
        found(path, schema);
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        find(schema, &child(path, name), message, found);
    }
    if let Some(items) = schema.get("items") {
        find(items, &format!("{path}[]"), message, found);
    }
}

fn rules(schema: &Value) -> impl Iterator<Item = &str> {
    let rules = schema["x-kubernetes-validations"].as_array();
    rules
        .into_iter()
        .flatten()
        .filter_map(|rule| rule["message"].as_str())
}

fn visit(schema: &Value, path: &str, found: &mut impl FnMut(&str, &str)) {
    if path == "status" {
        return;
    }
    for message in rules(schema) {
        found(path, message);
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        visit(schema, &child(path, name), found);
    }
    if let Some(items) = schema.get("items") {
        visit(items, &format!("{path}[]"), found);
    }
}

fn keep(schema: &Value, value: &Value, path: &str, kept: &mut Vec<(String, String)>) {
    if path == "status" {
        return;
    }
    kept.extend(rules(schema).map(|message| (path.to_owned(), message.to_owned())));
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let Some(schema) = schema["properties"].get(name) {
                    keep(schema, value, &child(path, name), kept);
                }
            }
        }
        Value::Array(items) => {
            for value in items {
                keep(&schema["items"], value, &format!("{path}[]"), kept);
            }
        }
        _ => {}
    }
}
