//! Statuses and what else the API server is told.

use std::sync::Arc;
use std::time::Duration;

use gatepost::key::ObjectKey;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;

use super::api::{Api, Failure, Patch, object_path};
use super::board::{Board, Write};
use super::events::Events;
use super::intake::observe;
use crate::metrics::Metrics;

/// Statuses that are written at once.
const AT_ONCE: usize = 16;
/// Tries after conflicts before others get their turn.
const CONFLICTS: usize = 8;

/// Writes what the board says, as long as this process is the one that writes.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    pub(super) api: Api,
    pub(super) board: Arc<Board>,
    pub(super) events: Events,
    pub(super) metrics: Arc<Metrics>,
    /// What cannot be written for want of a permission.
    pub(super) refused: Arc<watch::Sender<Option<String>>>,
}

impl Writer {
    /// Never ends by itself.
    pub(super) async fn run(self) {
        let room = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            while let Some(write) = self.board.next() {
                let Ok(permit) = room.clone().acquire_owned().await else {
                    return;
                };
                let writer = self.clone();
                tokio::spawn(async move {
                    writer.write(write).await;
                    drop(permit);
                });
            }
            self.board.changed().await;
        }
    }

    async fn write(&self, mut write: Write) {
        let key = write.key.clone();
        for _ in 0..CONFLICTS {
            let before = write.observed.status.clone();
            match self.send(&write).await {
                Ok(mut object) => {
                    self.metrics.status_writes.inc();
                    let observed = observe(&mut object);
                    self.events.tell(&key, &observed, &before);
                    self.refused
                        .send_if_modified(|refused| refused.take().is_some());
                    match self.board.seen(&key, observed, false) {
                        // It should be another already.
                        Some(next) => write = next,
                        None => return self.board.done(&key, false),
                    }
                }
                Err(failure) if failure.conflict() => {
                    self.metrics.status_conflicts.inc();
                    match self.again(&key, &write).await {
                        Ok(Some(next)) => write = next,
                        Ok(None) => return self.board.done(&key, false),
                        Err(failure) => return self.later(&key, &failure).await,
                    }
                }
                // The object is gone, or the kind; the watch will tell.
                Err(failure) if failure.missing() => return self.board.done(&key, false),
                Err(failure) => return self.later(&key, &failure).await,
            }
        }
        self.board.done(&key, true);
    }

    /// Looks at an object that somebody else wrote meanwhile.
    async fn again(&self, key: &ObjectKey, write: &Write) -> Result<Option<Write>, Failure> {
        match self.api.object(key, write.observed.version).await {
            Ok(mut object) => Ok(self.board.seen(key, observe(&mut object), true)),
            Err(failure) if failure.missing() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    async fn later(&self, key: &ObjectKey, failure: &Failure) {
        if failure.forbidden() {
            let plural = super::kinds::plural(key.kind);
            let line = format!("permission to patch {plural}/status is missing: {failure}");
            let news = self.refused.send_if_modified(|refused| {
                let new = refused.as_deref() != Some(&line);
                if new {
                    *refused = Some(line.clone());
                }
                new
            });
            if news {
                tracing::error!("{line}");
            }
            sleep(Duration::from_secs(5)).await;
        } else if !failure.down() {
            tracing::error!(object = %key, %failure, "its status was refused");
            sleep(Duration::from_secs(5)).await;
        } else {
            tracing::debug!(object = %key, %failure, "its status was not written");
            self.api.returns().await;
        }
        self.board.done(key, true);
    }

    async fn send(&self, write: &Write) -> Result<Value, Failure> {
        let path = format!("{}/status", object_path(&write.key, write.observed.version));
        let patch = patch(
            &write.observed.resource_version,
            &write.observed.status,
            &write.status,
        );
        self.api.patch(&path, Patch::Merge, &patch).await
    }
}

/// The change from one status to another, refused by the API server if anybody wrote since.
fn patch(resource_version: &str, before: &Value, after: &Value) -> Value {
    let mut status = after.clone();
    if let (Value::Object(status), Value::Object(before)) = (&mut status, before) {
        // Lists are replaced whole; of fields only what differs is sent.
        status.retain(|field, value| before.get(field) != Some(value));
        for field in before.keys().filter(|field| after.get(*field).is_none()) {
            status.insert(field.clone(), Value::Null);
        }
    }
    json!({"metadata": {"resourceVersion": resource_version}, "status": status})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_sent() {
        let before = json!({"addresses": [1], "conditions": [2], "foreign": {"x": 1}, "old": 1});
        let after = json!({"addresses": [1], "conditions": [3], "foreign": {"x": 1}});
        assert_eq!(
            patch("7", &before, &after),
            json!({"metadata": {"resourceVersion": "7"}, "status": {"conditions": [3], "old": null}})
        );
        assert_eq!(patch("7", &Value::Null, &after)["status"], after);
    }
}
