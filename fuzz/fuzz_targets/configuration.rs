//! See `tests/fuzz/configuration.rs`.
#![no_main]

#[path = "../../tests/fuzz/configuration.rs"]
mod configuration;
#[path = "../../tests/fuzz/files.rs"]
mod files;

libfuzzer_sys::fuzz_target!(|data: &[u8]| configuration::run(data));
