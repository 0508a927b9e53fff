//! Keys and tokens that OpenSSL and PyJWT made, from `tests/keys`.

use std::time::Duration;

use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::*;
use crate::token::{
    ClaimPath, Holder, IssuerSettings, KeySet, SignIn, TokenError, TokenIssuer, VerifiedClaims,
    Verifier, VerifierSettings,
};

const NOW: u64 = 1_700_000_000;
const SECRET: &[u8] = b"an example secret of at least 64 bytes, which is what HS512 asks for";

fn file(name: &str) -> String {
    std::fs::read_to_string(format!("{}/tests/keys/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Algorithm, key and token of each line.
fn tokens() -> Vec<(Algorithm, Key, String)> {
    let text = file("tokens.txt");
    let line = |line: &str| {
        let [algorithm, key, token] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let algorithm = Algorithm::named(algorithm).unwrap();
        let key = match key {
            "secret" => Key::from_secret(algorithm, SECRET, None),
            name => Key::from_pem(algorithm, &file(&format!("{name}.pem")), None),
        };
        (algorithm, key.unwrap(), token.to_owned())
    };
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(line)
        .collect()
}

fn verifier(keys: impl Into<KeySet>) -> Verifier {
    let settings = VerifierSettings {
        issuer: "gatelatch".to_owned(),
        audience: "jobs".to_owned(),
        leeway: Duration::ZERO,
        max_lifetime: Duration::from_secs(86_400),
    };
    Verifier::new(keys, settings)
}

#[test]
fn tokens_of_another_library_hold_with_their_own_key_only() {
    let all = tokens();
    assert_eq!(all.len(), Algorithm::ALL.len());
    for (algorithm, key, _) in &all {
        let verifier = verifier(key.clone());
        for (other, _, token) in &all {
            let expected = if algorithm.is_same_signature(*other) {
                None
            } else {
                Some(TokenError::Algorithm)
            };
            assert_eq!(
                verifier.verify(token, NOW).err(),
                expected,
                "{algorithm} {other}"
            );
        }
    }
}

fn issuer_settings() -> IssuerSettings {
    IssuerSettings {
        issuer: "gatelatch".to_owned(),
        audience: "jobs".to_owned(),
        access_ttl: Duration::from_secs(60),
        roles_claim: ClaimPath::of("roles"),
        longest_token: usize::MAX,
    }
}

#[test]
fn what_every_algorithm_signs_verifies_by_its_public_half() {
    for (algorithm, key, _) in tokens() {
        let claims = serde_json::Map::new();
        let holder = Holder {
            subject: "alice",
            roles: &[],
            name: None,
            email: None,
            claims: Some(&claims),
            session: None,
            sign_in: SignIn::default(),
        };
        let issued = TokenIssuer::new(key.clone(), issuer_settings())
            .issue(&holder, [0; 16], NOW)
            .unwrap();
        let set = KeySet::new(vec![key.verifying().clone()]);
        assert_eq!(
            verifier(set).verify(&issued.token, NOW).err(),
            None,
            "{algorithm}"
        );
    }
}

/// Every bit of a signature counts, and so does its length: no second spelling, no padding, no DER.
#[test]
fn a_signature_has_one_spelling() {
    for (algorithm, key, token) in tokens() {
        let (signed, text) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(text).unwrap();
        let spelled = |text: &str| key.verifying().verifies(signed.as_bytes(), text);
        let verifies = |signature: &[u8]| spelled(&URL_SAFE_NO_PAD.encode(signature));
        assert!(verifies(&signature), "{algorithm}");
        for other in [
            format!("{text}="),
            format!("{text} "),
            format!("{text}A"),
            format!("{text}\n"),
            STANDARD_NO_PAD.encode(&signature) + "+",
            stray_bits(text),
        ] {
            assert!(!spelled(&other), "{algorithm}: {other}");
        }
        for at in (0..signature.len()).step_by(7) {
            let mut changed = signature.clone();
            changed[at] ^= 1;
            assert!(!verifies(&changed), "{algorithm}: byte {at}");
        }
        let half = signature.len() / 2;
        let swapped = [&signature[half..], &signature[..half]].concat();
        let others: [&[u8]; 6] = [
            b"",
            &signature[1..],
            &signature[..signature.len() - 1],
            &[&signature[..], b"\0"].concat(),
            &[b"\0", &signature[..]].concat(),
            &swapped,
        ];
        for other in others {
            assert!(!verifies(other), "{algorithm}: {} bytes", other.len());
        }
        assert!(
            !verifies(&vec![0; signature.len()]),
            "{algorithm}: zeros (CVE-2022-21449)"
        );
        assert!(
            !verifies(&vec![0xff; signature.len()]),
            "{algorithm}: beyond every order"
        );
        assert!(!verifies(&der(&signature)), "{algorithm}: DER");
    }
}

/// Another character at the end, which differs in bits that stand for nothing.
fn stray_bits(text: &str) -> String {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = alphabet.find(text.chars().last().unwrap()).unwrap();
    let other = alphabet.chars().nth(last ^ 1).unwrap();
    format!("{}{other}", &text[..text.len() - 1])
}

/// Of ECDSA a second one holds, with `n - s` for `s`, and whoever has a token can compute it: a logout means both.
#[test]
fn the_other_signature_of_a_token_makes_no_other_session() {
    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let order: Vec<u8> = (0..32)
        .map(|at| u8::from_str_radix(&order[2 * at..][..2], 16).unwrap())
        .collect();
    let (_, key, token) = tokens()
        .into_iter()
        .find(|(algorithm, ..)| *algorithm == Algorithm::Es256)
        .unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut other = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let mut borrow = 0;
    for (digit, order) in other[32..].iter_mut().zip(&order).rev() {
        let difference = i16::from(*order) - i16::from(*digit) - borrow;
        borrow = i16::from(difference < 0);
        *digit = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    let other = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(other));
    let (verifier, session) = (verifier(key), |verified: VerifiedClaims| verified.session);
    assert_ne!(other, token);
    assert_eq!(
        verifier.verify(&other, NOW).map(session),
        verifier.verify(&token, NOW).map(session)
    );
    assert!(
        verifier.verify(&other, NOW).is_ok(),
        "the library refuses it by now: sessions could be those of whole tokens"
    );
}

/// `SEQUENCE { INTEGER r, INTEGER s }` of two halves.
fn der(signature: &[u8]) -> Vec<u8> {
    let integer = |half: &[u8]| {
        let half = &half[..half.len().min(60)];
        [&[2, u8::try_from(half.len()).unwrap() + 1, 0], half].concat()
    };
    let (r, s) = signature.split_at(signature.len() / 2);
    let content = [integer(r), integer(s)].concat();
    [
        &[0x30, u8::try_from(content.len()).unwrap()],
        content.as_slice(),
    ]
    .concat()
}

#[test]
fn keys_are_read_in_each_of_their_forms() {
    for (algorithm, name, public) in [
        (Algorithm::Rs256, "rsa.pem", "rsa.pub.pem"),
        (Algorithm::Rs256, "rsa.pkcs1.pem", "rsa.pub.pem"),
        (Algorithm::Ps256, "rsa.pkcs1.pem", "rsa.pub.pem"),
        (Algorithm::Es256, "p256.pem", "p256.pub.pem"),
        (Algorithm::Es256, "p256.sec1.pem", "p256.pub.pem"),
        (Algorithm::Es384, "p384.pem", "p384.pub.pem"),
        (Algorithm::Rs512, "rsa.pkcs1.pem", "rsa.pkcs1.pub.pem"),
        (Algorithm::Ps384, "rsa-pss.pem", "rsa-pss.pub.pem"),
        (Algorithm::Es512, "p521.pem", "p521.pub.pem"),
        (Algorithm::Es512, "p521.sec1.pem", "p521.pub.pem"),
        (Algorithm::EdDsa, "ed25519.pem", "ed25519.pub.pem"),
        (Algorithm::Ed25519, "ed25519.pem", "ed25519.pub.pem"),
    ] {
        let key = Key::from_pem(algorithm, &file(name), None)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let public = VerifyingKey::from_pem(algorithm, &file(public), None).unwrap();
        let signature = key.signer.sign(b"message").unwrap();
        assert!(public.verifies(b"message", &signature), "{name}");
        assert!(!public.verifies(b"messagE", &signature), "{name}");
        assert_eq!(key.id(), public.id(), "{name}");
    }
    // the second version of PKCS#8, with the public key
    let pair = aws_lc_rs::signature::Ed25519KeyPair::generate().unwrap();
    let second = private_key_text(pair.to_pkcs8().unwrap().as_ref().to_vec());
    assert!(Key::from_pem(Algorithm::Ed25519, &second, None).is_ok());
    let explained = format!(
        "Bag Attributes\r\n{}\r\n",
        file("p256.pem").replace('\n', "\r\n")
    );
    assert!(Key::from_pem(Algorithm::Es256, &explained, None).is_ok());
    // with the curve's parameters before it
    assert!(Key::from_pem(Algorithm::Es384, &file("p384.openssl.pem"), None).is_ok());
}

#[test]
fn what_is_not_the_right_key_is_refused_with_what_to_do() {
    use KeyError::*;
    let (rs, es, ed) = (Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa);
    let twice = file("p256.pem") + &file("p256.pem");
    for (algorithm, text, expected) in [
        (rs, file("rsa1024.pem"), RsaSize(1024)),
        (rs, file("rsa-pss.pem"), OtherKind(rs)),
        (
            Algorithm::Es512,
            file("p384.pem"),
            OtherKind(Algorithm::Es512),
        ),
        (es, file("p521.sec1.pem"), OtherKind(es)),
        (ed, file("p256.pem"), OtherKind(ed)),
        (
            es,
            file("p256.pem") + "-----BEGIN PRIVATE KEY-----\n",
            NotPem,
        ),
        (es, file("rsa.pkcs1.pub.pem"), NotPrivate),
        (rs, file("p256.pem"), OtherKind(rs)),
        (
            Algorithm::Ps256,
            file("ed25519.pem"),
            OtherKind(Algorithm::Ps256),
        ),
        (es, file("p384.pem"), OtherKind(es)),
        (es, file("k256.pem"), OtherKind(es)),
        (es, file("rsa.pkcs1.pem"), OtherKind(es)),
        (ed, file("p256.sec1.pem"), OtherKind(ed)),
        (es, file("p256.pub.pem"), NotPrivate),
        (es, file("encrypted.pem"), Encrypted),
        (es, file("certificate.pem"), CertificateForPrivate),
        (es, twice, NotPem),
        (es, String::new(), NotPem),
        (
            es,
            "-----BEGIN PRIVATE KEY-----\n!!!\n-----END PRIVATE KEY-----\n".to_owned(),
            NotPem,
        ),
        (
            es,
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_owned(),
            OtherKind(es),
        ),
        (
            Algorithm::Hs256,
            file("p256.pem"),
            NotForSecret(Algorithm::Hs256),
        ),
    ] {
        assert_eq!(
            Key::from_pem(algorithm, &text, None).err(),
            Some(expected),
            "{algorithm} {text}"
        );
    }
    for (algorithm, text, expected) in [
        (rs, file("rsa1024.pub.pem"), RsaSize(1024)),
        (rs, file("rsa-pss.pub.pem"), OtherKind(rs)),
        (rs, file("certificate.pem"), Certificate),
        (es, file("certificate.pem"), Certificate),
        (es, file("rsa.pkcs1.pub.pem"), OtherKind(es)),
        (es, file("p256.compressed.pub.pem"), Compressed),
        (es, file("k256.pub.pem"), NotOnCurve(es)),
        (
            Algorithm::Es512,
            file("p256.pub.pem"),
            OtherKind(Algorithm::Es512),
        ),
        (ed, "no key".to_owned(), NotPublicPem),
        (es, file("p256.pem"), NotPublic),
        (es, file("p384.pub.pem"), OtherKind(es)),
        (ed, file("rsa.pub.pem"), OtherKind(ed)),
        (
            Algorithm::Hs256,
            file("rsa.pub.pem"),
            NotForSecret(Algorithm::Hs256),
        ),
    ] {
        assert_eq!(
            VerifyingKey::from_pem(algorithm, &text, None).err(),
            Some(expected),
            "{algorithm} {text}"
        );
    }
    assert_eq!(
        Key::from_secret(Algorithm::Hs512, &[7; 31], None).err(),
        Some(TooShort(Algorithm::Hs512, 31))
    );
    assert_eq!(
        Key::from_secret(ed, &[7; 32], None).err(),
        Some(NotForSecret(ed))
    );
}

/// The classic confusion: a token signed with HMAC under the text of the public key.
#[test]
fn a_public_key_is_never_a_secret() {
    let public = file("rsa.pub.pem");
    let forged = Key::from_secret(Algorithm::Hs256, public.as_bytes(), None).unwrap();
    let claims = serde_json::Map::new();
    let holder = Holder {
        subject: "alice",
        roles: &[],
        name: None,
        email: None,
        claims: Some(&claims),
        session: None,
        sign_in: SignIn::default(),
    };
    let key = VerifyingKey::from_pem(Algorithm::Rs256, &public, Some("a")).unwrap();
    for id in ["a", "b"] {
        let forged = Key::from_secret(Algorithm::Hs256, public.as_bytes(), Some(id)).unwrap();
        let token = TokenIssuer::new(forged, issuer_settings())
            .issue(&holder, [0; 16], NOW)
            .unwrap()
            .token;
        let expected = if id == "a" {
            TokenError::Algorithm
        } else {
            TokenError::KeyId
        };
        assert_eq!(
            verifier(KeySet::new(vec![key.clone()]))
                .verify(&token, NOW)
                .err(),
            Some(expected)
        );
    }
    assert_ne!(forged.id(), key.id());
}

/// Computed with Python (RFC 7638).
#[test]
fn a_public_key_is_named_by_its_thumbprint() {
    for (algorithm, name, expected) in [
        (
            Algorithm::Rs256,
            "rsa",
            "5ftFvY8JqhbE198HACoWQjJ8ivpzfilpVIuWO1Mimvk",
        ),
        (
            Algorithm::Es256,
            "p256",
            "CzUF_sc-7uvhnSo7S9IYJ7N60YpqwZewJS6sTm1V8Pw",
        ),
        (
            Algorithm::Es384,
            "p384",
            "2KyoDjVrfbDP-zZcsjfOoN5xE29p56VVR3KOoZ4y8W0",
        ),
        (
            Algorithm::Es512,
            "p521",
            "biQqFwgffw0E1vEppUASG2w9wmbIk13tRNsHPnRL3ZQ",
        ),
        (
            Algorithm::EdDsa,
            "ed25519",
            "M65AxkoQK4FceLZ4VSU5K6GPhSl88jL2Yv94JBiUW4c",
        ),
        (
            Algorithm::Ed25519,
            "ed25519",
            "M65AxkoQK4FceLZ4VSU5K6GPhSl88jL2Yv94JBiUW4c",
        ),
    ] {
        assert_eq!(
            Key::from_pem(algorithm, &file(&format!("{name}.pem")), None)
                .unwrap()
                .id(),
            expected
        );
    }
}

/// A private key whose numbers do not fit its public half signs what nobody accepts: PKCS#1 with one bit of `d` and of its
/// halves changed, a PKCS#8 of Ed25519 with another public key.
#[test]
fn a_damaged_key_is_refused_at_load() {
    let der = ::pem::parse(file("rsa.pkcs1.pem")).unwrap().into_contents();
    let mut refused = 0;
    for at in (40..der.len()).step_by(61) {
        let mut damaged = der.clone();
        damaged[at] ^= 1;
        let text = ::pem::encode(&::pem::Pem::new("RSA PRIVATE KEY", damaged));
        let loaded = Key::from_pem(Algorithm::Rs256, &text, None);
        refused += usize::from(loaded.is_err());
        // what is taken verifies what it signs
        if let Ok(key) = loaded {
            let signature = key.signer.sign(b"message").unwrap();
            assert!(
                key.verifying().verifies(b"message", &signature),
                "byte {at}"
            );
        }
    }
    assert!(refused > 10, "{refused}");
    let (signer, _) = Signer::from_pem(Algorithm::Rs256, &file("rsa.pem")).unwrap();
    let other = VerifyingKey::from_pem(Algorithm::Ps256, &file("rsa.pub.pem"), None).unwrap();
    assert_eq!(
        Key::proved(signer, other, SealingKey::derive(SECRET)).err(),
        Some(KeyError::Unproven(Algorithm::Ps256))
    );
}

#[test]
fn no_key_is_printed() {
    for (_, key, _) in tokens() {
        let printed = format!("{key:?} {:?}", key.verifying());
        assert!(printed.len() < 160, "{printed}");
    }
}

#[test]
fn a_token_without_a_name_is_tried_with_few_keys() {
    let (algorithm, key, token) = tokens().swap_remove(0);
    let other = |number: u8| VerifyingKey::from_secret(algorithm, &[number; 32], None).unwrap();
    let set = |others: u8| {
        let keys = (0..others).map(other).chain([key.verifying().clone()]);
        verifier(KeySet::new(keys.collect()))
    };
    assert_eq!(set(15).verify(&token, NOW).err(), None);
    assert_eq!(
        set(16).verify(&token, NOW).err(),
        Some(TokenError::Signature)
    );
}
