//! What goes wrong with keys: the status, what people are told, and what operators are.

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Response, StatusCode};

use super::Destination;
use crate::portal::rejection::{FormRejection, NO_ENDPOINT};
use crate::session::{FactorError, StoreUnavailable};
use crate::webauthn::CeremonyError;
use crate::wire;

/// Why half of a ceremony is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PasskeyRejection {
    /// There are no keys here: not configured, or not for this host.
    NotOffered,
    /// No page of this site sends it; what was compared.
    Foreign(String),
    /// The body is none.
    Body(FormRejection),
    /// The state of the ceremony is none, of another one, or spent; or it took longer than five minutes.
    Expired,
    /// The key, or what it says, is not good.
    Refused(CeremonyError),
    /// The same of a key that is new.
    NotAdded(CeremonyError),
    /// The person may not sign in any more.
    Unknown,
    /// Nobody is signed in, or not in a way that may change factors.
    NotSignedIn,
    /// The last sign-in is too long ago; where the person signs in again.
    SignInAgain(String),
    /// The person signs in elsewhere, and has keys there.
    NotForYou,
    /// The key is registered already.
    Taken,
    /// The person has as many keys as one may have.
    TooMany,
    /// Too many attempts have failed; for so many seconds.
    LockedOut(u64),
    /// Somebody else changes the same record all the time.
    Busy,
    /// The store cannot be asked, or what it holds not be read.
    Away,
    /// The session cannot be signed, or its cookies cannot be replaced.
    NoSession,
}

impl PasskeyRejection {
    pub(super) fn into_response(self) -> Response<Bytes> {
        let (status, detail) = self.described();
        if let Self::SignInAgain(location) = &self {
            return wire::json(status, &Destination { location });
        }
        let mut response = wire::problem(status, detail);
        if let Self::LockedOut(seconds) = self {
            let seconds = HeaderValue::from(seconds.max(1));
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        response
    }

    fn described(&self) -> (StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::NotOffered => (S::NOT_FOUND, NO_ENDPOINT),
            Self::Foreign(_) => (
                S::FORBIDDEN,
                "This was not sent by a page of this site. Please reload the page.",
            ),
            Self::Body(FormRejection::TooLarge) => {
                (S::PAYLOAD_TOO_LARGE, "The key's answer is too large.")
            }
            Self::Body(FormRejection::TooSlow) => (
                S::REQUEST_TIMEOUT,
                "The key's answer did not arrive in time. Please try again.",
            ),
            Self::Body(FormRejection::ContentType) => (
                S::UNSUPPORTED_MEDIA_TYPE,
                "The body must be application/json.",
            ),
            Self::Body(_) => (S::BAD_REQUEST, "The key's answer could not be read."),
            Self::Expired => (S::BAD_REQUEST, "That took too long. Please try again."),
            Self::Refused(error) => (S::UNAUTHORIZED, words(error)),
            Self::NotAdded(CeremonyError::Refused(_)) => {
                (S::BAD_REQUEST, "This key cannot be added here.")
            }
            Self::NotAdded(error) => (S::BAD_REQUEST, words(error)),
            Self::Unknown => (S::UNAUTHORIZED, "This key does not sign you in here."),
            Self::NotSignedIn | Self::SignInAgain(_) => (S::UNAUTHORIZED, "Please sign in first."),
            Self::NotForYou => (
                S::FORBIDDEN,
                "Keys are for people who have a password here.",
            ),
            Self::Taken => (S::CONFLICT, "This key is registered already."),
            Self::TooMany => (
                S::CONFLICT,
                "You have as many keys as you can have. Remove one first.",
            ),
            Self::Busy => (
                S::CONFLICT,
                "Your keys were changed meanwhile. Please try again.",
            ),
            Self::LockedOut(_) => (
                S::TOO_MANY_REQUESTS,
                "Too many attempts have failed. Please try again later.",
            ),
            Self::Away => (
                S::SERVICE_UNAVAILABLE,
                "That is not possible right now. Please try again in a moment.",
            ),
            Self::NoSession => (
                S::INTERNAL_SERVER_ERROR,
                "Signing in does not work at the moment. Please tell the operator of this site.",
            ),
        }
    }

    /// Why, for the log; `None` where nothing was wrong that an operator would look for.
    pub(super) fn reason(&self) -> Option<String> {
        match self {
            Self::Foreign(compared) => Some(format!("cross-origin: {compared}")),
            Self::Refused(error) | Self::NotAdded(error) => Some(error.to_string()),
            Self::Expired => Some("the ceremony is over, or another browser's".to_owned()),
            Self::Unknown => Some("the key is nobody's who may sign in".to_owned()),
            Self::Taken => Some("the key is another person's".to_owned()),
            Self::NotOffered | Self::Body(_) | Self::NotSignedIn | Self::TooMany => None,
            Self::SignInAgain(_) | Self::NotForYou => None,
            Self::LockedOut(_) | Self::Busy | Self::Away | Self::NoSession => None,
        }
    }
}

/// What people are told: what they can do, and nothing about whose key it is.
fn words(error: &CeremonyError) -> &'static str {
    match error {
        CeremonyError::NotVerified => {
            "The key did not ask for your PIN or fingerprint, which is required here."
        }
        CeremonyError::PossibleClone => {
            "This key may have been copied, and was not accepted. Sign in another way, remove it from your account and \
             tell the operator of this site."
        }
        CeremonyError::Changed => "Your keys were changed meanwhile. Please try again.",
        CeremonyError::Site | CeremonyError::Origin => {
            "Keys cannot be used at this address. Please tell the operator of this site."
        }
        CeremonyError::Malformed(_) => "The key's answer could not be read.",
        CeremonyError::State => "That took too long. Please try again.",
        CeremonyError::UnknownKey | CeremonyError::Refused(_) => {
            "This key does not sign you in here."
        }
    }
}

impl From<CeremonyError> for PasskeyRejection {
    fn from(error: CeremonyError) -> Self {
        Self::Refused(error)
    }
}

impl From<FormRejection> for PasskeyRejection {
    fn from(rejection: FormRejection) -> Self {
        Self::Body(rejection)
    }
}

impl From<StoreUnavailable> for PasskeyRejection {
    fn from(_: StoreUnavailable) -> Self {
        Self::Away
    }
}

impl From<FactorError> for PasskeyRejection {
    fn from(error: FactorError) -> Self {
        if error == FactorError::Unreadable {
            tracing::error!(event = "factors_unreadable", %error);
        }
        Self::Away
    }
}
