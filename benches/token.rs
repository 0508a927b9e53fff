//! What a token costs: seen for the first time, by algorithm, and seen again.
#![allow(
    missing_docs,
    reason = "criterion's macros make public items without docs"
)]

use std::hint::black_box;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use gatelatch::ambient;
use gatelatch::token::{
    Algorithm, ClaimPath, Holder, IssuerSettings, Key, SignIn, TokenCache, TokenIssuer, Verifier,
    VerifierSettings,
};
use jsonwebtoken::Algorithm::HS256;
use jsonwebtoken::DecodingKey;

const NOW: u64 = 1_767_225_600;

/// As many as a worker's load uses in turn, and as a cache has no trouble with.
const TOKENS: u64 = 1000;

fn keys() -> [Key; 7] {
    let secret = b"a secret that protects nothing but a benchmark";
    let pem =
        |algorithm, text| Key::from_pem(algorithm, text, None).expect("the tests' keys are good");
    [
        Key::hs256(secret).expect("the secret is long enough"),
        pem(Algorithm::Rs256, include_str!("../tests/keys/rsa.pem")),
        pem(Algorithm::Ps256, include_str!("../tests/keys/rsa.pem")),
        pem(Algorithm::Es256, include_str!("../tests/keys/p256.pem")),
        pem(Algorithm::Es384, include_str!("../tests/keys/p384.pem")),
        pem(Algorithm::Es512, include_str!("../tests/keys/p521.pem")),
        pem(Algorithm::EdDsa, include_str!("../tests/keys/ed25519.pem")),
    ]
}

fn token(key: &Key, number: u64) -> String {
    let settings = IssuerSettings {
        issuer: "gatelatch".to_owned(),
        audience: "gatelatch".to_owned(),
        access_ttl: Duration::from_secs(1800),
        roles_claim: ClaimPath::of("roles"),
        longest_token: usize::MAX,
    };
    let holder = Holder {
        subject: "alice@example.com",
        roles: &["recruiter".into(), "viewer".into()],
        name: Some("Alice Doe"),
        email: Some("alice@example.com"),
        claims: None,
        session: None,
        sign_in: SignIn::default(),
    };
    let id = u128::from(number).to_le_bytes();
    TokenIssuer::new(key.clone(), settings)
        .issue(&holder, id, NOW)
        .expect("a small token")
        .token
}

fn verifier(key: &Key) -> Verifier {
    let settings = VerifierSettings {
        issuer: "gatelatch".to_owned(),
        audience: "gatelatch".to_owned(),
        leeway: Duration::from_secs(30),
        max_lifetime: Duration::from_secs(86_400),
    };
    Verifier::new(key.clone(), settings)
}

fn cold(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("verify");
    for key in keys() {
        let (verifier, token) = (verifier(&key), token(&key, 0));
        assert!(
            verifier.verify(&token, NOW).is_ok(),
            "a refused token costs something else"
        );
        group.bench_function(
            BenchmarkId::new("cold", key.algorithm().name()),
            |bencher| {
                bencher.iter(|| verifier.verify(black_box(&token), black_box(NOW)));
            },
        );
    }
    group.finish();
}

/// The check of an HMAC with a key that is prepared once, and as jsonwebtoken makes it: why `token/key` keeps the key.
fn hmac(criterion: &mut Criterion) {
    let secret = b"a secret that protects nothing but a benchmark";
    let [key, ..] = keys();
    let token = token(&key, 0);
    let (message, signature) = token.rsplit_once('.').expect("a token has three parts");
    let prepared = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
    let library = DecodingKey::from_secret(secret).expect("the secret is not empty");
    let mut group = criterion.benchmark_group("hmac");
    group.bench_function("prepared", |bencher| {
        bencher.iter(|| {
            let tag = URL_SAFE_NO_PAD
                .decode(black_box(signature))
                .expect("base64");
            aws_lc_rs::hmac::verify(&prepared, black_box(message.as_bytes()), &tag).is_ok()
        });
    });
    group.bench_function("jsonwebtoken", |bencher| {
        bencher.iter(|| {
            let message = black_box(message.as_bytes());
            jsonwebtoken::crypto::verify(black_box(signature), message, &library, HS256)
        });
    });
    group.finish();
}

/// What a token costs that was verified a moment ago, whatever its algorithm.
fn warm(criterion: &mut Criterion) {
    let [key, ..] = keys();
    let verifier = verifier(&key);
    let tokens: Vec<String> = (0..TOKENS).map(|number| token(&key, number)).collect();
    let mut cache = TokenCache::new(4096, ambient::hash_state());
    for token in &tokens {
        cache.keep(
            token,
            verifier.verify(token, NOW).expect("it was issued just now"),
        );
    }
    let mut turn = tokens.iter().cycle();
    criterion.bench_function("verify/warm", |bencher| {
        bencher.iter(|| {
            let token = turn.next().expect("a cycle never ends");
            cache
                .find(black_box(token))
                .is_some_and(|claims| verifier.is_still_valid(claims, black_box(NOW)))
        });
    });
}

criterion_group!(benches, cold, hmac, warm);
criterion_main!(benches);
