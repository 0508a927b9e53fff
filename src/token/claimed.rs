//! Who a bearer token says has issued it, before anything is verified. It is read as leniently as the laxest reader could:
//! what any service might still take for a token of the gateway must not pass for one of somebody else.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// Base64 with whatever padding and whatever bits behind the end.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The issuers that an unverified token names; a member that comes twice counts twice, and so does each text of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedIssuers(Vec<String>);

impl ClaimedIssuers {
    /// Reads every part that is JSON: the payload of a signed token, and the header of an encrypted one, which may repeat
    /// its `iss` (RFC 7519, section 5.3).
    pub fn read(token: &str) -> Self {
        let parts = token.split('.').filter_map(read_part);
        Self(parts.flatten().collect())
    }

    /// Whether one of them is this one.
    pub fn contains(&self, issuer: &str) -> bool {
        self.any(|name| name == issuer)
    }

    /// Whether one of them fulfils a condition.
    pub fn any(&self, condition: impl Fn(&str) -> bool) -> bool {
        self.0.iter().any(|name| condition(name))
    }
}

/// The issuers in a part that is a JSON object.
fn read_part(part: &str) -> Option<Vec<String>> {
    let part = part.trim().replace('+', "-").replace('/', "_");
    let json = LENIENT.decode(part).ok()?;
    let Issuers(names) = serde_json::from_slice(&json).ok()?;
    Some(names)
}

struct Issuers(Vec<String>);

impl<'de> Deserialize<'de> for Issuers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(IssuersVisitor)
    }
}

struct IssuersVisitor;

impl<'de> Visitor<'de> for IssuersVisitor {
    type Value = Issuers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Issuers, A::Error> {
        let mut names = Vec::new();
        while let Some(member) = map.next_key::<String>()? {
            if member == "iss" {
                add_names(map.next_value()?, &mut names);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Issuers(names))
    }
}

fn add_names(issuer: Value, names: &mut Vec<String>) {
    match issuer {
        Value::String(name) => names.push(name),
        Value::Array(several) => several.into_iter().for_each(|one| add_names(one, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    use super::*;

    #[test]
    fn an_issuer_is_found_in_every_spelling_that_anybody_could_read() {
        let plain = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let (header, ours) = (
            plain("{\"alg\":\"HS256\"}"),
            "{\"iss\":\"us\",\"x\":\"??>>\"}",
        );
        for token in [
            format!("{header}.{}.s", plain(ours)),
            format!("{header}.{}.s", STANDARD.encode(ours)),
            format!("{header}.{} .s", plain(ours)),
            format!("{header}.{}.s", plain("{\"iss\":\"them\",\"iss\":\"us\"}")),
            format!("{header}.{}.s", plain("{\"iss\":\"us\",\"iss\":7}")),
            format!("{header}.{}.s", plain("{\"\\u0069ss\":\"\\u0075s\"}")),
            format!("{header}.{}.s", plain("{\"iss\":[\"them\",\"us\"]}")),
            format!("{}.k.i.c.t", plain("{\"enc\":\"x\",\"iss\":\"us\"}")),
            format!("{header}.{}", plain(ours)),
        ] {
            assert!(ClaimedIssuers::read(&token).contains("us"), "{token}");
        }
        for token in [
            String::new(),
            "app-token".to_owned(),
            "a.b.c".to_owned(),
            format!("{header}.{}.s", plain("[\"iss\"]")),
            format!("{header}.{}.s", plain("{\"iss\":\"them\"}")),
            format!("{header}.{}.s", plain("{}")),
            format!("{header}.{}.s", plain("{\"iss\":7}")),
            format!("{header}.{}.s", plain("{\"a\":{\"iss\":\"us\"}}")),
        ] {
            assert!(!ClaimedIssuers::read(&token).contains("us"), "{token}");
        }
    }
}
