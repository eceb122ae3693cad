//! Benchmarks of gatepost beside its peers.
//!
//! [`shapes`] makes rules and requests that know their answer, [`subjects`] are the matchers that answer them, and
//! [`measure`] times them. The binary `matchers` runs them in turn, one process a measurement; `controller` measures what happens
//! to [`manifests`].

pub mod manifests;
pub mod measure;
pub mod shapes;
pub mod subjects;
