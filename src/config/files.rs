//! Reading files, and remembering which: the reload watches exactly these.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Far above a users file of a hundred thousand entries, far below what would hurt.
const LARGEST: u64 = 256 * 1024 * 1024;

/// The files that were read so far and a digest over all of them.
#[derive(Clone, Default)]
pub(super) struct Files {
    read: Vec<PathBuf>,
    digest: Sha256,
}

impl Files {
    /// Reads a file whole.
    pub(super) fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        self.read.push(path.to_owned());
        if std::fs::metadata(path)?.len() > LARGEST {
            return Err(io::Error::other(format!(
                "larger than {} MiB",
                LARGEST / 1024 / 1024
            )));
        }
        let bytes = std::fs::read(path)?;
        self.digest.update(path.as_os_str().as_encoded_bytes());
        self.digest.update((bytes.len() as u64).to_be_bytes());
        self.digest.update(&bytes);
        Ok(bytes)
    }

    /// Reads a text, without a byte order mark.
    pub(super) fn read_text(&mut self, path: &Path) -> io::Result<String> {
        let text = String::from_utf8(self.read(path)?).map_err(|error| not_text(&error))?;
        Ok(text
            .strip_prefix('\u{feff}')
            .map(str::to_owned)
            .unwrap_or(text))
    }

    /// Which files, and the digest over what they hold.
    pub(super) fn finish(mut self) -> (Vec<PathBuf>, [u8; 32]) {
        self.read.sort();
        self.read.dedup();
        (self.read, self.digest.finalize().into())
    }
}

fn not_text(error: &std::string::FromUtf8Error) -> io::Error {
    let at = error.utf8_error().valid_up_to();
    let line = error.as_bytes()[..at]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
        + 1;
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("not UTF-8 (line {line})"),
    )
}

/// A path of the configuration: relative ones are relative to the file that names them.
pub(super) fn beside(file: &Path, path: &str) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(path)
}

/// An I/O error without the code that only a programmer needs.
pub(super) fn reason(error: &io::Error) -> String {
    let known = [
        (io::ErrorKind::NotFound, "there is no such file"),
        (io::ErrorKind::PermissionDenied, "permission denied"),
        (io::ErrorKind::IsADirectory, "it is a directory"),
    ];
    let known = known.iter().find(|(kind, _)| *kind == error.kind());
    known.map_or_else(|| error.to_string(), |(_, text)| (*text).to_owned())
}
