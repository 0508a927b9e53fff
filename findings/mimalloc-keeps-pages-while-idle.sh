#!/usr/bin/env bash
# mimalloc's purge delay is no timer: what a program has freed stays resident for as long as it allocates no further page.
#
# Packages   mimalloc 0.1.52 with libmimalloc-sys 0.1.49 (crates.io), which build mimalloc 3; seen on 1 December 2026
# Behaviour  A program takes 200 MB in pieces of 8 KB, frees them all, and waits. After three seconds, three times the delay of
#            mimalloc's documentation (purge_delay, 1,000 ms), all of it is still resident. One allocation of a page of its own, freed
#            at once, has it given back.
# One would  expect the memory to be given back when the delay is over, as a server that is idle after a peak needs it.
# So         a program that waits for others takes and frees a page now and then, or ends a thread.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
cat > "$folder/Cargo.toml" <<'TOML'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"

[dependencies]
libmimalloc-sys = { version = "=0.1.49", default-features = false }
mimalloc = { version = "=0.1.52", default-features = false }
TOML
cat > "$folder/src/main.rs" <<'RUST'
use std::hint::black_box;
use std::thread::sleep;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Megabytes of memory of the program's own.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1024
}

fn main() {
    let pieces: Vec<Vec<u8>> = (0..25_000).map(|_| vec![1; 8 * 1024]).collect();
    let full = resident();
    drop(black_box(pieces));
    sleep(Duration::from_secs(3));
    let idle = resident();
    for _ in 0..8 {
        drop(black_box(Vec::<u8>::with_capacity(1024 * 1024)));
        sleep(Duration::from_millis(500));
    }
    let after = resident();
    println!("{full} MB taken, {idle} MB three seconds after all was freed, {after} MB after pages were taken and freed");
    assert!(full > 190 && idle > full * 9 / 10 && after < full / 4);
}
RUST
cargo run --release --quiet --manifest-path "$folder/Cargo.toml"
