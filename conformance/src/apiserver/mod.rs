//! A real API server as the judge of `gatepost::validate`: objects made from the CRDs, sent as dry runs, answers compared.

mod aimed;
pub mod answer;
pub mod client;
pub mod coverage;
mod filters;
pub mod kubernetes;
pub mod objects;
