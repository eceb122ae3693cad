//! Everything that is wrong with manifests: what an API server would refuse, and what resolution finds.

use gatepost::controller::Controller;
use gatepost::document::Document;
use gatepost::key::ObjectKey;
use gatepost::manifest::Collected;
use gatepost::problem::{FieldPath, Level, Problem};
use gatepost::status::Facts;
use serde_json::Value;

/// Every problem of a load, in the order of files and places: those of its texts and objects, and every condition that says
/// that something is not as it should be.
///
/// An unknown field is most often a typing mistake, so here it is an error.
pub fn problems(collected: &Collected, controller: &Controller) -> Vec<Problem> {
    let mut problems = collected.problems.clone();
    for problem in problems
        .iter_mut()
        .filter(|problem| problem.level == Level::Warning)
    {
        problem.level = Level::Error;
    }
    let resolution = controller.resolve(&collected.resources);
    let statuses = resolution.statuses(&Facts::ideal());
    for key in statuses.keys() {
        let status = statuses
            .status(key, &collected.resources, crate::now())
            .unwrap_or_default();
        conditions(key, &status, collected, &mut problems);
    }
    problems.sort_by(|a, b| (&a.source, a.place, &a.field).cmp(&(&b.source, b.place, &b.field)));
    problems
}

/// Every condition that says that something is not as it should be.
fn conditions(key: &ObjectKey, status: &Value, collected: &Collected, problems: &mut Vec<Problem>) {
    let root = FieldPath::default();
    let mut tell = |list: &Value, field: &FieldPath| {
        for condition in list.as_array().into_iter().flatten() {
            let text = |name: &str| condition[name].as_str().unwrap_or_default();
            let negative = matches!(text("type"), "Conflicted" | "PartiallyInvalid");
            if (text("status") == "True") != negative {
                continue;
            }
            let document = collected.documents.get(key);
            let message = text("message");
            let named = document
                .map(|document| field_in(document, message, field))
                .unwrap_or_else(|| field.clone());
            problems.push(Problem {
                level: Level::Error,
                source: document
                    .map_or_else(|| "input".into(), |document| document.source().clone()),
                place: document.map(|document| document.place(&named)),
                object: Some(key.to_string()),
                field: Some(named),
                message: format!(
                    "{} {} ({}): {message}",
                    text("type"),
                    text("status"),
                    text("reason")
                ),
            });
        }
    };
    tell(&status["conditions"], &root);
    for (index, listener) in status["listeners"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        tell(
            &listener["conditions"],
            &root.field("spec").field("listeners").index(index),
        );
    }
    for (index, parent) in status["parents"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        tell(
            &parent["conditions"],
            &root.field("spec").field("parentRefs").index(index),
        );
    }
}

/// The field that a message begins with, or speaks of after `Dropped Rule`, if the document has it.
fn field_in(document: &Document, message: &str, otherwise: &FieldPath) -> FieldPath {
    let start = message.find("spec.").map(|at| &message[at..]);
    let text = start
        .and_then(|text| text.split([':', ' ']).next())
        .unwrap_or_default();
    let mut path = FieldPath::default();
    for part in text.split('.').filter(|part| !part.is_empty()) {
        let (name, indexes) = part
            .split_once('[')
            .map_or((part, ""), |(name, rest)| (name, rest));
        path = path.field(name);
        for index in indexes
            .split(['[', ']'])
            .filter_map(|index| index.parse().ok())
        {
            path = path.index(index);
        }
    }
    if path.segments().is_empty() || document.node(&path).is_none() {
        otherwise.clone()
    } else {
        path
    }
}
