//! What people read where a sign-in with a provider has failed.

use http::StatusCode;

use super::ProviderDenial;
use crate::oidc::{OAuthErrorCode, ProviderError};

/// A sign-in that has failed.
pub(super) struct Failure {
    pub(super) denial: ProviderDenial,
    /// For operators.
    pub(super) detail: Option<String>,
    /// Who it was, where that is known.
    pub(super) user: Box<str>,
}

impl Failure {
    pub(super) fn of(denial: ProviderDenial) -> Self {
        Self {
            denial,
            detail: None,
            user: Box::default(),
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        match self.denial {
            ProviderDenial::Away | ProviderDenial::StateAway => StatusCode::SERVICE_UNAVAILABLE,
            ProviderDenial::Refused | ProviderDenial::Invalid => StatusCode::BAD_GATEWAY,
            ProviderDenial::Denied => StatusCode::UNAUTHORIZED,
            ProviderDenial::NotAllowed => StatusCode::FORBIDDEN,
            ProviderDenial::TooLarge | ProviderDenial::NoToken => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// One sentence or two for people; `title` is how the provider is called. `has_others`: there are other ways in.
    pub(super) fn sentence(&self, title: &str, has_others: bool) -> String {
        match self.denial {
            ProviderDenial::Away if has_others => format!(
                "{title} does not answer right now. Please try again in a moment, or sign in in another way."
            ),
            ProviderDenial::Away => {
                format!("{title} does not answer right now. Please try again in a moment.")
            }
            ProviderDenial::Denied => {
                format!("You were not signed in with {title}. Please try again if you want to.")
            }
            ProviderDenial::NotAllowed if !self.user.is_empty() => format!(
                "{title} calls you {}, and that account may not sign in here. Continue with another account, or ask the \
                 operator of this site for access.",
                self.user
            ),
            ProviderDenial::NotAllowed => format!(
                "The account that you have at {title} may not sign in here. Continue with another account, or ask the \
                 operator of this site for access."
            ),
            ProviderDenial::Refused | ProviderDenial::Invalid => format!(
                "The sign-in with {title} could not be completed. Please try again, and tell the operator of this site if \
                 that does not help."
            ),
            ProviderDenial::TooLarge => format!(
                "{title} says more about you, such as your groups, than a browser can keep. Please tell the operator of \
                 this site."
            ),
            ProviderDenial::StateAway => {
                "Signing in is not possible right now. Please try again in a moment.".to_owned()
            }
            ProviderDenial::NoToken => {
                "Signing in does not work at the moment. Please tell the operator of this site."
                    .to_owned()
            }
        }
    }
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        let denial = match &error {
            ProviderError::Unavailable(_) => ProviderDenial::Away,
            ProviderError::Denied(
                OAuthErrorCode::ServerError | OAuthErrorCode::TemporarilyUnavailable,
            ) => ProviderDenial::Away,
            ProviderError::Denied(code) if is_about_the_person(code) => ProviderDenial::Denied,
            ProviderError::Denied(_) | ProviderError::Refused(_) => ProviderDenial::Refused,
            ProviderError::NotAllowed(_) => ProviderDenial::NotAllowed,
            ProviderError::Invalid(_) => ProviderDenial::Invalid,
        };
        Self {
            detail: Some(error.to_string()),
            ..Self::of(denial)
        }
    }
}

/// Whether an error of the authorization endpoint is the person's choice; the others are faults of the configuration.
fn is_about_the_person(code: &OAuthErrorCode) -> bool {
    ProviderError::Refused(code.clone()).ends_session()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_what_helps_them() {
        let denied = |code: &str| ProviderError::Denied(OAuthErrorCode::parse(code));
        for (error, denial, status, part) in [
            (
                ProviderError::Unavailable("reset".to_owned()),
                ProviderDenial::Away,
                503,
                "Corp does not answer right now.",
            ),
            (
                denied("temporarily_unavailable"),
                ProviderDenial::Away,
                503,
                "another way",
            ),
            (
                denied("access_denied"),
                ProviderDenial::Denied,
                401,
                "You were not signed in",
            ),
            (
                denied("login_required"),
                ProviderDenial::Denied,
                401,
                "with Corp",
            ),
            (
                denied("invalid_scope"),
                ProviderDenial::Refused,
                502,
                "tell the operator",
            ),
            (
                ProviderError::Refused(OAuthErrorCode::InvalidClient),
                ProviderDenial::Refused,
                502,
                "could not be completed",
            ),
            (
                ProviderError::Invalid("nonce".to_owned()),
                ProviderDenial::Invalid,
                502,
                "could not be completed",
            ),
            (
                ProviderError::NotAllowed("domain".to_owned()),
                ProviderDenial::NotAllowed,
                403,
                "another account",
            ),
        ] {
            let failure = Failure::from(error);
            let sentence = failure.sentence("Corp", true);
            assert_eq!(
                (failure.denial, failure.status().as_u16()),
                (denial, status)
            );
            assert!(sentence.contains(part), "{sentence}");
            assert!(failure.detail.is_some(), "the operator reads why");
        }
        let alone = Failure::of(ProviderDenial::Away).sentence("Corp", false);
        assert!(!alone.contains("another way"));
    }
}
