//! Decides whether a token holds, and whose it is.

use std::time::Duration;

use super::claims::{Claims, is_valid_subject};
use super::compact::{Compact, decode};
use super::header::Header;
use super::key_set::KeySet;
use super::refusal::Refusal;

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

/// Verifies tokens that one of the gateway's own keys has signed.
#[derive(Clone, Debug)]
pub struct Verifier {
    keys: KeySet,
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
}

impl Verifier {
    /// A verifier for tokens of these keys, or of this one.
    pub fn new(keys: impl Into<KeySet>, settings: VerifierSettings) -> Self {
        Self { keys: keys.into(), settings }
    }

    /// The keys.
    pub fn keys(&self) -> &KeySet {
        &self.keys
    }

    /// Checks a token in compact form (RFC 7515, section 7.1) against `now`, in seconds since 1970.
    ///
    /// # Errors
    /// The first thing that is wrong. Claims are looked at only when the signature holds.
    pub fn verify(&self, token: &str, now: u64) -> Result<VerifiedClaims, Refusal> {
        let compact = Compact::split(token)?;
        let header = decode(compact.header)?;
        let header = Header::parse(&header)?;
        header.check()?;
        self.keys.verify(&header, &compact)?;
        self.check_claims(&decode(compact.payload)?, now)
    }

    /// Whether claims that held once still do, as far as that is a matter of time.
    pub fn still_holds(&self, claims: &VerifiedClaims, now: u64) -> bool {
        now < claims.expires_at.saturating_add(self.settings.leeway.as_secs())
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
        Ok(VerifiedClaims { subject: subject.0.into(), issued_at, expires_at: expires_at.0 })
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

#[cfg(test)]
mod tests;
