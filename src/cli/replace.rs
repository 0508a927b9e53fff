//! A file is replaced at once: readers see the old one or the new one, whatever happens.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::ambient;

/// Puts a text in the place of `before`, with the owner and the mode of the file; `None`: there is no file yet, and the
/// new one is readable by its owner only.
///
/// # Errors
/// Where the file is not what it was, and where it cannot be written; then it stays as it is.
pub(in crate::cli) fn replace(
    target: &Path,
    before: Option<&str>,
    text: &str,
) -> anyhow::Result<()> {
    let folder = target.parent().unwrap_or(Path::new("/"));
    let failed = || format!("cannot replace `{}`; nothing was changed", target.display());
    let temporary = Temporary::beside(target).with_context(failed)?;
    temporary
        .write(text, before.is_some().then_some(target))
        .with_context(failed)?;
    if current(target).with_context(failed)?.as_deref() != before {
        bail!(
            "`{}` was changed by somebody else in the meantime; nothing was changed",
            target.display()
        );
    }
    temporary.rename_to(target).with_context(failed)?;
    // the new name counts only once the folder is written
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .with_context(|| format!("cannot sync `{}`", folder.display()))
}

/// Writes a file that is not there yet, with the owner and the mode of `model`, or for its owner only where that is not
/// there either.
///
/// # Errors
/// Where it cannot be written, or is there.
pub(in crate::cli) fn create_like(target: &Path, model: &Path, text: &str) -> anyhow::Result<()> {
    let failed = || format!("cannot write `{}`; nothing was changed", target.display());
    if target.symlink_metadata().is_ok() {
        bail!("`{}` exists and is not overwritten", target.display());
    }
    let temporary = Temporary::beside(target).with_context(failed)?;
    let like = model.exists().then_some(model);
    temporary.write(text, like).with_context(failed)?;
    temporary.rename_to(target).with_context(failed)
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
