//! The thread on which codes are redeemed, behind the workers: connections, handshakes and signatures of a storm of sign-ins
//! delay no proxied request.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{fmt, io, thread};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot::{self, Sender};
use tokio::task::JoinSet;

use super::error::ProviderError;
use crate::ambient;
use crate::net::TlsSettings;

/// How long the authorities that the system trusts are not read again.
const ROOTS_LAST: Duration = Duration::from_secs(300);

/// A thread of low priority, and what its exchanges share. It ends with this value.
pub(super) struct ExchangeThread {
    runtime: Handle,
    system: Mutex<Option<(Instant, Arc<TlsSettings>)>>,
    _running: Sender<()>,
}

impl ExchangeThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where the system gives no thread, or nothing to wait with.
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (running, ended) = oneshot::channel();
        thread::Builder::new()
            .name("exchanges".to_owned())
            .spawn(move || {
                ambient::stand_back();
                let _ = runtime.block_on(ended);
            })?;
        Ok(Self {
            runtime: handle,
            system: Mutex::default(),
            _running: running,
        })
    }

    /// What comes of an exchange. It is given up where nobody waits for that any more.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        exchange: impl Future<Output = Result<T, ProviderError>> + Send + 'static,
    ) -> Result<T, ProviderError> {
        let mut exchanges = JoinSet::new();
        exchanges.spawn_on(exchange, &self.runtime);
        let ended = exchanges.join_next().await.and_then(Result::ok);
        // the panic has said so itself
        ended.unwrap_or_else(|| {
            let reason = "the exchange broke off".to_owned();
            Err(ProviderError::Unavailable(reason))
        })
    }

    /// The authorities that the system trusts, as read within the last five minutes. Handshakes that share them resume
    /// sessions.
    pub(super) fn system_tls(&self) -> Arc<TlsSettings> {
        let now = ambient::now();
        let mut system = self.system.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = |(read, _): &&(Instant, _)| now.saturating_duration_since(*read) < ROOTS_LAST;
        if let Some((_, settings)) = system.as_ref().filter(recent) {
            return Arc::clone(settings);
        }
        let settings = Arc::new(TlsSettings::system());
        *system = Some((now, Arc::clone(&settings)));
        settings
    }
}

impl fmt::Debug for ExchangeThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExchangeThread")
    }
}
