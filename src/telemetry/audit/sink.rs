//! Where records go.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

/// Where records go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditSink {
    /// Standard output, between the lines of the access log.
    Stdout,
    /// Standard error, between the events.
    Stderr,
    /// The end of a file, or a named pipe.
    File(PathBuf),
}

/// As it is written in the file.
impl fmt::Display for AuditSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("stdout"),
            Self::Stderr => f.write_str("stderr"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// An open sink.
#[derive(Debug)]
pub(super) enum Out {
    Stdout,
    Stderr,
    File(File),
}

impl AuditSink {
    /// Opens it; a file that is not there is made, for its owner only.
    pub(super) fn open(&self) -> io::Result<Out> {
        let path = match self {
            Self::Stdout => return Ok(Out::Stdout),
            Self::Stderr => return Ok(Out::Stderr),
            Self::File(path) => path,
        };
        let pipe = fs::metadata(path).is_ok_and(|about| about.file_type().is_fifo());
        let mut options = OpenOptions::new();
        if pipe {
            // with a reading end of its own it neither waits for a reader nor breaks where one leaves
            options.read(true).write(true);
        } else {
            options.append(true).create(true).mode(0o600);
        }
        options.open(path).map(Out::File)
    }

    /// Whether the name refers to another file now, as after a rotation.
    pub(super) fn has_moved(&self, out: &Out) -> bool {
        let (Self::File(path), Out::File(file)) = (self, out) else {
            return false;
        };
        let place = |about: fs::Metadata| (about.dev(), about.ino());
        match (fs::metadata(path).map(place), file.metadata().map(place)) {
            (Ok(named), Ok(open)) => named != open,
            (Err(_), _) => true,
            (Ok(_), Err(_)) => false,
        }
    }
}

impl Out {
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(bytes)
                    .and_then(|()| out.flush())
                    .map(|()| bytes.len())
            }
            Self::Stderr => io::stderr().lock().write_all(bytes).map(|()| bytes.len()),
            Self::File(file) => file.write(bytes),
        }
    }

    /// Lets the disk have what was written; a pipe has no disk.
    pub(super) fn sync(&self) {
        if let Self::File(file) = self {
            // a pipe refuses, and a disk that fails says so at the next write
            let _ = file.sync_data();
        }
    }
}
