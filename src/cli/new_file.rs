//! Files that are not there yet.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, bail};

/// Writes a file of this mode to the disk. Where that fails, nothing of it stays: it would stand in the way of the next try.
///
/// # Errors
/// `AlreadyExists` where there is one, which stays as it is; else why it cannot be written.
pub(super) fn write_new(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(mode).open(path)?;
    let written = file.write_all(text.as_bytes());
    written.and_then(|()| file.sync_all()).inspect_err(|_| {
        // what failed already is said
        let _ = fs::remove_file(path);
    })
}

/// Makes a folder where there is none.
pub(super) fn create_folder(path: &Path) -> anyhow::Result<()> {
    let shown = path.display();
    if path.is_file() {
        bail!("`{shown}` is a file, and a folder is asked for; files are written to it");
    }
    fs::create_dir_all(path).with_context(|| format!("cannot create `{shown}`"))
}
