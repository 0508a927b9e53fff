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
    /// What to tell the client.
    pub fn description(self) -> &'static str {
        self.words().1
    }

    /// A short name for metrics and logs. It never changes.
    pub fn label(self) -> &'static str {
        self.words().0
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Malformed => ("malformed", "the token is malformed"),
            Self::Header => ("header", "the header of the token is malformed"),
            Self::Algorithm => ("algorithm", "the token is signed with another algorithm"),
            Self::Type => ("type", "the token is not an access token"),
            Self::Critical => (
                "critical",
                "the token demands an extension that is not supported",
            ),
            Self::KeyId => ("key_id", "the token names an unknown key"),
            Self::Signature => ("signature", "the signature of the token is invalid"),
            Self::Claims => ("claims", "the claims of the token are malformed"),
            Self::Missing => (
                "missing_claim",
                "the token lacks one of exp, iss, aud and sub",
            ),
            Self::MissingConfigured => (
                "missing_claim",
                "the token lacks the claim that its audience or subject is read from",
            ),
            Self::Issuer => ("issuer", "the token is from another issuer"),
            Self::Audience => ("audience", "the token is for another audience"),
            Self::Subject => ("subject", "the subject of the token is not acceptable"),
            Self::Expired => ("expired", "the token has expired"),
            Self::NotYetValid => ("not_yet_valid", "the token is not valid yet"),
            Self::IssuedAt => ("issued_at", "the token was issued in the future"),
            Self::Lifetime => ("lifetime", "the token is valid for too long"),
        }
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description())
    }
}

impl std::error::Error for TokenError {}
