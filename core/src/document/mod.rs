//! Text becomes a tree first: untyped, every node with its place.
//!
//! Typed readers convert silently and tell no places; here a port written as `"80"` is still a string when it is judged.

pub mod json;
pub mod limits;
pub(crate) mod path;
#[cfg(feature = "yaml")]
mod plain;
mod reader;
#[cfg(feature = "yaml")]
mod scalar;
#[cfg(all(test, feature = "yaml"))]
mod tests;
mod tree;
pub(crate) mod typed;
#[cfg(feature = "yaml")]
mod yaml;

pub use limits::Limits;
#[cfg(feature = "yaml")]
pub use reader::read_in_full;
pub use reader::{Refused, read};
pub use tree::{Document, Duplicate, Entry, Mapping, Node, Value};
