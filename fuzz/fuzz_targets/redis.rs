//! See `tests/fuzz/redis.rs`.
#![no_main]

#[path = "../../tests/fuzz/redis.rs"]
mod redis;

libfuzzer_sys::fuzz_target!(|data: &[u8]| redis::run(data));
