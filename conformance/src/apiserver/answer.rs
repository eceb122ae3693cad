//! What an API server and what gatepost say about an object, in one form.

use std::collections::{BTreeMap, BTreeSet};

use gatepost::problem::{FieldPath, Segment};
use gatepost::validate::{Severity, Violation};
use serde_json::Value;

use super::client::Response;

/// A verdict, as fields with the rules that they break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Taken as it is.
    Accepted,
    /// Refused for what its fields hold.
    Refused(BTreeSet<(String, String)>),
    /// Fields that are not known; nothing else was looked at.
    Unknown(BTreeSet<String>),
    /// Not an object that can be read at all.
    Unreadable(String),
}

/// The messages of all rules, longest first: one may end like another.
pub fn messages(rules: &str) -> Vec<String> {
    let rules: BTreeMap<String, Value> = serde_json::from_str(rules).unwrap_or_default();
    let mut messages: Vec<String> = rules.into_keys().collect();
    messages.sort_by_key(|message| std::cmp::Reverse(message.len()));
    messages
}

/// Reads an answer of the server.
pub fn theirs(response: &Response, messages: &[String]) -> Answer {
    if response.status < 300 {
        return Answer::Accepted;
    }
    let text = response.body["message"].as_str().unwrap_or_default();
    if text.contains("strict decoding error") {
        let unknown = text
            .split("unknown field \"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        return Answer::Unknown(unknown.map(str::to_owned).collect());
    }
    let Some(causes) = response.body["details"]["causes"]
        .as_array()
        .filter(|_| response.status == 422)
    else {
        return Answer::Unreadable(format!("{}: {text}", response.status));
    };
    let cause = |cause: &Value| {
        let text = |name: &str| cause[name].as_str().unwrap_or_default().to_owned();
        let (field, message) = (text("field"), text("message"));
        field_in_message(&field, &message)
            .unwrap_or_else(|| (field, rule(&text("reason"), &message, messages)))
    };
    let skipped =
        |(_, rule): &(String, String)| !SAID_BESIDES.iter().any(|said| rule.contains(said));
    Answer::Refused(
        causes
            .iter()
            .map(cause)
            .filter(skipped)
            .map(normal)
            .collect(),
    )
}

/// What the server adds: that it has not looked at rules, and that what is no object at all keeps both sides of a choice.
const SAID_BESIDES: &[&str] = &[
    "some validation rules were not checked",
    "Found 2 valid alternatives",
];

/// Some causes name their field in the message only. That an address is none is told three times; here it is once.
fn field_in_message(field: &str, message: &str) -> Option<(String, String)> {
    if SAID_BESIDES.iter().any(|said| message.contains(said)) {
        return Some((String::new(), message.to_owned()));
    }
    let address = |field: String| (field, "oneOf".to_owned());
    if message.contains("(oneOf)") {
        return Some(address(format!("{}.value", message.split('"').nth(3)?)));
    }
    if message.contains("(anyOf)") {
        return Some(address(message.split('"').nth(3)?.to_owned()));
    }
    if message.contains("must be of type ipv4") || message.contains("must be of type ipv6") {
        return Some(address(field.to_owned()));
    }
    if message.contains("Checked value must be of type") {
        return Some((
            message.rsplit(" in ").next()?.to_owned(),
            "format".to_owned(),
        ));
    }
    if message.contains("must be an object for an array of list-type map") {
        return Some((field.to_owned(), "type".to_owned()));
    }
    None
}

fn rule(reason: &str, message: &str, messages: &[String]) -> String {
    let word = match reason {
        "FieldValueRequired" => "required",
        "FieldValueNotSupported" => "enum",
        "FieldValueTooLong" => "maxLength",
        "FieldValueTooMany" => "maxItems",
        "FieldValueTypeInvalid" => "type",
        "FieldValueDuplicate" => "duplicate",
        _ => {
            let words = [
                ("should match '", "pattern"),
                ("chars long", "minLength"),
                ("should have at least 1 items", "minItems"),
                ("should have at least", "minProperties"),
                ("should have at most", "maxProperties"),
                ("should be greater than or equal to", "minimum"),
                ("should be less than or equal to", "maximum"),
                ("must be of type int", "format"),
            ];
            let of_rules = messages
                .iter()
                .find(|known| message.ends_with(known.as_str()));
            let of_words = words
                .iter()
                .find(|(text, _)| message.contains(text))
                .map(|(_, word)| *word);
            return of_rules
                .map(String::as_str)
                .or(of_words)
                .unwrap_or(message)
                .to_owned();
        }
    };
    word.to_owned()
}

/// What gatepost says, in the order of an API server: unknown fields end the reading, unless they are ignored.
pub fn ours(violations: &[Violation], strict: bool) -> Answer {
    let unknown: BTreeSet<String> = violations
        .iter()
        .filter(|violation| violation.severity != Severity::Refused)
        .map(|violation| violation.field.to_string())
        .collect();
    if strict && !unknown.is_empty() {
        return Answer::Unknown(unknown);
    }
    let refused: BTreeSet<(String, String)> = violations
        .iter()
        .filter(|violation| violation.severity == Severity::Refused)
        .map(|violation| normal((path(&violation.field), violation.rule.to_owned())))
        .collect();
    if refused.is_empty() {
        Answer::Accepted
    } else {
        Answer::Refused(refused)
    }
}

/// A field as the server's schemas name it: keys that users choose are fields as well, and not escaped.
fn path(field: &FieldPath) -> String {
    let mut path = String::new();
    for segment in field.segments() {
        match segment {
            Segment::Index(index) => path.push_str(&format!("[{index}]")),
            Segment::Field(name) | Segment::Key(name) => {
                path.push_str(if path.is_empty() { "" } else { "." });
                path.push_str(name);
            }
        }
    }
    path
}

/// The server names all labels and annotations at once, and calls what is wrong with metadata merely invalid.
fn normal((field, rule): (String, String)) -> (String, String) {
    if let Some(rest) = field.strip_prefix("metadata.") {
        let field = rest.split(['[', '.']).next().unwrap_or_default();
        let rule = if rule == "required" {
            rule
        } else {
            "metadata".to_owned()
        };
        return (format!("metadata.{field}"), rule);
    }
    // A map with too many entries is a list with too many to the server.
    let rule = if rule == "maxProperties" {
        "maxItems".to_owned()
    } else {
        rule
    };
    (field, rule)
}

/// Whether the two say the same. What cannot be read has no fields on the server's side.
pub fn agree(theirs: &Answer, ours: &Answer, violations: &[Violation]) -> bool {
    let unreadable = |violation: &Violation| {
        violation.rule == "type" && violation.field.to_string().starts_with("metadata")
    };
    match theirs {
        Answer::Unreadable(_) => violations.iter().any(unreadable),
        theirs => theirs == ours,
    }
}

/// What only one of two answers says, or both in full.
pub fn difference(theirs: &Answer, ours: &Answer) -> String {
    match (theirs, ours) {
        (Answer::Refused(theirs), Answer::Refused(ours)) => {
            let only = |a: &BTreeSet<_>, b: &BTreeSet<_>| {
                format!("{:?}", a.difference(b).collect::<Vec<_>>())
            };
            format!(
                "only the server says {}, only gatepost says {}",
                only(theirs, ours),
                only(ours, theirs)
            )
        }
        (theirs, ours) => format!("the server says {theirs:?}, gatepost says {ours:?}"),
    }
}
