//! Records attempts at a server in the trace.

use super::attempt::Failed;
use super::exchange::UpstreamReply;
use super::outbound::Outbound;
use super::server::ServerConnections;
use crate::ambient;
use crate::telemetry::traces::{ServerAttempt, Trace};

/// Starts the span of an attempt and sends its context to the server.
pub(super) fn begin(
    trace: &Trace,
    outbound: &mut Outbound,
    server: &ServerConnections,
    name: &str,
) {
    let request = outbound.request_mut();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let scheme = if server.scheme() == http::uri::Scheme::HTTPS {
        "https"
    } else {
        "http"
    };
    let asked = || ServerAttempt {
        began: ambient::now(),
        method,
        scheme,
        server: name.to_owned(),
        path,
    };
    trace.ask(request.headers_mut(), ambient::random_bytes, asked);
}

/// Ends it: with the head of an answer, or without one.
pub(super) fn end(trace: &Trace, outcome: &Result<UpstreamReply, Failed>) {
    let outcome = match outcome {
        Ok(UpstreamReply::Answer(response)) => Ok((response.status().as_u16(), response.version())),
        Ok(UpstreamReply::Switched(switched)) => {
            Ok((switched.head.status.as_u16(), switched.head.version))
        }
        Err(failed) => Err(failed.error.label()),
    };
    trace.hear(ambient::now(), outcome);
}
