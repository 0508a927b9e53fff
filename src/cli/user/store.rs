//! The users file as commands see it: valid before, valid after.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use rustix::fs::{FlockOperation, flock};

use crate::cli::load::shown;
use crate::cli::load_request;
use crate::cli::replace::replace;
use crate::config::edit::{Change, edit};
use crate::config::{LoadRequest, UsersPlace, find_users, read_users};
use crate::users::User;

/// What a list without users looks like.
const NOBODY: &str = "users: {}\n";

/// The users file of a configuration.
pub(super) struct Store {
    request: LoadRequest,
    place: UsersPlace,
}

impl Store {
    pub(super) fn open(config: &Path) -> anyhow::Result<Self> {
        let request = load_request(config);
        let place = find_users(&request).map_err(shown)?;
        Ok(Self { request, place })
    }

    pub(super) fn path(&self) -> &Path {
        &self.place.path
    }

    pub(super) fn request(&self) -> &LoadRequest {
        &self.request
    }

    /// All users, in the order of the file.
    pub(super) fn users(&self) -> anyhow::Result<Vec<Arc<User>>> {
        let text = self.read()?;
        self.parse(text.as_deref().unwrap_or(NOBODY))
    }

    pub(super) fn knows(&self, user: &str) -> anyhow::Result<bool> {
        Ok(self
            .users()?
            .iter()
            .any(|known| *known.identity.subject == *user))
    }

    /// Makes one change, alone: another command waits until it is made.
    pub(super) fn change(&self, change: &Change) -> anyhow::Result<()> {
        let target = self.target()?;
        let _alone = lock(&target)?;
        let before = self.read()?;
        let text = before.as_deref().unwrap_or(NOBODY);
        // a byte order mark is not for the parser
        let (mark, text) = text
            .strip_prefix('\u{feff}')
            .map_or(("", text), |rest| ("\u{feff}", rest));
        self.parse(text)?;
        let after = edit(text, change).map_err(|error| anyhow!("{error}"))?;
        self.parse(&after).context("the change was not made")?;
        replace(&target, before.as_deref(), &format!("{mark}{after}"))
    }

    fn read(&self) -> anyhow::Result<Option<String>> {
        match std::fs::read_to_string(self.path()) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                Err(error).with_context(|| format!("cannot read `{}`", self.path().display()))
            }
        }
    }

    fn parse(&self, text: &str) -> anyhow::Result<Vec<Arc<User>>> {
        read_users(&self.request, &self.place, text).map_err(shown)
    }

    /// The file itself, where a link leads to it.
    fn target(&self) -> anyhow::Result<PathBuf> {
        let path = self.path();
        match path.symlink_metadata() {
            Ok(_) => path
                .canonicalize()
                .with_context(|| format!("cannot follow `{}`", path.display())),
            Err(_) => std::path::absolute(path)
                .with_context(|| format!("cannot find `{}`", path.display())),
        }
    }
}

/// Locks the folder of a file until the lock is dropped: the file itself is replaced, and a lock with it.
fn lock(target: &Path) -> anyhow::Result<File> {
    let folder = target.parent().unwrap_or(Path::new("/"));
    let failed = || format!("cannot lock `{}`", folder.display());
    let opened = File::open(folder).with_context(failed)?;
    flock(&opened, FlockOperation::LockExclusive).with_context(failed)?;
    Ok(opened)
}
