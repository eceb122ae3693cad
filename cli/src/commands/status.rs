//! `gatepost status`.

use gatepost::status::Facts;
use serde_json::{Value, json};

use crate::arguments::{Format, Status};
use crate::{input, output, yaml};

pub(crate) fn run(arguments: &Status) -> u8 {
    let collected = input::load(&arguments.input);
    if input::report_unreadable(&collected) {
        return 2;
    }
    let resolution = input::settings(&arguments.input.reading).resolve(&collected.resources);
    let statuses = resolution.statuses(&Facts::ideal());
    let items = statuses.keys().filter_map(|key| {
        let status = statuses.status(key, &collected.resources, crate::now())?;
        let mut object = json!({"apiVersion": key.kind.api_version(), "kind": key.kind.as_str(), "metadata": {"name": key.name}, "status": status});
        if !key.namespace.is_empty() {
            object["metadata"]["namespace"] = Value::String(key.namespace.clone());
        }
        Some(object)
    });
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items.collect::<Vec<Value>>()});
    output::print(&match arguments.output {
        Format::Yaml => yaml::write(&list),
        Format::Json => format!("{list:#}\n"),
    });
    u8::from(
        collected
            .problems
            .iter()
            .any(|problem| problem.level == gatepost::problem::Level::Error),
    )
}
