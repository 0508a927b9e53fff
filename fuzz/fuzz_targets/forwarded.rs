//! See `tests/fuzz/forwarded.rs`.
#![no_main]

#[path = "../../tests/fuzz/forwarded.rs"]
mod forwarded;

libfuzzer_sys::fuzz_target!(|data: &[u8]| forwarded::run(data));
