//! Sockets that the service manager has opened: systemd's socket activation (sd_listen_fds(3)).

use std::io;

use listenfd::ListenFd;

use super::listener::{Listener, Owner};

/// All sockets that were handed over. They can be taken once in the life of a process.
pub(super) fn take_all() -> io::Result<Vec<Listener>> {
    let mut handed_over = ListenFd::from_env();
    if handed_over.len() == 0 {
        return Err(io::Error::other(
            "no socket was handed over to this process (LISTEN_FDS, LISTEN_PID); start the unit's `.socket`, or write an \
             address",
        ));
    }
    (0..handed_over.len())
        .map(|index| take(&mut handed_over, index))
        .collect()
}

fn take(handed_over: &mut ListenFd, index: usize) -> io::Result<Listener> {
    // a socket of another kind stays where it is, and the next line says what it is not
    if let Ok(Some(listener)) = handed_over.take_unix_listener(index) {
        listener.set_nonblocking(true)?;
        return Ok(Listener::Unix(listener, Owner::Manager));
    }
    let taken = handed_over.take_tcp_listener(index)?;
    let listener = taken.ok_or_else(|| io::Error::other("a socket was handed over twice"))?;
    listener.set_nonblocking(true)?;
    Ok(Listener::Tcp(listener, Owner::Manager))
}
