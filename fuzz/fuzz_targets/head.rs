//! See `tests/fuzz/head.rs`.
#![no_main]

#[path = "../../tests/fuzz/head.rs"]
mod head;

libfuzzer_sys::fuzz_target!(|data: &[u8]| head::run(data));
