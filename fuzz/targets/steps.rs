//! See `gatepost_fuzz::steps`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatepost_fuzz::steps::holds(bytes));
