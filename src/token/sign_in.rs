//! When and how somebody signed in, as a session and its tokens remember it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::authentication_methods::{AuthenticationMethod, AuthenticationMethods};
use super::error::TokenError;

/// The claim of a session cookie with the time of the sign-in; 0 where it is unknown. `auth_time` is when the session began
/// there, which is later where a provider has authenticated the person for another site before. A session of a version
/// that did not record sign-ins has no such claim, and its `amr` is what a provider said, unchecked.
const SESSION_TIME: &str = "authn_time";

/// A sign-in. It stays the same for as long as the session lasts, however often its cookie or its tokens are renewed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// When the person was authenticated, in seconds since 1970 (`auth_time`, OpenID Connect Core 1.0, section 2); `None`
    /// where that is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    /// How (`amr`). [`AuthenticationMethod::MultipleFactors`] is among them where a second factor counts.
    #[serde(default, rename = "amr")]
    pub methods: AuthenticationMethods,
}

/// What the claims of a session say of its sign-in.
#[derive(Deserialize)]
struct SessionClaims {
    authn_time: Option<u64>,
    #[serde(default)]
    amr: AuthenticationMethods,
}

impl SignIn {
    /// One at this second since 1970.
    pub fn new(at: u64, methods: AuthenticationMethods) -> Self {
        Self {
            at: Some(at),
            methods,
        }
    }

    /// Whether a second factor was shown.
    pub fn has_second_factor(&self) -> bool {
        self.methods.contains(AuthenticationMethod::MultipleFactors)
    }

    /// How many seconds ago it was; `None` where that is unknown. Another replica's clock may be ahead.
    pub fn age(&self, now: u64) -> Option<u64> {
        self.at.map(|at| now.saturating_sub(at))
    }

    /// Whether nothing is known of it.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }

    /// What an access token says; `None` for the time: it is not known how somebody signed in.
    pub(super) fn of_token(at: Option<u64>, methods: AuthenticationMethods) -> Self {
        at.map_or_else(Self::default, |at| Self::new(at, methods))
    }

    /// What the payload of a session cookie says.
    pub(super) fn of_session(payload: &[u8]) -> Result<Self, TokenError> {
        let claims: SessionClaims =
            serde_json::from_slice(payload).map_err(|_| TokenError::Claims)?;
        Ok(match claims.authn_time {
            None => Self::default(),
            Some(time) => Self {
                at: Some(time).filter(|time| *time > 0),
                methods: claims.amr,
            },
        })
    }

    /// Writes the claims of an access token.
    pub(super) fn write(&self, claims: &mut Map<String, Value>) {
        claims.extend(self.at.map(|at| ("auth_time".to_owned(), at.into())));
        self.write_methods(claims);
    }

    /// Writes the claims of a session cookie.
    pub(super) fn write_session(&self, claims: &mut Map<String, Value>) {
        claims.insert(SESSION_TIME.to_owned(), self.at.unwrap_or(0).into());
        self.write_methods(claims);
    }

    fn write_methods(&self, claims: &mut Map<String, Value>) {
        if !self.methods.is_empty() {
            let names = self.methods.names().map(Value::from).collect();
            claims.insert("amr".to_owned(), Value::Array(names));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_says_how_its_user_signed_in_and_one_of_an_earlier_version_says_nothing() {
        let mfa = AuthenticationMethods::of(&[
            AuthenticationMethod::Password,
            AuthenticationMethod::MultipleFactors,
        ]);
        for sign_in in [
            SignIn::new(7, mfa),
            SignIn::new(7, AuthenticationMethods::default()),
            SignIn {
                at: None,
                methods: mfa,
            },
            SignIn::default(),
        ] {
            let mut claims = Map::new();
            sign_in.write_session(&mut claims);
            let payload = serde_json::to_vec(&claims).unwrap();
            assert_eq!(SignIn::of_session(&payload), Ok(sign_in));
        }
        let former = br#"{"auth_time": 7, "amr": ["mfa", "pwd"]}"#;
        assert_eq!(SignIn::of_session(former), Ok(SignIn::default()));
        for broken in [
            r#"{"authn_time": "now"}"#,
            r#"{"authn_time": -1}"#,
            r#"{"authn_time": 7, "amr": "mfa"}"#,
        ] {
            let read = SignIn::of_session(broken.as_bytes());
            assert_eq!(read, Err(TokenError::Claims), "{broken}");
        }
    }

    #[test]
    fn an_access_token_without_a_time_says_nothing_of_a_sign_in() {
        let mfa = AuthenticationMethods::of(&[AuthenticationMethod::MultipleFactors]);
        assert!(SignIn::of_token(Some(7), mfa).has_second_factor());
        assert!(SignIn::of_token(None, mfa).is_unknown());
        let sign_in = SignIn::new(100, AuthenticationMethods::PASSWORD);
        assert_eq!((sign_in.age(130), sign_in.age(99)), (Some(30), Some(0)));
        assert!(!sign_in.has_second_factor() && SignIn::default().age(7).is_none());
    }

    #[test]
    fn it_is_stored_with_what_is_known() {
        let sign_in = SignIn::new(7, AuthenticationMethods::PASSWORD);
        let text = serde_json::to_string(&sign_in).unwrap();
        assert_eq!(text, r#"{"at":7,"amr":["pwd"]}"#);
        assert_eq!(serde_json::from_str::<SignIn>(&text).unwrap(), sign_in);
        assert!(serde_json::from_str::<SignIn>("{}").unwrap().is_unknown());
    }
}
