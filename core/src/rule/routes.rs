//! The routes of a listener.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Route;
use super::ordered::{self, Ordered, Place};
use crate::key::ObjectKey;

impl Place for Arc<Route> {
    fn place(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

/// The routes of a listener, ordered by key. No two have the same key: the last one put in stays.
///
/// Versions share what they have in common, so a clone costs nothing, and one route put in or taken out costs a copy of its
/// page and of the list of pages: a few microseconds among 10,000 routes.
///
/// ```
/// use std::sync::Arc;
/// use gatepost::{key::{Kind, ObjectKey}, rule::{Route, Routes}};
/// let route = |name: &str| Arc::new(Route {
///     key: ObjectKey::new(Kind::HttpRoute, "shop", name).into(), created: None, hostnames: Vec::new(), rules: Vec::new(),
/// });
/// let before: Routes = [route("cart"), route("users")].into_iter().collect();
/// let mut after = before.clone();
/// after.insert(route("stock"));
/// after.remove(&ObjectKey::new(Kind::HttpRoute, "shop", "cart"));
/// let names: Vec<&str> = after.iter().map(|route| &*route.key.name).collect();
/// assert_eq!(names, ["stock", "users"]);
/// assert_eq!(before.difference(&after).len(), 2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Routes(Ordered<Arc<Route>>);

/// A route as it is in an older version and in a newer one.
pub type DifferingRoute<'r> = (Option<&'r Arc<Route>>, Option<&'r Arc<Route>>);

impl Routes {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The routes in the order of their keys.
    pub fn iter(&self) -> RoutesIter<'_> {
        RoutesIter(self.0.iter())
    }

    /// The route with a key.
    pub fn get(&self, key: &ObjectKey) -> Option<&Arc<Route>> {
        self.0.get(|route| (*route.key).cmp(key))
    }

    /// Puts a route in; says which one it replaces.
    pub fn insert(&mut self, route: Arc<Route>) -> Option<Arc<Route>> {
        self.0.insert(route)
    }

    /// Puts a route behind all others, or gives it back if it does not belong there.
    pub(crate) fn push(&mut self, route: Arc<Route>) -> Result<(), Arc<Route>> {
        self.0.push(route)
    }

    /// Takes a route out.
    pub fn remove(&mut self, key: &ObjectKey) -> Option<Arc<Route>> {
        self.0.remove(|route| (*route.key).cmp(key))
    }

    /// The routes that are not the same `Arc` in a newer version, as they are here and there.
    ///
    /// The cost is that of the pages that both do not share.
    pub fn difference<'r>(&'r self, newer: &'r Routes) -> Vec<DifferingRoute<'r>> {
        self.0.difference(&newer.0, Arc::ptr_eq)
    }
}

impl PartialEq for Routes {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self
                .difference(other)
                .into_iter()
                .all(|(one, two)| one == two)
    }
}

impl FromIterator<Arc<Route>> for Routes {
    fn from_iter<I: IntoIterator<Item = Arc<Route>>>(routes: I) -> Self {
        Self(Ordered::of(routes.into_iter().collect()))
    }
}

impl<'r> IntoIterator for &'r Routes {
    type Item = &'r Arc<Route>;
    type IntoIter = RoutesIter<'r>;

    fn into_iter(self) -> RoutesIter<'r> {
        self.iter()
    }
}

/// The routes in the order of their keys: see [`Routes::iter`].
#[derive(Clone, Debug)]
pub struct RoutesIter<'r>(ordered::Iter<'r, Arc<Route>>);

impl<'r> Iterator for RoutesIter<'r> {
    type Item = &'r Arc<Route>;

    fn next(&mut self) -> Option<&'r Arc<Route>> {
        self.0.next()
    }
}
