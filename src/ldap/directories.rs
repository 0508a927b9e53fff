//! The directory over every reload.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::runtime::Handle;

use super::directory::LdapDirectory;
use super::settings::LdapSettings;
use crate::telemetry::metrics::Metrics;

/// Keeps the connections to a directory through reloads that change nothing about it.
pub struct LdapDirectories {
    runtime: Handle,
    metrics: Arc<Metrics>,
    known: Mutex<Weak<LdapDirectory>>,
}

impl LdapDirectories {
    /// Directories are asked by tasks of this runtime.
    pub fn new(runtime: Handle, metrics: Arc<Metrics>) -> Self {
        Self {
            runtime,
            metrics,
            known: Mutex::default(),
        }
    }

    /// The directory with these settings: the one in use, else a new one.
    pub fn directory(&self, settings: LdapSettings) -> Arc<LdapDirectory> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = known
            .upgrade()
            .filter(|known| *known.settings() == settings)
        {
            return same;
        }
        let new = Arc::new(LdapDirectory::new(
            settings,
            self.runtime.clone(),
            Arc::clone(&self.metrics),
        ));
        *known = Arc::downgrade(&new);
        new
    }
}
