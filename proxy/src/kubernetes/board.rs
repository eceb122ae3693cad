//! What statuses should be and what they are: shared by the one who resolves and those who write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gatepost::key::{Kind, ObjectKey};
use gatepost::resources::Resources;
use gatepost::status::Statuses;
use serde_json::Value;
use tokio::sync::Notify;

use super::intake::{Observed, Sighting};
use crate::time;

/// The board.
#[derive(Debug, Default)]
pub(super) struct Board {
    state: Mutex<State>,
    news: Notify,
}

#[derive(Debug, Default)]
struct State {
    desired: Statuses,
    /// The generation of each object that was resolved.
    resolved: BTreeMap<ObjectKey, i64>,
    observed: BTreeMap<ObjectKey, Observed>,
    /// Objects whose status may have to be written.
    queue: BTreeSet<ObjectKey>,
    /// Those that are being written.
    writing: BTreeSet<ObjectKey>,
    leading: bool,
}

/// A status to be written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Write {
    pub(super) key: ObjectKey,
    pub(super) observed: Observed,
    pub(super) status: Value,
}

/// What statuses should be, after a change.
#[derive(Debug)]
pub(super) enum Update {
    /// As they were.
    Nothing,
    /// All of them.
    Whole(Statuses),
    /// Those of some objects.
    Some(BTreeSet<ObjectKey>, Statuses),
}

impl Board {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what statuses should be, now that the data plane serves it, and what objects that there was news of say of
    /// themselves.
    pub(super) fn desire(&self, update: Update, news: Vec<Sighting>) {
        let mut state = self.state();
        let differing: Vec<ObjectKey> = match update {
            Update::Nothing => Vec::new(),
            Update::Whole(new) => {
                let differing = new.differing(&state.desired).cloned().collect();
                state.desired = new;
                differing
            }
            Update::Some(keys, new) => state.desired.update(keys, new),
        };
        state.queue.extend(differing);
        for Sighting {
            key,
            observed,
            listed,
        } in news
        {
            let Some(observed) = observed else {
                state.observed.remove(&key);
                state.resolved.remove(&key);
                continue;
            };
            state.resolved.insert(key.clone(), observed.generation);
            // What was seen after a write of ours may be ahead of the watch, never of a list.
            if listed
                || state
                    .observed
                    .get(&key)
                    .is_none_or(|known| !older(&observed, known))
            {
                state.observed.insert(key.clone(), observed);
            }
            state.queue.insert(key);
        }
        drop(state);
        self.news.notify_one();
    }

    /// What an object says of itself.
    pub(super) fn observed(&self, key: &ObjectKey) -> Option<Observed> {
        self.state().observed.get(key).cloned()
    }

    /// The finalizers that classes should have, where they are others than they have.
    pub(super) fn finalizers(&self, resources: &Resources) -> BTreeMap<ObjectKey, Vec<String>> {
        let state = self.state();
        let classes = resources.of(Kind::GatewayClass).map(|(key, _)| key);
        let wanted = classes.filter_map(|key| {
            let wanted = state.desired.finalizers(key, resources)?;
            Some((key.clone(), wanted))
        });
        wanted.collect()
    }

    /// Notes whether it is this process that writes; a new writer looks at everything.
    pub(super) fn lead(&self, leading: bool) {
        let mut state = self.state();
        state.leading = leading;
        if leading {
            let all: Vec<ObjectKey> = state.observed.keys().cloned().collect();
            state.queue.extend(all);
        }
        drop(state);
        self.news.notify_one();
    }

    /// Whether this process writes.
    pub(super) fn leading(&self) -> bool {
        self.state().leading
    }

    /// Waits for something to look at.
    pub(super) async fn changed(&self) {
        self.news.notified().await;
    }

    /// The next status to write, if this process writes; the object is set aside until [`Board::done`].
    pub(super) fn next(&self) -> Option<Write> {
        let mut state = self.state();
        if !state.leading {
            state.queue.clear();
            return None;
        }
        loop {
            let key = state
                .queue
                .iter()
                .find(|key| !state.writing.contains(*key))
                .cloned()?;
            state.queue.remove(&key);
            if let Some(write) = state.write(&key) {
                state.writing.insert(key);
                return Some(write);
            }
        }
    }

    /// An object was written, or asked for (`asked`, which counts whatever its resource version is); the write that is due
    /// now, if there is one.
    pub(super) fn seen(&self, key: &ObjectKey, observed: Observed, asked: bool) -> Option<Write> {
        let mut state = self.state();
        let known = state.observed.get(key);
        if known.is_some_and(|known| asked || !older(&observed, known)) {
            state.observed.insert(key.clone(), observed);
        }
        state.write(key)
    }

    /// An object is not being written any more; `again` puts it back.
    pub(super) fn done(&self, key: &ObjectKey, again: bool) {
        let mut state = self.state();
        state.writing.remove(key);
        let waits = again || state.queue.contains(key);
        if again {
            state.queue.insert(key.clone());
        }
        drop(state);
        if waits {
            self.news.notify_one();
        }
    }
}

impl State {
    /// What is to be written on an object; `None` if nothing is.
    fn write(&self, key: &ObjectKey) -> Option<Write> {
        let observed = self.observed.get(key)?;
        let generation = *self.resolved.get(key)?;
        // A specification that is newer than what was resolved: its own news are on their way.
        if observed.generation > generation {
            return None;
        }
        let status = self
            .desired
            .over(key, &observed.status, generation, time::now())?;
        let untouched = observed.status.is_null() && is_empty(&status);
        (status != observed.status && !untouched).then(|| Write {
            key: key.clone(),
            observed: observed.clone(),
            status,
        })
    }
}

/// A status without any entry.
fn is_empty(status: &Value) -> bool {
    status["parents"].as_array().is_some_and(Vec::is_empty)
        && status.as_object().is_some_and(|fields| fields.len() == 1)
}

/// Whether a resource version is an older one: they are numbers that grow. What is no number is never older.
fn older(one: &Observed, other: &Observed) -> bool {
    let number = |observed: &Observed| observed.resource_version.parse::<u64>();
    match (number(one), number(other)) {
        (Ok(one), Ok(other)) => one < other,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost::controller::{Controller, Resolver};
    use gatepost::resources::{Change, Resource};
    use gatepost::status::Facts;
    use serde_json::json;
    use std::sync::Arc;

    fn key() -> ObjectKey {
        ObjectKey::new(Kind::GatewayClass, "", "c")
    }

    fn desired() -> Update {
        let class = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass",
            "metadata": {"name": "c"}, "spec": {"controllerName": Controller::default().controller_name},
        });
        let mut resolver = Resolver::new(Controller::default());
        resolver.apply([Change::Put(Arc::new(
            Resource::from_json(class).expect("a class"),
        ))]);
        Update::Whole(resolver.resolution().statuses(&Facts::ideal()))
    }

    fn observed(version: &str, generation: i64, status: Value) -> Observed {
        Observed {
            version: "v1",
            resource_version: version.to_owned(),
            generation,
            status,
            ..Observed::default()
        }
    }

    fn tell(board: &Board, observed: Observed) {
        let sighting = Sighting {
            key: key(),
            observed: Some(observed),
            listed: false,
        };
        board.desire(desired(), vec![sighting]);
    }

    #[test]
    fn one_write_a_change_and_none_without() {
        let board = Board::default();
        tell(&board, observed("1", 1, Value::Null));
        assert_eq!(board.next(), None, "another one writes");
        board.lead(true);
        let write = board.next().expect("the class has no status yet");
        assert_eq!(write.status["conditions"][0]["type"], "Accepted");
        assert_eq!(board.next(), None, "it is being written");
        let written = observed("2", 1, write.status.clone());
        assert_eq!(board.seen(&key(), written.clone(), false), None);
        board.done(&key(), false);
        // The watch tells what was written.
        tell(&board, written);
        assert_eq!(board.next(), None);
        // Somebody takes it away.
        tell(&board, observed("3", 1, Value::Null));
        assert!(board.next().is_some());
    }

    #[test]
    fn a_newer_specification_waits_until_it_is_resolved() {
        let board = Board::default();
        board.lead(true);
        tell(&board, observed("1", 1, Value::Null));
        let write = board.next().expect("to be written");
        assert_eq!(write.status["conditions"][0]["observedGeneration"], 1);
        // A conflict: the object has a new generation.
        let newer = observed("2", 2, Value::Null);
        assert_eq!(board.seen(&key(), newer.clone(), true), None);
        board.done(&key(), false);
        tell(&board, newer);
        let write = board.next().expect("to be written");
        assert_eq!(write.status["conditions"][0]["observedGeneration"], 2);
    }

    #[test]
    fn what_is_older_than_what_is_known_is_not_taken() {
        let board = Board::default();
        board.lead(true);
        tell(&board, observed("10", 1, Value::Null));
        let write = board.next().expect("to be written");
        let late = observed("9", 1, write.status.clone());
        assert!(board.seen(&key(), late, false).is_some());
        let fresh = observed("11", 1, write.status);
        assert_eq!(board.seen(&key(), fresh, false), None);
    }
}
