//! A file is replaced at once: readers see the old one or the new one, whatever happens.

use std::fmt;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use crate::ambient;

/// Why a file was not written.
#[derive(Debug)]
pub enum ReplaceError {
    /// The system refuses something.
    System(String, io::Error),
    /// It is not what it was when it was read.
    ChangedMeanwhile(PathBuf),
    /// There is such a file.
    Exists(PathBuf),
}

/// Puts a text in the place of `before`, with the owner and the mode of the file; `None`: there is no file yet, and the
/// new one is readable by its owner only.
///
/// # Errors
/// Where the file is not what it was, and where it cannot be written; then it stays as it is.
pub fn replace(target: &Path, before: Option<&str>, text: &str) -> Result<(), ReplaceError> {
    let folder = target.parent().unwrap_or(Path::new("/"));
    let failed = |error| {
        let what = format!("cannot replace `{}`; nothing was changed", target.display());
        ReplaceError::System(what, error)
    };
    let temporary = Temporary::beside(target).map_err(failed)?;
    temporary
        .write(text, before.is_some().then_some(target))
        .map_err(failed)?;
    if current(target).map_err(failed)?.as_deref() != before {
        return Err(ReplaceError::ChangedMeanwhile(target.to_owned()));
    }
    temporary.rename_to(target).map_err(failed)?;
    // the new name counts only once the folder is written
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| ReplaceError::System(format!("cannot sync `{}`", folder.display()), error))
}

/// Writes a file that is not there yet, with the owner and the mode of `model`, or for its owner only where that is not
/// there either.
///
/// # Errors
/// Where it cannot be written, or is there.
pub fn create_like(target: &Path, model: &Path, text: &str) -> Result<(), ReplaceError> {
    let failed = |error| {
        let what = format!("cannot write `{}`; nothing was changed", target.display());
        ReplaceError::System(what, error)
    };
    if target.symlink_metadata().is_ok() {
        return Err(ReplaceError::Exists(target.to_owned()));
    }
    let temporary = Temporary::beside(target).map_err(failed)?;
    let like = model.exists().then_some(model);
    temporary.write(text, like).map_err(failed)?;
    temporary.rename_to(target).map_err(failed)
}

impl fmt::Display for ReplaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(what, _) => f.write_str(what),
            Self::ChangedMeanwhile(target) => write!(
                f,
                "`{}` was changed by somebody else in the meantime; nothing was changed",
                target.display()
            ),
            Self::Exists(target) => {
                write!(f, "`{}` exists and is not overwritten", target.display())
            }
        }
    }
}

impl std::error::Error for ReplaceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::System(_, error) => Some(error),
            Self::ChangedMeanwhile(_) | Self::Exists(_) => None,
        }
    }
}

fn current(target: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(target) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A file that goes away unless it gets its name.
struct Temporary {
    path: PathBuf,
    file: File,
}

impl Temporary {
    fn beside(target: &Path) -> io::Result<Self> {
        let number = u64::from_le_bytes(ambient::random_bytes());
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let path = target.with_file_name(format!(".{name}.{number:016x}.tmp"));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        Ok(Self { path, file })
    }

    fn write(&self, text: &str, like: Option<&Path>) -> io::Result<()> {
        (&self.file).write_all(text.as_bytes())?;
        if let Some(like) = like {
            let (wanted, present) = (fs::metadata(like)?, self.file.metadata()?);
            if (wanted.uid(), wanted.gid()) != (present.uid(), present.gid()) {
                fchown(&self.file, Some(wanted.uid()), Some(wanted.gid()))?;
            }
            self.file
                .set_permissions(Permissions::from_mode(wanted.mode() & 0o7777))?;
        }
        self.file.sync_all()
    }

    fn rename_to(&self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // it fails where the file has got its name
        let _ = fs::remove_file(&self.path);
    }
}
