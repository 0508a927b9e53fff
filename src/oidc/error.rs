//! Why a sign-in, or a refresh, has failed.

use std::fmt;

/// Why a provider's answer makes nobody signed in. `Display` is for logs: one line without secrets and tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderError {
    /// The provider is away: no answer, 5xx, a certificate that is not trusted, an answer that is too large or not what
    /// the specifications say, or no metadata yet. It may be better later.
    Unavailable(String),
    /// The provider refuses the code, the refresh token or the client (RFC 6749, section 5.2).
    Refused(OAuthErrorCode),
    /// The provider has sent the browser back with an error (RFC 6749, section 4.1.2.1), such as `access_denied`.
    Denied(OAuthErrorCode),
    /// The person was identified, and may not sign in here.
    NotAllowed(String),
    /// What the provider, or somebody in its place, has sent must not be believed: its ID token, `nonce`, `iss`…
    Invalid(String),
}

impl ProviderError {
    /// Whether a session that could not be refreshed for this has ended. It has not where the provider is away, nor where
    /// it is this gateway, as a client, that is refused.
    pub fn ends_session(&self) -> bool {
        match self {
            Self::Unavailable(_) => false,
            Self::Refused(code) => code.is_about_the_person(),
            Self::Denied(_) | Self::NotAllowed(_) | Self::Invalid(_) => true,
        }
    }

    /// A short, fixed name, for what counts and groups.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Refused(_) => "refused",
            Self::Denied(_) => "denied",
            Self::NotAllowed(_) => "not_allowed",
            Self::Invalid(_) => "invalid",
        }
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(reason) => write!(f, "the provider cannot be used: {reason}"),
            Self::Refused(code) => write!(f, "the provider refuses: {code}"),
            Self::Denied(code) => write!(f, "the provider has sent the browser back: {code}"),
            Self::NotAllowed(reason) => write!(f, "not allowed: {reason}"),
            Self::Invalid(reason) => write!(f, "not believed: {reason}"),
        }
    }
}

impl std::error::Error for ProviderError {}

/// Declares the codes and their spellings beside each other.
macro_rules! codes {
    ($($(#[$doc:meta])+ $kind:ident = $name:literal,)+) => {
        /// An error code of OAuth 2.0 (RFC 6749, sections 4.1.2.1 and 5.2) or OpenID Connect (Core 1.0, section 3.1.2.6).
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum OAuthErrorCode {
            $($(#[$doc])+ $kind,)+
            /// Another one, of visible ASCII characters, 64 at the most.
            Other(Box<str>),
        }

        impl OAuthErrorCode {
            /// Reads a code. What cannot be one becomes `unreadable_error`: it is shown and logged.
            pub fn parse(text: &str) -> Self {
                match text {
                    $($name => Self::$kind,)+
                    other if is_code(other) => Self::Other(other.into()),
                    _ => Self::Other("unreadable_error".into()),
                }
            }

            /// As it is spelled.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$kind => $name,)+
                    Self::Other(code) => code,
                }
            }
        }
    };
}

codes! {
    /// The person, or the provider, has said no.
    AccessDenied = "access_denied",
    /// The person must choose an account.
    AccountSelectionRequired = "account_selection_required",
    /// The person must agree.
    ConsentRequired = "consent_required",
    /// The person must do something.
    InteractionRequired = "interaction_required",
    /// The provider does not know this client, or its secret is another one.
    InvalidClient = "invalid_client",
    /// The code or the refresh token is not good, or not any more.
    InvalidGrant = "invalid_grant",
    /// The request is malformed.
    InvalidRequest = "invalid_request",
    /// One of the scopes is unknown, or too much.
    InvalidScope = "invalid_scope",
    /// The person must sign in.
    LoginRequired = "login_required",
    /// Something is wrong at the provider.
    ServerError = "server_error",
    /// The provider is busy.
    TemporarilyUnavailable = "temporarily_unavailable",
    /// The client may not do that.
    UnauthorizedClient = "unauthorized_client",
    /// The provider does not know this kind of grant.
    UnsupportedGrantType = "unsupported_grant_type",
    /// The provider does not know the code flow.
    UnsupportedResponseType = "unsupported_response_type",
}

impl OAuthErrorCode {
    /// Whether it says that the person must sign in again; the others are about the client or the provider.
    fn is_about_the_person(&self) -> bool {
        match self {
            Self::AccessDenied
            | Self::AccountSelectionRequired
            | Self::ConsentRequired
            | Self::InteractionRequired
            | Self::InvalidGrant
            | Self::LoginRequired => true,
            Self::InvalidClient
            | Self::InvalidRequest
            | Self::InvalidScope
            | Self::ServerError
            | Self::TemporarilyUnavailable
            | Self::UnauthorizedClient
            | Self::UnsupportedGrantType
            | Self::UnsupportedResponseType
            | Self::Other(_) => false,
        }
    }
}

/// The characters of codes (RFC 6749, appendix A.7), without blanks.
fn is_code(text: &str) -> bool {
    let is_plain = |c: u8| c.is_ascii_graphic() && !matches!(c, b'"' | b'\\' | b'`');
    (1..=64).contains(&text.len()) && text.bytes().all(is_plain)
}

impl fmt::Display for OAuthErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_shown_as_it_is_spelled_and_never_more() {
        for text in ["access_denied", "invalid_grant", "AADSTS50105", "x"] {
            assert_eq!(OAuthErrorCode::parse(text).as_str(), text);
        }
        let long = "a".repeat(65);
        for text in ["", "a b", "a\nb", "<b>\"", "ä", "\u{1b}[2J", &long] {
            let code = OAuthErrorCode::parse(text);
            assert_eq!(code.as_str(), "unreadable_error", "{text:?}");
        }
    }

    #[test]
    fn a_session_outlives_what_is_not_about_the_person() {
        let refused = |code| ProviderError::Refused(OAuthErrorCode::parse(code)).ends_session();
        for code in [
            "invalid_grant",
            "access_denied",
            "interaction_required",
            "login_required",
        ] {
            assert!(refused(code), "{code}");
        }
        for code in [
            "invalid_client",
            "invalid_request",
            "server_error",
            "slow_down",
        ] {
            assert!(!refused(code), "{code}");
        }
        assert!(!ProviderError::Unavailable(String::new()).ends_session());
        assert!(ProviderError::NotAllowed(String::new()).ends_session());
        assert!(ProviderError::Invalid(String::new()).ends_session());
    }
}
