//! Kubernetes Gateway API as a library.
pub mod api;
pub mod duration;
pub mod key;
pub mod timestamp;
