//! See `gatepost_fuzz::table_model`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatepost_fuzz::table_model::holds(bytes));
