//! The real binary, put through what users do to it.

mod bad_input;
mod statuses;
mod support;
mod walkthrough;
