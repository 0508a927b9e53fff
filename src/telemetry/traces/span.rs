//! What a span says, in the words of the semantic conventions for HTTP.

use std::borrow::Cow;
use std::time::Instant;

use http::{Method, Version};
use opentelemetry::trace::{SpanId, SpanKind, Status};
use opentelemetry::{KeyValue, Value};

use crate::access::ClientAddress;

/// What is known of a request when it is over. There is no place for a query string, a token or a password, on purpose.
#[derive(Clone, Debug)]
pub struct ServerSpan<'a> {
    /// When the request was over.
    pub ended: Instant,
    /// As decided on.
    pub method: &'a Method,
    /// The path that was decided on.
    pub path: &'a str,
    /// The pattern that covers it; `None` where none does: a path is no name for a group of requests.
    pub route: Option<&'a str>,
    /// The host that the client requested.
    pub host: &'a str,
    /// The client's address, as far as it is believed.
    pub client: ClientAddress,
    /// The subject of the identity.
    pub user: Option<&'a str>,
    /// The service's name.
    pub service: Option<&'a str>,
    /// The rule's name.
    pub rule: Option<&'a str>,
    /// How it was decided.
    pub decision: &'static str,
    /// Why it was refused, or what went wrong.
    pub reason: Option<&'a str>,
    /// `X-Request-Id`.
    pub request_id: &'a str,
    /// The status code of the answer; `None` where there was none.
    pub status: Option<u16>,
    /// What went wrong, as a short fixed name, where the status does not say it.
    pub error: Option<&'static str>,
}

/// How an attempt to reach a server ended.
pub type AttemptOutcome = Result<(u16, Version), &'static str>;

/// One attempt to reach a server.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) id: SpanId,
    pub(super) began: Instant,
    pub(super) method: Method,
    pub(super) scheme: &'static str,
    /// As it is called in logs: `host:port` or the path of a socket.
    pub(super) server: String,
    pub(super) path: String,
    /// `None` where the exchange was given up before its end.
    pub(super) ended: Option<(Instant, AttemptOutcome)>,
}

/// The identifier of a span within its trace.
pub(super) struct Told {
    pub(super) kind: SpanKind,
    pub(super) name: Cow<'static, str>,
    pub(super) attributes: Vec<KeyValue>,
    pub(super) status: Status,
}

impl ServerSpan<'_> {
    /// `agent`, `version` and `scheme` are the client's.
    pub(super) fn told(&self, agent: Option<&str>, version: Version, scheme: &'static str) -> Told {
        let mut attributes = method(self.method);
        let mut say = |key: &'static str, value: Value| attributes.push(KeyValue::new(key, value));
        say("url.path", self.path.to_owned().into());
        say("url.scheme", scheme.into());
        say("server.address", self.host.to_owned().into());
        if let ClientAddress::Known(address) = self.client {
            say("client.address", address.to_string().into());
        }
        say("network.protocol.version", protocol(version).into());
        say("gatelatch.decision", self.decision.into());
        say("gatelatch.request_id", self.request_id.to_owned().into());
        let mut say_some = |key: &'static str, text: Option<&str>| {
            text.into_iter()
                .for_each(|text| say(key, text.to_owned().into()));
        };
        say_some("http.route", self.route);
        say_some("user_agent.original", agent);
        say_some("user.id", self.user);
        say_some("gatelatch.service", self.service);
        say_some("gatelatch.rule", self.rule);
        say_some("gatelatch.reason", self.reason);
        let fault = self.status.filter(|status| *status >= 500);
        let error = self
            .error
            .map(Cow::Borrowed)
            .or_else(|| fault.map(|status| status.to_string().into()));
        // a client that goes away, or asks for what it may not have, is no fault of the server
        let failed = fault.is_some() || (self.error.is_some() && self.status.is_some());
        add_result(&mut attributes, self.status, error);
        let name = name(self.method, self.route);
        Told {
            kind: SpanKind::Server,
            name,
            attributes,
            status: status(failed),
        }
    }
}

impl Attempt {
    /// `resent`: how many attempts were before.
    pub(super) fn told(&self, resent: usize) -> Told {
        let mut attributes = method(&self.method);
        let mut say = |key: &'static str, value: Value| attributes.push(KeyValue::new(key, value));
        match self
            .server
            .rsplit_once(':')
            .and_then(|(host, port)| Some((host, port.parse::<i64>().ok()?)))
        {
            Some((host, port)) => {
                say(
                    "server.address",
                    host.trim_matches(['[', ']']).to_owned().into(),
                );
                say("server.port", port.into());
                say(
                    "url.full",
                    format!("{}://{}{}", self.scheme, self.server, self.path).into(),
                );
            }
            None => say("server.address", self.server.clone().into()),
        }
        say("url.path", self.path.clone().into());
        if let Ok(resent @ 1..) = i64::try_from(resent) {
            say("http.request.resend_count", resent.into());
        }
        let (code, error) = match self.ended {
            Some((_, Ok((code, version)))) => {
                say("network.protocol.version", protocol(version).into());
                (Some(code), (code >= 400).then(|| code.to_string().into()))
            }
            Some((_, Err(error))) => (None, Some(error.into())),
            None => (None, Some("cancelled".into())),
        };
        let failed = error.is_some();
        add_result(&mut attributes, code, error);
        Told {
            kind: SpanKind::Client,
            name: name(&self.method, None),
            attributes,
            status: status(failed),
        }
    }
}

fn method(method: &Method) -> Vec<KeyValue> {
    let mut attributes = Vec::with_capacity(20);
    match known(method) {
        Some(known) => attributes.push(KeyValue::new("http.request.method", known)),
        None => {
            attributes.push(KeyValue::new("http.request.method", "_OTHER"));
            attributes.push(KeyValue::new(
                "http.request.method_original",
                method.as_str().to_owned(),
            ));
        }
    }
    attributes
}

/// Only these are names of groups: a client may make up as many others as it likes.
fn known(method: &Method) -> Option<&'static str> {
    [
        "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE",
    ]
    .into_iter()
    .find(|known| method.as_str() == *known)
}

fn name(method: &Method, route: Option<&str>) -> Cow<'static, str> {
    match (known(method).unwrap_or("HTTP"), route) {
        (method, Some(route)) => format!("{method} {route}").into(),
        (method, None) => method.into(),
    }
}

fn add_result(attributes: &mut Vec<KeyValue>, code: Option<u16>, error: Option<Cow<'static, str>>) {
    let code = code.map(|code| KeyValue::new("http.response.status_code", i64::from(code)));
    attributes.extend(
        code.into_iter()
            .chain(error.map(|error| KeyValue::new("error.type", error))),
    );
}

/// The description stays empty: the status code, or `error.type`, says it.
fn status(failed: bool) -> Status {
    if failed {
        Status::error("")
    } else {
        Status::Unset
    }
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    }
}
