//! What somebody has shown besides a password.

use crate::token::{AuthenticationMethod, AuthenticationMethods};

/// A second factor that was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShownFactor {
    /// A code of an authenticator app.
    Totp,
    /// A recovery code.
    RecoveryCode,
}

impl ShownFactor {
    /// A short name for metrics and logs. It never changes.
    pub fn label(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::RecoveryCode => "recovery_code",
        }
    }

    /// How somebody was authenticated who has shown a password, and this or nothing (RFC 8176). A recovery code is a one-time
    /// password too.
    pub(super) fn methods(shown: Option<Self>) -> AuthenticationMethods {
        match shown {
            None => AuthenticationMethods::PASSWORD,
            Some(Self::Totp | Self::RecoveryCode) => AuthenticationMethods::PASSWORD
                .with(AuthenticationMethod::OneTimePassword)
                .with(AuthenticationMethod::MultipleFactors),
        }
    }
}
