//! What judges gatepost: cases, a reference model, generators, and the subjects that they are put to.
//!
//! [`case`] is the form of the cases in `cases/*.toml`; [`model`] answers requests slowly and plainly, written from the
//! specification alone; [`generate`] makes manifests and requests bent from them; [`subject`] is whatever has to answer.

pub mod apiserver;
pub mod case;
pub mod certificates;
pub mod coverage;
pub mod entropy;
mod expectation;
mod folder;
pub mod generate;
pub mod model;
pub mod request;
pub mod sequence;
pub mod status_case;
pub mod subject;
pub mod upstream;
