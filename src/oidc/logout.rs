//! Logout tokens (OpenID Connect Back-Channel Logout 1.0, section 2.6).

use std::fmt;

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

/// Why a logout token is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogoutTokenError {
    /// For a reason that any token may have.
    Token(TokenError),
    /// This claim is absent or empty.
    Lacks(&'static str),
    /// Neither `sid` nor `sub`.
    NamesNobody,
    /// `events` does not say that somebody has signed out.
    NoLogout,
    /// It has a `nonce`: a sign-in could take it for its own.
    HasNonce,
    /// `iat` is too long ago.
    Stale,
}

impl Provider {
    /// Verifies a logout token at `now`, in seconds since 1970. Whether it came before, the caller looks at.
    ///
    /// # Errors
    /// The first thing that is wrong. Where other keys could make it valid, they are requested, and it waits for them a while:
    /// a provider may send a logout token once only, whatever comes back.
    pub async fn verify_logout_token(
        &self,
        token: &str,
        now: u64,
    ) -> Result<LogoutToken, LogoutTokenError> {
        let known = self.known().map_err(|_| TokenError::KeyId)?;
        let keys = IssuerKeys::Remote(known.keys.clone());
        let open = || keys.open(token, TokenType::Logout, now);
        let claims = self.open_patiently(open).await?;
        let settings = self.settings();
        for name in ["iss", "aud"] {
            if !claims.members().contains_key(name) {
                return Err(LogoutTokenError::Lacks(name));
            }
        }
        if claims.text("iss")? != Some(settings.issuer.as_str()) {
            return Err(TokenError::Issuer.into());
        }
        if !claims.audiences()?.contains(&settings.client.id.as_str()) {
            return Err(TokenError::Audience.into());
        }
        let leeway = settings.leeway.as_secs();
        let expires_at = life(&claims, leeway, now)?;
        if claims.members().contains_key("nonce") {
            return Err(LogoutTokenError::HasNonce);
        }
        if !names_event(&claims) {
            return Err(LogoutTokenError::NoLogout);
        }
        let text = |name| -> Result<Option<Box<str>>, TokenError> {
            Ok(claims
                .text(name)?
                .filter(|text| !text.is_empty())
                .map(Box::from))
        };
        let (jti, sid, sub) = (text("jti")?, text("sid")?, text("sub")?);
        if sid.is_none() && sub.is_none() {
            return Err(LogoutTokenError::NamesNobody);
        }
        Ok(LogoutToken {
            jti: jti.ok_or(LogoutTokenError::Lacks("jti"))?,
            sid,
            sub,
            expires_at,
        })
    }
}

/// Until when the token is good: it must be recent, and not have expired.
fn life(claims: &SignedClaims, leeway: u64, now: u64) -> Result<u64, LogoutTokenError> {
    let date = |name| claims.date(name)?.ok_or(LogoutTokenError::Lacks(name));
    let (issued_at, expires_at) = (date("iat")?, date("exp")?);
    if issued_at > now.saturating_add(leeway) {
        return Err(TokenError::IssuedAt.into());
    }
    let end = |second: u64| second.saturating_add(leeway);
    let (stale, expired) = (end(issued_at.saturating_add(FRESH)), end(expires_at));
    if expired <= now {
        return Err(TokenError::Expired.into());
    }
    if stale <= now {
        return Err(LogoutTokenError::Stale);
    }
    match claims.date("nbf")? {
        Some(begin) if begin > end(now) => Err(TokenError::NotYetValid.into()),
        Some(_) | None => Ok(expired.min(stale)),
    }
}

impl From<TokenError> for LogoutTokenError {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

/// Fixed text without input.
impl fmt::Display for LogoutTokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(TokenError::Type) => f.write_str("the token is not a logout token (`typ`)"),
            Self::Token(error) => error.fmt(f),
            Self::Lacks(claim) => write!(f, "the token lacks `{claim}`"),
            Self::NamesNobody => f.write_str("the token has neither `sid` nor `sub`"),
            Self::NoLogout => write!(
                f,
                "the token is not about a logout: `events` lacks `{EVENT}`"
            ),
            Self::HasNonce => f.write_str("the token has a `nonce`, as only an ID token may"),
            Self::Stale => f.write_str("the token was issued too long ago (`iat`)"),
        }
    }
}

impl std::error::Error for LogoutTokenError {}

fn names_event(claims: &SignedClaims) -> bool {
    let event = claims
        .members()
        .get("events")
        .and_then(|events| events.get(EVENT));
    event.is_some_and(Value::is_object)
}
