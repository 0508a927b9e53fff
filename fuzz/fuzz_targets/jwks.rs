//! See `tests/fuzz/jwks.rs`.
#![no_main]

#[path = "../../tests/fuzz/jwks.rs"]
mod jwks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| jwks::run(data));
