//! Reading files, and remembering which: the reload watches exactly these.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Far above a users file of a hundred thousand entries, far below what would hurt.
const LARGEST: u64 = 256 * 1024 * 1024;

/// The files that were read so far, each with the digest of what it holds; `None` where it could not be read.
#[derive(Clone, Default)]
pub(super) struct Files(Vec<(PathBuf, Option<[u8; 32]>)>);

/// Whether these files still hold what gave this digest. They are read, and not kept.
pub fn are_unchanged(files: &[PathBuf], digest: &[u8; 32]) -> bool {
    let now = |path: &PathBuf| (path.clone(), digest_of(path).ok());
    Files(files.iter().map(now).collect()).finish().1 == *digest
}

impl Files {
    /// Reads a file whole.
    pub(super) fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        // a vector that grows takes up to three times what it holds
        let length = std::fs::metadata(path).map_or(0, |file| file.len().min(LARGEST));
        let mut bytes = Vec::with_capacity(length as usize + 1);
        let read = copy(path, &mut bytes);
        let digest = read.is_ok().then(|| Sha256::digest(&bytes).into());
        self.0.push((path.to_owned(), digest));
        read.map(|()| bytes)
    }

    /// Reads a text, without a byte order mark.
    pub(super) fn read_text(&mut self, path: &Path) -> io::Result<String> {
        let text = String::from_utf8(self.read(path)?).map_err(|error| not_text(&error))?;
        Ok(text
            .strip_prefix('\u{feff}')
            .map(str::to_owned)
            .unwrap_or(text))
    }

    /// Which files, and the digest over what they hold, whatever the order in which they were read.
    pub(super) fn finish(mut self) -> (Vec<PathBuf>, [u8; 32]) {
        self.0.sort();
        self.0.dedup();
        let mut whole = Sha256::new();
        for (path, digest) in &self.0 {
            let path = path.as_os_str().as_encoded_bytes();
            whole.update((path.len() as u64).to_be_bytes());
            whole.update(path);
            whole.update([u8::from(digest.is_some())]);
            whole.update(digest.unwrap_or_default());
        }
        let mut paths: Vec<_> = self.0.into_iter().map(|(path, _)| path).collect();
        paths.dedup();
        (paths, whole.finalize().into())
    }
}

fn digest_of(path: &Path) -> io::Result<[u8; 32]> {
    let mut digest = Sha256::new();
    copy(path, &mut digest)?;
    Ok(digest.finalize().into())
}

/// Reads a file whole, unless it is too large.
fn copy(path: &Path, into: &mut impl io::Write) -> io::Result<()> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    // a device or a pipe has no length, and may have no end
    let mut read = 0;
    if length <= LARGEST {
        read = io::copy(&mut file.take(LARGEST + 1), into)?;
    }
    if length.max(read) > LARGEST {
        let largest = LARGEST / 1024 / 1024;
        return Err(io::Error::other(format!("larger than {largest} MiB")));
    }
    Ok(())
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
    fn a_file_that_changes_goes_or_comes_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a", "b", "c"].map(|name| folder.path().join(name));
        let write = |index: usize, text: &str| std::fs::write(&paths[index], text).unwrap();
        write(0, "one");
        write(1, "two");
        let mut files = Files::default();
        for path in [&paths[2], &paths[1], &paths[0], &paths[1]] {
            let _ = files.read(path);
        }
        let (read, digest) = files.finish();
        assert_eq!(read, paths, "also what is not there");
        assert!(are_unchanged(&read, &digest));
        write(1, "twp");
        assert!(!are_unchanged(&read, &digest));
        write(1, "two");
        write(2, "");
        assert!(!are_unchanged(&read, &digest), "it came");
        std::fs::remove_file(&paths[2]).unwrap();
        assert!(are_unchanged(&read, &digest));
        std::fs::remove_file(&paths[0]).unwrap();
        assert!(!are_unchanged(&read, &digest), "it went");
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
