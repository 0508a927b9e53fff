//! Identity headers: what the upstream is told about the caller.

use http::HeaderName;

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
        let header = |name, field| IdentityHeader { name: HeaderName::from_static(name), field };
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
