//! The header of a token (RFC 7515, section 4), read strictly.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::error::TokenError;
use super::json::{Others, Text, once};

/// What a token is for, which its `typ` must not contradict (RFC 8725, section 3.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenType {
    /// An access token (RFC 9068).
    Access,
    /// An ID token, or a signed answer of the userinfo endpoint (OpenID Connect Core 1.0, sections 2 and 5.3.2).
    Identity,
    /// A logout token (OpenID Connect Back-Channel Logout 1.0, section 2.4).
    Logout,
}

impl TokenType {
    /// The accepted `typ`. `JOSE` and `JWT` say no more than that it is a token in compact form.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Access => &["JWT", "JOSE", "at+jwt"],
            Self::Identity => &["JWT", "JOSE"],
            Self::Logout => &["JWT", "JOSE", "logout+jwt"],
        }
    }
}

/// The members that decide something. Keys that a header carries or points to (`jwk`, `jku`, `x5c`, `x5u`) are
/// not among them: only the configured key counts.
#[derive(Default)]
pub(super) struct Header<'de> {
    algorithm: Option<Text<'de>>,
    kind: Option<Text<'de>>,
    critical: Option<IgnoredAny>,
    unencoded: Option<IgnoredAny>,
    key_id: Option<Text<'de>>,
}

impl<'de> Header<'de> {
    /// Reads the decoded header.
    ///
    /// # Errors
    /// [`TokenError::Header`] for anything but one object whose members are unique and of the right type.
    pub(super) fn parse(json: &'de [u8]) -> Result<Self, TokenError> {
        let json = std::str::from_utf8(json).map_err(|_| TokenError::Header)?;
        serde_json::from_str(json).map_err(|_| TokenError::Header)
    }

    /// Whether it asks for nothing that this gateway does not do. Which key is meant is the key set's affair.
    ///
    /// # Errors
    /// The first member that asks for something else.
    pub(super) fn check(&self, purpose: TokenType) -> Result<(), TokenError> {
        // No extension is understood, so every list of critical ones names one that is not (RFC 7515, section
        // 4.1.11). `b64` is one of them (RFC 7797), and means nothing good without `crit` either.
        if self.critical.is_some() || self.unencoded.is_some() {
            return Err(TokenError::Critical);
        }
        if self.algorithm.is_none() {
            return Err(TokenError::Header);
        }
        if self
            .kind
            .as_ref()
            .is_some_and(|kind| !is_of(purpose, &kind.0))
        {
            return Err(TokenError::Type);
        }
        Ok(())
    }

    /// `alg`; empty where it is missing, which names no algorithm.
    pub(super) fn algorithm(&self) -> &str {
        self.algorithm.as_ref().map_or("", |text| &text.0)
    }

    /// `kid`, where there is one.
    pub(super) fn key_id(&self) -> Option<&str> {
        self.key_id.as_ref().map(|text| &*text.0)
    }
}

/// `typ` compares as a media type: without case, and `application/` may be left out (RFC 7515, section 4.1.9).
fn is_of(purpose: TokenType, kind: &str) -> bool {
    const PREFIX: &str = "application/";
    let name = match kind.split_at_checked(PREFIX.len()) {
        Some((prefix, name)) if prefix.eq_ignore_ascii_case(PREFIX) => name,
        Some(_) | None => kind,
    };
    let mut names = purpose.names().iter();
    names.any(|known| name.eq_ignore_ascii_case(known))
}

impl<'de> Deserialize<'de> for Header<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a header object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut header = Header::default();
        let mut others = Others::default();
        while let Some(name) = map.next_key::<Text<'de>>()? {
            match &*name.0 {
                "alg" => once(&mut header.algorithm, &mut map)?,
                "typ" => once(&mut header.kind, &mut map)?,
                "crit" => once(&mut header.critical, &mut map)?,
                "b64" => once(&mut header.unencoded, &mut map)?,
                "kid" => once(&mut header.key_id, &mut map)?,
                _ => others.skip(name, &mut map)?,
            }
        }
        Ok(header)
    }
}
