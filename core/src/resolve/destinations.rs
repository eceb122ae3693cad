//! What references to Services came to, so that each is resolved once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::graph::Node;
use crate::key::Kind;
use crate::rule::BackendDestination;

/// A Service as some kind of object refers to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reference<'s> {
    pub(super) from: Kind,
    pub(super) namespace: &'s str,
    pub(super) name: &'s str,
    pub(super) port: Option<i32>,
}

/// The references to Services of one namespace: name, port, and the kind that refers.
type OfNamespace<'r> = BTreeMap<(&'r str, Option<i32>, Kind), (Node, Arc<BackendDestination>)>;

/// What references to Services came to: many refer to the same, and most to the namespace of the one before.
#[derive(Debug, Default)]
pub(super) struct Destinations<'r> {
    all: Vec<OfNamespace<'r>>,
    /// Where those of a namespace stand in `all`.
    places: BTreeMap<&'r str, usize>,
    last: Option<(&'r str, usize)>,
}

impl<'r> Destinations<'r> {
    /// Where those of a namespace stand.
    fn place(&mut self, namespace: &str) -> Option<usize> {
        match self.last {
            Some((last, place)) if last == namespace => Some(place),
            _ => {
                let (namespace, place) = self.places.get_key_value(namespace)?;
                self.last = Some((namespace, *place));
                Some(*place)
            }
        }
    }

    pub(super) fn get(
        &mut self,
        reference: &Reference<'_>,
    ) -> Option<(Node, Arc<BackendDestination>)> {
        let place = self.place(reference.namespace)?;
        let all: &[OfNamespace<'_>] = &self.all;
        let key = (reference.name, reference.port, reference.from);
        all.get(place)?.get(&key).cloned()
    }

    pub(super) fn insert(
        &mut self,
        reference: &Reference<'r>,
        came_to: (Node, Arc<BackendDestination>),
    ) {
        let place = self.place(reference.namespace).unwrap_or_else(|| {
            self.all.push(BTreeMap::new());
            self.places.insert(reference.namespace, self.all.len() - 1);
            self.all.len() - 1
        });
        if let Some(of_namespace) = self.all.get_mut(place) {
            let key = (reference.name, reference.port, reference.from);
            of_namespace.insert(key, came_to);
        }
    }
}
