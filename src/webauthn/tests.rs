//! What webauthn-rs leaves to its user, and that what it checks is checked.

use serde_json::{Value, json};

use super::soft_key::{BE, BS, SoftKey, UP, UV};
use super::*;

const ANN: [u8; 16] = [7; 16];

fn site() -> RelyingParty {
    site_of("https://login.example.com")
}

fn site_of(origin: &str) -> RelyingParty {
    RelyingParty::new(&RpId::parse("example.com").unwrap(), "Example", origin).unwrap()
}

fn ann() -> KeyHolder<'static> {
    KeyHolder {
        handle: ANN,
        name: "ann",
        display_name: "Ann Smith",
    }
}

fn register(key: &mut SoftKey, kind: AuthenticatorKind) -> Result<RegisteredKey, CeremonyError> {
    let begun = site().start_registration(kind, &ann(), &[])?;
    site().finish_registration(begun.state, &key.create(&begun.options))
}

fn passkey() -> (SoftKey, RegisteredKey) {
    let mut key = SoftKey::new(1);
    let registered = register(&mut key, AuthenticatorKind::Passkey).unwrap();
    (key, registered)
}

type Finished = Result<(KeyUse, Option<RegisteredKey>), CeremonyError>;

/// Signs in without a name; the store finds `stored` for whoever the key claims to be of.
fn sign_in(key: &SoftKey, stored: &RegisteredKey) -> Finished {
    let begun = site().start_sign_in().unwrap();
    finish(begun.state, &key.get(&begun.options), stored)
}

fn second_factor(kind: AuthenticatorKind, key: &SoftKey, stored: &RegisteredKey) -> Finished {
    let keys = std::slice::from_ref(stored);
    let begun = site().start_second_factor(kind, keys).unwrap().unwrap();
    finish(begun.state, &key.get(&begun.options), stored)
}

fn finish(state: CeremonyState, answer: &[u8], stored: &RegisteredKey) -> Finished {
    let assertion = KeyAssertion::read(answer)?;
    site().finish_authentication(state, &assertion, stored, ANN)
}

fn error<T>(result: Result<T, CeremonyError>) -> CeremonyError {
    result.err().expect("it is refused")
}

#[test]
fn a_passkey_signs_in_without_a_name_and_after_one() {
    let (key, registered) = passkey();
    assert_eq!(
        (registered.kind(), registered.rp_id()),
        (AuthenticatorKind::Passkey, "example.com")
    );
    let stored = RegisteredKey::from_stored(&registered.to_stored()).unwrap();
    let expected = KeyUse {
        kind: AuthenticatorKind::Passkey,
        verified_user: true,
        is_synchronized: false,
    };
    let (shown, updated) = sign_in(&key, &stored).unwrap();
    assert_eq!(
        (shown, updated.is_none()),
        (expected, true),
        "counters of 0 never change"
    );
    let (shown, _) = second_factor(AuthenticatorKind::Passkey, &key, &stored).unwrap();
    assert_eq!(shown, expected);
}

#[test]
fn options_ask_for_what_a_sign_in_without_a_name_takes() {
    let (_, registered) = passkey();
    let begun = site()
        .start_registration(
            AuthenticatorKind::Passkey,
            &ann(),
            std::slice::from_ref(&registered),
        )
        .unwrap();
    let asked = &begun.options["publicKey"];
    let selection = &asked["authenticatorSelection"];
    assert_eq!(selection["residentKey"], "preferred");
    assert_eq!(selection["userVerification"], "required");
    assert_eq!(asked["attestation"], "none");
    assert_eq!(
        asked["excludeCredentials"][0]["id"],
        "AQEBAQEBAQEBAQEBAQEBAQ"
    );
    assert_eq!(
        asked["rp"],
        json!({ "name": "Example", "id": "example.com" })
    );

    let signing_in = site().start_sign_in().unwrap().options;
    assert_eq!(
        signing_in["publicKey"]["allowCredentials"],
        json!([]),
        "it tells about nobody"
    );
    assert_eq!(signing_in["publicKey"]["userVerification"], "required");
    assert_eq!(signing_in.get("mediation"), None);
    let again = site().start_sign_in().unwrap().options;
    let challenge = |options: &Value| options["publicKey"]["challenge"].clone();
    assert_ne!(challenge(&signing_in), challenge(&again));

    let after = site().start_second_factor(
        AuthenticatorKind::Passkey,
        std::slice::from_ref(&registered),
    );
    let after = after.unwrap().unwrap().options;
    assert_eq!(
        after["publicKey"]["allowCredentials"][0]["id"],
        "AQEBAQEBAQEBAQEBAQEBAQ"
    );
    let none = site().start_second_factor(AuthenticatorKind::SecurityKey, &[registered]);
    assert!(none.unwrap().is_none());
}

#[test]
fn a_key_that_verifies_nobody_is_a_second_factor_and_no_passkey() {
    let mut key = SoftKey::new(2);
    key.flags = UP;
    let refused = register(&mut key, AuthenticatorKind::Passkey);
    assert_eq!(error(refused), CeremonyError::NotVerified);

    let stored = register(&mut key, AuthenticatorKind::SecurityKey).unwrap();
    key.counter = 1;
    let (shown, updated) = second_factor(AuthenticatorKind::SecurityKey, &key, &stored).unwrap();
    assert_eq!(
        (shown.kind, shown.verified_user),
        (AuthenticatorKind::SecurityKey, false)
    );
    assert!(updated.is_some(), "its counter has grown");

    // not even where it claims to verify its user now
    key.flags = UP | UV;
    key.counter = 2;
    assert_eq!(error(sign_in(&key, &stored)), CeremonyError::UnknownKey);

    // and a passkey that suddenly does not
    let (mut passkey, stored) = passkey();
    passkey.flags = UP;
    assert_eq!(
        error(sign_in(&passkey, &stored)),
        CeremonyError::NotVerified
    );
    let second = second_factor(AuthenticatorKind::Passkey, &passkey, &stored);
    assert_eq!(error(second), CeremonyError::NotVerified);
    passkey.flags = UV;
    assert!(
        matches!(error(sign_in(&passkey, &stored)), CeremonyError::Refused(_)),
        "nobody there"
    );
}

#[test]
fn a_page_inside_of_another_sites_page_signs_in_nobody() {
    for client_data in [
        json!({ "crossOrigin": true }),
        json!({ "topOrigin": "https://evil.example" }),
        json!({ "crossOrigin": false, "topOrigin": "https://login.example.com" }),
        json!({ "origin": "https://evil.example" }),
        json!({ "origin": "https://example.com" }),
        json!({ "origin": "http://login.example.com" }),
        json!({ "origin": "https://login.example.com:8443" }),
        json!({ "origin": "https://login.example.com/" }),
        json!({ "origin": "https://LOGIN.example.com" }),
    ] {
        let (mut key, stored) = passkey();
        key.client_data = client_data.clone();
        assert_eq!(
            error(sign_in(&key, &stored)),
            CeremonyError::Origin,
            "{client_data}"
        );
        let second = second_factor(AuthenticatorKind::Passkey, &key, &stored);
        assert_eq!(error(second), CeremonyError::Origin, "{client_data}");
        let mut new = SoftKey::new(3);
        new.client_data = client_data.clone();
        let refused = register(&mut new, AuthenticatorKind::Passkey);
        assert_eq!(error(refused), CeremonyError::Origin, "{client_data}");
    }
    let (mut key, stored) = passkey();
    key.client_data = json!({ "crossOrigin": null });
    sign_in(&key, &stored).unwrap();
    key.client_data = json!({ "type": "webauthn.create" });
    assert!(matches!(
        error(sign_in(&key, &stored)),
        CeremonyError::Malformed(_)
    ));
}

#[test]
fn a_challenge_is_that_of_its_ceremony() {
    let (key, stored) = passkey();
    let [one, other] = [(); 2].map(|()| site().start_sign_in().unwrap());
    let answer = key.get(&one.options);
    assert!(matches!(
        error(finish(other.state, &answer, &stored)),
        CeremonyError::Refused(_)
    ));
    finish(one.state, &answer, &stored).unwrap();

    // a state of one kind of ceremony ends no other
    let begun = site()
        .start_registration(AuthenticatorKind::Passkey, &ann(), &[])
        .unwrap();
    let answer = key.get(&begun.options);
    assert_eq!(
        error(finish(begun.state, &answer, &stored)),
        CeremonyError::UnknownKey
    );
    let begun = site().start_sign_in().unwrap();
    let mut options = begun.options;
    options["publicKey"]["user"] = json!({ "id": "BwcHBwcHBwcHBwcHBwcHBw" });
    let answer = SoftKey::new(4).create(&options);
    assert_eq!(
        error(site().finish_registration(begun.state, &answer)),
        CeremonyError::State
    );
}

/// What is between the halves is kept as bytes.
#[test]
fn a_ceremony_survives_its_store() {
    let (key, stored) = passkey();
    let begun = site().start_sign_in().unwrap();
    let bytes = serde_json::to_vec(&begun.state).unwrap();
    assert!(bytes.len() < 1024, "{}", bytes.len());
    let state: CeremonyState = serde_json::from_slice(&bytes).unwrap();
    assert!(!format!("{state:?}").contains("challenge"));
    finish(state, &key.get(&begun.options), &stored).unwrap();
    assert!(
        stored.to_stored().len() < 1024,
        "{}",
        stored.to_stored().len()
    );
}

#[test]
fn a_key_signs_in_nobody_but_its_owner() {
    let (mut key, stored) = passkey();
    // the handle is not signed: a key of one person that claims to be of another
    key.handle = Some(vec![8; 16]);
    assert_eq!(error(sign_in(&key, &stored)), CeremonyError::UnknownKey);
    let second = second_factor(AuthenticatorKind::Passkey, &key, &stored);
    assert_eq!(error(second), CeremonyError::UnknownKey);
    for odd in [vec![7; 15], vec![7; 17], vec![7; 64]] {
        key.handle = Some(odd);
        assert!(matches!(
            error(sign_in(&key, &stored)),
            CeremonyError::Malformed(_)
        ));
    }
    // a second factor need not say whose it is, and its answer has none; a sign-in without a name does
    for nobody in [None, Some(Vec::new())] {
        key.handle = nobody;
        second_factor(AuthenticatorKind::Passkey, &key, &stored).unwrap();
        let begun = site().start_sign_in().unwrap();
        let assertion = KeyAssertion::read(&key.get(&begun.options)).unwrap();
        assert_eq!(assertion.user_handle(), None);
    }

    // another key, whatever the store finds
    let (mut other, other_stored) = passkey();
    other.id = vec![9; 16];
    assert_eq!(
        error(sign_in(&other, &other_stored)),
        CeremonyError::UnknownKey
    );
    other.id = vec![1; 16];
    assert!(
        matches!(error(sign_in(&other, &stored)), CeremonyError::Refused(_)),
        "its signature"
    );
}

#[test]
fn keys_are_of_their_domain_and_its_hosts() {
    let (mut key, stored) = passkey();
    key.client_data = json!({ "origin": "https://wiki.example.com:8443" });
    let wiki = site_of("https://wiki.example.com:8443");
    let begun = wiki.start_sign_in().unwrap();
    let assertion = KeyAssertion::read(&key.get(&begun.options)).unwrap();
    wiki.finish_authentication(begun.state, &assertion, &stored, ANN)
        .unwrap();

    let org = RpId::parse("example.org").unwrap();
    let elsewhere = RelyingParty::new(&org, "Example", "https://example.org").unwrap();
    let begun = elsewhere.start_sign_in().unwrap();
    let assertion = KeyAssertion::read(&key.get(&begun.options)).unwrap();
    let refused = elsewhere.finish_authentication(begun.state, &assertion, &stored, ANN);
    assert_eq!(error(refused), CeremonyError::UnknownKey);
    let none =
        elsewhere.start_second_factor(AuthenticatorKind::Passkey, std::slice::from_ref(&stored));
    assert!(none.unwrap().is_none());

    // signed for another domain
    key.client_data = json!({});
    key.rp_id = "example.org".to_owned();
    assert!(matches!(
        error(sign_in(&key, &stored)),
        CeremonyError::Refused(_)
    ));

    let id = RpId::parse("example.com").unwrap();
    for origin in [
        "https://example.org",
        "https://badexample.com",
        "http://example.com",
        "https://127.0.0.1",
        "ftp://example.com",
        "example.com",
        "",
    ] {
        let site = RelyingParty::new(&id, "Example", origin);
        assert_eq!(error(site), CeremonyError::Site, "{origin}");
    }
    let local = RpId::parse("localhost").unwrap();
    RelyingParty::new(&local, "Example", "http://localhost:8080").unwrap();
}

#[test]
fn a_counter_that_does_not_grow_shows_a_copy() {
    let (mut key, mut stored) = passkey();
    key.counter = 5;
    let (_, updated) = sign_in(&key, &stored).unwrap();
    stored = updated.expect("its counter has grown");
    for old in [5, 4, 0] {
        key.counter = old;
        assert_eq!(
            error(sign_in(&key, &stored)),
            CeremonyError::PossibleClone,
            "{old}"
        );
    }
    key.counter = 6;
    sign_in(&key, &stored).unwrap();

    // of two sign-ins that begin at once the second is checked against what the first has stored
    let [first, second] = [(); 2].map(|()| site().start_sign_in().unwrap());
    key.counter = 7;
    let answers = [&first, &second].map(|begun| key.get(&begun.options));
    let stored = finish(first.state, &answers[0], &stored)
        .unwrap()
        .1
        .unwrap();
    let copy = finish(second.state, &answers[1], &stored);
    assert_eq!(error(copy), CeremonyError::PossibleClone);
}

/// webauthn-rs keeps a copy of security keys while it waits.
#[test]
fn a_security_key_is_checked_as_it_was_when_it_was_asked_for() {
    let mut key = SoftKey::new(2);
    let mut stored = register(&mut key, AuthenticatorKind::SecurityKey).unwrap();
    let start = |stored: &RegisteredKey| {
        let keys = std::slice::from_ref(stored);
        let begun = site().start_second_factor(AuthenticatorKind::SecurityKey, keys);
        begun.unwrap().unwrap()
    };
    let [first, second] = [(); 2].map(|()| start(&stored));
    key.counter = 3;
    let answers = [&first, &second].map(|begun| key.get(&begun.options));
    stored = finish(first.state, &answers[0], &stored)
        .unwrap()
        .1
        .unwrap();
    assert_eq!(
        error(finish(second.state, &answers[1], &stored)),
        CeremonyError::Changed
    );
    let again = start(&stored);
    let copy = finish(again.state, &key.get(&again.options), &stored);
    assert_eq!(error(copy), CeremonyError::PossibleClone);
}

#[test]
fn a_key_may_become_synchronized_and_not_the_other_way() {
    let mut key = SoftKey::new(1);
    key.flags = UP | UV | BE | BS;
    let stored = register(&mut key, AuthenticatorKind::Passkey).unwrap();
    let (shown, _) = sign_in(&key, &stored).unwrap();
    assert!(shown.is_synchronized);
    key.flags = UP | UV | BE;
    let (_, updated) = sign_in(&key, &stored).unwrap();
    assert!(updated.is_some(), "it is backed up no more");
    key.flags = UP | UV;
    assert!(matches!(
        error(sign_in(&key, &stored)),
        CeremonyError::Refused(_)
    ));
}

#[test]
fn answers_that_are_none_are_refused() {
    let (key, stored) = passkey();
    let begun = site().start_sign_in().unwrap();
    let good: Value = serde_json::from_slice(&key.get(&begun.options)).unwrap();
    let with = |path: &str, value: Value| {
        let mut answer = good.clone();
        *answer.pointer_mut(path).unwrap() = value;
        answer.to_string()
    };
    let cases = [
        String::new(),
        "[]".to_owned(),
        "{}".to_owned(),
        with("/id", json!("AQEB")),
        with("/rawId", json!("AQEB")),
        with("/rawId", json!("!")),
        with("/type", json!("password")),
        with("/response/clientDataJSON", json!("e30")),
        with("/response/clientDataJSON", json!(7)),
        with("/response/signature", Value::Null),
    ];
    for answer in cases {
        let begun = site().start_sign_in().unwrap();
        let refused = finish(begun.state, answer.as_bytes(), &stored);
        assert!(
            matches!(error(refused), CeremonyError::Malformed(_)),
            "{answer}"
        );
    }
    for (path, value) in [
        ("/response/authenticatorData", json!("AAAA")),
        ("/response/authenticatorData", json!("")),
        ("/response/signature", json!("")),
        ("/response/signature", json!("AAAA")),
    ] {
        let begun = site().start_sign_in().unwrap();
        let refused = finish(begun.state, with(path, value).as_bytes(), &stored);
        let error = error(refused);
        assert!(
            matches!(error, CeremonyError::Refused(_)),
            "{path}: {error}"
        );
    }
    let begun = site()
        .start_registration(AuthenticatorKind::Passkey, &ann(), &[])
        .unwrap();
    let refused = site().finish_registration(begun.state, good.to_string().as_bytes());
    assert!(matches!(error(refused), CeremonyError::Malformed(_)));
}

#[test]
fn what_a_registration_signs_names_the_key_that_is_stored() {
    let mut key = SoftKey::new(1);
    let begun = site()
        .start_registration(AuthenticatorKind::Passkey, &ann(), &[])
        .unwrap();
    let mut answer: Value = serde_json::from_slice(&key.create(&begun.options)).unwrap();
    for name in ["id", "rawId"] {
        answer[name] = json!("AgICAgICAgICAgICAgICAg");
    }
    let refused = site().finish_registration(begun.state, answer.to_string().as_bytes());
    assert!(matches!(error(refused), CeremonyError::Malformed(_)));
}
