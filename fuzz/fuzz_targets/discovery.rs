//! See `tests/fuzz/discovery.rs`.
#![no_main]

#[path = "../../tests/fuzz/discovery.rs"]
mod discovery;

libfuzzer_sys::fuzz_target!(|data: &[u8]| discovery::run(data));
