//! Kubernetes Gateway API as a library.
pub mod api;
pub mod key;
pub mod timestamp;
