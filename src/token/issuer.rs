//! Makes tokens.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::claim_path::ClaimPath;
use super::claims::KEY_CLAIM;
use super::key::Key;
use super::session_id::SessionId;
use super::sign_in::SignIn;

/// What every new token says.
#[derive(Clone, Debug)]
pub struct IssuerSettings {
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
    /// From `iat` to `exp`, in whole seconds.
    pub access_ttl: Duration,
    /// The claim that carries the roles. A registered claim of the same name wins over it.
    pub roles_claim: ClaimPath,
    /// The most bytes of a token: no request could carry a longer one.
    pub longest_token: usize,
}

/// Signs tokens with one key.
#[derive(Clone, Debug)]
pub struct TokenIssuer {
    key: Key,
    settings: IssuerSettings,
}

/// Whom a token is for.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    /// `sub`. The verifier accepts what [`is_valid_subject`](super::is_valid_subject) does.
    pub subject: &'a str,
    /// The roles at this moment.
    pub roles: &'a [Box<str>],
    /// `name`, where there is one.
    pub name: Option<&'a str>,
    /// `email`, where there is one.
    pub email: Option<&'a str>,
    /// Further claims. They never replace a registered claim, the roles, or a `name` or `email` from above.
    pub claims: Option<&'a Map<String, Value>>,
    /// `sid`: what ends this token before its time. Without one it can only be ended by itself.
    pub session: Option<SessionId>,
    /// `auth_time` and `amr`: how and when the holder signed in, as far as that is known.
    pub sign_in: SignIn,
}

/// The API key that a token is issued for.
#[derive(Clone, Copy, Debug)]
pub struct KeyGrant<'a> {
    /// What identifies the key in the user list.
    pub fingerprint: &'a str,
    /// When the key expires, in seconds since 1970: no token of it lives longer.
    pub expires_at: u64,
}

/// A new token. It is not printed by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct IssuedToken {
    /// The token in compact form.
    pub token: String,
    /// For how many seconds it is valid.
    pub expires_in: u64,
}

/// Why no token was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssueError {
    /// It would have so many bytes, more than a request may have; the operator gave the user too many claims.
    TooLarge(usize),
    /// The key could not sign.
    Signing,
}

impl TokenIssuer {
    /// An issuer that signs with this key.
    pub fn new(key: Key, settings: IssuerSettings) -> Self {
        Self { key, settings }
    }

    /// `iss` of its tokens.
    pub fn name(&self) -> &str {
        &self.settings.issuer
    }

    /// Writes these roles to the place where its tokens have them.
    pub fn write_roles(&self, roles: &[Box<str>], claims: &mut Map<String, Value>) {
        let roles = roles.iter().map(|role| Value::from(&**role)).collect();
        self.settings.roles_claim.set(claims, Value::Array(roles));
    }

    /// Makes a token that is valid from `now`, in seconds since 1970. `id` is its `jti` and must be random.
    ///
    /// # Errors
    /// [`IssueError::TooLarge`] for a token that no request could carry.
    pub fn issue(
        &self,
        holder: &Holder<'_>,
        id: [u8; 16],
        now: u64,
    ) -> Result<IssuedToken, IssueError> {
        let lifetime = self.settings.access_ttl.as_secs();
        self.sign(self.claims(holder, id, now), now, lifetime)
    }

    /// Makes a token for an API key, which holds as long as the key at most.
    ///
    /// # Errors
    /// [`IssueError::TooLarge`] for a token that no request could carry.
    pub fn issue_for_key(
        &self,
        holder: &Holder<'_>,
        key: KeyGrant<'_>,
        id: [u8; 16],
        now: u64,
    ) -> Result<IssuedToken, IssueError> {
        let mut claims = self.claims(holder, id, now);
        claims.insert(KEY_CLAIM.to_owned(), key.fingerprint.into());
        let lifetime = self.settings.access_ttl.as_secs();
        self.sign(
            claims,
            now,
            lifetime.min(key.expires_at.saturating_sub(now)),
        )
    }

    fn sign(
        &self,
        mut claims: Map<String, Value>,
        now: u64,
        lifetime: u64,
    ) -> Result<IssuedToken, IssueError> {
        claims.insert("exp".to_owned(), now.saturating_add(lifetime).into());
        let token = sign(&self.key, claims)?;
        if token.len() > self.settings.longest_token {
            return Err(IssueError::TooLarge(token.len()));
        }
        Ok(IssuedToken {
            token,
            expires_in: lifetime,
        })
    }

    /// The same for somebody for whom the provider of this name vouches, and not the user list; with what tells that
    /// provider from others of its name.
    ///
    /// # Errors
    /// As for [`Self::issue`].
    pub fn issue_provided(
        &self,
        holder: &Holder<'_>,
        (provider, fingerprint): (&str, &str),
        id: [u8; 16],
        now: u64,
    ) -> Result<IssuedToken, IssueError> {
        let mut claims = self.claims(holder, id, now);
        claims.insert("idp".to_owned(), provider.into());
        claims.insert("idc".to_owned(), fingerprint.into());
        self.sign(claims, now, self.settings.access_ttl.as_secs())
    }

    /// Later entries replace earlier ones, so the order is the order of precedence.
    fn claims(&self, holder: &Holder<'_>, id: [u8; 16], now: u64) -> Map<String, Value> {
        let settings = &self.settings;
        let mut claims = holder.claims.cloned().unwrap_or_default();
        for reserved in ["sid", "auth_time", "amr", "idp", "idc", KEY_CLAIM] {
            claims.remove(reserved);
        }
        claims.extend(holder.name.map(|name| ("name".to_owned(), name.into())));
        claims.extend(holder.email.map(|email| ("email".to_owned(), email.into())));
        self.write_roles(holder.roles, &mut claims);
        let registered: [(&str, Value); 6] = [
            ("iss", settings.issuer.as_str().into()),
            ("sub", holder.subject.into()),
            ("aud", settings.audience.as_str().into()),
            ("nbf", now.into()),
            ("iat", now.into()),
            ("jti", URL_SAFE_NO_PAD.encode(id).into()),
        ];
        claims.extend(registered.map(|(name, value)| (name.to_owned(), value)));
        let session = holder.session.map(|session| session.to_string());
        claims.extend(session.map(|id| ("sid".to_owned(), id.into())));
        holder.sign_in.write(&mut claims);
        claims
    }
}

/// The token in compact form that says this (RFC 7515, section 7.1).
pub(super) fn sign(key: &Key, claims: Map<String, Value>) -> Result<String, IssueError> {
    key.encode(&claims).ok_or(IssueError::Signing)
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IssuedToken(for {} s)", self.expires_in)
    }
}

impl fmt::Display for IssueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(bytes) => write!(
                f,
                "a token of {bytes} bytes, more than `server.limits.header_bytes` lets a request have: give the user fewer `roles` or `claims`"
            ),
            Self::Signing => f.write_str("the key could not sign the token"),
        }
    }
}

impl std::error::Error for IssueError {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::token::{AuthenticationMethods, Verifier, VerifierSettings};

    const NOW: u64 = 1_700_000_000;
    const LONGEST: usize = 32 << 10;

    fn key() -> Key {
        Key::hs256(b"an example secret of at least 32 bytes").unwrap()
    }

    fn issuer(roles_claim: &str) -> TokenIssuer {
        let settings = IssuerSettings {
            issuer: "gatelatch".to_owned(),
            audience: "jobs".to_owned(),
            access_ttl: Duration::from_secs(1800),
            roles_claim: ClaimPath::parse(roles_claim).unwrap(),
            longest_token: LONGEST,
        };
        TokenIssuer::new(key(), settings)
    }

    fn claims_of(token: &str) -> Value {
        let payload = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
    }

    #[test]
    fn a_token_carries_who_what_and_until_when() {
        let claims = json!({"tenant": "acme", "level": 3});
        let roles = ["recruiter".into(), "admin".into()];
        let holder = Holder {
            subject: "alice@example.com",
            roles: &roles,
            name: Some("Alice Doe"),
            email: Some("alice@example.com"),
            claims: claims.as_object(),
            session: Some(SessionId::from_bytes([0; 16])),
            sign_in: SignIn::new(NOW - 60, AuthenticationMethods::PASSWORD),
        };
        let issued = issuer("roles").issue(&holder, [0; 16], NOW).unwrap();
        let header = URL_SAFE_NO_PAD
            .decode(issued.token.split('.').next().unwrap())
            .unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        assert_eq!(
            header,
            json!({"alg": "HS256", "typ": "JWT", "kid": key().id()})
        );
        assert_eq!(issued.expires_in, 1800);
        let expected = json!({
            "iss": "gatelatch", "sub": "alice@example.com", "aud": "jobs", "iat": NOW, "nbf": NOW, "exp": NOW + 1800,
            "jti": "AAAAAAAAAAAAAAAAAAAAAA", "roles": ["recruiter", "admin"], "name": "Alice Doe",
            "email": "alice@example.com", "tenant": "acme", "level": 3, "sid": "AAAAAAAAAAAAAAAAAAAAAA", "auth_time": NOW - 60,
            "amr": ["pwd"]
        });
        assert_eq!(claims_of(&issued.token), expected);
        assert_eq!(format!("{issued:?}"), "IssuedToken(for 1800 s)");
    }

    #[test]
    fn roles_are_written_to_the_place_that_is_configured() {
        let roles = ["recruiter".into()];
        let claims = json!({ "tenant": "acme" });
        let holder = Holder {
            subject: "alice",
            roles: &roles,
            name: None,
            email: None,
            claims: claims.as_object(),
            session: None,
            sign_in: SignIn::default(),
        };
        for (path, place) in [
            ("roles", "/roles"),
            ("realm_access.roles", "/realm_access/roles"),
            (
                "resource_access.\"my.client\".roles",
                "/resource_access/my.client/roles",
            ),
            ("https://example.com/roles", "/https:~1~1example.com~1roles"),
        ] {
            let issued = issuer(path).issue(&holder, [0; 16], NOW).unwrap();
            let claims = claims_of(&issued.token);
            assert_eq!(claims.pointer(place), Some(&json!(["recruiter"])), "{path}");
            assert_eq!(claims["tenant"], "acme");
        }
    }

    #[test]
    fn claims_of_the_user_list_replace_nothing() {
        let claims = json!({
            "iss": "x", "sub": "root", "aud": "x", "exp": 9_999_999_999_u64, "nbf": 0, "iat": 0, "jti": "x",
            "groups": ["admin"], "name": "x", "email": "x", "kept": true, "sid": "x",
            "auth_time": 1, "amr": ["mfa"]
        });
        let claims = claims.as_object();
        let holder = Holder {
            subject: "a",
            roles: &[],
            name: Some("n"),
            email: None,
            claims,
            session: None,
            sign_in: SignIn::default(),
        };
        let issued = issuer("groups").issue(&holder, [255; 16], NOW).unwrap();
        let expected = json!({
            "iss": "gatelatch", "sub": "a", "aud": "jobs", "iat": NOW, "nbf": NOW, "exp": NOW + 1800,
            "jti": "_____________________w", "groups": [], "name": "n", "email": "x", "kept": true
        });
        assert_eq!(claims_of(&issued.token), expected);
    }

    #[test]
    fn what_is_issued_verifies() {
        let roles = ["a\"b".into()];
        let session = Some(SessionId::from_bytes([9; 16]));
        let holder = Holder {
            subject: "josé",
            roles: &roles,
            name: Some("\u{1}"),
            email: None,
            claims: None,
            session,
            sign_in: SignIn::new(NOW - 60, AuthenticationMethods::PASSWORD),
        };
        let settings = VerifierSettings {
            issuer: "gatelatch".to_owned(),
            audience: "jobs".to_owned(),
            leeway: Duration::ZERO,
            max_lifetime: Duration::from_secs(1800),
        };
        let issued = issuer("roles").issue(&holder, [7; 16], NOW).unwrap();
        let verified = Verifier::new(key(), settings)
            .verify(&issued.token, NOW)
            .unwrap();
        assert_eq!(
            (&*verified.subject, verified.issued_at, verified.expires_at),
            ("josé", Some(NOW), NOW + 1800)
        );
        assert_eq!(Some(verified.session), session);
        assert_eq!(verified.sign_in, holder.sign_in);
    }

    #[test]
    fn a_token_that_no_request_could_carry_is_not_made() {
        let claims = json!({"blob": "x".repeat(LONGEST)});
        let claims = claims.as_object();
        let holder = Holder {
            subject: "a",
            roles: &[],
            name: None,
            email: None,
            claims,
            session: None,
            sign_in: SignIn::default(),
        };
        let error = issuer("roles").issue(&holder, [0; 16], NOW).unwrap_err();
        assert!(
            matches!(error, IssueError::TooLarge(bytes) if bytes > LONGEST),
            "{error}"
        );
    }
}
