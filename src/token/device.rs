//! Device cookies: a browser shows with one that a user has signed in with it before (OWASP, "Slow Down Online Guessing
//! Attacks with Device Cookies").
//!
//! One gives no right whatsoever. It only keeps its user from being slowed down by other people's guesses.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::issuer::{IssueError, sign};
use super::key::Key;
use super::key_set::KeySet;
use super::session_token::SessionToken;
use super::verifier::{Verifier, VerifierSettings};

/// `aud` of every device cookie. Neither a bearer token nor a session may be for it.
pub const DEVICE_AUDIENCE: &str = "gatelatch:device";

/// How long a browser is known after a sign-in: 90 days.
const LIFE: Duration = Duration::from_secs(90 * 24 * 3600);

/// Makes and checks device cookies.
#[derive(Clone, Debug)]
pub struct DeviceTokens {
    key: Key,
    verifier: Verifier,
    issuer: String,
}

impl DeviceTokens {
    /// Device cookies that `key` signs, and that one of `keys` has signed.
    pub(super) fn new(key: Key, keys: KeySet, issuer: &str, leeway: Duration) -> Self {
        let settings = VerifierSettings {
            issuer: issuer.to_owned(),
            audience: DEVICE_AUDIENCE.to_owned(),
            leeway,
            max_lifetime: LIFE,
        };
        Self {
            key,
            verifier: Verifier::new(keys, settings),
            issuer: issuer.to_owned(),
        }
    }

    /// A device cookie of a user who has just given the password. `id` must be random.
    ///
    /// # Errors
    /// [`IssueError`] where the key cannot sign.
    pub fn issue(&self, subject: &str, id: [u8; 16], now: u64) -> Result<SessionToken, IssueError> {
        let max_age = LIFE.as_secs();
        let claims: [(&str, Value); 6] = [
            ("iss", self.issuer.as_str().into()),
            ("aud", DEVICE_AUDIENCE.into()),
            ("sub", subject.into()),
            ("iat", now.into()),
            ("exp", now.saturating_add(max_age).into()),
            ("jti", URL_SAFE_NO_PAD.encode(id).into()),
        ];
        let claims: Map<String, Value> = claims
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .collect();
        Ok(SessionToken {
            value: sign(&self.key, claims)?,
            max_age,
            roles_left_out: 0,
        })
    }

    /// The name of a device cookie of this user, which is the same for as long as the cookie is; `None` where it is not
    /// valid, or somebody else's.
    pub fn verify(&self, token: &str, subject: &str, now: u64) -> Option<[u8; 16]> {
        let claims = self.verifier.verify(token, now).ok()?;
        (*claims.subject == *subject).then(|| *claims.session.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{CookieSessions, SessionId, SessionSettings, SignIn, TokenError};

    const NOW: u64 = 1_700_000_000;

    fn key() -> Key {
        Key::hs256(b"an example secret of at least 32 bytes").unwrap()
    }

    fn sessions(key: Key) -> CookieSessions {
        let settings = SessionSettings {
            issuer: "gatelatch".to_owned(),
            ttl: Duration::from_secs(1800),
            max_age: Duration::from_secs(4000),
            max_lifetime: Duration::from_secs(86_400),
            leeway: Duration::from_secs(30),
        };
        CookieSessions::new(key.clone(), key, settings)
    }

    #[test]
    fn a_device_cookie_is_for_one_user_for_ninety_days() {
        let sessions = sessions(key());
        let devices = sessions.devices();
        let one = devices.issue("alice", [1; 16], NOW).unwrap();
        let other = devices.issue("alice", [2; 16], NOW).unwrap();
        assert_eq!(one.max_age, 90 * 24 * 3600);
        let id = devices.verify(&one.value, "alice", NOW).unwrap();
        let last = NOW + one.max_age - 1;
        assert_eq!(devices.verify(&one.value, "alice", last), Some(id));
        assert_ne!(devices.verify(&other.value, "alice", NOW), Some(id));
        for (token, subject, now) in [
            (&*one.value, "bob", NOW),
            (&one.value, "Alice", NOW),
            (&one.value, "", NOW),
            (&one.value, "alice", NOW + one.max_age + 30),
            (&one.value[1..], "alice", NOW),
            ("", "alice", NOW),
        ] {
            assert_eq!(devices.verify(token, subject, now), None, "{subject} {now}");
        }
        let key = Key::hs256(b"another secret of at least 32 bytes!").unwrap();
        let foreign = sessions_of(key, &one.value);
        assert_eq!(foreign, None, "signed by nobody here");
    }

    fn sessions_of(key: Key, token: &str) -> Option<[u8; 16]> {
        sessions(key).devices().verify(token, "alice", NOW)
    }

    #[test]
    fn a_device_cookie_is_neither_a_session_nor_a_bearer_token() {
        let sessions = sessions(key());
        let device = sessions.devices().issue("alice", [1; 16], NOW).unwrap();
        assert_eq!(
            sessions.verify(&device.value, NOW),
            Err(TokenError::Audience),
            "no session"
        );
        let bearer = VerifierSettings {
            issuer: "gatelatch".to_owned(),
            audience: "gatelatch".to_owned(),
            leeway: Duration::ZERO,
            max_lifetime: LIFE,
        };
        let bearer = Verifier::new(key(), bearer);
        assert_eq!(
            bearer.verify(&device.value, NOW),
            Err(TokenError::Audience),
            "no bearer token"
        );
        let id = SessionId::from_bytes([7; 16]);
        let session = sessions.begin("alice", id, SignIn::default(), NOW).unwrap();
        let devices = sessions.devices();
        assert_eq!(devices.verify(&session.value, "alice", NOW), None);
    }
}
