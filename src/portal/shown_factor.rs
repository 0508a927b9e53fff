//! What somebody has shown besides a password.

use crate::token::{AuthenticationMethod, AuthenticationMethods};
use crate::webauthn::AuthenticatorKind;

/// A second factor that was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShownFactor {
    /// A code of an authenticator app.
    Totp,
    /// A recovery code.
    RecoveryCode,
    /// A passkey.
    Passkey,
    /// A security key without a PIN.
    SecurityKey,
}

impl ShownFactor {
    /// A key of this kind.
    pub(super) fn of_key(kind: AuthenticatorKind) -> Self {
        match kind {
            AuthenticatorKind::Passkey => Self::Passkey,
            AuthenticatorKind::SecurityKey => Self::SecurityKey,
        }
    }

    /// A short name for metrics and logs. It never changes.
    pub fn label(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::RecoveryCode => "recovery_code",
            Self::Passkey => "passkey",
            Self::SecurityKey => "security_key",
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
            // what keeps the key, its answer says
            Some(Self::Passkey | Self::SecurityKey) => AuthenticationMethods::PASSWORD
                .with(AuthenticationMethod::UserPresence)
                .with(AuthenticationMethod::MultipleFactors),
        }
    }
}
