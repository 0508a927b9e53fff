//! A permitted request, written anew for the upstream. There is no other way to make one than from a permit.

use std::cell::Cell;
use std::num::NonZeroU64;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, SEC_WEBSOCKET_KEY, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE, VIA,
};
use http::uri::PathAndQuery;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};
use http_body::Body as _;
use hyper::body::Incoming;

use super::body::{Exchange, RequestBody, Watch};
use super::error::PrepareError;
use super::gate::Gate;
use super::settings::{HostHeader, Settings};
use crate::access::{CaseRule, Mount, PathOptions, Permit, RequestPath};
use crate::ambient::{self, Ticker};
use crate::wire::{
    Authorization, CredentialSource, FieldFilter, Host, IdentitySettings, Intake, Nominated, Upgrade, UpgradeForm,
    announce_trailers, move_fields, via,
};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How the requests of one service are written.
#[derive(Clone, Debug)]
pub struct Forwarding {
    /// Where they go.
    pub upstream: Settings,
    /// The upstream's own `Host`.
    pub upstream_host: HeaderValue,
    /// Which fields pass.
    pub filter: Arc<FieldFilter>,
    /// What is said about the caller.
    pub identity: IdentitySettings,
    /// What is taken off the path; `None`: nothing.
    pub strip: Option<Mount>,
    /// How the mount is compared.
    pub case: CaseRule,
    /// What a path may hold, for the check after the strip.
    pub paths: PathOptions,
    /// Bytes of a request body; `None`: unlimited.
    pub body_limit: Option<NonZeroU64>,
    /// How far apart two pieces of a request body may be.
    pub body_timeout: Duration,
}

/// A request that may leave.
pub struct Outbound {
    request: Request<RequestBody>,
    upgrade: Option<HeaderValue>,
}

impl Outbound {
    /// Writes the permitted request: the permit's path, the client's fields that pass the filter, and what the gateway
    /// says about client and caller.
    ///
    /// # Errors
    /// [`PrepareError`] for a stripped path that is ambiguous and for an announced body over the limit.
    pub fn prepare(
        permit: Permit<'_>,
        host: &Host,
        intake: Intake,
        body: Incoming,
        how: &Forwarding,
        extra: Extra<'_>,
    ) -> Result<Self, PrepareError> {
        let uri = outbound_uri(&permit, &intake.head.uri, how)?;
        check_announced(&body, how)?;
        let framing = framing_field(&body, &intake.head.headers);
        let gate = (intake.waits_for_continue && !body.is_end_stream()).then(Gate::shut);
        let upgrade = intake.upgrade.clone();
        let mut request = Request::new(watched(body, how, extra.ticker, gate.clone()));
        *request.method_mut() = intake.head.method.clone();
        *request.uri_mut() = uri;
        *request.version_mut() = Version::HTTP_11;
        let (mut fields, extensions) = write_fields(&permit, host, intake, how, extra.request_id);
        if let Some((name, value)) = framing {
            fields.insert(name, value);
        }
        *request.headers_mut() = fields;
        // hyper keeps the spelling of field names here
        *request.extensions_mut() = extensions;
        if let Some(gate) = gate {
            request.headers_mut().insert(EXPECT, HeaderValue::from_static("100-continue"));
            hyper::ext::on_informational(&mut request, move |answer| gate.hear(answer.status()));
        }
        Ok(Self { request, upgrade: upgrade.map(|upgrade| upgrade.protocol) })
    }

    /// The protocol that the request asks to switch to.
    pub(super) fn upgrade(&self) -> Option<&HeaderValue> {
        self.upgrade.as_ref()
    }

    pub(super) fn again(request: Request<RequestBody>, upgrade: Option<HeaderValue>) -> Self {
        Self { request, upgrade }
    }

    pub(super) fn into_request(self) -> Request<RequestBody> {
        self.request
    }

    /// A second copy, where sending twice is the same as sending once: idempotent and without a body
    /// (RFC 9110, section 9.2.2).
    pub(super) fn spare(&self) -> Option<Self> {
        let idempotent = matches!(
            *self.request.method(),
            Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE
        );
        if !idempotent || self.request.body().exchange().is_some() {
            return None;
        }
        let mut copy = Request::new(RequestBody::empty());
        copy.method_mut().clone_from(self.request.method());
        copy.uri_mut().clone_from(self.request.uri());
        // without the spelling of the names, which hyper keeps beside them: nearly every copy is made in vain
        copy.headers_mut().clone_from(self.request.headers());
        Some(Self { request: copy, upgrade: self.upgrade.clone() })
    }
}

/// What the worker adds to a request.
pub struct Extra<'a> {
    /// `X-Request-Id`.
    pub request_id: HeaderValue,
    /// Makes the deadlines of a body.
    pub ticker: &'a Ticker,
}

/// Origin-form: the decided path, and the query as it came.
fn outbound_uri(permit: &Permit<'_>, sent: &Uri, how: &Forwarding) -> Result<Uri, PrepareError> {
    let stripped: Option<RequestPath> = match &how.strip {
        Some(mount) => permit.path().strip(mount, how.case, how.paths).transpose().map_err(PrepareError::Path)?,
        None => None,
    };
    let path = stripped.as_ref().unwrap_or(permit.path()).as_str();
    let origin_form = sent.scheme().is_none() && sent.path() == path;
    if origin_form {
        return Ok(sent.clone());
    }
    let target = match sent.query() {
        Some(query) => PathAndQuery::try_from(format!("{path}?{query}")),
        None => PathAndQuery::try_from(path),
    };
    Ok(Uri::from(target.expect("a request path and a received query are a target")))
}

fn check_announced(body: &Incoming, how: &Forwarding) -> Result<(), PrepareError> {
    let over = |limit: NonZeroU64| body.size_hint().lower() > limit.get();
    if how.body_limit.is_some_and(over) { Err(PrepareError::BodyTooLarge) } else { Ok(()) }
}

/// The field that says how long the body is, where hyper would not write it. Some servers ask a POST without a body for
/// its length; and hyper believes that a GET of unknown length has no body.
fn framing_field(body: &Incoming, sent: &HeaderMap) -> Option<(HeaderName, HeaderValue)> {
    if body.is_end_stream() {
        return sent.contains_key(CONTENT_LENGTH).then_some((CONTENT_LENGTH, HeaderValue::from_static("0")));
    }
    let unknown = body.size_hint().exact().is_none();
    unknown.then_some((TRANSFER_ENCODING, HeaderValue::from_static("chunked")))
}

fn watched(body: Incoming, how: &Forwarding, ticker: &Ticker, gate: Option<Arc<Gate>>) -> RequestBody {
    if body.is_end_stream() {
        return RequestBody::empty();
    }
    let exchange = Exchange {
        fault: Cell::new(None),
        gate,
        response: ticker.deadline(),
        response_after: how.upstream.timeouts.response,
    };
    let stall = ticker.deadline();
    let limit = how.body_limit.map_or(u64::MAX, NonZeroU64::get);
    let (filter, exchange) = (Arc::clone(&how.filter), Rc::new(exchange));
    RequestBody::streamed(body, Watch { limit, stall, stall_after: how.body_timeout, filter, exchange })
}

fn write_fields(
    permit: &Permit<'_>,
    host: &Host,
    intake: Intake,
    how: &Forwarding,
    request_id: HeaderValue,
) -> (HeaderMap, Extensions) {
    let Intake { head, client, said, credential, upgrade, takes_trailers, .. } = intake;
    let via = via(head.version);
    let mut fields = HeaderMap::with_capacity(head.headers.len() + 10);
    fields.insert(HOST, outbound_host(host, how));
    let bearer = credential.is_some_and(|credential| credential.source() == CredentialSource::Bearer);
    let used = bearer && permit.identity().is_some();
    let drop_credential = used && how.identity.authorization == Authorization::Remove;
    let trailers = announce_trailers(&head.headers, |name| how.filter.passes_trailer(name));
    pass_fields(head.headers, &mut fields, &how.filter, drop_credential);
    client.set_fields(&mut fields, said, host.field(), how.strip.as_ref().map(Mount::source));
    fields.insert(X_REQUEST_ID, request_id);
    fields.append(VIA, via);
    if let Some(names) = trailers {
        fields.insert(TRAILER, names);
    }
    write_connection(&mut fields, upgrade, takes_trailers);
    if let Some(identity) = permit.identity() {
        how.identity.set_fields(&mut fields, identity);
    }
    (fields, head.extensions)
}

/// What the gateway itself wants of the connection to the upstream (RFC 9110, sections 7.8 and 10.1.4).
fn write_connection(fields: &mut HeaderMap, upgrade: Option<Upgrade>, takes_trailers: bool) {
    if takes_trailers {
        fields.insert(TE, HeaderValue::from_static("trailers"));
        fields.insert(CONNECTION, HeaderValue::from_static("te"));
    }
    let Some(Upgrade { protocol, form }) = upgrade else { return };
    fields.append(CONNECTION, HeaderValue::from_static("upgrade"));
    if form == UpgradeForm::Connect {
        // HTTP/2 does without a key; the upstream does not (RFC 8441, section 5.1)
        let key = STANDARD.encode(ambient::random_bytes::<16>());
        fields.insert(SEC_WEBSOCKET_KEY, HeaderValue::try_from(key).expect("base64 is visible ASCII"));
    }
    fields.insert(UPGRADE, protocol);
}

fn outbound_host(host: &Host, how: &Forwarding) -> HeaderValue {
    match how.upstream.host {
        HostHeader::Preserve => host.field().clone(),
        HostHeader::Upstream => how.upstream_host.clone(),
    }
}

/// Moves the fields that pass, in their order.
fn pass_fields(sent: HeaderMap, fields: &mut HeaderMap, filter: &FieldFilter, drop_credential: bool) {
    let nominated = Nominated::read(&sent);
    let passes = |name: &HeaderName| {
        filter.passes(name) && !(drop_credential && *name == AUTHORIZATION) && !nominated.contains(name)
    };
    move_fields(sent, fields, passes);
}
