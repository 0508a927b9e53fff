//! One check: a GET over a connection of its own.

use std::fmt::Display;

use bytes::Bytes;
use http::header::{HOST, USER_AGENT};
use http::uri::{Authority, Scheme};
use http::{Request, StatusCode, Uri};
use http_body_util::Empty;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::time::timeout;

use super::abort_on_drop::AbortOnDrop;
use super::check::HealthCheck;
use crate::net::{Alpn, DialedStream, Dialer};
use crate::upstream::connect::{UpstreamProtocol, connect};
use crate::upstream::origin::Speaks;

const AGENT: &str = concat!("gatelatch/", env!("CARGO_PKG_VERSION"));

/// Probes once; the error describes the fault of the server.
pub(super) async fn probe(dialer: &Dialer, check: &HealthCheck) -> Result<(), String> {
    let status = match timeout(check.health.timeout, ask(dialer, check)).await {
        Ok(answered) => answered?,
        Err(_) => {
            return Err(format!(
                "its check takes longer than {:?}",
                check.health.timeout
            ));
        }
    };
    if status.is_success() || status.is_redirection() {
        Ok(())
    } else {
        Err(format!("its check is answered with {}", status.as_u16()))
    }
}

async fn ask(dialer: &Dialer, check: &HealthCheck) -> Result<StatusCode, String> {
    let (origin, tls) = (&check.origin, check.tls.as_deref());
    let limit = check.health.timeout;
    let (stream, protocol) = connect(dialer, origin, tls, Alpn::Http2OrHttp1, limit)
        .await
        .inspect_err(|error| check.note_tls_failure(error))
        .map_err(failed)?;
    match protocol {
        UpstreamProtocol::Http1 => ask_http1(stream, check).await.map_err(failed),
        UpstreamProtocol::Http2 => ask_http2(stream, check).await.map_err(failed),
    }
}

async fn ask_http1(stream: DialedStream, check: &HealthCheck) -> hyper::Result<StatusCode> {
    let (mut sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
    let _running = AbortOnDrop(tokio::spawn(driver).abort_handle());
    let mut request = request(Uri::from(check.health.path.clone()));
    request
        .headers_mut()
        .insert(HOST, check.origin.host_field());
    Ok(sender.send_request(request).await?.status())
}

async fn ask_http2(stream: DialedStream, check: &HealthCheck) -> hyper::Result<StatusCode> {
    let (mut sender, driver) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    let _running = AbortOnDrop(tokio::spawn(driver).abort_handle());
    Ok(sender
        .send_request(request(absolute(check)))
        .await?
        .status())
}

fn absolute(check: &HealthCheck) -> Uri {
    let scheme = if check.origin.speaks() == Speaks::Tls {
        Scheme::HTTPS
    } else {
        Scheme::HTTP
    };
    let authority =
        Authority::try_from(check.origin.host_field().as_bytes()).expect("an origin's host is one");
    let whole = Uri::builder()
        .scheme(scheme)
        .authority(authority)
        .path_and_query(check.health.path.clone());
    whole.build().expect("its parts are parsed")
}

fn request(uri: Uri) -> Request<Empty<Bytes>> {
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = uri;
    request
        .headers_mut()
        .insert(USER_AGENT, http::HeaderValue::from_static(AGENT));
    request
}

fn failed(error: impl Display) -> String {
    error.to_string()
}
