//! Somebody's new password: written into the user list, which is read again before anybody says so.

use std::time::{Duration, UNIX_EPOCH};

use super::reload::Reloader;
use crate::config::edit::{Change, EditError};
use crate::config::{self, ReplaceError, UserListError, UserListFile};
use crate::users::{NewPasswordHash, PasswordChangeError, PasswordOrder};

impl Reloader {
    /// Changes the list and puts it in force, or leaves both as they were.
    pub(super) fn change_password(&mut self, order: PasswordOrder) {
        let outcome = self.write_and_load(&order.new);
        order.answer(outcome);
    }

    fn write_and_load(&mut self, new: &NewPasswordHash) -> Result<(), PasswordChangeError> {
        let unreadable = |_| PasswordChangeError::Refused;
        let file = UserListFile::open(&self.request).map_err(unreadable)?;
        let former = file.change(&changes(new)).map_err(|error| {
            let reason = told(&error);
            tracing::error!(event = "password_not_changed", user = &*new.user, reason);
            denied(&error)
        })?;
        let problems = match config::load(&self.request) {
            Ok(loaded) => {
                self.apply(loaded);
                return Ok(());
            }
            // the watch reports them, as after any other change
            Err(problems) => problems,
        };
        tracing::error!(
            event = "password_not_changed",
            user = &*new.user,
            problems = problems.as_slice().len(),
            reason = "the configuration cannot be loaded; the user list is put back"
        );
        match file.restore(&former) {
            Ok(()) => Err(PasswordChangeError::Refused),
            Err(error) => {
                let reason = told(&error);
                tracing::error!(event = "password_not_changed", user = &*new.user, reason);
                Err(PasswordChangeError::Unknown)
            }
        }
    }
}

fn changes(new: &NewPasswordHash) -> [Change; 2] {
    let time = UNIX_EPOCH + Duration::from_secs(new.tokens_valid_after);
    let user = || new.user.clone().into_string();
    [
        Change::SetPassword {
            user: user(),
            hash: new.hash.clone(),
        },
        Change::RefuseTokensBefore {
            user: user(),
            time: humantime::format_rfc3339_seconds(time).to_string(),
        },
    ]
}

fn denied(error: &UserListError) -> PasswordChangeError {
    match error {
        UserListError::Problems(_) | UserListError::Invalid(_) => PasswordChangeError::Refused,
        UserListError::Edit(EditError::Style) => PasswordChangeError::NotWritable,
        UserListError::Edit(_) => PasswordChangeError::Elsewhere,
        UserListError::Replace(ReplaceError::ChangedMeanwhile(_)) => PasswordChangeError::Busy,
        UserListError::Replace(_) | UserListError::System(..) => PasswordChangeError::NotWritable,
    }
}

/// With what the system says.
fn told(error: &UserListError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
