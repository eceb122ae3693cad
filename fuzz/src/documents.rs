//! Any bytes read as manifests: within the limits, places inside the text, the same again from what was read, the same by the
//! full parser alone, and everything that follows is total.

use gatepost::controller::Controller;
use gatepost::document::{Document, Limits, Node, Value, read, read_in_full};
use gatepost::key::Channel;
use gatepost::manifest;
use gatepost::problem::{Place, Problem};
use gatepost::status::Facts;
use gatepost::timestamp::Timestamp;

/// The claim; see the module.
///
/// # Panics
///
/// If it does not hold.
pub fn holds(text: &[u8]) {
    let mut limits = Limits::default();
    limits.nodes = 20_000;
    limits.alias_nodes = 1_000;
    limits.objects = 200;
    like_the_full_parser(text, &limits);
    if let Ok(documents) = read(&"fuzz".into(), text, &limits) {
        let nodes: usize = documents
            .iter()
            .map(|document| judge(document.root(), text, 1, &limits))
            .sum();
        assert!(nodes <= limits.nodes, "{nodes} nodes");
        for document in &documents {
            reads_again(document);
        }
        like_serde_json(text, &documents);
    }
    let loaded = manifest::read("fuzz", text, &limits);
    for channel in [Channel::Standard, Channel::Experimental] {
        let collected = manifest::collect([loaded.clone()], channel, &limits);
        for problem in &collected.problems {
            judge_problem(problem, text);
        }
        for (key, _) in collected.resources.iter() {
            assert!(
                !collected.refused.contains(key),
                "{key} is kept and refused"
            );
        }
        let resolution = Controller::default().resolve(&collected.resources);
        let statuses = resolution.statuses(&Facts::ideal());
        let _ = statuses.changes(&collected.resources, Timestamp::from_unix_seconds(0));
    }
}

/// Plain YAML is read line by line, with the values, the places and the errors of the full parser.
fn like_the_full_parser(text: &[u8], limits: &Limits) {
    let source = "fuzz".into();
    let (one, other) = (
        read(&source, text, limits),
        read_in_full(&source, text, limits),
    );
    // `Debug` shows every place.
    assert_eq!(format!("{one:?}"), format!("{other:?}"));
}

/// Counts the nodes of a tree; all lie in the text and no deeper than allowed.
fn judge(node: &Node, text: &[u8], depth: usize, limits: &Limits) -> usize {
    within(node.place(), text);
    match node.value() {
        Value::Sequence(items) => {
            assert!(depth <= limits.depth, "too deep");
            let below = items
                .iter()
                .map(|item| judge(item, text, depth + 1, limits));
            1 + below.sum::<usize>()
        }
        Value::Mapping(mapping) => {
            assert!(depth <= limits.depth, "too deep");
            let below = mapping.entries().iter().map(|entry| {
                within(entry.place, text);
                judge(&entry.value, text, depth + 1, limits)
            });
            1 + below.sum::<usize>()
        }
        Value::String(value) => {
            assert!(value.len() <= limits.scalar, "a long scalar");
            1
        }
        _ => 1,
    }
}

fn within(place: Place, text: &[u8]) {
    // A line break is one of CR LF, LF and CR; here it is enough that there are no more lines than breaks.
    let breaks = text
        .iter()
        .filter(|&&byte| byte == b'\n' || byte == b'\r')
        .count();
    assert!(
        place.line >= 1 && place.line as usize <= breaks + 1,
        "{place} lies behind the text"
    );
    assert!(
        place.column >= 1 && place.column as usize <= text.len() + 1,
        "{place} lies beside the text"
    );
}

/// What was read, written as JSON, reads as the same.
fn reads_again(document: &Document) {
    let value = document.to_json();
    if !value.is_object() && !value.is_array() {
        return;
    }
    let written = serde_json::to_vec(&value).expect("JSON is writable");
    let again = read(&"again".into(), &written, &Limits::default()).expect("it was read before");
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].to_json(), value);
}

/// JSON is read as everybody reads it, but that whole numbers are integers.
fn like_serde_json(text: &[u8], documents: &[Document]) {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(text) else {
        return;
    };
    if value.is_object() || value.is_array() {
        assert_eq!(documents.len(), 1);
        // A key that stands twice is reported, and `serde_json` keeps the other value.
        if !documents[0].duplicates().is_empty() {
            return;
        }
        let read_so = Document::from_json("serde_json", &value).to_json();
        assert_eq!(documents[0].to_json(), read_so);
    }
}

fn judge_problem(problem: &Problem, text: &[u8]) {
    if let Some(place) = problem.place {
        within(place, text);
    }
    let line = problem.to_string();
    assert!(
        !line.chars().any(char::is_control),
        "not one plain line: {line:?}"
    );
    assert!(!problem.message.is_empty());
}
