//! Decides whether a token holds, and whose it is.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::claims::{Claims, is_valid_subject};
use super::header::Header;
use super::key::Key;
use super::refusal::Refusal;

/// The most bytes of a token, counted before anything is decoded: 8 KiB.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// What a token must say to be accepted.
#[derive(Clone, Debug)]
pub struct VerifierSettings {
    /// The only accepted `iss`.
    pub issuer: String,
    /// Must be `aud`, or one of `aud`.
    pub audience: String,
    /// How far clocks may differ, in whole seconds.
    pub leeway: Duration,
    /// The longest life of a token, from `iat` (from now, without one) to `exp`, in whole seconds.
    pub max_lifetime: Duration,
}

/// Verifies tokens that one key has signed.
#[derive(Clone, Debug)]
pub struct Verifier {
    key: Key,
    settings: VerifierSettings,
}

/// What a token that holds says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedClaims {
    /// `sub`: 1 to 255 visible characters.
    pub subject: Box<str>,
    /// `iat`, in seconds since 1970; not every issuer sets it.
    pub issued_at: Option<u64>,
    /// `exp`, in seconds since 1970, without leeway.
    pub expires_at: u64,
    /// `auth_time`, in seconds since 1970: when the password was given.
    pub signed_in_at: Option<u64>,
    /// `sid`: the session that the token belongs to.
    pub session: Option<Box<str>>,
}

impl Verifier {
    /// A verifier for tokens of this key.
    pub fn new(key: Key, settings: VerifierSettings) -> Self {
        Self { key, settings }
    }

    /// Checks a token in compact form (RFC 7515, section 7.1) against `now`, in seconds since 1970.
    ///
    /// # Errors
    /// The first thing that is wrong. Claims are looked at only when the signature holds.
    pub fn verify(&self, token: &str, now: u64) -> Result<VerifiedClaims, Refusal> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Refusal::TooLarge);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Refusal::Malformed)?;
        if payload.contains('.') {
            return Err(Refusal::Malformed);
        }
        Header::parse(&decode(header)?)?.check(self.key.algorithm_name())?;
        self.check_signature(signed, signature)?;
        self.check_claims(&decode(payload)?, now)
    }

    /// Whether claims that held once still do, as far as that is a matter of time.
    pub fn still_holds(&self, claims: &VerifiedClaims, now: u64) -> bool {
        now < claims.expires_at.saturating_add(self.settings.leeway.as_secs())
    }

    fn check_signature(&self, signed: &str, signature: &str) -> Result<(), Refusal> {
        let algorithm = self.key.algorithm();
        match jsonwebtoken::crypto::verify(signature, signed.as_bytes(), self.key.decoding(), algorithm) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(Refusal::Signature),
        }
    }

    fn check_claims(&self, payload: &[u8], now: u64) -> Result<VerifiedClaims, Refusal> {
        let claims = Claims::parse(payload)?;
        let (Some(expires_at), Some(issuer), Some(audience), Some(subject)) =
            (claims.expires_at, claims.issuer, claims.audience, claims.subject)
        else {
            return Err(Refusal::Missing);
        };
        if issuer.0 != *self.settings.issuer {
            return Err(Refusal::Issuer);
        }
        if !audience.names(&self.settings.audience) {
            return Err(Refusal::Audience);
        }
        if !is_valid_subject(&subject.0) {
            return Err(Refusal::Subject);
        }
        let issued_at = claims.issued_at.map(|date| date.0);
        let dates = Dates { expires_at: expires_at.0, not_before: claims.not_before.map(|date| date.0), issued_at };
        dates.check(&self.settings, now)?;
        Ok(VerifiedClaims {
            subject: subject.0.into(),
            issued_at,
            expires_at: expires_at.0,
            signed_in_at: claims.signed_in_at.map(|date| date.0),
            session: claims.session.map(|session| session.0.into()),
        })
    }
}

struct Dates {
    expires_at: u64,
    not_before: Option<u64>,
    issued_at: Option<u64>,
}

impl Dates {
    fn check(&self, settings: &VerifierSettings, now: u64) -> Result<(), Refusal> {
        let leeway = settings.leeway.as_secs();
        let latest = now.saturating_add(leeway);
        // "On or after" `exp` is too late (RFC 7519, section 4.1.4).
        if now >= self.expires_at.saturating_add(leeway) {
            return Err(Refusal::Expired);
        }
        if self.not_before.is_some_and(|not_before| not_before > latest) {
            return Err(Refusal::NotYetValid);
        }
        if self.issued_at.is_some_and(|issued_at| issued_at > latest || issued_at > self.expires_at) {
            return Err(Refusal::IssuedAt);
        }
        let born = self.issued_at.unwrap_or(now);
        if self.expires_at.saturating_sub(born) > settings.max_lifetime.as_secs() {
            return Err(Refusal::Lifetime);
        }
        Ok(())
    }
}

/// Padding, white space, foreign characters and stray bits at the end are all refused, so that one token has one
/// spelling.
fn decode(part: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed)
}

#[cfg(test)]
mod tests;
