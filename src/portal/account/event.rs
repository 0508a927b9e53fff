//! What the operator hears of changes that people make themselves.

/// What somebody changed, or wanted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountChange {
    /// One of their other sessions was ended.
    SessionEnded,
    /// All of their other sessions were ended.
    OtherSessionsEnded,
    /// They have another password, and every former session has ended.
    PasswordChanged,
    /// They have an authenticator app.
    AppAdded,
    /// They have it no more.
    AppRemoved,
    /// They have another passkey or security key.
    KeyAdded,
    /// One of their passkeys or security keys is gone.
    KeyRemoved,
    /// They have new recovery codes.
    CodesRenewed,
}

/// A change that somebody made to their own account, or could not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountEvent {
    /// What was to be changed.
    pub change: AccountChange,
    /// Whether it was; else why not, in a word for the log.
    pub outcome: Result<(), &'static str>,
}

impl AccountChange {
    /// Its name in the log and in the audit stream.
    pub fn label(self) -> &'static str {
        match self {
            Self::SessionEnded => "session_ended",
            Self::OtherSessionsEnded => "other_sessions_ended",
            Self::PasswordChanged => "password_changed",
            Self::AppAdded => "totp_added",
            Self::AppRemoved => "totp_removed",
            Self::KeyAdded => "passkey_added",
            Self::KeyRemoved => "passkey_removed",
            Self::CodesRenewed => "recovery_codes_renewed",
        }
    }
}
