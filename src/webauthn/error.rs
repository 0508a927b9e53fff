//! Why a ceremony fails.

use std::fmt;

use webauthn_rs::prelude::WebauthnError;

/// Why a ceremony fails. It prints what an operator looks for; people are told less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CeremonyError {
    /// The browser's answer is not what WebAuthn defines; what is wrong.
    Malformed(&'static str),
    /// The state of a ceremony cannot be read, or it belongs to another kind of ceremony.
    State,
    /// The site cannot have keys under this RP ID: it is not of that domain, has no TLS, or no name.
    Site,
    /// The answer comes from another origin, or from a page inside of another site's page.
    Origin,
    /// The key did not verify its user, by a PIN or a finger, where that is required.
    NotVerified,
    /// The key is none of those that may be used here, or it is of another person or another RP ID.
    UnknownKey,
    /// The key's signature counter did not grow: the key may have been copied (WebAuthn, section 6.1.1).
    PossibleClone,
    /// The key's record has changed since the ceremony began.
    Changed,
    /// Anything else that WebAuthn demands does not hold.
    Refused(String),
}

impl From<WebauthnError> for CeremonyError {
    fn from(error: WebauthnError) -> Self {
        use WebauthnError as E;
        // there are sixty of them, and more with each release
        #[allow(clippy::wildcard_enum_match_arm)]
        match error {
            E::UserNotVerified => Self::NotVerified,
            E::CredentialPossibleCompromise => Self::PossibleClone,
            E::InvalidRPOrigin | E::CredentialCrossOrigin => Self::Origin,
            E::CredentialNotFound => Self::UnknownKey,
            E::Configuration => Self::Site,
            other => Self::Refused(other.to_string()),
        }
    }
}

impl fmt::Display for CeremonyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed(what) => return write!(f, "malformed answer: {what}"),
            Self::State => "no such ceremony",
            Self::Site => "the site cannot have keys under this RP ID",
            Self::Origin => "the answer comes from another origin",
            Self::NotVerified => "the key did not verify its user",
            Self::UnknownKey => "the key is none of those that may be used here",
            Self::PossibleClone => "the signature counter did not grow: possibly a copied key",
            Self::Changed => "the key's record has changed meanwhile",
            Self::Refused(why) => return write!(f, "refused: {why}"),
        })
    }
}

impl std::error::Error for CeremonyError {}
