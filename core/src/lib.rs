//! Kubernetes Gateway API as a library.
pub mod api;
pub mod document;
pub mod duration;
pub mod hostname;
pub mod key;
pub mod manifest;
pub mod pattern;
pub mod problem;
pub mod resources;
pub mod rule;
pub mod table;
pub mod target;
pub mod timestamp;
pub mod validate;
