//! Kubernetes Gateway API as a library.
pub mod api;
pub mod document;
pub mod duration;
pub mod key;
pub mod manifest;
pub mod problem;
pub mod resources;
pub mod timestamp;
pub mod validate;
