//! The claims of a token (RFC 7519, section 4.1), read strictly.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::authentication_methods::AuthenticationMethods;
use super::error::TokenError;
use super::json::{Others, Text, once};

/// The most characters of a subject.
const SUBJECT_CHARACTERS: usize = 255;

/// The last second of the year 9999; no honest date lies beyond.
const LAST_SECOND: u64 = 253_402_300_799;

/// The claim of a token that an API key was exchanged for: the key's fingerprint. The name is one that no other issuer uses
/// by chance (RFC 7519, section 4.3).
pub const KEY_CLAIM: &str = "gatelatch_key";

/// The registered claims that decide something; everything else is passed over.
#[derive(Default)]
pub(super) struct Claims<'de> {
    pub(super) subject: Option<Text<'de>>,
    pub(super) issuer: Option<Text<'de>>,
    pub(super) audience: Option<Audience<'de>>,
    pub(super) expires_at: Option<NumericDate>,
    pub(super) not_before: Option<NumericDate>,
    pub(super) issued_at: Option<NumericDate>,
    pub(super) signed_in_at: Option<NumericDate>,
    pub(super) methods: Option<AuthenticationMethods>,
    pub(super) session: Option<Text<'de>>,
    pub(super) api_key: Option<Text<'de>>,
}

/// Whole seconds since 1970, fractions cut off (RFC 7519, section 2: `NumericDate`).
#[derive(Clone, Copy)]
pub(super) struct NumericDate(pub(super) u64);

/// For whom a token is: one name or several.
pub(super) struct Audience<'de>(Vec<Text<'de>>);

impl<'de> Claims<'de> {
    /// Reads the decoded payload.
    ///
    /// # Errors
    /// [`TokenError::Claims`] for anything but one object whose members are unique and of the right type.
    pub(super) fn parse(json: &'de [u8]) -> Result<Self, TokenError> {
        let json = std::str::from_utf8(json).map_err(|_| TokenError::Claims)?;
        serde_json::from_str(json).map_err(|_| TokenError::Claims)
    }
}

impl Audience<'_> {
    /// Whether `name` is among them, compared byte for byte.
    pub(super) fn names(&self, name: &str) -> bool {
        self.0.iter().any(|audience| audience.0 == name)
    }
}

/// Whether a `sub` is accepted: 1 to 255 characters, all visible. What cannot be seen can neither be compared
/// by eye nor written to a log or a header without doubt.
pub fn is_valid_subject(subject: &str) -> bool {
    !subject.is_empty()
        && subject.chars().all(is_visible)
        && subject.chars().count() <= SUBJECT_CHARACTERS
}

/// Whether a `sub` of another issuer is accepted whose names are its own: any text without invisible characters, with
/// blanks inside (RFC 7519, section 4.1.2). Only the head of a request bounds its length.
pub fn is_valid_foreign_subject(subject: &str) -> bool {
    let is_blank = |c: char| c.is_whitespace() && !c.is_control() && !is_line_end(c);
    !subject.is_empty()
        && subject.trim() == subject
        && subject.chars().all(|c| is_visible(c) || is_blank(c))
}

/// Two characters of Unicode that end a line and are no control characters.
fn is_line_end(character: char) -> bool {
    matches!(character, '\u{2028}' | '\u{2029}')
}

/// Whether a character can be seen: not one of Unicode's control, white space and default-ignorable characters, nor
/// one that turns the writing direction.
pub fn is_visible(character: char) -> bool {
    !character.is_control()
        && !character.is_whitespace()
        && !matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

impl<'de> Deserialize<'de> for Claims<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ClaimsVisitor)
    }
}

struct ClaimsVisitor;

impl<'de> Visitor<'de> for ClaimsVisitor {
    type Value = Claims<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a claims object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut claims = Claims::default();
        let mut others = Others::default();
        while let Some(name) = map.next_key::<Text<'de>>()? {
            match &*name.0 {
                "sub" => once(&mut claims.subject, &mut map)?,
                "iss" => once(&mut claims.issuer, &mut map)?,
                "aud" => once(&mut claims.audience, &mut map)?,
                "exp" => once(&mut claims.expires_at, &mut map)?,
                "nbf" => once(&mut claims.not_before, &mut map)?,
                "iat" => once(&mut claims.issued_at, &mut map)?,
                "auth_time" => once(&mut claims.signed_in_at, &mut map)?,
                "amr" => once(&mut claims.methods, &mut map)?,
                "sid" => once(&mut claims.session, &mut map)?,
                KEY_CLAIM => once(&mut claims.api_key, &mut map)?,
                _ => others.skip(name, &mut map)?,
            }
        }
        Ok(claims)
    }
}

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_f64(DateVisitor)
    }
}

struct DateVisitor;

impl Visitor<'_> for DateVisitor {
    type Value = NumericDate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("seconds since 1970")
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<NumericDate, E> {
        if seconds > LAST_SECOND {
            return Err(E::custom("a date beyond the year 9999"));
        }
        Ok(NumericDate(seconds))
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<NumericDate, E> {
        self.visit_u64(u64::try_from(seconds).map_err(|_| E::custom("a date before 1970"))?)
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<NumericDate, E> {
        if !(0.0..=LAST_SECOND as f64).contains(&seconds) {
            return Err(E::custom("a date out of range"));
        }
        Ok(NumericDate(seconds.floor() as u64))
    }
}

impl<'de> Deserialize<'de> for Audience<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AudienceVisitor)
    }
}

struct AudienceVisitor;

impl<'de> Visitor<'de> for AudienceVisitor {
    type Value = Audience<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a list of strings")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Audience(vec![Text(name.into())]))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Audience(vec![Text(name.to_owned().into())]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Self::Value, A::Error> {
        let mut audience = Vec::new();
        while let Some(name) = names.next_element()? {
            audience.push(name);
        }
        Ok(Audience(audience))
    }
}

#[cfg(test)]
mod tests {
    use super::{is_valid_foreign_subject, is_valid_subject};

    #[test]
    fn subjects_are_visible_and_of_bounded_length() {
        for good in [
            "a",
            "alice@example.com",
            "josé",
            "名前",
            "a/b:c|d",
            &"x".repeat(255),
            &"é".repeat(255),
        ] {
            assert!(is_valid_subject(good), "{good:?}");
        }
        let bad = [
            "",
            " ",
            "a b",
            "a\tb",
            "a\n",
            "\0",
            "a\u{7f}",
            "a\u{a0}b",
            "a\u{200b}b",
            "\u{202e}nimda",
            "a\u{feff}",
        ];
        for bad in bad {
            assert!(!is_valid_subject(bad), "{bad:?}");
        }
        assert!(!is_valid_subject(&"x".repeat(256)));
    }

    #[test]
    fn subjects_of_other_issuers_may_be_long_and_have_blanks_inside() {
        for good in [
            "a",
            "Rita Smith",
            "CN=Rita Smith,O=Example",
            "repo:octo/app:environment:Production EU",
            "a  b",
            "山田\u{3000}太郎",
            "a\u{a0}b",
            &"x".repeat(4000),
        ] {
            assert!(is_valid_foreign_subject(good), "{good:?}");
        }
        for bad in [
            "",
            " ",
            " a",
            "a ",
            "\u{3000}a",
            "a\u{a0}",
            "a\tb",
            "a\nb",
            "a\rb",
            "a\u{85}b",
            "a\u{2028}b",
            "a\u{2029}b",
            "a\0b",
            "a\u{7f}b",
            "a\u{200b}b",
            "\u{202e}nimda",
            "a\u{feff}b",
        ] {
            assert!(!is_valid_foreign_subject(bad), "{bad:?}");
        }
    }
}
