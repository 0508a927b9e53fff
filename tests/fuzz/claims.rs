//! Whatever is signed with the key, and changed afterwards: what is accepted here, a verifier of one page accepts, with the
//! same claims. It has the HMAC of aws-lc-rs and a `serde_json::Value`, and none of the gateway's code.
use std::fmt::Write;
use std::sync::LazyLock;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatelatch::token::{Key, VerifiedClaims, Verifier, VerifierSettings};
use arbitrary::{Arbitrary, Unstructured};
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

static KEY: LazyLock<hmac::Key> = LazyLock::new(|| hmac::Key::new(hmac::HMAC_SHA256, SECRET));

#[derive(Deserialize)]
struct Header {
    alg: String,
    crit: Option<Value>,
}

/// What is compared, and no more: beyond it the two may read, or skip, what they do not know.
#[derive(Deserialize)]
struct Known {
    iss: String,
    aud: Value,
    sub: String,
    exp: f64,
    iat: Option<f64>,
    nbf: Option<f64>,
}

/// The claims of a token that RFC 7515, RFC 7519 and the settings above accept, but for the time.
fn naive(token: &str) -> Option<Known> {
    let (signed, signature) = token.rsplit_once('.')?;
    hmac::verify(&KEY, signed.as_bytes(), &decode(signature)?).ok()?;
    let (header, payload) = signed.split_once('.')?;
    let header: Header = serde_json::from_slice(&decode(header)?).ok()?;
    let claims: Known = serde_json::from_slice(&decode(payload)?).ok()?;
    let audience = match &claims.aud {
        Value::Array(names) => names.iter().any(|name| name == "jobs"),
        name => name == "jobs",
    };
    let good = header.alg == "HS256" && header.crit.is_none() && claims.iss == "gatelatch" && audience;
    good.then_some(claims)
}

fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
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

pub(crate) fn run(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let now = u64::from(input.now);
    let Some(token) = token(&input) else { return };
    let Ok(found) = OURS.verify(&token, now) else { return };
    let known = naive(&token).unwrap_or_else(|| panic!("accepted by the gateway alone: {token}"));
    same(&found, &known, now);
}

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
    let signature = hmac::sign(&KEY, token.as_bytes());
    write!(token, ".{}", URL_SAFE_NO_PAD.encode(signature)).expect("memory does not fail");
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
        HeaderMember::Typ(at) => format!("\"typ\":{}", one_of(&["JWT", "jwt", "at+jwt", "JOSE", "JWE"], at)),
        HeaderMember::Crit => r#""crit":["exp"]"#.to_owned(),
        HeaderMember::Other(member) => plain_member(member, &["kid", "b64", "jwk", "jku", "x5c", "a"]),
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
