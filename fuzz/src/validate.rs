//! Objects of every kind, bent: each violation says what and where; what has none can be read as its type, and what was
//! read can be written and has none either.

use std::collections::BTreeSet;

use gatepost::document::Document;
use gatepost::key::{Channel, EXPERIMENTAL_GROUP, GATEWAY_GROUP, Kind};
use gatepost::resources::Resource;
use gatepost::validate::{Severity, Violation, validate};
use gatepost_conformance::entropy::Entropy;
use rand::RngExt;
use rand::seq::IndexedRandom;
use serde_json::Value;

use crate::bend::{bend, documents};

/// The claim; see the module.
///
/// # Panics
///
/// If it does not hold.
pub fn holds(bytes: &[u8]) {
    let mut entropy = Entropy::from_bytes(bytes);
    let mut value = documents()
        .choose(&mut entropy)
        .expect("there are documents")
        .clone();
    for _ in 0..entropy.random_range(0..6) {
        bend(&mut value, &mut entropy);
    }
    for channel in [Channel::Standard, Channel::Experimental] {
        judge(&value, channel);
    }
}

fn judge(value: &Value, channel: Channel) {
    let document = Document::from_json("fuzz", value);
    let violations = validate(&document, channel);
    let mut seen = BTreeSet::new();
    for violation in &violations {
        plain(violation);
        let found = (
            violation.field.clone(),
            violation.rule,
            violation.message.clone(),
        );
        assert!(seen.insert(found), "said twice: {violation:?}");
    }
    // What stands in an experimental field is not judged where there is no such field; its type is that of the other channel.
    let refused = [Severity::Refused, Severity::Experimental];
    if violations
        .iter()
        .any(|violation| refused.contains(&violation.severity))
    {
        return;
    }
    let kind = value["kind"].as_str().unwrap_or_default();
    let version = value["apiVersion"].as_str().unwrap_or_default();
    let (group, _) = version.rsplit_once('/').unwrap_or(("", version));
    let resource = match Resource::from_json(value.clone()) {
        Ok(resource) => resource,
        // A kind that is none of ours has no violations, and no type.
        Err(_) if Kind::from_group_kind(group, kind).is_none() => return,
        // Kinds of Kubernetes are judged as far as routing reads them, so reading their types may find more.
        Err(_) if ![GATEWAY_GROUP, EXPERIMENTAL_GROUP].contains(&group) => return,
        Err(message) => panic!("{kind} has no violation, and cannot be read: {message}\n{value:#}"),
    };
    let written = resource.to_json();
    let again = validate(&Document::from_json("again", &written), channel);
    let refused: Vec<&Violation> = again
        .iter()
        .filter(|violation| violation.severity == Severity::Refused)
        .collect();
    assert!(
        refused.is_empty(),
        "written again it is refused: {refused:?}\n{value:#}"
    );
}

fn plain(violation: &Violation) {
    let text = format!(
        "{} {} {}",
        violation.field, violation.rule, violation.message
    );
    assert!(
        !violation.message.is_empty() && !violation.rule.is_empty(),
        "{violation:?}"
    );
    assert!(
        !violation.message.chars().any(char::is_control),
        "not one plain line: {text:?}"
    );
}
