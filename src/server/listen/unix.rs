//! Sockets in the file system.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

use super::backlog::BACKLOG;

/// The owner and the group may connect: a proxy in front is made a member of the group.
const MODE: u32 = 0o660;

/// A socket's name; dropping it removes the file, if it is still this socket's.
pub(in crate::server) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

/// Binds a path. What a process has left there is replaced, what a process listens on is not.
pub(super) fn bind(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    make_room(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    // nobody can connect before `listen`, whatever the mode was until then
    fs::set_permissions(path, Permissions::from_mode(MODE))?;
    let file = SocketFile {
        path: path.to_owned(),
        identity: identity(path)?,
    };
    socket.listen(BACKLOG)?;
    Ok((socket.into(), file))
}

fn make_room(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if !metadata.file_type().is_socket() => Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "there is a file of that name that is no socket",
        )),
        Ok(_) => match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
            Err(error) => Err(error),
            Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
        },
    }
}

/// Device and inode.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // a gateway that was started in the meantime has put its own socket there
        if identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}
