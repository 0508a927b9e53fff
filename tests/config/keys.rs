//! What is read of keys, other issuers and API keys.

use std::fs;

use gatelatch::access::Subjects;
use gatelatch::config::{Code, Config, KeyLife, KeySource, Loaded};
use gatelatch::token::Algorithm;
use gatelatch::users::{NEVER, Work};

use super::{Case, repository};

fn load(auth: &str, users: &str) -> Loaded {
    let gateway = format!(
        "{{ auth: {auth}, services: {{ app: {{ upstream: \"http://127.0.0.1:9\", rules: [] }} }} }}"
    );
    let mut case = Case::of(&gateway, users);
    for name in ["ed25519.pem", "rsa.pub.pem", "p256.pub.pem"] {
        case = case.file(
            name,
            fs::read(repository().join("tests/keys").join(name)).unwrap(),
        );
    }
    case.load().unwrap_or_else(|problems| panic!("{problems}"))
}

fn config(auth: &str) -> Config {
    load(auth, "users: {}").config
}

#[test]
fn a_key_has_a_default_an_algorithm_and_a_name() {
    let token = config("{}").auth.token;
    assert_eq!(
        (token.key.algorithm(), token.key_life),
        (Algorithm::Hs256, KeyLife::Process)
    );
    let token = config("{ token: { secret: \"${SECRET}\", algorithm: HS384, kid: mine } }")
        .auth
        .token;
    assert_eq!(
        (token.key.algorithm(), token.key.id(), token.key_life),
        (Algorithm::Hs384, "mine", KeyLife::Lasting)
    );
    let previous = "[ { algorithm: RS256, public_key_file: rsa.pub.pem, kid: old }, { algorithm: HS256, secret: \"${SECRET}\" } ]";
    let token = config(&format!(
        "{{ token: {{ algorithm: EdDSA, private_key_file: ed25519.pem, previous: {previous} }} }}"
    ));
    let token = token.auth.token;
    let keys = token.keys();
    let algorithms: Vec<Algorithm> = keys.keys().iter().map(|key| key.algorithm()).collect();
    assert_eq!(
        algorithms,
        [Algorithm::EdDsa, Algorithm::Rs256, Algorithm::Hs256]
    );
    assert_eq!(
        (keys.keys()[1].id(), token.key_life),
        ("old", KeyLife::Lasting)
    );
    let inline = fs::read_to_string(repository().join("tests/keys/ed25519.pem"))
        .unwrap()
        .replace('\n', "\\n");
    let inline = config(&format!(
        "{{ token: {{ algorithm: EdDSA, private_key: \"{inline}\" }} }}"
    ));
    assert_eq!(
        inline.auth.token.key.id(),
        token.key.id(),
        "one key in two spellings"
    );
}

#[test]
fn the_name_of_a_secret_says_nothing_to_who_does_not_know_it() {
    let name = |secret: &str| {
        config(&format!("{{ token: {{ secret: {secret} }} }}"))
            .auth
            .token
            .key
            .id()
            .to_owned()
    };
    let one = name("0123456789abcdef0123456789abcdef");
    assert_eq!(
        (one.len(), &one),
        (16, &name("0123456789abcdef0123456789abcdef"))
    );
    assert_ne!(one, name("0123456789abcdef0123456789abcdeg"));
}

#[test]
fn an_issuer_has_defaults() {
    let loaded = load(
        "{ token: { leeway: 5s }, trusted_issuers: [ \
         { issuer: a, jwks: \"http://idp.example.com/keys\", audience: api, algorithms: [RS256, EdDSA] }, \
         { issuer: b, public_key_file: p256.pub.pem, audience: [x, y], algorithms: [ES256], roles_claim: groups, users: true } ] }",
        "users: {}",
    );
    let [one, other] = loaded.config.auth.issuers.try_into().unwrap();
    assert_eq!(one.settings.audience, ["api"]);
    assert_eq!(
        (&*one.settings.roles_claim, one.settings.subjects),
        ("roles", Subjects::Foreign)
    );
    assert_eq!(one.settings.leeway.as_secs(), 5);
    assert!(
        matches!(&one.keys, KeySource::Url(url) if url.to_string() == "http://idp.example.com/keys")
    );
    assert_eq!(other.settings.audience, ["x", "y"]);
    assert_eq!(
        (&*other.settings.roles_claim, other.settings.subjects),
        ("groups", Subjects::Users)
    );
    assert!(matches!(&other.keys, KeySource::Fixed(keys) if keys.keys().len() == 1));
    let exposed = loaded
        .warnings
        .iter()
        .filter(|problem| problem.code == Code::ExposedKeys);
    assert_eq!(
        exposed.count(),
        1,
        "keys over plain HTTP are worth a warning"
    );
}

#[test]
fn a_user_has_api_keys_and_hashes_of_two_kinds() {
    let hex = "0123456789abcdef".repeat(4);
    let users = format!(
        "users:
  ci:
    password: $argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b+dWRWJTmaaJObG
    roles: [a, b]
    api_keys:
      - {{ name: one, hash: \"sha256:{hex}\" }}
      - {{ name: two, hash: \"sha256:{}\", roles: [c], expires: 2027-01-01 }}
      - {{ name: three, hash: \"sha256:{}\", roles: [], expires: 2027-01-01T12:00:00Z }}
",
        hex.replace('0', "1"),
        hex.replace('0', "2"),
    );
    let directory = load("{}", &users).config.directory;
    let ci = directory.find("ci").unwrap();
    let work = Work::Argon2id {
        memory: 65_536,
        passes: 3,
        lanes: 4,
    };
    assert_eq!(ci.password.as_ref().map(|hash| hash.work()), Some(work));
    let keys: Vec<_> = ci
        .api_keys
        .iter()
        .map(|key| (&*key.name, key.identity.roles.join(","), key.expires_at))
        .collect();
    let expected = [
        ("one", "a,b".to_owned(), NEVER),
        ("two", "c".to_owned(), 1_798_761_600),
        ("three", String::new(), 1_798_804_800),
    ];
    assert_eq!(keys, expected);
    assert!(ci.api_keys.iter().all(|key| *key.identity.subject == *"ci"));
}
