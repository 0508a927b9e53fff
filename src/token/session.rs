//! The token inside the session cookie of a browser: made at sign-in, renewed in passing, never older than its session
//! may be.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::device::DeviceTokens;
use super::error::TokenError;
use super::issuer::{IssueError, sign};
use super::key::Key;
use super::key_set::KeySet;
use super::provider_claims::ProviderClaims;
use super::sealer::Sealer;
use super::session_id::SessionId;
use super::session_token::SessionToken;
use super::sign_in::SignIn;
use super::text_signer::TextSigner;
use super::verifier::{VerifiedClaims, Verifier, VerifierSettings};

/// `aud` of every session. No bearer token may be for it, so that neither passes for the other.
pub const SESSION_AUDIENCE: &str = "gatelatch:session";

/// How long sessions live.
#[derive(Clone, Debug)]
pub struct SessionSettings {
    /// `iss`.
    pub issuer: String,
    /// How long a session lives that nobody uses, in whole seconds.
    pub ttl: Duration,
    /// How long a session lives at the most, in whole seconds from the sign-in.
    pub max_age: Duration,
    /// The longest life of one token of a session, in whole seconds, whatever made it.
    pub max_lifetime: Duration,
    /// How far the clocks of two gateways may differ, in whole seconds.
    pub leeway: Duration,
}

/// What a session of a provider has room for.
#[derive(Clone, Debug)]
pub struct ProviderRoom {
    /// The roles that rules name: where not all of a person's roles fit, these are kept.
    pub named_roles: Vec<Box<str>>,
    /// The most bytes of the session: browsers drop cookies that are longer.
    pub longest: usize,
}

/// Makes and checks the sessions of browsers.
#[derive(Clone, Debug)]
pub struct CookieSessions {
    key: Key,
    verifier: Verifier,
    devices: DeviceTokens,
    signer: TextSigner,
    sealer: Sealer,
    settings: SessionSettings,
    room: ProviderRoom,
}

impl CookieSessions {
    /// Sessions that `key` signs, and that one of `keys` has signed.
    pub fn new(key: Key, keys: impl Into<KeySet>, settings: SessionSettings) -> Self {
        let keys = keys.into();
        let verifier = VerifierSettings {
            issuer: settings.issuer.clone(),
            audience: SESSION_AUDIENCE.to_owned(),
            leeway: settings.leeway,
            max_lifetime: settings.max_lifetime,
        };
        let (issuer, leeway) = (&settings.issuer, settings.leeway);
        Self {
            devices: DeviceTokens::new(key.clone(), keys.clone(), issuer, leeway),
            signer: TextSigner::new(key.clone(), keys.clone()),
            sealer: Sealer::new(&key, &keys),
            verifier: Verifier::new(keys, verifier),
            key,
            settings,
            room: ProviderRoom::default(),
        }
    }

    /// The same, with this room for what providers say.
    #[must_use]
    pub fn with_room(self, room: ProviderRoom) -> Self {
        Self { room, ..self }
    }

    /// The device cookies beside the sessions.
    pub fn devices(&self) -> &DeviceTokens {
        &self.devices
    }

    /// What signs refresh tokens.
    pub fn signer(&self) -> &TextSigner {
        &self.signer
    }

    /// What seals tokens of providers, and what browsers keep of a sign-in that is under way.
    pub fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// A new session of a user of the list, who has just signed in. `id` is its `sid` and must be random.
    ///
    /// # Errors
    /// [`IssueError::Signing`] where the key cannot sign.
    pub fn begin(
        &self,
        subject: &str,
        id: SessionId,
        sign_in: SignIn,
        now: u64,
    ) -> Result<SessionToken, IssueError> {
        self.issue(&Opening::of(subject, id, sign_in, now), now)
    }

    /// A new session of somebody whom a provider has just identified: the sign-in may have been before that. `id` is its
    /// `sid` and must be random.
    ///
    /// # Errors
    /// [`IssueError::TooLarge`] where what the provider said does not fit into a cookie, not even with the roles alone
    /// that rules name; [`IssueError::Signing`] where the key cannot sign.
    pub fn begin_with_provider(
        &self,
        subject: &str,
        id: SessionId,
        provider: &ProviderClaims,
        sign_in: SignIn,
        now: u64,
    ) -> Result<SessionToken, IssueError> {
        let opening = Opening::of(subject, id, sign_in, now);
        self.issue_with_provider(&opening, provider, now)
    }

    /// Whether it is time to make a session last for another while: half of its time is over, it has not ended, and it
    /// may still grow older. There is no leeway: once it has ended, its browser has dropped the cookie and may have
    /// another.
    pub fn is_due(&self, session: &VerifiedClaims, now: u64) -> bool {
        let (Some(issued_at), Some(signed_in_at)) = (session.issued_at, session.signed_in_at)
        else {
            return false;
        };
        let half = session.expires_at.saturating_sub(issued_at) / 2;
        now >= issued_at.saturating_add(half)
            && now < session.expires_at
            && self.end(signed_in_at, now) > session.expires_at
    }

    /// The same session for another while, from now on; `None` where it is not due, or no longer. `is_confirmed`: its
    /// provider has said something since it was signed, so that it is due until it has ended.
    pub fn renew(
        &self,
        session: &VerifiedClaims,
        is_confirmed: bool,
        now: u64,
    ) -> Option<SessionToken> {
        let is_due = self.is_due(session, now) || is_confirmed && now < session.expires_at;
        let opening = Opening {
            subject: &session.subject,
            signed_in_at: session.signed_in_at.filter(|_| is_due)?,
            id: session.session,
            sign_in: session.sign_in,
        };
        // one that cannot be signed now is tried again with the next request
        let renewed = match &session.provider {
            Some(provider) => self.issue_with_provider(&opening, provider, now),
            None => self.issue(&opening, now),
        };
        renewed.ok()
    }

    /// Which session a cookie or a token names that one of the keys has signed and that has not expired. It may be one
    /// that counts for nothing now, but could count again: that of a user who is disabled, say. For a logout.
    pub fn named_by(&self, token: &str, now: u64) -> Option<SessionId> {
        self.verifier.session_of(token, now)
    }

    /// Checks a session against `now`, in seconds since 1970.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self, token: &str, now: u64) -> Result<VerifiedClaims, TokenError> {
        let (mut claims, payload) = self.verifier.verify_payload(token, now)?;
        let (Some(_), Some(signed_in_at)) = (claims.issued_at, claims.signed_in_at) else {
            return Err(TokenError::Missing);
        };
        claims.provider = ProviderClaims::read(&payload)?.map(Arc::new);
        claims.sign_in = SignIn::of_session(&payload)?;
        if signed_in_at > self.latest(now) {
            return Err(TokenError::IssuedAt);
        }
        if self.is_still_valid(&claims, now) {
            Ok(claims)
        } else {
            Err(TokenError::Expired)
        }
    }

    /// Whether a session that was valid once still is, as far as that depends on the time.
    pub fn is_still_valid(&self, session: &VerifiedClaims, now: u64) -> bool {
        let max_age = self.settings.max_age.as_secs();
        let young = session.signed_in_at.is_some_and(|signed_in_at| {
            signed_in_at <= self.latest(now) && now < signed_in_at.saturating_add(max_age)
        });
        young && self.verifier.is_still_valid(session, now)
    }

    /// What lies after this has not happened yet, on any clock that counts.
    fn latest(&self, now: u64) -> u64 {
        now.saturating_add(self.settings.leeway.as_secs())
    }

    /// Checks the session of a connection that its token opened at `opened_at`: it lasts for as long as the session may
    /// be renewed, whoever does so.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify_opened(
        &self,
        token: &str,
        opened_at: u64,
        now: u64,
    ) -> Result<VerifiedClaims, TokenError> {
        let claims = self.verify(token, opened_at)?;
        if now < self.last_second(&claims) {
            Ok(claims)
        } else {
            Err(TokenError::Expired)
        }
    }

    /// When a session ends however often it is renewed, in seconds since 1970.
    pub fn last_second(&self, session: &VerifiedClaims) -> u64 {
        let span = self.span(session);
        span.map_or(session.expires_at, |(_, end)| end)
    }

    /// When a session began, and when it ends at the latest; `None` where it does not say.
    pub fn span(&self, session: &VerifiedClaims) -> Option<(u64, u64)> {
        let since = session.signed_in_at?;
        Some((since, self.latest_end(since)))
    }

    /// When a session ends that begins at this second, however often it is renewed.
    pub fn latest_end(&self, begun_at: u64) -> u64 {
        begun_at.saturating_add(self.settings.max_age.as_secs())
    }

    /// When a token ends that is made now.
    fn end(&self, signed_in_at: u64, now: u64) -> u64 {
        let ttl = self.settings.ttl.as_secs();
        now.saturating_add(ttl).min(self.latest_end(signed_in_at))
    }

    /// With all roles where they fit, else with those that rules name.
    fn issue_with_provider(
        &self,
        opening: &Opening<'_>,
        provider: &ProviderClaims,
        now: u64,
    ) -> Result<SessionToken, IssueError> {
        let signed = |provider: &ProviderClaims| {
            let session = self.sign(opening, provider.to_map(), now)?;
            match session.value.len() {
                length if length > self.room.longest => Err(IssueError::TooLarge(length)),
                _ => Ok(session),
            }
        };
        match signed(provider) {
            Err(IssueError::TooLarge(_)) => {
                let named = provider.with_roles_of(&self.room.named_roles);
                let mut session = signed(&named)?;
                session.roles_left_out = provider.roles.len().saturating_sub(named.roles.len());
                Ok(session)
            }
            whole => whole,
        }
    }

    fn issue(&self, opening: &Opening<'_>, now: u64) -> Result<SessionToken, IssueError> {
        self.sign(opening, Map::new(), now)
    }

    /// `more` is what stands in the session beside the claims of every session.
    fn sign(
        &self,
        opening: &Opening<'_>,
        mut more: Map<String, Value>,
        now: u64,
    ) -> Result<SessionToken, IssueError> {
        let end = self.end(opening.signed_in_at, now);
        let claims: [(&str, Value); 7] = [
            ("iss", self.settings.issuer.as_str().into()),
            ("aud", SESSION_AUDIENCE.into()),
            ("sub", opening.subject.into()),
            ("iat", now.into()),
            ("exp", end.into()),
            ("auth_time", opening.signed_in_at.into()),
            ("sid", opening.id.to_string().into()),
        ];
        more.extend(claims.map(|(name, value)| (name.to_owned(), value)));
        opening.sign_in.write_session(&mut more);
        Ok(SessionToken {
            value: sign(&self.key, more)?,
            max_age: end.saturating_sub(now),
            roles_left_out: 0,
        })
    }
}

/// What stays the same over all renewals of a session.
struct Opening<'a> {
    subject: &'a str,
    signed_in_at: u64,
    id: SessionId,
    sign_in: SignIn,
}

impl<'a> Opening<'a> {
    fn of(subject: &'a str, id: SessionId, sign_in: SignIn, signed_in_at: u64) -> Self {
        Self {
            subject,
            signed_in_at,
            id,
            sign_in,
        }
    }
}

/// No rule names a role, and the session fits into what browsers keep as one cookie.
impl Default for ProviderRoom {
    fn default() -> Self {
        Self {
            named_roles: Vec::new(),
            longest: 4000,
        }
    }
}

#[cfg(test)]
mod tests;
