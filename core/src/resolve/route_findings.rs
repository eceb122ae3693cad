//! What routes came to, by key.

use std::cmp::Ordering;
use std::sync::Arc;

use super::finding::RouteFinding;
use crate::key::ObjectKey;
use crate::rule::ordered::{Ordered, Place};

/// The findings of routes, in the order of their keys. Most routes share one, and versions share pages: a clone costs
/// nothing.
#[derive(Clone, Debug, Default)]
pub struct RouteFindings(Ordered<Entry>);

/// A route and what it came to.
pub(super) type Entry = (Arc<ObjectKey>, Arc<RouteFinding>);

impl Place for Entry {
    fn place(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl RouteFindings {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The routes with their findings.
    pub fn iter(&self) -> impl Iterator<Item = (&ObjectKey, &RouteFinding)> {
        self.0.iter().map(|(key, finding)| (&**key, &**finding))
    }

    /// The finding of a route.
    pub fn get(&self, key: &ObjectKey) -> Option<&RouteFinding> {
        let (_, finding) = self.0.get(|(own, _)| (**own).cmp(key))?;
        Some(finding)
    }

    /// Takes a finding up; whether it is another than before.
    pub(super) fn set(&mut self, entry: Entry) -> bool {
        // Those of a first resolution come in order.
        let Err(entry) = self.0.push(entry) else {
            return true;
        };
        if self.get(&entry.0) == Some(&entry.1) {
            return false;
        }
        self.0.insert(entry);
        true
    }

    pub(super) fn remove(&mut self, key: &ObjectKey) {
        self.0.remove(|(own, _)| (**own).cmp(key));
    }
}
