//! See `gatepost_fuzz::validate`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatepost_fuzz::validate::holds(bytes));
