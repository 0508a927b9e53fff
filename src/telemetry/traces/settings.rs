//! What the configuration says about traces.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};

use crate::net::TlsSettings;

/// Where spans go, and which requests are traced.
#[derive(Clone, PartialEq)]
pub struct TraceSettings {
    /// The collector: `http://host:port` or `https://host:port`.
    pub collector: Uri,
    /// How a collector with `https://` is verified; `None` without TLS.
    pub tls: Option<Arc<TlsSettings>>,
    /// Sent with each export; all values are secrets.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// How long one export may take, its retries included; default 10 s.
    pub timeout: Duration,
    /// The share of new traces that are recorded, from 0 to 1; default 1.
    pub sample: f64,
    /// `service.name`; `None`: `OTEL_SERVICE_NAME`, else `gatelatch`.
    pub service_name: Option<String>,
    /// Whose sampled flag counts; default that of trusted proxies.
    pub trust: TrustContext,
}

/// Whose sampling decision is followed. The trace itself is always continued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrustContext {
    /// That of `server.trusted_proxies`: other clients could have every request recorded at no cost to them.
    #[default]
    Proxies,
    /// Everybody's, for networks without strangers.
    Any,
}

/// Without the values of headers.
impl fmt::Debug for TraceSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("TraceSettings")
            .field("collector", &self.collector)
            .field("headers", &names)
            .field("sample", &self.sample)
            .finish_non_exhaustive()
    }
}
