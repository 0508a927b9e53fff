//! What is read of keys, other issuers and API keys.

use std::fs;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatelatch::access::Subjects;
use gatelatch::config::{Code, Config, Issuer, KeyLife, KeySource, Loaded};
use gatelatch::jwks::KeyDocument;
use gatelatch::token::{Algorithm, ClaimPath, Holder, IssuerSettings, Key, SignIn, TokenIssuer};
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
    let ca = rcgen::generate_simple_self_signed(["idp".to_owned()]).unwrap();
    case.file("ca.pem", ca.cert.pem())
        .load()
        .unwrap_or_else(|problems| panic!("{problems}"))
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

fn audience(issuer: &Issuer) -> String {
    let rule = &issuer.settings.audience;
    format!("{}: {}", rule.claim, rule.one_of.join(","))
}

/// Where subject and roles are.
fn claims(issuer: &Issuer) -> (String, String) {
    let settings = &issuer.settings;
    (
        settings.subject.to_string(),
        settings.roles_claim.to_string(),
    )
}

fn published(issuer: &Issuer) -> String {
    match &issuer.keys {
        KeySource::Fixed(_) => "nothing".to_owned(),
        KeySource::Published(location) => {
            let authorities = if location.tls.is_some() { " by ca" } else { "" };
            match &location.document {
                KeyDocument::KeySet(url) => format!("set {url}{authorities}"),
                KeyDocument::Metadata(url) => format!("metadata of {url}{authorities}"),
            }
        }
    }
}

#[test]
fn an_issuer_may_differ_from_others() {
    let config = config(
        "{ token: { leeway: 5s, max_lifetime: 1h }, trusted_issuers: [ \
         { issuer: \"https://idp.example.com/\", audience: { claim: client_id, one_of: [a, b] }, subject: act.sub, algorithms: [RS256], \
           roles_claim: 'resource_access.\"my.client\".roles', max_lifetime: 30d, leeway: 2m, ca: ca.pem }, \
         { issuer: \"http://127.0.0.1:9/realm\", audience: { one_of: api }, algorithms: [RS256] } ] }",
    );
    let [one, other] = config.auth.issuers.try_into().unwrap();
    assert_eq!(audience(&one), "client_id: a,b");
    let roles = "resource_access.\"my.client\".roles";
    assert_eq!(claims(&one), ("act.sub".to_owned(), roles.to_owned()));
    let seconds = |issuer: &Issuer| {
        let settings = &issuer.settings;
        (settings.max_lifetime.as_secs(), settings.leeway.as_secs())
    };
    assert_eq!(seconds(&one), (30 * 86_400, 120));
    assert_eq!(
        published(&one),
        "metadata of https://idp.example.com/ by ca"
    );
    assert_eq!(audience(&other), "aud: api");
    assert_eq!(seconds(&other), (3600, 5));
    assert_eq!(published(&other), "metadata of http://127.0.0.1:9/realm");
}

/// RFC 7518, sections 3.2 and 6.4: a secret is octets.
#[test]
fn a_secret_may_be_any_bytes() {
    let bytes: Vec<u8> = (0..48)
        .map(|byte: u8| byte.wrapping_mul(37) | 0x80)
        .collect();
    let encoded = URL_SAFE_NO_PAD.encode(&bytes);
    let jwk = format!(r#"{{"kty":"oct","k":"{encoded}","kid":"octets","alg":"HS256"}}"#);
    let tokens = [
        ("secret_file: bytes", None),
        ("secret_file: key.json", Some("octets")),
        ("secret_file: key.json, kid: mine", Some("mine")),
        ("secret: { base64url: \"${OCTETS}\" }", None),
        ("secret: { base64url: \"${OCTETS}==\" }", None),
    ];
    let load = |auth: &str| {
        let gateway = format!(
            "{{ auth: {auth}, services: {{ app: {{ upstream: \"http://127.0.0.1:9\", rules: [] }} }} }}"
        );
        let case = Case::of(&gateway, "users: {}")
            .file("bytes", &bytes)
            .file("key.json", &jwk)
            .variable("OCTETS", &encoded);
        let loaded = case.load();
        loaded
            .unwrap_or_else(|problems| panic!("{problems}"))
            .config
            .auth
    };
    let expected = Key::hs256(&bytes).unwrap();
    let issued = token_of(&expected);
    for (token, name) in tokens {
        let own = load(&format!("{{ token: {{ {token} }} }}")).token;
        assert_eq!(own.key.id(), name.unwrap_or(expected.id()), "{token}");
        let key = Key::from_secret(Algorithm::Hs256, &bytes, Some(own.key.id())).unwrap();
        assert_eq!(token_of(&own.key), token_of(&key), "{token}");
        let previous = load(&format!(
            "{{ token: {{ secret: \"${{SECRET}}\", previous: [ {{ algorithm: HS256, {token} }} ] }} }}"
        ));
        assert_eq!(previous.token.previous[0].id(), own.key.id());
        let issuer =
            format!("{{ issuer: idp, audience: api, algorithms: [HS256, HS512], {token} }}");
        let trusting = load(&format!("{{ trusted_issuers: [ {issuer} ] }}"));
        let issuers = trusting.trusted_issuers(|_, _| unreachable!("the keys are configured"));
        if !token.contains("kid") {
            let verified = issuers.verify(&issued, NOW).unwrap();
            assert!(verified.is_ok(), "{token}: {verified:?}");
        }
    }
}

const NOW: u64 = 1_800_000_000;

fn token_of(key: &Key) -> String {
    let settings = IssuerSettings {
        issuer: "idp".to_owned(),
        audience: "api".to_owned(),
        access_ttl: Duration::from_secs(60),
        roles_claim: ClaimPath::of("roles"),
        longest_token: usize::MAX,
    };
    let holder = Holder {
        subject: "walter",
        roles: &[],
        name: None,
        email: None,
        claims: None,
        session: None,
        sign_in: SignIn::default(),
    };
    let issued = TokenIssuer::new(key.clone(), settings).issue(&holder, [0; 16], NOW);
    issued.unwrap().token
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
    assert_eq!(audience(&one), "aud: api");
    assert_eq!(claims(&one), ("sub".to_owned(), "roles".to_owned()));
    assert_eq!(one.settings.subjects, Subjects::Foreign);
    assert_eq!(one.settings.leeway.as_secs(), 5);
    assert_eq!(one.settings.max_lifetime.as_secs(), 86_400);
    assert_eq!(published(&one), "set http://idp.example.com/keys");
    assert_eq!(audience(&other), "aud: x,y");
    assert_eq!(claims(&other), ("sub".to_owned(), "groups".to_owned()));
    assert_eq!(other.settings.subjects, Subjects::Users);
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
    let api_keys = &ci.extras().api_keys;
    let keys: Vec<_> = api_keys
        .iter()
        .map(|key| (&*key.name, key.identity.roles.join(","), key.expires_at))
        .collect();
    let expected = [
        ("one", "a,b".to_owned(), NEVER),
        ("two", "c".to_owned(), 1_798_761_600),
        ("three", String::new(), 1_798_804_800),
    ];
    assert_eq!(keys, expected);
    assert!(api_keys.iter().all(|key| *key.identity.subject == *"ci"));
}
