//! Tokens made by hand, with an HMAC of our own, so that nothing here depends on the code under test.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::{Verifier, VerifierSettings};
use crate::token::{Key, TokenError};

const SECRET: &[u8] = b"an example secret of at least 32 bytes";
const NOW: u64 = 1_700_000_000;
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const CLAIMS: &str =
    r#"{"iss":"gatelatch","aud":"jobs","sub":"alice","iat":1700000000,"exp":1700001800}"#;

fn verifier() -> Verifier {
    let settings = VerifierSettings {
        issuer: "gatelatch".to_owned(),
        audience: "jobs".to_owned(),
        leeway: Duration::from_secs(30),
        max_lifetime: Duration::from_secs(86_400),
    };
    Verifier::new(Key::hs256(SECRET).unwrap(), settings)
}

/// HMAC-SHA256 (RFC 2104), for keys of at most one block.
pub(super) fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let pad = |byte: u8| {
        let mut block = [byte; 64];
        block
            .iter_mut()
            .zip(key)
            .for_each(|(block, key)| *block ^= key);
        block
    };
    let inner = Sha256::new()
        .chain_update(pad(0x36))
        .chain_update(message)
        .finalize();
    Sha256::new()
        .chain_update(pad(0x5c))
        .chain_update(inner)
        .finalize()
        .to_vec()
}

fn sign_raw(signed: &str) -> String {
    format!(
        "{signed}.{}",
        URL_SAFE_NO_PAD.encode(hmac(SECRET, signed.as_bytes()))
    )
}

fn sign(header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
    sign_raw(&format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    ))
}

#[track_caller]
fn check(token: &str, expected: Option<TokenError>) {
    let found = verifier().verify(token, NOW).err();
    assert_eq!(found, expected, "{token}");
}

/// Checks claims that replace or join the good ones; `null` in `changes` takes a claim away.
#[track_caller]
fn check_claims(changes: &str, expected: Option<TokenError>) {
    let mut claims: serde_json::Map<_, _> = serde_json::from_str(CLAIMS).unwrap();
    let changes: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(changes).unwrap();
    for (name, value) in changes {
        if value.is_null() {
            claims.remove(&name);
        } else {
            claims.insert(name, value);
        }
    }
    check(
        &sign(HEADER, serde_json::to_vec(&claims).unwrap()),
        expected,
    );
}

#[test]
fn a_token_of_another_implementation_holds() {
    // Made with Python's hmac, json and base64 modules.
    let token = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZUBleGFtcGxlLmNvbSIsImlzcyI6ImdhdGVsYXRjaCIsImF1ZCI6ImdhdGVsYXRjaCIsImlhdCI6MTcwMDAwMDAwMCwiZXhwIjoxNzAwMDAxODAwfQ.3U2c9h74jdYTJv9LaVRzP8Q-K896rlyUUCSVILsGPjU";
    let mut verifier = verifier();
    verifier.settings.audience = "gatelatch".to_owned();
    let claims = verifier.verify(token, NOW).unwrap();
    assert_eq!(&*claims.subject, "alice@example.com");
    assert_eq!(
        (claims.issued_at, claims.expires_at),
        (Some(NOW), NOW + 1800)
    );
}

#[test]
fn headers() {
    let cases = [
        (HEADER, None),
        (r#"{"alg":"HS256"}"#, None),
        (" { \"typ\" : \"jwt\" ,\n\t\"alg\" : \"HS256\" } ", None),
        (r#"{"\u0061lg":"HS\u003256"}"#, None),
        (r#"{"alg":"HS256","typ":"at+jwt"}"#, None),
        (r#"{"alg":"HS256","typ":"application/AT+JWT"}"#, None),
        (r#"{"alg":"HS256","typ":"Application/jwt"}"#, None),
        (r#"{"alg":"HS256","typ":"JOSE"}"#, None),
        (r#"{"alg":"HS256","typ":"application/jose"}"#, None),
        (
            r#"{"alg":"HS256","typ":"JOSE+JSON"}"#,
            Some(TokenError::Type),
        ),
        (r#"{"alg":"HS256","cty":"x","x":[{"y":1}]}"#, None),
        // A key in the header is never used, whatever signed the token.
        (
            r#"{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"},"jku":"https://x/","x5u":"https://x/"}"#,
            None,
        ),
        (r#"{"alg":"none"}"#, Some(TokenError::Algorithm)),
        (r#"{"alg":"None"}"#, Some(TokenError::Algorithm)),
        (r#"{"alg":""}"#, Some(TokenError::Algorithm)),
        (r#"{"alg":"hs256"}"#, Some(TokenError::Algorithm)),
        (r#"{"alg":"HS256 "}"#, Some(TokenError::Algorithm)),
        (r#"{"alg":"HS384"}"#, Some(TokenError::Algorithm)),
        (r#"{"alg":"HS512"}"#, Some(TokenError::Algorithm)),
        (r#"{"alg":"RS256"}"#, Some(TokenError::Algorithm)),
        (r#"{"alg":"ES256"}"#, Some(TokenError::Algorithm)),
        (r#"{"alg":["HS256"]}"#, Some(TokenError::Header)),
        (r#"{"alg":null}"#, Some(TokenError::Header)),
        (r#"{"alg":256}"#, Some(TokenError::Header)),
        (r#"{"typ":"JWT"}"#, Some(TokenError::Header)),
        (r#"{"ALG":"HS256"}"#, Some(TokenError::Header)),
        (r#"{}"#, Some(TokenError::Header)),
        (r#"{"alg":"HS256","typ":"JWS"}"#, Some(TokenError::Type)),
        (
            r#"{"alg":"HS256","typ":"dpop+jwt"}"#,
            Some(TokenError::Type),
        ),
        (
            r#"{"alg":"HS256","typ":"logout+jwt"}"#,
            Some(TokenError::Type),
        ),
        (
            r#"{"alg":"HS256","typ":"text/jwt"}"#,
            Some(TokenError::Type),
        ),
        (
            r#"{"alg":"HS256","typ":"application/"}"#,
            Some(TokenError::Type),
        ),
        (r#"{"alg":"HS256","typ":""}"#, Some(TokenError::Type)),
        (r#"{"alg":"HS256","typ":null}"#, Some(TokenError::Header)),
        (r#"{"alg":"HS256","typ":["JWT"]}"#, Some(TokenError::Header)),
        (
            r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
            Some(TokenError::Critical),
        ),
        (
            r#"{"alg":"HS256","crit":["exp"],"exp":1}"#,
            Some(TokenError::Critical),
        ),
        (r#"{"alg":"HS256","crit":[]}"#, Some(TokenError::Critical)),
        (r#"{"alg":"HS256","crit":null}"#, Some(TokenError::Critical)),
        (r#"{"alg":"HS256","b64":false}"#, Some(TokenError::Critical)),
        (r#"{"alg":"HS256","kid":"1"}"#, Some(TokenError::KeyId)),
        (r#"{"alg":"HS256","kid":null}"#, Some(TokenError::Header)),
        (
            r#"{"alg":"HS256","kid":"../../dev/null"}"#,
            Some(TokenError::KeyId),
        ),
        (r#"{"alg":"none","alg":"HS256"}"#, Some(TokenError::Header)),
        (
            r#"{"alg":"HS256","\u0061lg":"HS256"}"#,
            Some(TokenError::Header),
        ),
        (r#"{"alg":"HS256","x":1,"x":1}"#, Some(TokenError::Header)),
        (r#"{"alg":"HS256"} x"#, Some(TokenError::Header)),
        (r#"{"alg":"HS256"}{}"#, Some(TokenError::Header)),
        (r#"{"alg":"HS256",}"#, Some(TokenError::Header)),
        (r#"["HS256"]"#, Some(TokenError::Header)),
        ("\u{feff}{\"alg\":\"HS256\"}", Some(TokenError::Header)),
        ("", Some(TokenError::Header)),
    ];
    for (header, expected) in cases {
        check(&sign(header, CLAIMS), expected);
    }
    check(
        &sign(b"{\"alg\":\"HS256\",\"x\":\"\xff\"}", CLAIMS),
        Some(TokenError::Header),
    );
}

#[test]
fn required_claims() {
    let cases = [
        (r#"{}"#, None),
        (r#"{"exp":null}"#, Some(TokenError::Missing)),
        (r#"{"iss":null}"#, Some(TokenError::Missing)),
        (r#"{"aud":null}"#, Some(TokenError::Missing)),
        (r#"{"sub":null}"#, Some(TokenError::Missing)),
        (r#"{"iat":null}"#, None),
        (r#"{"roles":["admin"],"nested":{"a":1}}"#, None),
        (r#"{"iss":"other"}"#, Some(TokenError::Issuer)),
        (r#"{"iss":"Gatelatch"}"#, Some(TokenError::Issuer)),
        (r#"{"iss":""}"#, Some(TokenError::Issuer)),
        (r#"{"iss":["gatelatch"]}"#, Some(TokenError::Claims)),
        (r#"{"aud":["jobs"]}"#, None),
        (r#"{"aud":["other","jobs"]}"#, None),
        (r#"{"aud":"j\u006fbs"}"#, None),
        (r#"{"aud":[]}"#, Some(TokenError::Audience)),
        (r#"{"aud":"other"}"#, Some(TokenError::Audience)),
        (r#"{"aud":"jobs,other"}"#, Some(TokenError::Audience)),
        (r#"{"aud":["other"]}"#, Some(TokenError::Audience)),
        (r#"{"aud":["jobs",1]}"#, Some(TokenError::Claims)),
        (r#"{"aud":[["jobs"]]}"#, Some(TokenError::Claims)),
        (r#"{"aud":{"jobs":1}}"#, Some(TokenError::Claims)),
        (r#"{"aud":1}"#, Some(TokenError::Claims)),
        (r#"{"sub":""}"#, Some(TokenError::Subject)),
        (r#"{"sub":"alice\n"}"#, Some(TokenError::Subject)),
        (r#"{"sub":"alice\u0000"}"#, Some(TokenError::Subject)),
        (r#"{"sub":7}"#, Some(TokenError::Claims)),
    ];
    for (changes, expected) in cases {
        check_claims(changes, expected);
    }
}

#[test]
fn dates() {
    let cases = [
        // Now is …0000, the leeway 30 s, the longest life a day.
        (r#"{"exp":1699999971,"iat":1699999900}"#, None),
        (
            r#"{"exp":1699999970,"iat":1699999900}"#,
            Some(TokenError::Expired),
        ),
        (r#"{"exp":1699999971.9,"iat":1699999900}"#, None),
        (
            r#"{"exp":1699999970.9,"iat":1699999900}"#,
            Some(TokenError::Expired),
        ),
        (r#"{"exp":0,"iat":0}"#, Some(TokenError::Expired)),
        (r#"{"exp":1.7000001e9}"#, None),
        (r#"{"nbf":1700000030}"#, None),
        (r#"{"nbf":1700000031}"#, Some(TokenError::NotYetValid)),
        (r#"{"nbf":0}"#, None),
        (r#"{"iat":1700000030}"#, None),
        (r#"{"iat":1700000031}"#, Some(TokenError::IssuedAt)),
        (
            r#"{"iat":1699999999,"exp":1699999998}"#,
            Some(TokenError::IssuedAt),
        ),
        (r#"{"exp":1700086400}"#, None),
        (r#"{"exp":1700086401}"#, Some(TokenError::Lifetime)),
        (r#"{"iat":1699913601,"exp":1700000001}"#, None),
        (
            r#"{"iat":1699913600,"exp":1700000001}"#,
            Some(TokenError::Lifetime),
        ),
        (r#"{"iat":null,"exp":1700086400}"#, None),
        (
            r#"{"iat":null,"exp":1700086401}"#,
            Some(TokenError::Lifetime),
        ),
        (r#"{"iat":0}"#, Some(TokenError::Lifetime)),
        (r#"{"exp":253402300799}"#, Some(TokenError::Lifetime)),
        (r#"{"exp":253402300800}"#, Some(TokenError::Claims)),
        (r#"{"exp":18446744073709551615}"#, Some(TokenError::Claims)),
        (r#"{"exp":1e300}"#, Some(TokenError::Claims)),
        (r#"{"exp":-1}"#, Some(TokenError::Claims)),
        (r#"{"exp":-0.5}"#, Some(TokenError::Claims)),
        (r#"{"exp":"1700001800"}"#, Some(TokenError::Claims)),
        (r#"{"exp":true}"#, Some(TokenError::Claims)),
        (r#"{"exp":[1700001800]}"#, Some(TokenError::Claims)),
        (r#"{"exp":{"v":1700001800}}"#, Some(TokenError::Claims)),
        (r#"{"nbf":"0"}"#, Some(TokenError::Claims)),
        (r#"{"iat":"0"}"#, Some(TokenError::Claims)),
        (r#"{"nbf":-1}"#, Some(TokenError::Claims)),
    ];
    for (changes, expected) in cases {
        check_claims(changes, expected);
    }
}

#[test]
fn payloads_that_are_not_one_clean_object() {
    let with = |tail: &str| format!("{}{tail}", CLAIMS.trim_end_matches('}'));
    let cases = [
        with(r#","sub":"alice"}"#),
        with(r#","s\u0075b":"root"}"#),
        with(r#","exp":1700001800}"#),
        with(r#","roles":[],"roles":["admin"]}"#),
        with(r#","nbf":null}"#),
        with(r#","iat":1700000000}"#),
        with(r#","x":NaN}"#),
        with(r#","nbf":NaN}"#),
        with(r#","nbf":1e999}"#),
        with(r#","nbf":01}"#),
        with("}}"),
        with("} x"),
        with("}\0"),
        with(",}"),
        with(""),
        CLAIMS.replace(':', " "),
        "[]".to_owned(),
        "null".to_owned(),
        "\"eyJhbGciOiJIUzI1NiJ9.e30.x\"".to_owned(),
        String::new(),
        "[".repeat(5000),
        with(&format!(",\"x\":{}", "[".repeat(5000))),
    ];
    for claims in cases {
        check(&sign(HEADER, claims), Some(TokenError::Claims));
    }
    check(
        &sign(HEADER, [CLAIMS.as_bytes(), b"\xff"].concat()),
        Some(TokenError::Claims),
    );
    check(&sign(HEADER, format!(" \t\r\n{CLAIMS} \n")), None);
    check(
        &sign(
            HEADER,
            with(r#","x":1e999,"null":null,"deep":[[{"sub":1,"sub":2}]]}"#),
        ),
        None,
    );
}

#[test]
fn spellings_that_are_not_three_parts_of_base64url() {
    let good = sign(HEADER, CLAIMS);
    check(&good, None);
    let [header, payload, signature] = *good.split('.').collect::<Vec<_>>() else {
        panic!()
    };
    let malformed = [
        String::new(),
        ".".to_owned(),
        header.to_owned(),
        format!("{header}.{payload}"),
        format!("{good}.x"),
        format!("x.{good}"),
        format!(" {good}"),
        format!("{header}=.{payload}.{signature}"),
        format!("{header} .{payload}.{signature}"),
        format!("{header}\n.{payload}.{signature}"),
        sign_raw(&format!("{header}.{payload}==")),
        sign_raw(&format!("{header}.{payload}.x")),
        sign_raw(&format!("{header}.{payload}?")),
        sign_raw(&format!("{header}. {payload}")),
        sign_raw(&format!("{header}.é{payload}")),
        r#"{"payload":"e30","signatures":[{"protected":"eyJhbGciOiJIUzI1NiJ9","signature":"x"}]}"#
            .to_owned(),
    ];
    for token in malformed {
        let found = verifier().verify(&token, NOW).unwrap_err();
        assert!(
            matches!(found, TokenError::Malformed | TokenError::Signature),
            "{found:?} {token}"
        );
    }
    check("..", Some(TokenError::Header));
    check(&format!(".{payload}.{signature}"), Some(TokenError::Header));
    let wrong = [
        format!("{header}.{payload}."),
        format!("{header}..{signature}"),
        format!("{good}="),
        format!("{good} "),
        format!("{good}A"),
        format!("{header}.{payload}.{}", &signature[..signature.len() - 1]),
        format!("{header}.{payload}.{}", &signature[1..]),
        format!("{header}.{payload}.{}", signature.to_uppercase()),
        format!(
            "{header}.{payload}.{}",
            URL_SAFE_NO_PAD.encode(hmac(b"another secret", good.as_bytes()))
        ),
        format!(
            "{header}.{}.{signature}",
            URL_SAFE_NO_PAD.encode(CLAIMS.replace("alice", "root"))
        ),
        format!(
            "{}.{payload}.{signature}",
            URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#)
        ),
    ];
    for token in wrong {
        check(&token, Some(TokenError::Signature));
    }
}

#[test]
fn stray_bits_at_the_end_of_a_part_make_another_spelling() {
    let good = sign(HEADER, CLAIMS);
    // 32 bytes leave two bits of the last character unused.
    let last = good.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let index = alphabet.find(last).unwrap();
    assert_eq!(index % 4, 0);
    let stray = format!(
        "{}{}",
        &good[..good.len() - 1],
        &alphabet[index + 1..index + 2]
    );
    check(&stray, Some(TokenError::Signature));
}

/// Only the head of a request bounds it.
#[test]
fn a_token_may_be_long() {
    let claims =
        |bytes: usize| CLAIMS.replace('{', &format!("{{\"groups\":\"{}\",", "x".repeat(bytes)));
    for bytes in [8 << 10, 32 << 10, 1 << 20] {
        check(&sign(HEADER, claims(bytes)), None);
    }
    check(&"x".repeat(1 << 20), Some(TokenError::Malformed));
}

/// What sends people to their keys must be about keys.
#[test]
fn a_token_of_another_issuer_is_called_that_whatever_its_key_is() {
    let foreign = CLAIMS.replace("gatelatch", "https://idp.example.com");
    let broken = foreign.replace("\"alice\"", "42");
    for claims in [&foreign, &broken] {
        for header in [HEADER, r#"{"alg":"RS256"}"#, r#"{"alg":"HS256","kid":"x"}"#] {
            let token = sign(header, claims);
            let damaged = format!("{}AAAA", &token[..token.len() - 4]);
            check(&damaged, Some(TokenError::Issuer));
        }
    }
    let own = sign(r#"{"alg":"HS256","kid":"x"}"#, CLAIMS);
    check(&own, Some(TokenError::KeyId));
    check(&sign(HEADER, &broken), Some(TokenError::Claims));
}

#[test]
fn the_signature_is_checked_before_the_claims() {
    let forged = sign(HEADER, "not json").replace(".bm", ".cm");
    check(&forged, Some(TokenError::Signature));
}

#[test]
fn refusals_are_safe_to_quote() {
    let all = [
        TokenError::Malformed,
        TokenError::Header,
        TokenError::Algorithm,
        TokenError::Type,
        TokenError::Critical,
        TokenError::KeyId,
        TokenError::Signature,
        TokenError::Claims,
        TokenError::Missing,
        TokenError::MissingConfigured,
        TokenError::Issuer,
        TokenError::Audience,
        TokenError::Subject,
        TokenError::Expired,
        TokenError::NotYetValid,
        TokenError::IssuedAt,
        TokenError::Lifetime,
    ];
    for refusal in all {
        let text = refusal.to_string();
        assert!(
            text.bytes()
                .all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'),
            "{text}"
        );
    }
    assert_eq!(
        (
            TokenError::Expired.label(),
            TokenError::Expired.description()
        ),
        ("expired", "the token has expired")
    );
}
