//! See `tests/fuzz/users.rs`.
#![no_main]

#[path = "../../tests/fuzz/files.rs"]
mod files;
#[path = "../../tests/fuzz/users.rs"]
mod users;

libfuzzer_sys::fuzz_target!(|data: &[u8]| users::run(data));
