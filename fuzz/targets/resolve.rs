//! See `gatepost_fuzz::resolve`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatepost_fuzz::resolve::holds(bytes));
