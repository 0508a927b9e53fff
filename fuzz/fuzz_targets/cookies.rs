//! See `tests/fuzz/cookies.rs`.
#![no_main]

#[path = "../../tests/fuzz/cookies.rs"]
mod cookies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| cookies::run(data));
