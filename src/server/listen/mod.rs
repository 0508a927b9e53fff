//! Listening sockets. TCP has one for each worker and address, so that the kernel spreads connections and no worker
//! waits for another (`SO_REUSEPORT`); what cannot be bound twice is shared by all workers.

mod backlog;
mod error;
mod listener;
mod systemd;
mod tcp;
mod unix;

pub(super) use tcp::bind_alone;

use std::io;

pub use self::error::ListenError;
pub use self::listener::ListenAddress;
pub(super) use self::listener::{Accepting, Listener, Owner};
use self::unix::SocketFile;
use crate::config::Listen;

/// The sockets of each worker, and where they are.
pub(super) struct Listeners {
    pub(super) of_worker: Vec<Vec<Listener>>,
    pub(super) endpoints: Vec<ListenAddress>,
    /// Dropped, they are removed.
    pub(super) files: Vec<SocketFile>,
}

/// Binds everything once for each worker. Port 0 is chosen once and shared.
pub(super) fn bind_all(places: &[Listen], workers: usize) -> Result<Listeners, ListenError> {
    for place in places {
        if let Listen::Tcp(address) = place {
            tcp::probe(*address).map_err(|error| ListenError {
                place: place.clone(),
                error,
            })?;
        }
    }
    let of_worker = (0..workers).map(|_| Vec::new()).collect();
    let mut listeners = Listeners {
        of_worker,
        endpoints: Vec::new(),
        files: Vec::new(),
    };
    for place in places {
        listeners.bind(place).map_err(|error| ListenError {
            place: place.clone(),
            error,
        })?;
    }
    Ok(listeners)
}

impl Listeners {
    fn bind(&mut self, place: &Listen) -> io::Result<()> {
        match place {
            Listen::Tcp(address) => {
                let mut bound = *address;
                for worker in &mut self.of_worker {
                    let listener = tcp::bind(bound)?;
                    bound = listener.local_addr()?;
                    worker.push(Listener::Tcp(listener, Owner::Gateway));
                }
                self.endpoints.push(ListenAddress::Tcp(bound));
                Ok(())
            }
            Listen::Unix(path) => {
                let (listener, file) = unix::bind(path)?;
                self.files.push(file);
                self.share(&Listener::Unix(listener, Owner::Gateway))
            }
            Listen::Systemd => systemd::take_all()?
                .iter()
                .try_for_each(|listener| self.share(listener)),
        }
    }

    fn share(&mut self, listener: &Listener) -> io::Result<()> {
        for worker in &mut self.of_worker {
            worker.push(listener.try_clone()?);
        }
        self.endpoints.push(listener.endpoint()?);
        Ok(())
    }
}
