//! The users file as commands see it.

use std::path::Path;
use std::sync::Arc;

use crate::ambient;
use crate::cli::load::shown;
use crate::cli::load_request;
use crate::config::edit::Change;
use crate::config::{LoadRequest, UserListError, UserListFile};
use crate::users::User;

/// The users file of a configuration.
pub(super) struct Store(UserListFile<LoadRequest>);

impl Store {
    pub(super) fn open(config: &Path) -> anyhow::Result<Self> {
        let file = UserListFile::open(load_request(config)).map_err(shown)?;
        Ok(Self(file))
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn request(&self) -> &LoadRequest {
        self.0.request()
    }

    /// All users, in the order of the file.
    pub(super) fn users(&self) -> anyhow::Result<Vec<Arc<User>>> {
        told(self.0.users())
    }

    pub(super) fn knows(&self, user: &str) -> anyhow::Result<bool> {
        Ok(self
            .users()?
            .iter()
            .any(|known| *known.identity.subject == *user))
    }

    /// Makes one change, alone: another command waits until it is made.
    pub(super) fn change(&self, change: &Change) -> anyhow::Result<()> {
        told(self.0.change(std::slice::from_ref(change))).map(drop)
    }
}

/// Since when a user who is added now has the name, as the file says it.
pub(super) fn now() -> String {
    humantime::format_rfc3339_seconds(ambient::wall_clock()).to_string()
}

/// Problems are shown with their places.
fn told<T>(result: Result<T, UserListError>) -> anyhow::Result<T> {
    result.map_err(|error| match error {
        UserListError::Problems(problems) => shown(problems),
        UserListError::Invalid(problems) => shown(problems).context("the change was not made"),
        error
        @ (UserListError::Edit(_) | UserListError::Replace(_) | UserListError::System(..)) => {
            error.into()
        }
    })
}
