//! What the cookie of a session says that began with an OpenID provider: the provider's identity instead of a user of the
//! list.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use memchr::memmem;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::claim_path::ClaimPath;
use super::error::TokenError;

/// The name of the LDAP directory among the providers. What it calls people are names like those of the user list, which come
/// first.
pub const LDAP: &str = "ldap";

/// The claims that a session of a provider has beside those of every session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderClaims {
    /// `idp`: the provider's name in the configuration.
    #[serde(rename = "idp")]
    pub provider: Box<str>,
    /// `idc`: [`ProviderClaims::fingerprint`] of the provider's settings at the sign-in.
    #[serde(rename = "idc")]
    pub fingerprint: Box<str>,
    /// The roles that the provider's claims map to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Box<str>>,
    /// The display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    /// The mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Box<str>>,
    /// `chk`: when the provider last confirmed the identity, in seconds since 1970.
    #[serde(rename = "chk")]
    pub checked_at: u64,
    /// `rt`: whether the provider gave a refresh token, so that the identity is confirmed beside requests.
    #[serde(default, rename = "rt", skip_serializing_if = "std::ops::Not::not")]
    pub has_refresh_token: bool,
}

/// Whether the payload of a session is that of a provider's.
#[derive(Deserialize)]
struct Kind {
    #[serde(default)]
    idp: Option<Value>,
}

impl ProviderClaims {
    /// A short digest of what makes a provider another one: its issuer, the client, and the claim that names people.
    /// Under another one, the same subject may be somebody else.
    pub fn fingerprint(parts: [&str; 3]) -> Box<str> {
        let mut digest = Sha256::new();
        for part in parts {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        URL_SAFE_NO_PAD.encode(&digest.finalize()[..9]).into()
    }

    /// Reads the payload of a session; `None` where it is a session of the user list.
    pub(super) fn read(payload: &[u8]) -> Result<Option<Self>, TokenError> {
        let kind: Kind = serde_json::from_slice(payload).map_err(|_| TokenError::Claims)?;
        if kind.idp.is_none() {
            return Ok(None);
        }
        let claims = serde_json::from_slice(payload).map_err(|_| TokenError::Claims)?;
        Ok(Some(claims))
    }

    /// Reads the payload of an access token of the gateway's own; `None` where it is for a user of the list.
    pub(super) fn read_bearer(
        payload: &[u8],
        roles_claim: &ClaimPath,
        issued_at: Option<u64>,
    ) -> Result<Option<Self>, TokenError> {
        // most tokens are for users of the list, and are not read twice
        if memmem::find(payload, br#""idp""#).is_none() {
            return Ok(None);
        }
        let claims: Map<String, Value> =
            serde_json::from_slice(payload).map_err(|_| TokenError::Claims)?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(Box::from);
        if !claims.contains_key("idp") {
            return Ok(None);
        }
        let roles = roles_claim.find(&claims).and_then(Value::as_array);
        let roles = roles.into_iter().flatten().filter_map(Value::as_str);
        Ok(Some(Self {
            provider: text("idp").ok_or(TokenError::Claims)?,
            fingerprint: text("idc").ok_or(TokenError::Claims)?,
            roles: roles.map(Box::from).collect(),
            name: text("name"),
            email: text("email"),
            checked_at: issued_at.unwrap_or_default(),
            ..Self::default()
        }))
    }

    /// The claims as they are signed.
    pub(super) fn to_map(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map,
            _ => unreachable!("texts, lists of texts and numbers are an object of JSON"),
        }
    }

    /// The same with these roles only, in their order.
    pub(super) fn with_roles_of(&self, named: &[Box<str>]) -> Self {
        let mut reduced = self.clone();
        reduced.roles.retain(|role| named.contains(role));
        reduced
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_tells_providers_apart() {
        let one = ProviderClaims::fingerprint(["https://idp.test", "gatelatch", "sub"]);
        assert_eq!(one.len(), 12);
        for other in [
            ["https://idp.test/", "gatelatch", "sub"],
            ["https://idp.test", "other", "sub"],
            ["https://idp.test", "gatelatch", "email"],
            ["https://idp.testg", "atelatch", "sub"],
        ] {
            assert_ne!(ProviderClaims::fingerprint(other), one, "{other:?}");
        }
    }

    #[test]
    fn what_is_signed_is_read_back() {
        let claims = ProviderClaims {
            provider: "corp".into(),
            fingerprint: "abc".into(),
            roles: vec!["staff".into(), "admin".into()],
            name: Some("Ann".into()),
            checked_at: 7,
            has_refresh_token: true,
            ..ProviderClaims::default()
        };
        let payload = serde_json::to_vec(&claims.to_map()).unwrap();
        assert_eq!(ProviderClaims::read(&payload), Ok(Some(claims.clone())));
        let reduced = claims.with_roles_of(&["admin".into(), "other".into()]);
        assert_eq!(reduced.roles, [Box::from("admin")]);
        assert_eq!(ProviderClaims::read(br#"{"sub":"a"}"#), Ok(None));
        for broken in [
            r#"{"idp":7}"#,
            r#"{"idp":"corp"}"#,
            r#"{"idp":"corp","idc":"a","chk":"now"}"#,
            r#"{"idp":"corp","idc":"a","chk":1,"chk":2}"#,
            r#"{"idp":"corp","idc":"a","chk":1,"roles":"admin"}"#,
        ] {
            let read = ProviderClaims::read(broken.as_bytes());
            assert_eq!(read, Err(TokenError::Claims), "{broken}");
        }
    }
}
