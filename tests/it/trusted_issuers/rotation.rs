//! Issuers that exchange their keys.

use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatelatch::token::{Algorithm, Key, generate};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use super::{ISSUER, Provider, ask, jwks, now, status, token, trusting};
use crate::support::{Upstream, until};

/// A new key of this name.
fn new_key(algorithm: Algorithm, kid: &str) -> Key {
    Key::from_pem(algorithm, &generate(algorithm).unwrap(), Some(kid)).unwrap()
}

/// OpenID Connect Core, section 10.1: a single key may go without a name.
fn nameless(key: &Key) -> String {
    let mut set: Value = serde_json::from_str(&jwks(&[key])).unwrap();
    set["keys"][0].as_object_mut().unwrap().remove("kid");
    set.to_string()
}

fn entry(provider: &Provider) -> String {
    format!(
        "{{ issuer: \"{ISSUER}\", jwks: \"http://{}/keys\", audience: [api], algorithms: [ES256, ES384] }}",
        provider.server.address
    )
}

/// A token without a `kid`, signed by the cryptography itself: the gateway names its own keys.
fn nameless_token(pem: &str) -> String {
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).unwrap();
    let der = der.secret_pkcs8_der();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).unwrap();
    let claims = json!({ "iss": ISSUER, "aud": "api", "sub": "walter", "exp": now() + 600 });
    let encode = |part: Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let signed = format!("{}.{}", encode(json!({ "alg": "ES256" })), encode(claims));
    let signature = pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The key set of an issuer with one key, and a token of it.
type Exchanged = (&'static str, [(String, String); 2]);

#[test]
fn a_key_that_is_exchanged_under_its_name_or_without_one_is_noticed() {
    let upstream = Upstream::saying("hi");
    let nameless_key = || {
        let pem = generate(Algorithm::Es256).unwrap();
        let key = Key::from_pem(Algorithm::Es256, &pem, None).unwrap();
        (nameless(&key), nameless_token(&pem))
    };
    let named = |algorithm| {
        let key = new_key(algorithm, "only");
        (jwks(&[&key]), token(&key, ISSUER, json!({})))
    };
    let cases: [Exchanged; 3] = [
        ("without a name", [nameless_key(), nameless_key()]),
        (
            "under its name",
            [named(Algorithm::Es256), named(Algorithm::Es256)],
        ),
        (
            "for another algorithm",
            [named(Algorithm::Es256), named(Algorithm::Es384)],
        ),
    ];
    for (what, [(first_set, first), (second_set, second)]) in cases {
        let provider = Provider::new(first_set);
        let gateway = trusting(&upstream, &entry(&provider)).start();
        gateway.named_event("jwks_fetched");
        assert_eq!(status(&gateway, "/me", &first), 200, "{what}");
        provider.publish(Some(second_set));
        assert_eq!(status(&gateway, "/me", &second), 401, "{what}");
        until(what, || status(&gateway, "/me", &second) == 200);
        assert_eq!(status(&gateway, "/me", &first), 401, "{what}");
    }
}

/// Two rotations within seconds are followed; tokens that fit no key, however many, cause a fetch every half minute only.
#[test]
fn the_pause_between_two_fetches_is_short_while_keys_change_and_long_otherwise() {
    let upstream = Upstream::saying("hi");
    let keys = ["a", "b", "c"].map(|kid| new_key(Algorithm::Es256, kid));
    let [first, second, third] = keys.each_ref();
    let provider = Provider::new(jwks(&[first]));
    let gateway = trusting(&upstream, &entry(&provider)).start();
    gateway.named_event("jwks_fetched");
    let bearer = |key: &Key| token(key, ISSUER, json!({}));
    provider.publish(Some(jwks(&[second])));
    until("the second key is fetched", || {
        status(&gateway, "/me", &bearer(second)) == 200
    });
    let fetched = Instant::now();
    provider.publish(Some(jwks(&[third])));
    until("the third key is fetched", || {
        status(&gateway, "/me", &bearer(third)) == 200
    });
    assert!(fetched.elapsed() > Duration::from_secs(4), "after a pause");
    assert_eq!(provider.asked(), 3);
    // the last fetch brought a key, so one more is made after another pause, and brings nothing
    until("a fetch brings nothing new", || {
        status(&gateway, "/me", &bearer(first));
        provider.asked() == 4
    });
    let nothing_new = Instant::now();
    while nothing_new.elapsed() < Duration::from_secs(7) {
        let answer = ask(&gateway, "/me", &bearer(first));
        assert_eq!(answer, (401, "the token names an unknown key".to_owned()));
    }
    assert_eq!(provider.asked(), 4);
}
