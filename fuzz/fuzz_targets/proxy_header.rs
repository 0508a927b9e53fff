//! See `tests/fuzz/proxy_header.rs`.
#![no_main]

#[path = "../../tests/fuzz/files.rs"]
mod files;
#[path = "../../tests/fuzz/gateway.rs"]
mod gateway;
#[path = "../../tests/fuzz/proxy_header.rs"]
mod proxy_header;

libfuzzer_sys::fuzz_target!(|data: &[u8]| proxy_header::run(data));
