//! The claims of a token of another issuer: what decides something is read strictly, and nothing else is looked at.

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::claim_path::ClaimPath;
use super::claims::{Audience, NumericDate};
use super::dates::Dates;
use super::error::TokenError;

/// The members of a payload, each once. Those that mean nothing here may be of any type (RFC 7519, section 4): what
/// another issuer says in `auth_time` or `sid` is not about the sessions of this gateway.
pub(super) struct ForeignClaims(Map<String, Value>);

impl ForeignClaims {
    /// Reads the decoded payload.
    ///
    /// # Errors
    /// [`TokenError::Claims`] for anything but one object whose members are unique.
    pub(super) fn parse(json: &[u8]) -> Result<Self, TokenError> {
        let json = std::str::from_utf8(json).map_err(|_| TokenError::Claims)?;
        serde_json::from_str(json).map_err(|_| TokenError::Claims)
    }

    /// All of them.
    pub(super) fn members(&self) -> &Map<String, Value> {
        &self.0
    }

    /// From when until when the token is valid.
    ///
    /// # Errors
    /// [`TokenError::Missing`] without `exp`, and [`TokenError::Claims`] for a date that is none.
    pub(super) fn dates(&self) -> Result<Dates, TokenError> {
        let date = |name| self.0.get(name).map(second).transpose();
        Ok(Dates {
            expires_at: date("exp")?.ok_or(TokenError::Missing)?,
            not_before: date("nbf")?,
            issued_at: date("iat")?,
        })
    }

    /// For whom the token is.
    ///
    /// # Errors
    /// [`TokenError::MissingConfigured`] where the claim is absent, [`TokenError::Missing`] where that is `aud`, and
    /// [`TokenError::Claims`] for anything but a string or a list of strings.
    pub(super) fn audience(&self, claim: &ClaimPath) -> Result<Audience<'_>, TokenError> {
        Audience::deserialize(self.required(claim, "aud")?).map_err(|_| TokenError::Claims)
    }

    /// Whom the token is about.
    ///
    /// # Errors
    /// As [`Self::audience`], for `sub` and anything but a string.
    pub(super) fn subject(&self, claim: &ClaimPath) -> Result<&str, TokenError> {
        let value = self.required(claim, "sub")?;
        value.as_str().ok_or(TokenError::Claims)
    }

    fn required(&self, claim: &ClaimPath, usual: &str) -> Result<&Value, TokenError> {
        claim.find(&self.0).ok_or_else(|| {
            if *claim == ClaimPath::of(usual) {
                TokenError::Missing
            } else {
                TokenError::MissingConfigured
            }
        })
    }
}

pub(super) fn second(value: &Value) -> Result<u64, TokenError> {
    let date = NumericDate::deserialize(value).map_err(|_| TokenError::Claims)?;
    Ok(date.0)
}

impl<'de> Deserialize<'de> for ForeignClaims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = ForeignClaims;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a claims object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, value)) = map.next_entry()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member appears twice"));
            }
        }
        Ok(ForeignClaims(members))
    }
}
