//! See `tests/fuzz/claims.rs`.
#![no_main]

#[path = "../../tests/fuzz/claims.rs"]
mod claims;

libfuzzer_sys::fuzz_target!(|data: &[u8]| claims::run(data));
