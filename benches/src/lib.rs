//! Benchmarks of gatepost beside its peers.
//!
//! [`shapes`] makes rules and requests that know their answer, [`subjects`] are the matchers that answer them, [`changes`] are
//! routes that change, and [`selection`] has backends to pick from. Without the feature `peers` there is gatepost alone, for counting its
//! instructions.

pub mod changes;
#[cfg(feature = "peers")]
pub mod manifests;
#[cfg(feature = "peers")]
pub mod measure;
pub mod selection;
pub mod shapes;
pub mod subjects;
