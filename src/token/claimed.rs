//! Who a bearer token says has issued it, before anything is verified. It is read as leniently as the laxest reader could:
//! what any service might still take for a token of the gateway must not pass for one of somebody else.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::fmt;

/// Base64 with whatever padding and whatever bits behind the end.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The issuers that an unverified token names; a member that comes twice counts twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedIssuers {
    names: Vec<String>,
    is_jwt: bool,
}

impl ClaimedIssuers {
    /// Reads every part that is JSON: the payload of a signed token, and the header of an encrypted one, which may repeat
    /// its `iss` (RFC 7519, section 5.3).
    pub fn read(token: &str) -> Self {
        let (mut names, mut objects) = (Vec::new(), Vec::new());
        for part in token.split('.') {
            let issuers = read_part(part);
            objects.push(issuers.is_some());
            names.extend(issuers.into_iter().flatten());
        }
        let is_jwt = matches!(*objects, [_, true, _]);
        Self { names, is_jwt }
    }

    /// Whether one of them is this one.
    pub fn contains(&self, issuer: &str) -> bool {
        self.names.iter().any(|name| name == issuer)
    }

    /// Whether it is a signed JWT that does not say who has issued it: it may be anybody's.
    pub fn is_anonymous_jwt(&self) -> bool {
        self.is_jwt && self.names.is_empty()
    }

    /// Whether one of them fulfils a condition.
    pub fn any(&self, condition: impl Fn(&str) -> bool) -> bool {
        self.names.iter().any(|name| condition(name))
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
            if member != "iss" {
                map.next_value::<IgnoredAny>()?;
            } else if let serde_json::Value::String(name) = map.next_value()? {
                names.push(name);
            }
        }
        Ok(Issuers(names))
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
            format!("{}.k.i.c.t", plain("{\"enc\":\"x\",\"iss\":\"us\"}")),
            format!("{header}.{}", plain(ours)),
        ] {
            assert!(ClaimedIssuers::read(&token).contains("us"), "{token}");
        }
        for (token, anonymous) in [
            (String::new(), false),
            ("app-token".to_owned(), false),
            ("a.b.c".to_owned(), false),
            (format!("{header}.{}.s", plain("[\"iss\"]")), false),
            (format!("{header}.{}.s", plain("{\"iss\":\"them\"}")), false),
            (format!("{header}.{}.s", plain("{}")), true),
            (format!("{header}.{}.s", plain("{\"iss\":7}")), true),
            (
                format!("{header}.{}.s", plain("{\"a\":{\"iss\":\"us\"}}")),
                true,
            ),
        ] {
            let claimed = ClaimedIssuers::read(&token);
            assert!(!claimed.contains("us"), "{token}");
            assert_eq!(claimed.is_anonymous_jwt(), anonymous, "{token}");
        }
    }
}
