//! See `tests/fuzz/callback.rs`.
#![no_main]

#[path = "../../tests/fuzz/callback.rs"]
mod callback;

libfuzzer_sys::fuzz_target!(|data: &[u8]| callback::run(data));
