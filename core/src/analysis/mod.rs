//! Answers for people: which rules there are in which order, and why a request goes where it goes.
//!
//! What is told here is worked out from what the table was built of, plainly, and held against the table's own answer.

pub mod candidates;
pub mod describe;
pub mod explain;

pub use candidates::{Candidate, candidates};
pub use explain::{Explanation, Verdict, explain};
