//! The connection to the collector.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper_util::rt::TokioIo;
use tonic::transport::{Channel, Endpoint};
use tower_service::Service;

use super::settings::TraceSettings;
use crate::net::{Alpn, DialError, DialedStream, Dialer, ServerAddress, TlsSettings};

/// Connects with the first export, and again whenever the connection has ended.
pub(super) fn channel(settings: &TraceSettings) -> Result<Channel, Box<dyn std::error::Error>> {
    let collector = &settings.collector;
    let port = if settings.tls.is_some() { 443 } else { 80 };
    let server = collector
        .authority()
        .and_then(|authority| ServerAddress::from_authority(authority, port))
        .ok_or("the collector has no host")?;
    // the connector speaks TLS; what is `https` for the channel would need TLS of its own
    let mut parts = collector.clone().into_parts();
    parts.scheme = Some(Scheme::HTTP);
    let endpoint = Endpoint::from(Uri::from_parts(parts)?)
        .origin(collector.clone())
        .user_agent(concat!("gatelatch/", env!("CARGO_PKG_VERSION")))?
        .connect_timeout(settings.timeout)
        .timeout(settings.timeout);
    Ok(endpoint.connect_with_connector_lazy(Connector {
        server,
        tls: settings.tls.clone(),
        limit: settings.timeout,
    }))
}

/// Opens connections to the collector.
#[derive(Clone)]
struct Connector {
    server: ServerAddress,
    tls: Option<Arc<TlsSettings>>,
    limit: Duration,
}

impl Service<Uri> for Connector {
    type Response = TokioIo<DialedStream>;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, DialError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let Self { server, tls, limit } = self.clone();
        Box::pin(async move {
            let tls = tls.as_deref().map(|tls| (tls, Alpn::Http2));
            // made anew: a connection is rare, and `resolv.conf` may have changed
            let stream = Dialer::default().connect(&server, tls, limit).await?;
            Ok(TokioIo::new(stream))
        })
    }
}
