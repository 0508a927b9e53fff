//! Why a token is not valid.

use std::fmt;

/// Why a token is not valid. `Display` is fixed text without input, safe for `error_description` (RFC 6750,
/// section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenError {
    /// Not three parts of unpadded base64url.
    Malformed,
    /// The header is not an object with unique members of the right types, or names no algorithm.
    Header,
    /// The header names another algorithm than the key's.
    Algorithm,
    /// `typ` says that it is something else than an access token.
    Type,
    /// The header demands an extension.
    Critical,
    /// The header names a key that is not configured.
    KeyId,
    /// The signature is not the key's.
    Signature,
    /// The payload is not an object with unique members of the right types.
    Claims,
    /// One of the required claims is absent.
    Missing,
    /// The claim that the issuer's `audience` or `subject` is configured to be is absent.
    MissingConfigured,
    /// From another issuer.
    Issuer,
    /// For another audience.
    Audience,
    /// `sub` is empty, too long or holds characters that cannot be seen; of other issuers' subjects, blanks inside are
    /// fine and the length is their own affair.
    Subject,
    /// Past `exp`.
    Expired,
    /// Before `nbf`.
    NotYetValid,
    /// `iat` lies in the future, or after `exp`.
    IssuedAt,
    /// Valid for longer than any token may be.
    Lifetime,
}

impl TokenError {
    /// Whether newer keys of its issuer may verify the token: an issuer may exchange a key under the same `kid`, or without one.
    pub fn may_pass_with_newer_keys(self) -> bool {
        matches!(self, Self::KeyId | Self::Signature | Self::Algorithm)
    }

    /// What to tell the client.
    pub fn description(self) -> &'static str {
        match self {
            Self::Malformed => "the token is malformed",
            Self::Header => "the header of the token is malformed",
            Self::Algorithm => "the token is signed with another algorithm",
            Self::Type => "the token is not an access token",
            Self::Critical => "the token demands an extension that is not supported",
            Self::KeyId => "the token names an unknown key",
            Self::Signature => "the signature of the token is invalid",
            Self::Claims => "the claims of the token are malformed",
            Self::Missing => "the token lacks one of exp, iss, aud and sub",
            Self::MissingConfigured => {
                "the token lacks the claim that its audience or subject is read from"
            }
            Self::Issuer => "the token is from another issuer",
            Self::Audience => "the token is for another audience",
            Self::Subject => "the subject of the token is not acceptable",
            Self::Expired => "the token has expired",
            Self::NotYetValid => "the token is not valid yet",
            Self::IssuedAt => "the token was issued in the future",
            Self::Lifetime => "the token is valid for too long",
        }
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description())
    }
}

impl std::error::Error for TokenError {}
