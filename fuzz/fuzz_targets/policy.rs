//! See `tests/fuzz/policy.rs`.
#![no_main]

#[path = "../../tests/fuzz/policy.rs"]
mod policy;

libfuzzer_sys::fuzz_target!(|data: &[u8]| policy::run(data));
