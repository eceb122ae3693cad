//! What holds for any bytes: one module a claim, and `holds` panics where it does not.
//!
//! The fuzz targets call these functions with bytes that libFuzzer bends; `tests/corpora.rs` calls them with the bytes
//! that are kept. The bytes are a text where texts are read, and choices of a generator everywhere else.

mod bend;
pub mod documents;
pub mod resolve;
pub mod steps;
pub mod table_model;
pub mod target;
pub mod validate;
