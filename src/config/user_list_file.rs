//! The users file as whoever changes it sees it: valid before, valid after.

use std::borrow::Borrow;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};

use super::edit::{Change, EditError, edit};
use super::load::LoadRequest;
use super::problem::Problems;
use super::replace::{ReplaceError, replace};
use super::user_list::{UsersPlace, find_users, read_users};
use crate::users::User;

/// What a list without users looks like.
const NOBODY: &str = "users: {}\n";

/// The users file of a configuration.
pub struct UserListFile<R> {
    request: R,
    place: UsersPlace,
}

/// Why the list was not changed.
#[derive(Debug)]
pub enum UserListError {
    /// The configuration, or the list itself, cannot be read.
    Problems(Problems),
    /// The list would not be valid any more.
    Invalid(Problems),
    /// The change cannot be made.
    Edit(EditError),
    /// The file cannot be written.
    Replace(ReplaceError),
    /// The system refuses something else.
    System(String, io::Error),
}

/// What a change has replaced.
#[derive(Debug)]
pub struct FormerList {
    before: Option<String>,
    after: String,
}

impl<R: Borrow<LoadRequest>> UserListFile<R> {
    /// The file of a configuration; it need not exist.
    ///
    /// # Errors
    /// The problems of a configuration that does not say where it is.
    pub fn open(request: R) -> Result<Self, Problems> {
        let place = find_users(request.borrow())?;
        Ok(Self { request, place })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.place.path
    }

    /// What is loaded for it.
    pub fn request(&self) -> &LoadRequest {
        self.request.borrow()
    }

    /// All users, in the order of the file.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn users(&self) -> Result<Vec<Arc<User>>, UserListError> {
        let text = self.read()?;
        self.parse(text.as_deref().unwrap_or(NOBODY))
            .map_err(UserListError::Problems)
    }

    /// Makes some changes at once, alone: whoever else changes it waits until they are made.
    ///
    /// # Errors
    /// [`UserListError`]; then the file is as it was.
    pub fn change(&self, changes: &[Change]) -> Result<FormerList, UserListError> {
        let target = self.target()?;
        let _alone = lock(&target)?;
        let before = self.read()?;
        let text = before.as_deref().unwrap_or(NOBODY);
        // a byte order mark is not for the parser
        let (mark, text) = text
            .strip_prefix('\u{feff}')
            .map_or(("", text), |rest| ("\u{feff}", rest));
        self.parse(text).map_err(UserListError::Problems)?;
        let mut after = text.to_owned();
        for change in changes {
            after = edit(&after, change).map_err(UserListError::Edit)?;
        }
        self.parse(&after).map_err(UserListError::Invalid)?;
        let after = format!("{mark}{after}");
        replace(&target, before.as_deref(), &after).map_err(UserListError::Replace)?;
        Ok(FormerList { before, after })
    }

    /// Puts back what a change has replaced, if nobody has changed the file since.
    ///
    /// # Errors
    /// [`UserListError`]; then the change stays.
    pub fn restore(&self, former: &FormerList) -> Result<(), UserListError> {
        let target = self.target()?;
        let _alone = lock(&target)?;
        let before = former.before.as_deref().unwrap_or(NOBODY);
        replace(&target, Some(&former.after), before).map_err(UserListError::Replace)
    }

    fn read(&self) -> Result<Option<String>, UserListError> {
        match std::fs::read_to_string(self.path()) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(system("read", self.path(), error)),
        }
    }

    fn parse(&self, text: &str) -> Result<Vec<Arc<User>>, Problems> {
        read_users(self.request.borrow(), &self.place, text)
    }

    /// The file itself, where a link leads to it.
    fn target(&self) -> Result<PathBuf, UserListError> {
        let path = self.path();
        match path.symlink_metadata() {
            Ok(_) => path
                .canonicalize()
                .map_err(|error| system("follow", path, error)),
            Err(_) => std::path::absolute(path).map_err(|error| system("find", path, error)),
        }
    }
}

/// Locks the folder of a file until the lock is dropped: the file itself is replaced, and a lock with it.
fn lock(target: &Path) -> Result<File, UserListError> {
    let folder = target.parent().unwrap_or(Path::new("/"));
    let failed = |error| system("lock", folder, error);
    let opened = File::open(folder).map_err(failed)?;
    flock(&opened, FlockOperation::LockExclusive).map_err(|error| failed(error.into()))?;
    Ok(opened)
}

fn system(verb: &str, path: &Path, error: io::Error) -> UserListError {
    UserListError::System(format!("cannot {verb} `{}`", path.display()), error)
}

impl fmt::Display for UserListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Problems(_) => f.write_str("the configuration has problems"),
            Self::Invalid(_) => f.write_str("the change was not made"),
            Self::Edit(error) => error.fmt(f),
            Self::Replace(error) => error.fmt(f),
            Self::System(what, _) => f.write_str(what),
        }
    }
}

impl std::error::Error for UserListError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Replace(error) => error.source(),
            Self::System(_, error) => Some(error),
            Self::Problems(_) | Self::Invalid(_) | Self::Edit(_) => None,
        }
    }
}
