//! Passwords that people give themselves: what they must be, and the order to write their hash into the user list.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::password::Password;

/// The fewest characters of a password that somebody gives themselves (NIST SP 800-63B-4, section 3.1.1.2, where there may
/// be a second factor).
pub const SHORTEST_PASSWORD: usize = 8;

/// How long the user list may take to be written and read again: one of a million users takes a few seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a text cannot be somebody's new password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewPasswordFlaw {
    /// It has fewer than [`SHORTEST_PASSWORD`] characters.
    TooShort,
    /// bcrypt ignores all beyond 72 bytes.
    TooLong,
    /// bcrypt ends it at a NUL.
    Nul,
    /// It is the one that the user has.
    Same,
}

/// A new password hash for a user of the list.
#[derive(Clone, PartialEq, Eq)]
pub struct NewPasswordHash {
    /// Whose.
    pub user: Box<str>,
    /// The hash, as it stands in a users file.
    pub hash: String,
    /// Everything that was issued to the user before this second since 1970 is refused from then on.
    pub tokens_valid_after: u64,
}

/// Why the user list has no new hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordChangeError {
    /// The file cannot be written.
    NotWritable,
    /// Somebody else is changing it at this moment.
    Busy,
    /// The user is not on the list any more, or the password is not written there: it is in another file or in a variable.
    Elsewhere,
    /// The configuration cannot be loaded now, whatever the list says: it is as it was.
    Refused,
    /// Nobody has answered in time; it may be changed or not.
    Unknown,
}

/// An order to change the user list, and where the outcome goes.
pub struct PasswordOrder {
    /// What is to be written.
    pub new: NewPasswordHash,
    answer: oneshot::Sender<Result<(), PasswordChangeError>>,
}

/// Who writes the user list: it is changed and read again as one step, by one thread.
#[derive(Clone)]
pub struct PasswordChanges(Arc<dyn Fn(PasswordOrder) + Send + Sync>);

impl PasswordChanges {
    /// Orders go where `place` puts them; one that is dropped is not carried out.
    pub fn new(place: impl Fn(PasswordOrder) + Send + Sync + 'static) -> Self {
        Self(Arc::new(place))
    }

    /// Writes a new hash into the user list; when this returns, the list is in force.
    ///
    /// # Errors
    /// [`PasswordChangeError`].
    pub async fn order(&self, new: NewPasswordHash) -> Result<(), PasswordChangeError> {
        let (answer, answered) = oneshot::channel();
        (self.0)(PasswordOrder { new, answer });
        let answered = timeout(PATIENCE, answered).await;
        answered
            .map_err(|_| PasswordChangeError::Unknown)?
            .map_err(|_| PasswordChangeError::Unknown)?
    }
}

impl PasswordOrder {
    /// Says what became of it.
    pub fn answer(self, outcome: Result<(), PasswordChangeError>) {
        // whoever ordered it may have gone
        let _ = self.answer.send(outcome);
    }
}

impl Password {
    /// Looks at a password that somebody wants to have.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check_new(&self, present: &Self) -> Result<(), NewPasswordFlaw> {
        let text = self.as_str();
        match () {
            () if text.chars().count() < SHORTEST_PASSWORD => Err(NewPasswordFlaw::TooShort),
            () if self.is_too_long() => Err(NewPasswordFlaw::TooLong),
            () if text.contains('\0') => Err(NewPasswordFlaw::Nul),
            () if text == present.as_str() => Err(NewPasswordFlaw::Same),
            () => Ok(()),
        }
    }
}

impl PasswordChangeError {
    /// Its name in the log.
    pub fn label(self) -> &'static str {
        match self {
            Self::NotWritable => "not_writable",
            Self::Busy => "changed_meanwhile",
            Self::Elsewhere => "written_elsewhere",
            Self::Refused => "configuration_refused",
            Self::Unknown => "no_answer",
        }
    }
}

/// Without the hash.
impl fmt::Debug for NewPasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewPasswordHash(for {})", self.user)
    }
}

impl fmt::Debug for PasswordChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordChanges")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_password_is_long_enough_and_new() {
        let present = Password::from("correct horse".to_owned());
        for (text, expected) in [
            ("seven77", Err(NewPasswordFlaw::TooShort)),
            ("ééééééé", Err(NewPasswordFlaw::TooShort)),
            ("éééééééé", Ok(())),
            ("battery staple", Ok(())),
            ("battery\0staple", Err(NewPasswordFlaw::Nul)),
            ("correct horse", Err(NewPasswordFlaw::Same)),
            (&"x".repeat(72), Ok(())),
            (&"x".repeat(73), Err(NewPasswordFlaw::TooLong)),
        ] {
            let new = Password::from(text.to_owned());
            assert_eq!(new.check_new(&present), expected, "{text:?}");
        }
    }

    #[test]
    fn an_order_is_answered_or_known_to_be_lost() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let new = || NewPasswordHash {
            user: "rita".into(),
            hash: "$2b$secret".to_owned(),
            tokens_valid_after: 7,
        };
        assert_eq!(format!("{:?}", new()), "NewPasswordHash(for rita)");
        let refusing = PasswordChanges::new(|order| {
            assert_eq!(order.new.tokens_valid_after, 7);
            order.answer(Err(PasswordChangeError::Refused));
        });
        let outcome = runtime.block_on(refusing.order(new()));
        assert_eq!(outcome, Err(PasswordChangeError::Refused));
        let losing = PasswordChanges::new(drop);
        let outcome = runtime.block_on(losing.order(new()));
        assert_eq!(outcome, Err(PasswordChangeError::Unknown));
    }
}
