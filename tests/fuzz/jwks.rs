//! A published key set: no key of it is a secret, whatever it says, and what is published of it is the same set again.

use gatelatch::token::{Algorithm, KeySet};

const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

pub(crate) fn run(data: &[u8]) {
    let Ok(keys) = KeySet::from_jwks(data, &Algorithm::ALL) else {
        return;
    };
    assert!(keys.keys().iter().all(|key| !key.algorithm().is_symmetric()));
    let flaws: Vec<String> = keys.flaws().iter().map(ToString::to_string).collect();
    assert!(flaws.iter().all(|flaw| !flaw.is_empty()));
    let published = keys.to_jwks();
    for key in published["keys"].as_array().unwrap() {
        assert!(PRIVATE.iter().all(|member| key.get(member).is_none()), "{key}");
    }
    let again = KeySet::from_jwks(published.to_string().as_bytes(), &Algorithm::ALL).unwrap();
    assert_eq!(again.count(), keys.count(), "{published}");
    assert!(!again.has_more_than(&keys) && again.flaws().is_empty());
}
