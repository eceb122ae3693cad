//! What is nearly always empty, and takes no room while it is.

use std::fmt;
use std::ops::Deref;

/// A value that most rules do not use: a pointer, and nothing behind it while it is empty.
///
/// It reads like the value itself.
///
/// ```
/// use gatepost::rule::{Filters, HeaderEdits, Rare};
///
/// let mut filters = Filters::default();
/// assert!(Rare::from(filters.clone()).is_empty());
/// filters.request_headers = Some(HeaderEdits::default());
/// let filters = Rare::from(filters);
/// assert!(!filters.is_empty());
/// assert!(filters.request_headers.is_some());
/// ```
pub struct Rare<T>(Option<Box<T>>);

/// What has one empty value.
pub trait Empty: PartialEq + 'static {
    /// That value.
    fn empty() -> &'static Self;
}

impl<T> Rare<T> {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl<T: Empty> From<T> for Rare<T> {
    fn from(value: T) -> Self {
        Self((value != *T::empty()).then(|| Box::new(value)))
    }
}

impl<T> Default for Rare<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Empty> Deref for Rare<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.0 {
            Some(value) => value,
            None => T::empty(),
        }
    }
}

impl<T: Clone> Clone for Rare<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: PartialEq> PartialEq for Rare<T> {
    /// Equal contents: an empty value is never kept in a box.
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T: Empty + fmt::Debug> fmt::Debug for Rare<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}
