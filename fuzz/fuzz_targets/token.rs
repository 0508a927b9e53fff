//! Any text as a token at any time: never a panic, and never accepted without the key.
#![no_main]

use std::time::Duration;

use gatelatch::token::{Key, Verifier, VerifierSettings};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, u64)| {
    let (token, now) = input;
    let settings = VerifierSettings {
        issuer: "gatelatch".to_owned(),
        audience: "gatelatch".to_owned(),
        leeway: Duration::from_secs(30),
        max_lifetime: Duration::MAX,
    };
    let key = Key::hs256(&[0x5a; 32]).expect("32 bytes are enough");
    assert!(Verifier::new(key, settings).verify(token, now).is_err());
});
