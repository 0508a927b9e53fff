//! Identity headers: what the upstream is told about the caller.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::credential::{Credential, CredentialSource};
use crate::access::{ClaimValue, Identity, Permit};
use crate::text::percent;

/// The `identity` block of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentitySettings {
    /// Which headers are set, and from what.
    pub headers: Vec<IdentityHeader>,
    /// Stands between two roles; default `,`.
    pub separator: String,
    /// What becomes of the credential that the gateway used.
    pub authorization: Authorization,
    /// Well-known identity headers of other proxies that clients may send through.
    pub pass: Vec<HeaderName>,
}

/// One header of the identity map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityHeader {
    /// The header's name.
    pub name: HeaderName,
    /// What it tells.
    pub field: IdentityField,
}

/// A fact about the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityField {
    /// `sub`.
    Subject,
    /// `roles`, joined by the separator.
    Roles,
    /// `name`.
    Name,
    /// `email`.
    Email,
    /// Any other claim of the identity.
    Claim(Box<str>),
}

/// What becomes of the `Authorization` header that the gateway used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authorization {
    /// It is taken away: an upstream that knows nothing of tokens cannot leak one.
    #[default]
    Remove,
    /// It is passed on.
    Forward,
}

impl Default for IdentitySettings {
    fn default() -> Self {
        let header = |name, field| IdentityHeader {
            name: HeaderName::from_static(name),
            field,
        };
        Self {
            headers: vec![
                header("remote-user", IdentityField::Subject),
                header("remote-groups", IdentityField::Roles),
                header("remote-name", IdentityField::Name),
                header("remote-email", IdentityField::Email),
            ],
            separator: ",".to_owned(),
            authorization: Authorization::Remove,
            pass: Vec::new(),
        }
    }
}

/// Bytes that most lists of roles fit into.
const USUAL_LENGTH: usize = 64;

impl IdentitySettings {
    /// Sets the identity headers of a caller. What the caller does not have is not set, and nothing else may have set it:
    /// the fields of the client have passed a [`super::FieldFilter`].
    pub fn set_fields(&self, fields: &mut HeaderMap, identity: &Identity) {
        for header in &self.headers {
            let value = self.value(&header.field, identity);
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                fields.insert(header.name.clone(), value);
            }
        }
    }

    /// Whether the upstream does not get a credential.
    pub fn removes(&self, credential: &Credential, permit: &Permit<'_>) -> bool {
        match credential.source() {
            _ if credential.is_withheld() => true,
            // `authorization` is about the field of that name
            CredentialSource::Bearer => {
                let is_forwarded = self.authorization == Authorization::Forward;
                permit.identity().is_some() && (credential.is_among_protocols() || !is_forwarded)
            }
            CredentialSource::ApiKey | CredentialSource::Basic => true,
            // it was never in the head that is passed on
            CredentialSource::Cookie => false,
        }
    }

    fn value(&self, field: &IdentityField, identity: &Identity) -> Option<HeaderValue> {
        let text = match field {
            IdentityField::Subject => encode(Cow::Borrowed(&identity.subject), ""),
            IdentityField::Roles => {
                self.join(identity.roles.iter().map(|role| Cow::Borrowed(&**role)))
            }
            IdentityField::Name => encode(Cow::Borrowed(identity.name.as_deref()?), ""),
            IdentityField::Email => encode(Cow::Borrowed(identity.email.as_deref()?), ""),
            IdentityField::Claim(name) => {
                let claim = identity.claims.iter().find(|claim| claim.name == *name)?;
                self.join(claim.values.iter().map(claim_text))
            }
        };
        HeaderValue::from_str(&text).ok()
    }

    fn join<'v>(&self, mut values: impl Iterator<Item = Cow<'v, str>>) -> Cow<'v, str> {
        let Some(first) = values.next() else {
            return Cow::Borrowed("");
        };
        let first = encode(first, &self.separator);
        let Some(second) = values.next() else {
            return first;
        };
        let mut joined = String::with_capacity(USUAL_LENGTH);
        joined.push_str(&first);
        for value in std::iter::once(second).chain(values) {
            joined.push_str(&self.separator);
            joined.push_str(&encode(value, &self.separator));
        }
        Cow::Owned(joined)
    }
}

fn claim_text(value: &ClaimValue) -> Cow<'_, str> {
    match value {
        ClaimValue::Text(text) => Cow::Borrowed(text),
        ClaimValue::Integer(number) => Cow::Owned(number.to_string()),
        ClaimValue::Boolean(truth) => Cow::Borrowed(if *truth { "true" } else { "false" }),
    }
}

/// What stands for itself beside this separator: a bit for each character of ASCII.
fn plain_characters(separator: &str) -> u128 {
    const VISIBLE: u128 = (1 << 127) - (1 << b' ');
    let ascii = separator.bytes().filter(u8::is_ascii);
    ascii.fold(VISIBLE & !(1 << b'%'), |plain, byte| plain & !(1 << byte))
}

/// Percent-encodes what a field cannot carry, what the separator would split, and `%` itself, so that it can be undone.
/// An inner space stays: names have them.
fn encode<'t>(text: Cow<'t, str>, separator: &str) -> Cow<'t, str> {
    let plain = plain_characters(separator);
    let plain = |byte: u8| byte < 128 && plain & (1 << byte) != 0;
    let edge = |at: usize| at == 0 || at + 1 == text.len();
    // most texts are plain throughout
    if !(text.starts_with(' ') || text.ends_with(' ')) && text.bytes().all(plain) {
        return text;
    }
    let mut encoded = String::with_capacity(text.len() + 8);
    for (at, byte) in text.bytes().enumerate() {
        if plain(byte) && !(byte == b' ' && edge(at)) {
            encoded.push(char::from(byte));
        } else {
            encoded.extend(percent::escape(byte).map(char::from));
        }
    }
    Cow::Owned(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_headers_carry_any_text_safely() {
        let identity = Identity {
            subject: "alice".into(),
            roles: ["recruiter".into(), "a,b".into()].into(),
            name: Some("Ålice 100% Doe\r\nX: y".into()),
            ..Identity::default()
        };
        let mut fields = HeaderMap::new();
        IdentitySettings::default().set_fields(&mut fields, &identity);
        assert_eq!(fields["remote-user"], "alice");
        assert_eq!(fields["remote-groups"], "recruiter,a%2Cb");
        assert_eq!(fields["remote-name"], "%C3%85lice 100%25 Doe%0D%0AX: y");
        assert!(
            !fields.contains_key("remote-email"),
            "what the caller does not have is not set"
        );
    }

    #[test]
    fn an_edge_space_is_kept_apart_from_the_field() {
        assert_eq!(encode(Cow::Borrowed(" a b "), ""), "%20a b%20");
    }
}
