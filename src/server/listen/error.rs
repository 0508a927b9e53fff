//! Why an address cannot be listened on.

use std::{fmt, io};

use crate::config::Listen;

/// The gateway cannot listen on an address.
#[derive(Debug)]
pub struct ListenError {
    pub(super) place: Listen,
    pub(super) error: io::Error,
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on `{}`: {}", self.place, self.error)?;
        f.write_str(advice(&self.place, self.error.kind()))
    }
}

fn advice(place: &Listen, kind: io::ErrorKind) -> &'static str {
    use io::ErrorKind::{AddrInUse, AddrNotAvailable, NotFound, PermissionDenied};
    match place {
        Listen::Tcp(_) if kind == AddrInUse => {
            "; another process has it: end that one, or choose another port"
        }
        Listen::Tcp(_) if kind == PermissionDenied => {
            "; ports below 1024 need CAP_NET_BIND_SERVICE"
        }
        Listen::Tcp(_) if kind == AddrNotAvailable => "; it is no address of this machine",
        Listen::Unix(_) if kind == AddrInUse => {
            "; another process has it: end that one, or choose another path"
        }
        Listen::Unix(_) if kind == PermissionDenied => {
            "; the folder must be writable for the gateway's user"
        }
        Listen::Unix(_) if kind == NotFound => "; make its folder first",
        Listen::Tcp(_) | Listen::Unix(_) | Listen::Systemd => "",
    }
}

impl std::error::Error for ListenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}
