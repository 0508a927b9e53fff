//! Whatever is signed with the key, and changed afterwards: what is accepted here, jsonwebtoken accepts, with the same claims.
#![no_main]

use std::fmt::Write;
use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatelatch::token::{Key, VerifiedClaims, Verifier, VerifierSettings};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation, crypto, decode};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use serde::Deserialize;
use serde_json::Value;

const SECRET: &[u8] = b"an example secret of at least 32 bytes";
const LEEWAY: u64 = 30;

static OURS: LazyLock<Verifier> = LazyLock::new(|| {
    let settings = VerifierSettings {
        issuer: "gatelatch".to_owned(),
        audience: "jobs".to_owned(),
        leeway: Duration::from_secs(LEEWAY),
        max_lifetime: Duration::MAX,
    };
    Verifier::new(Key::hs256(SECRET).expect("32 bytes are enough"), settings)
});

/// Everything but time, which is compared below: jsonwebtoken looks at the clock itself.
static THEIRS: LazyLock<Validation> = LazyLock::new(|| {
    let mut rules = Validation::new(Algorithm::HS256);
    rules.validate_exp = false;
    rules.set_issuer(&["gatelatch"]);
    rules.set_audience(&["jobs"]);
    rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    rules
});

/// What is compared, and no more: beyond it the two may read, or skip, what they do not know.
#[derive(Deserialize)]
struct Known {
    sub: String,
    exp: f64,
    iat: Option<f64>,
    nbf: Option<f64>,
}

#[derive(Arbitrary, Debug)]
struct Input {
    header: Text<HeaderMember>,
    payload: Text<ClaimMember>,
    now: u32,
    change: Option<Change>,
}

/// A JSON text: mostly an object of known members, so that a token can come to hold at all.
#[derive(Arbitrary, Debug)]
enum Text<M> {
    Usual,
    UsualAnd(Vec<M>),
    Only(Vec<M>),
    Raw(String),
}

#[derive(Arbitrary, Debug)]
enum HeaderMember {
    Alg(u8),
    Typ(u8),
    Crit,
    Other(Member),
}

#[derive(Arbitrary, Debug)]
enum ClaimMember {
    Issuer,
    Audience(u8),
    Subject(String),
    Time(u8, u32),
    WrongTime(u8, f64),
    Other(Member),
}

#[derive(Arbitrary, Debug)]
struct Member {
    name: u8,
    value: Plain,
}

#[derive(Arbitrary, Debug)]
enum Plain {
    Null,
    Yes(bool),
    Number(i64),
    Fraction(f64),
    Text(String),
    List(Vec<String>),
    Verbatim(String),
}

/// One byte of the finished token.
#[derive(Arbitrary, Debug)]
struct Change {
    at: u16,
    byte: u8,
}

fuzz_target!(|input: Input| {
    let now = u64::from(input.now);
    let Some(token) = token(&input) else { return };
    let Ok(found) = OURS.verify(&token, now) else { return };
    let known = decode::<Known>(&token, &DecodingKey::from_secret(SECRET), &THEIRS);
    let known = known.unwrap_or_else(|error| panic!("accepted by us alone, {error}: {token}")).claims;
    same(&found, &known, now);
});

fn same(found: &VerifiedClaims, known: &Known, now: u64) {
    assert_eq!(known.sub, *found.subject);
    assert_eq!(known.exp as u64, found.expires_at);
    assert_eq!(known.iat.map(|date| date as u64), found.issued_at);
    assert!(now < found.expires_at.saturating_add(LEEWAY), "expired at {}", found.expires_at);
    assert!(known.nbf.is_none_or(|start| start as u64 <= now + LEEWAY), "not before {:?}", known.nbf);
}

fn token(input: &Input) -> Option<String> {
    let header = json(&input.header, r#""alg":"HS256","typ":"JWT""#, header_member);
    let payload =
        json(&input.payload, r#""iss":"gatelatch","aud":"jobs","sub":"alice","exp":4294967295"#, claim_member);
    let mut token = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature =
        crypto::sign(token.as_bytes(), &EncodingKey::from_secret(SECRET), Algorithm::HS256).expect("a secret signs");
    write!(token, ".{signature}").expect("memory does not fail");
    let Some(change) = &input.change else { return Some(token) };
    let mut bytes = token.into_bytes();
    let at = usize::from(change.at) % bytes.len();
    bytes[at] = change.byte;
    String::from_utf8(bytes).ok()
}

fn json<M>(text: &Text<M>, usual: &str, member: impl Fn(&M) -> String) -> String {
    let list = |members: &[M]| members.iter().map(&member).collect::<Vec<_>>().join(",");
    match text {
        Text::Usual => format!("{{{usual}}}"),
        Text::UsualAnd(more) if more.is_empty() => format!("{{{usual}}}"),
        Text::UsualAnd(more) => format!("{{{usual},{}}}", list(more)),
        Text::Only(members) => format!("{{{}}}", list(members)),
        Text::Raw(text) => text.clone(),
    }
}

fn header_member(member: &HeaderMember) -> String {
    let one_of = |names: &[&str], at: &u8| format!("\"{}\"", names[usize::from(*at) % names.len()]);
    match member {
        HeaderMember::Alg(at) => format!("\"alg\":{}", one_of(&["HS256", "HS384", "none", "RS256", "hs256"], at)),
        HeaderMember::Typ(at) => format!("\"typ\":{}", one_of(&["JWT", "jwt", "at+jwt", "JWE"], at)),
        HeaderMember::Crit => r#""crit":["exp"]"#.to_owned(),
        // not `jwk`, `jku`, `x5c`: nobody may say by which key they are verified, so that what stands there is not read here,
        // while jsonwebtoken refuses a wrong type
        HeaderMember::Other(member) => plain_member(member, &["kid", "b64", "a"]),
    }
}

fn claim_member(member: &ClaimMember) -> String {
    let time = |at: &u8| ["exp", "nbf", "iat", "auth_time"][usize::from(*at) % 4];
    match member {
        ClaimMember::Issuer => r#""iss":"gatelatch""#.to_owned(),
        ClaimMember::Audience(at) => {
            format!("\"aud\":{}", [r#""jobs""#, r#"["x","jobs"]"#, r#""x""#, "[]"][usize::from(*at) % 4])
        }
        ClaimMember::Subject(text) => format!("\"sub\":{}", Value::from(text.as_str())),
        ClaimMember::Time(at, seconds) => format!("\"{}\":{seconds}", time(at)),
        ClaimMember::WrongTime(at, number) => format!("\"{}\":{number:?}", time(at)),
        ClaimMember::Other(member) => {
            plain_member(member, &["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "sid", "roles", "a"])
        }
    }
}

fn plain_member(member: &Member, names: &[&str]) -> String {
    let name = names[usize::from(member.name) % names.len()];
    match &member.value {
        Plain::Null => format!("\"{name}\":null"),
        Plain::Yes(value) => format!("\"{name}\":{value}"),
        Plain::Number(value) => format!("\"{name}\":{value}"),
        Plain::Fraction(value) => format!("\"{name}\":{value:?}"),
        Plain::Text(value) => format!("\"{name}\":{}", Value::from(value.as_str())),
        Plain::List(values) => format!("\"{name}\":{}", Value::from(values.as_slice())),
        Plain::Verbatim(value) => format!("\"{name}\":{value}"),
    }
}
