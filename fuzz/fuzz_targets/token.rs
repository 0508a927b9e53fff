//! See `tests/fuzz/token.rs`.
#![no_main]

#[path = "../../tests/fuzz/token.rs"]
mod token;

libfuzzer_sys::fuzz_target!(|data: &[u8]| token::run(data));
