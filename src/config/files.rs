//! Reading files, and remembering which: the reload watches exactly these.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
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
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        // a device or a pipe has no length, and may have no end
        let mut bytes = Vec::new();
        if length <= LARGEST {
            file.take(LARGEST + 1).read_to_end(&mut bytes)?;
        }
        if length.max(bytes.len() as u64) > LARGEST {
            return Err(io::Error::other(format!(
                "larger than {} MiB",
                LARGEST / 1024 / 1024
            )));
        }
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
    // a SEQUENCE whose length takes further bytes, as keys and certificates begin (X.690, section 8.1.3)
    if let [0x30, 0x81..=0x84, ..] | [0x30, 0x2a | 0x2e | 0x59, 0x30 | 0x02, ..] = error.as_bytes()
    {
        return io::Error::new(
            io::ErrorKind::InvalidData,
            "not text but DER; PEM is expected, as `openssl pkey -inform DER -in FILE` makes it (with `-pubin -pubout` of a public key), or `openssl x509 -inform DER -in FILE` of a certificate",
        );
    }
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

/// Who may not read a file, and why: the process, and the owner and mode of the file, or of the first folder on the way
/// to it that keeps the process out.
pub(super) fn denial(path: &Path) -> String {
    let user = rustix::process::geteuid().as_raw();
    let folders = path
        .ancestors()
        .skip(1)
        .filter(|folder| !folder.as_os_str().is_empty());
    let what = match std::fs::metadata(path) {
        Ok(file) => format!("the file {}", owner(&file)),
        Err(_) => folders
            .filter_map(|folder| Some((folder, std::fs::metadata(folder).ok()?)))
            .map(|(folder, of)| format!("the folder `{}` {}", folder.display(), owner(&of)))
            .next()
            .unwrap_or_else(|| "a folder on the way to it is closed".to_owned()),
    };
    format!(
        "this process runs as uid {user}; {what}: give it to that user, or open it to its group"
    )
}

fn owner(of: &Metadata) -> String {
    format!(
        "belongs to uid {} and gid {}, with mode {:04o}",
        of.uid(),
        of.gid(),
        of.mode() & 0o7777
    )
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_no_text_says_so_and_der_how_it_becomes_pem() {
        // how a P-256 key, an Ed25519 key, an RSA key and a certificate begin
        for der in [
            &b"\x30\x59\x30\x13\xff"[..],
            b"\x30\x2a\x30\x05\xff",
            b"\x30\x82\x01\x22\xff",
        ] {
            let error = String::from_utf8(der.to_vec()).unwrap_err();
            let said = not_text(&error).to_string();
            assert!(
                said.starts_with("not text but DER; PEM is expected"),
                "{said}"
            );
        }
        let error = String::from_utf8(b"0Y\na\xff".to_vec()).unwrap_err();
        assert_eq!(not_text(&error).to_string(), "not UTF-8 (line 2)");
    }

    #[test]
    fn a_denial_names_the_process_the_owner_and_the_mode() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("users.yaml");
        std::fs::write(&file, "").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        let user = rustix::process::geteuid().as_raw();
        let said = denial(&file);
        let expected =
            format!("this process runs as uid {user}; the file belongs to uid {user} and gid");
        assert!(
            said.starts_with(&expected) && said.contains("mode 0640"),
            "{said}"
        );
        let said = denial(&folder.path().join("closed/users.yaml"));
        let nearest = format!(
            "the folder `{}` belongs to uid {user}",
            folder.path().display()
        );
        assert!(said.contains(&nearest), "{said}");
    }
}
