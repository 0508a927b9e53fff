//! How many files and sockets the process may open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard one. The soft limit of most systems, 1024, is kept low for programs that use
/// `select`, and would end at a twentieth of the connections that `server.limits.connections` promises.
pub(super) fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    if let Err(error) = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    ) {
        tracing::warn!(%error, limit = current, "the limit of open files cannot be raised");
    }
}
