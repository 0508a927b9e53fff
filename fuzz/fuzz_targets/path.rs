//! See `tests/fuzz/path.rs`.
#![no_main]

#[path = "../../tests/fuzz/path.rs"]
mod path;

libfuzzer_sys::fuzz_target!(|data: &[u8]| path::run(data));
