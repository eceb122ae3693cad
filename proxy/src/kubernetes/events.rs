//! Events: what `kubectl describe` shows of problems.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gatepost::key::{Kind, ObjectKey};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::api::Api;
use super::intake::Observed;
use crate::{random, time};

/// Events that may be on their way; more are left out.
const AT_ONCE: usize = 8;
/// Bytes of a message, as the API server has them.
const LONGEST: usize = 1000;

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Tells of problems once, when they come up.
#[derive(Clone, Debug)]
pub(super) struct Events {
    api: Api,
    reporter: Arc<str>,
    controller: Arc<str>,
    room: Arc<Semaphore>,
}

impl Events {
    pub(super) fn new(api: Api, reporter: &str, controller: &str) -> Events {
        Events {
            api,
            reporter: reporter.into(),
            controller: controller.into(),
            room: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Tells of the problems that a status has and did not have before.
    pub(super) fn tell(&self, key: &ObjectKey, now: &Observed, before: &Value) {
        let old = problems(before, &self.controller);
        for problem in problems(&now.status, &self.controller) {
            if old
                .iter()
                .any(|old| old.reason == problem.reason && old.message == problem.message)
            {
                continue;
            }
            let Ok(permit) = self.room.clone().try_acquire_owned() else {
                return;
            };
            let (api, event) = (self.api.clone(), self.event(key, now, &problem));
            // Events of what lies in no namespace go to the one named default.
            let namespace = namespace(key);
            tokio::spawn(async move {
                let path = format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events");
                if let Err(failure) = api.create(&path, &event).await {
                    tracing::debug!(%failure, "an event was not written");
                }
                drop(permit);
            });
        }
    }

    fn event(&self, key: &ObjectKey, now: &Observed, problem: &Problem) -> Value {
        let group = key.kind.group();
        let api_version = if group.is_empty() {
            now.version.to_owned()
        } else {
            format!("{group}/{}", now.version)
        };
        let mut regarding = json!({
            "apiVersion": api_version, "kind": key.kind.as_str(), "name": key.name,
            "uid": now.uid, "resourceVersion": now.resource_version,
        });
        if !key.namespace.is_empty() {
            regarding["namespace"] = key.namespace.clone().into();
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed) ^ random::seed();
        let prefix: String = key.name.chars().take(200).collect();
        let instant = time::now().to_string().replace('Z', ".000000Z");
        json!({
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": format!("{prefix}.{number:016x}"), "namespace": namespace(key)},
            "eventTime": instant,
            "reportingController": &*self.controller,
            "reportingInstance": &*self.reporter,
            "action": "Reconcile",
            "reason": problem.reason,
            "note": problem.message,
            "type": "Warning",
            "regarding": regarding,
        })
    }
}

fn namespace(key: &ObjectKey) -> String {
    if key.kind == Kind::GatewayClass || key.namespace.is_empty() {
        "default".to_owned()
    } else {
        key.namespace.clone()
    }
}

#[derive(Debug, PartialEq)]
struct Problem {
    reason: String,
    message: String,
}

/// The conditions of ours in a status that tell of a problem.
fn problems(status: &Value, controller: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut collect = |conditions: &Value, of: &str| {
        for condition in list(conditions) {
            let kind = condition["type"].as_str().unwrap_or_default();
            let wrong = match kind {
                "Accepted" | "ResolvedRefs" | "SupportedVersion" => "False",
                "Conflicted" | "PartiallyInvalid" => "True",
                // Programmed follows from the others, but for what only the world knows.
                "Programmed" if condition["reason"] != "Invalid" => "False",
                _ => continue,
            };
            if condition["status"] != *wrong {
                continue;
            }
            let text = |field: &str| condition[field].as_str().unwrap_or_default();
            let message: String = format!("{of}{}", text("message"))
                .chars()
                .take(LONGEST)
                .collect();
            found.push(Problem {
                reason: text("reason").to_owned(),
                message,
            });
        }
    };
    collect(&status["conditions"], "");
    for listener in list(&status["listeners"]) {
        let of = format!(
            "listener `{}`: ",
            listener["name"].as_str().unwrap_or_default()
        );
        collect(&listener["conditions"], &of);
    }
    for entries in ["parents", "ancestors"] {
        for entry in list(&status[entries]) {
            if entry["controllerName"] == *controller {
                collect(&entry["conditions"], "");
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_those_of_ours() {
        let condition = |kind: &str, status: &str, reason: &str| json!({"type": kind, "status": status, "reason": reason, "message": "m"});
        let status = json!({
            "conditions": [condition("Accepted", "True", "Accepted"), condition("Programmed", "False", "AddressNotUsable")],
            "listeners": [{"name": "x", "conditions": [condition("Conflicted", "True", "HostnameConflict"), condition("Programmed", "False", "Invalid")]}],
            "parents": [
                {"controllerName": "us", "conditions": [condition("ResolvedRefs", "False", "BackendNotFound")]},
                {"controllerName": "them", "conditions": [condition("ResolvedRefs", "False", "RefNotPermitted")]},
            ],
        });
        let found = problems(&status, "us");
        let reasons: Vec<&str> = found
            .iter()
            .map(|problem| problem.reason.as_str())
            .collect();
        assert_eq!(
            reasons,
            ["AddressNotUsable", "HostnameConflict", "BackendNotFound"]
        );
        assert_eq!(found[1].message, "listener `x`: m");
        assert!(problems(&Value::Null, "us").is_empty());
    }
}
