//! Tokens and sessions of any sign-in, signed with the secret of the tests.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::sign;
use crate::support::Answer;

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

pub(crate) fn now() -> u64 {
    let elapsed = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    elapsed.as_secs()
}

/// A sign-in.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    at: Option<u64>,
    amr: Vec<&'static str>,
}

impl Made {
    /// With a password, at this second since 1970.
    pub(crate) fn at(second: u64) -> Self {
        Self {
            at: Some(second),
            amr: vec!["pwd"],
        }
    }

    /// One of which nothing is known.
    pub(crate) fn unknown() -> Self {
        Self {
            at: None,
            amr: Vec::new(),
        }
    }

    /// The same by these methods.
    pub(crate) fn with(self, amr: &[&'static str]) -> Self {
        Self {
            amr: amr.to_vec(),
            ..self
        }
    }

    /// An access token.
    pub(crate) fn token(&self, user: &str) -> String {
        let mut claims = json!({
            "iss": "gatelatch", "aud": "gatelatch", "sub": user, "sid": "made",
            "iat": now(), "exp": now() + 600,
        });
        if let Some(at) = self.at {
            claims["auth_time"] = at.into();
        }
        if !self.amr.is_empty() {
            claims["amr"] = json!(self.amr);
        }
        sign(HEADER, &claims.to_string())
    }

    /// The same as a header line.
    pub(crate) fn bearer(&self, user: &str) -> String {
        format!("Authorization: Bearer {}\r\n", self.token(user))
    }

    /// The `Cookie` line of a session that began with it.
    pub(crate) fn session(&self, user: &str) -> String {
        let at = self.at.unwrap_or(0);
        let claims = json!({ "authn_time": at, "amr": self.amr, "auth_time": now() - 60 });
        session_of(user, &claims)
    }
}

/// The `Cookie` line of a session with these claims.
pub(super) fn session_of(user: &str, more: &Value) -> String {
    let mut claims = json!({
        "iss": "gatelatch", "aud": "gatelatch:session", "sub": user, "sid": "made-too",
        "iat": now(), "exp": now() + 1800,
    });
    let (all, more) = (claims.as_object_mut().unwrap(), more.as_object().unwrap());
    all.extend(more.clone());
    format!(
        "Cookie: gatelatch={}\r\n",
        sign(HEADER, &claims.to_string())
    )
}

/// What a token says.
pub(super) fn payload(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// All cookies that an answer sets, as a `Cookie` line.
pub(super) fn cookies(answer: &Answer) -> String {
    let set = answer.headers("set-cookie");
    let pairs = set.iter().map(|line| line.split(';').next().unwrap());
    format!("Cookie: {}\r\n", pairs.collect::<Vec<_>>().join("; "))
}

pub(super) fn api_key() -> String {
    format!("glk_{}", "k".repeat(43))
}

pub(super) fn sha256_hex(text: &str) -> String {
    let digest = Sha256::digest(text);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn basic(user: &str, password: &str) -> String {
    let pair = STANDARD.encode(format!("{user}:{password}"));
    format!("Authorization: Basic {pair}\r\n")
}
