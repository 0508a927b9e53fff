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

    /// A new session of a user who has just given the password. `id` is its `sid` and must be random.
    ///
    /// # Errors
    /// [`IssueError::Signing`] where the key cannot sign.
    pub fn begin(
        &self,
        subject: &str,
        id: SessionId,
        now: u64,
    ) -> Result<SessionToken, IssueError> {
        self.issue(&Opening::of(subject, id, now), now)
    }

    /// A new session of somebody whom a provider has just identified. `id` is its `sid` and must be random.
    ///
    /// # Errors
    /// [`IssueError::TooLarge`] where what the provider said does not fit into a cookie, not even with the roles alone
    /// that rules name; [`IssueError::Signing`] where the key cannot sign.
    pub fn begin_with_provider(
        &self,
        subject: &str,
        id: SessionId,
        provider: &ProviderClaims,
        now: u64,
    ) -> Result<SessionToken, IssueError> {
        let opening = Opening::of(subject, id, now);
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
            Err(IssueError::TooLarge(_)) => signed(&provider.with_roles_of(&self.room.named_roles)),
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
        Ok(SessionToken {
            value: sign(&self.key, more)?,
            max_age: end.saturating_sub(now),
        })
    }
}

/// What stays the same over all renewals of a session.
struct Opening<'a> {
    subject: &'a str,
    signed_in_at: u64,
    id: SessionId,
}

impl<'a> Opening<'a> {
    fn of(subject: &'a str, id: SessionId, signed_in_at: u64) -> Self {
        Self {
            subject,
            signed_in_at,
            id,
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
mod tests {
    use super::*;
    use crate::token::{ClaimPath, Holder, IssuerSettings, TokenIssuer};

    const NOW: u64 = 1_700_000_000;

    fn key() -> Key {
        Key::hs256(b"an example secret of at least 32 bytes").unwrap()
    }

    fn sessions() -> CookieSessions {
        let (ttl, max_age) = (Duration::from_secs(1800), Duration::from_secs(4000));
        let (max_lifetime, leeway) = (Duration::from_secs(86_400), Duration::from_secs(30));
        let settings = SessionSettings {
            issuer: "gatelatch".to_owned(),
            ttl,
            max_age,
            max_lifetime,
            leeway,
        };
        CookieSessions::new(key(), key(), settings)
    }

    fn begin() -> VerifiedClaims {
        let token = sessions()
            .begin("alice", SessionId::from_bytes([7; 16]), NOW)
            .unwrap();
        assert_eq!(token.max_age, 1800);
        sessions().verify(&token.value, NOW).unwrap()
    }

    #[test]
    fn a_session_is_renewed_at_half_time_and_never_beyond_its_age() {
        let first = begin();
        assert_eq!(sessions().renew(&first, false, NOW + 899), None);
        let token = sessions().renew(&first, false, NOW + 900).unwrap();
        let second = sessions().verify(&token.value, NOW + 900).unwrap();
        assert_eq!(
            (second.expires_at, second.signed_in_at),
            (NOW + 2700, Some(NOW))
        );
        assert_eq!(second.session, first.session);
        let token = sessions().renew(&second, false, NOW + 2500).unwrap();
        let third = sessions().verify(&token.value, NOW + 2500).unwrap();
        assert_eq!((third.expires_at, token.max_age), (NOW + 4000, 1500));
        assert_eq!(
            sessions().renew(&third, false, NOW + 3900),
            None,
            "it cannot grow older"
        );
        assert!(sessions().is_still_valid(&third, NOW + 3999));
        assert!(
            !sessions().is_still_valid(&third, NOW + 4000),
            "no leeway beyond the greatest age"
        );
        assert_eq!(
            sessions().verify(&token.value, NOW + 4000),
            Err(TokenError::Expired)
        );
    }

    #[test]
    fn a_session_is_no_bearer_token_and_no_bearer_token_a_session() {
        let session = sessions()
            .begin("alice", SessionId::from_bytes([7; 16]), NOW)
            .unwrap()
            .value;
        let audience = "gatelatch".to_owned();
        let bearer = VerifierSettings {
            issuer: "gatelatch".to_owned(),
            audience: audience.clone(),
            leeway: Duration::ZERO,
            max_lifetime: Duration::from_secs(86_400),
        };
        assert_eq!(
            Verifier::new(key(), bearer).verify(&session, NOW),
            Err(TokenError::Audience)
        );
        let settings = IssuerSettings {
            issuer: "gatelatch".to_owned(),
            audience,
            access_ttl: Duration::from_secs(60),
            roles_claim: ClaimPath::of("roles"),
            longest_token: usize::MAX,
        };
        let claims = serde_json::json!({ "sid": "x", "auth_time": NOW });
        let holder = Holder {
            subject: "alice",
            roles: &[],
            name: None,
            email: None,
            claims: claims.as_object(),
            session: None,
        };
        let token = TokenIssuer::new(key(), settings)
            .issue(&holder, [0; 16], NOW)
            .unwrap()
            .token;
        assert_eq!(sessions().verify(&token, NOW), Err(TokenError::Audience));
    }

    #[test]
    fn a_renewal_counts_from_when_it_is_made_and_comes_before_the_end() {
        let session = begin();
        assert_eq!(session.expires_at, NOW + 1800);
        for (later, seconds) in [
            (899, None),
            (900, Some(1800)),
            (1799, Some(1800)),
            // its browser has dropped the cookie
            (1800, None),
            (1829, None),
        ] {
            let renewed = sessions().renew(&session, false, NOW + later);
            assert_eq!(renewed.as_ref().map(|token| token.max_age), seconds);
            assert_eq!(sessions().is_due(&session, NOW + later), seconds.is_some());
            if let Some(token) = renewed {
                let claims = sessions().verify(&token.value, NOW + later).unwrap();
                assert_eq!(claims.expires_at, NOW + later + 1800);
                assert_eq!(claims.session, session.session);
            }
        }
    }

    #[test]
    fn a_session_can_be_ended_whatever_refuses_it_now() {
        let token = |changes: serde_json::Value| {
            let mut all = serde_json::json!({
                "iss": "gatelatch", "aud": SESSION_AUDIENCE, "sub": "a", "iat": NOW, "exp": NOW + 60,
                "auth_time": NOW, "sid": "x"
            });
            for (name, value) in changes.as_object().unwrap() {
                all[name] = value.clone();
            }
            sign(&key(), all.as_object().unwrap().clone()).unwrap()
        };
        let session = Some(SessionId::of_claim("x"));
        for changes in [
            serde_json::json!({}),
            serde_json::json!({ "iat": NOW + 3600, "nbf": NOW + 3600, "exp": NOW + 7200 }),
            serde_json::json!({ "exp": NOW + 100 * 86_400 }),
            serde_json::json!({ "auth_time": NOW - 5000 }),
            serde_json::json!({ "iss": "renamed" }),
            serde_json::json!({ "aud": "gatelatch" }),
            serde_json::json!({ "exp": NOW - 29 }),
        ] {
            let token = token(changes);
            assert_eq!(sessions().named_by(&token, NOW), session, "{token}");
        }
        let good = token(serde_json::json!({}));
        for none in [
            String::new(),
            "junk".to_owned(),
            "a.b.c".to_owned(),
            format!("{good}x"),
            good.rsplit_once('.').unwrap().0.to_owned() + ".",
            token(serde_json::json!({ "exp": NOW - 30 })),
        ] {
            assert_eq!(sessions().named_by(&none, NOW), None, "{none}");
        }
    }

    #[test]
    fn a_session_says_when_it_began() {
        let claims = |name: &str| {
            let all = serde_json::json!({
                "iss": "gatelatch", "aud": SESSION_AUDIENCE, "sub": "a", "iat": NOW, "exp": NOW + 60,
                "auth_time": NOW, "sid": "x"
            });
            let mut all = all.as_object().unwrap().clone();
            all.remove(name);
            sign(&key(), all).unwrap()
        };
        assert!(sessions().verify(&claims("nothing"), NOW).is_ok());
        for name in ["iat", "auth_time", "sid"] {
            assert_eq!(
                sessions().verify(&claims(name), NOW),
                Err(TokenError::Missing),
                "{name}"
            );
        }
    }

    #[test]
    fn a_remembered_session_is_judged_by_the_time_as_a_new_one() {
        let token = sessions().begin("alice", SessionId::from_bytes([7; 16]), NOW + 3600);
        let token = token.unwrap().value;
        let held = sessions().verify(&token, NOW + 3600).unwrap();
        for now in (NOW..NOW + 9000).step_by(10) {
            let new = sessions().verify(&token, now).is_ok();
            assert_eq!(sessions().is_still_valid(&held, now), new, "{now}");
        }
    }

    #[test]
    fn a_session_is_never_printed() {
        let token = sessions()
            .begin("alice", SessionId::from_bytes([7; 16]), NOW)
            .unwrap();
        assert_eq!(format!("{token:?}"), "SessionToken(for 1800 s)");
    }
}
