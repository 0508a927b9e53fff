//! See `tests/fuzz/openapi.rs`.
#![no_main]

#[path = "../../tests/fuzz/files.rs"]
mod files;
#[path = "../../tests/fuzz/openapi.rs"]
mod openapi;

libfuzzer_sys::fuzz_target!(|data: &[u8]| openapi::run(data));
