//! Replays the seeds of the fuzz targets: what was found once, and what each parser must at least know. `scripts/fuzz.sh` runs
//! the same functions instrumented, from the same seeds (`fuzz/`).
#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    clippy::wildcard_enum_match_arm,
    missing_docs,
    reason = "a target ends where something is wrong"
)]

use std::fs;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::abort;
use std::sync::Once;
use std::thread;

mod files;
mod gateway;

/// The module of each target, its test, and the list of all.
macro_rules! targets {
    ($($name:ident)*) => {
        $(mod $name;)*

        mod seeds {
            $(#[test]
            fn $name() {
                super::replay(stringify!($name), super::$name::run);
            })*
        }

        const TARGETS: &[&str] = &[$(stringify!($name)),*];
    };
}

targets! {
    callback
    checks
    claims
    configuration
    connection
    cookies
    discovery
    forwarded
    head
    jwks
    openapi
    path
    policy
    proxy_header
    redis
    token
    users
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz")
}

fn replay(target: &str, run: fn(&[u8])) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let shown = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            shown(info);
            // a panic in a thread of the gateway would be nobody's failure else
            if thread::current()
                .name()
                .is_none_or(|name| !name.starts_with("seeds::"))
            {
                abort();
            }
        }));
    });
    let mut seeds: Vec<_> = fs::read_dir(here().join("seeds").join(target))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    seeds.sort();
    assert!(seeds.len() >= 3, "{target} has {} seeds", seeds.len());
    for seed in seeds {
        println!("{}", seed.display());
        let bytes = fs::read(seed).unwrap();
        run(&bytes);
        for number in 0..mutants() {
            let mutant = mutant(&bytes, number);
            let shown = String::from_utf8_lossy(&mutant);
            let outcome = panic::catch_unwind(|| run(&mutant));
            assert!(outcome.is_ok(), "mutant {number}: {shown:?} = {mutant:?}");
        }
    }
}

/// How many mutants of each seed are run as well: a few, as instrumented fuzzing is not for the test suite.
fn mutants() -> u64 {
    let wanted = std::env::var("GATELATCH_TEST_MUTANTS").ok();
    wanted.map_or(5, |wanted| wanted.parse().unwrap())
}

/// The seed with a few bytes changed, cut out or doubled; the same for the same number.
fn mutant(seed: &[u8], number: u64) -> Vec<u8> {
    let mut state = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut below = |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % (limit.max(1) as u64)).unwrap()
    };
    let mut bytes = seed.to_vec();
    for _ in 0..=below(3) {
        let at = below(bytes.len());
        let end = (at + 1 + below(8)).min(bytes.len());
        match below(6) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << below(8),
            1 if !bytes.is_empty() => bytes[at] = ODD[below(ODD.len())],
            2 => drop(bytes.drain(at..end)),
            3 => bytes.insert(at, ODD[below(ODD.len())]),
            4 => bytes.truncate(at),
            _ => {
                let some = bytes[at..end].to_vec();
                let place = below(bytes.len());
                bytes.splice(place..place, some);
            }
        }
    }
    bytes
}

/// Bytes that mean something to one parser or another.
const ODD: &[u8] = b"\0\t\r\n \"#$%&'()*+,-./0189:;<=>?@AZ[\\]^_`az{|}~\x7f\x80\xc3\xff";

#[test]
fn every_target_is_built_instrumented_too() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for target in TARGETS {
        let source = fuzz.join(format!("fuzz_targets/{target}.rs"));
        let source = fs::read_to_string(source).unwrap();
        assert!(
            source.contains(&format!("|data: &[u8]| {target}::run(data)")),
            "{target}"
        );
        assert!(
            manifest.contains(&format!("name = \"{target}\"\n")),
            "{target}"
        );
    }
    let sources = fs::read_dir(fuzz.join("fuzz_targets")).unwrap();
    assert_eq!(sources.count(), TARGETS.len());
}
