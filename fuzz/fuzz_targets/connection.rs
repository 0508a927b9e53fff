//! See `tests/fuzz/connection.rs`.
#![no_main]

#[path = "../../tests/fuzz/connection.rs"]
mod connection;
#[path = "../../tests/fuzz/files.rs"]
mod files;
#[path = "../../tests/fuzz/gateway.rs"]
mod gateway;

libfuzzer_sys::fuzz_target!(|data: &[u8]| connection::run(data));
