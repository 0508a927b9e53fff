//! The thread of a store, and why there is none.

use std::path::PathBuf;
use std::sync::Arc;
use std::{fmt, io, thread};

use ahash::RandomState;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc::Receiver;

use super::file::{self, FileError, FileStore};
use super::health::StoreHealth;
use super::job::Job;
use super::local::{self, Local};
use super::remote;
use super::revocations::Revocations;
use super::settings::StateSettings;

/// Why there is no store at the start.
#[derive(Debug)]
pub enum StateError {
    /// The file cannot be used.
    File(PathBuf, String),
    /// Another process has the file.
    InUse(PathBuf),
    /// The thread of the store has ended.
    Ended,
    /// The system gives no thread.
    System(io::Error),
}

/// What the thread of a store works with.
pub(super) struct StoreThread {
    pub(super) jobs: Receiver<Job>,
    pub(super) revocations: Arc<Revocations>,
    pub(super) health: Arc<StoreHealth>,
}

impl StoreThread {
    /// Starts the store of these settings. A file is open when this returns.
    pub(super) fn serve(
        self,
        settings: &StateSettings,
        hasher: RandomState,
    ) -> Result<(), StateError> {
        match settings {
            StateSettings::Memory => {
                let local = Local::new(&hasher);
                self.spawn(async move |thread| {
                    local::serve_memory(thread.jobs, local, &thread.revocations).await
                })
            }
            StateSettings::File(path) => {
                let file_error = |error: FileError| match error {
                    FileError::Taken => StateError::InUse(path.clone()),
                    FileError::Open(_) | FileError::Database(_) => {
                        StateError::File(path.clone(), error.to_string())
                    }
                };
                let (store, local) =
                    FileStore::open(path, &self.revocations, hasher).map_err(file_error)?;
                self.spawn(async move |thread| {
                    file::serve_file(
                        thread.jobs,
                        store,
                        local,
                        thread.revocations,
                        &thread.health,
                    )
                    .await;
                })
            }
            StateSettings::Redis(settings) => {
                let settings = settings.clone();
                self.spawn(async move |thread| {
                    remote::serve(thread.jobs, settings, thread.revocations, thread.health).await;
                })
            }
        }
    }

    /// Runs a store on a thread of its own.
    fn spawn(self, serve: impl AsyncFnOnce(Self) + Send + 'static) -> Result<(), StateError> {
        let runtime = || {
            Builder::new_current_thread()
                .enable_all()
                .build_local(LocalOptions::default())
        };
        let run = move || {
            let _watch = Watch(Arc::clone(&self.health));
            match runtime() {
                Ok(runtime) => runtime.block_on(serve(self)),
                Err(error) => self.health.lost(&error),
            }
        };
        thread::Builder::new()
            .name("state".to_owned())
            .spawn(run)
            .map_err(StateError::System)?;
        Ok(())
    }
}

/// Says that a store has broken off by a panic: nothing brings it back but a restart, which `/readyz` asks for.
struct Watch(Arc<StoreHealth>);

impl Drop for Watch {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.lost(&"its thread has panicked");
        }
    }
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, reason) => {
                write!(f, "cannot use `state: file:{}`: {reason}", path.display())
            }
            Self::InUse(path) => {
                let (path, reason) = (path.display(), FileError::Taken);
                write!(f, "cannot use `state: file:{path}`: {reason}")
            }
            Self::Ended => f.write_str("the state store has ended unexpectedly; the log says more"),
            Self::System(error) => {
                write!(f, "the system refuses what the state store needs: {error}")
            }
        }
    }
}

impl std::error::Error for StateError {}
