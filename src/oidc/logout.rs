//! Logout tokens (OpenID Connect Back-Channel Logout 1.0, section 2.6).

use serde_json::Value;

use super::id_token::FRESH;
use super::provider::Provider;
use crate::token::{IssuerKeys, SignedClaims, TokenError, TokenType};

/// The member of `events` that makes a token a logout token.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// What a provider says has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutToken {
    /// Its name; a second token of that name is a copy.
    pub jti: Box<str>,
    /// Which session of the provider has ended.
    pub sid: Option<Box<str>>,
    /// Whose sessions have ended, where no session is named.
    pub sub: Option<Box<str>>,
    /// Until when a copy would be accepted, in seconds since 1970.
    pub expires_at: u64,
}

impl Provider {
    /// Verifies a logout token at `now`, in seconds since 1970. Whether it came before, the caller looks at.
    ///
    /// # Errors
    /// The first thing that is wrong. Where other keys could make it valid, they are requested in the background, and the
    /// provider may send it again.
    pub fn verify_logout_token(&self, token: &str, now: u64) -> Result<LogoutToken, TokenError> {
        let known = self.known().map_err(|_| TokenError::KeyId)?;
        let keys = IssuerKeys::Remote(known.keys.clone());
        let claims = keys.open(token, TokenType::Logout, now)?;
        let settings = self.settings();
        if claims.text("iss")? != Some(settings.issuer.as_str()) {
            return Err(TokenError::Issuer);
        }
        if !claims.audiences()?.contains(&settings.client.id.as_str()) {
            return Err(TokenError::Audience);
        }
        let leeway = settings.leeway.as_secs();
        let expires_at = life(&claims, leeway, now)?;
        // a token that a sign-in could take for its own is none
        if claims.members().contains_key("nonce") || !names_event(&claims) {
            return Err(TokenError::Claims);
        }
        let text = |name| {
            Ok(claims
                .text(name)?
                .filter(|text| !text.is_empty())
                .map(Box::from))
        };
        let (jti, sid, sub) = (text("jti")?, text("sid")?, text("sub")?);
        if sid.is_none() && sub.is_none() {
            return Err(TokenError::Subject);
        }
        Ok(LogoutToken {
            jti: jti.ok_or(TokenError::Missing)?,
            sid,
            sub,
            expires_at,
        })
    }
}

/// Until when the token is good: it must be recent, and not have expired. Older providers write no `exp`.
fn life(claims: &SignedClaims, leeway: u64, now: u64) -> Result<u64, TokenError> {
    let issued_at = claims.date("iat")?.ok_or(TokenError::Missing)?;
    if issued_at > now.saturating_add(leeway) {
        return Err(TokenError::IssuedAt);
    }
    let stale = issued_at.saturating_add(FRESH);
    let end = claims
        .date("exp")?
        .map_or(stale, |expires_at| expires_at.min(stale));
    let end = end.saturating_add(leeway);
    if end <= now {
        return Err(TokenError::Expired);
    }
    match claims.date("nbf")? {
        Some(begin) if begin > now.saturating_add(leeway) => Err(TokenError::NotYetValid),
        Some(_) | None => Ok(end),
    }
}

fn names_event(claims: &SignedClaims) -> bool {
    let event = claims
        .members()
        .get("events")
        .and_then(|events| events.get(EVENT));
    event.is_some_and(Value::is_object)
}
