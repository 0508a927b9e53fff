//! A permitted request, written anew for the upstream. There is no other way to make one than from a permit.

use std::cell::{Cell, RefCell};
use std::num::NonZeroU64;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, TE,
    TRAILER, TRANSFER_ENCODING, VIA,
};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version,
};
use http_body::Body as _;

use super::answer_first::PIECE;
use super::body::{BodyExchange, BodyWatch, Progress, RequestBody};
use super::body_gate::BodyGate;
use super::client_body::ClientBody;
use super::error::PrepareError;
use super::origin::{Origin, Speaks};
use super::settings::Settings;
use super::spare::Spare;
use crate::access::{CaseRule, Mount, PathOptions, Permit, RequestPath};
use crate::ambient::{self, Ticker};
use crate::wire::{
    Credential, DESTINATION, FieldFilter, FieldPresence, IdentitySettings, Intake, Interim,
    Nominated, Upgrade, UpgradeForm, announce_trailers, own_protocols, retain_fields, via,
};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// About how many fields the gateway adds to a request.
const OWN_FIELDS: usize = 10;

/// How the requests of one service are written.
#[derive(Clone, Debug)]
pub struct Forwarding {
    /// Where they go.
    pub upstream: Settings,
    /// Which fields pass.
    pub filter: Arc<FieldFilter>,
    /// The identity headers of the caller.
    pub identity: IdentitySettings,
    /// What is taken off the path; `None`: nothing.
    pub strip: Option<Mount>,
    /// How the mount is compared.
    pub case: CaseRule,
    /// Which paths are valid, for the check after the prefix is stripped.
    pub paths: PathOptions,
    /// Bytes of a request body; `None`: unlimited.
    pub body_limit: Option<NonZeroU64>,
    /// How far apart two pieces of a request body may be.
    pub body_timeout: Duration,
}

/// A request that may leave. It is boxed: on its way to a connection it passes through many hands.
pub struct Outbound(Box<Written>);

struct Written {
    request: Request<RequestBody>,
    /// How much of the answer is read at once.
    piece: usize,
    /// The protocol to switch to. The fields that ask for it are written with the connection.
    upgrade: Option<HeaderValue>,
    /// Where interim answers go.
    interim: Option<Arc<Interim>>,
}

/// Lets interim answers pass: `100 Continue` opens the gate of the body, others go to the client.
pub(super) fn hear_interim(
    request: &mut Request<RequestBody>,
    gate: Option<Arc<BodyGate>>,
    interim: Option<Arc<Interim>>,
) {
    if gate.is_none() && interim.is_none() {
        return;
    }
    hyper::ext::on_informational(request, move |answer| {
        match (answer.status(), &gate, &interim) {
            // hyper sends the client `100 Continue` when the gateway polls its body
            (StatusCode::CONTINUE, Some(gate), _) => gate.open(),
            (StatusCode::CONTINUE, None, _) | (_, _, None) => {}
            (status, _, Some(interim)) => interim.push_answer(status, answer.headers()),
        }
    });
}

impl Outbound {
    /// Writes the permitted request: the permit's path, the client's fields that pass the filter, and what the gateway
    /// says about client and caller.
    ///
    /// # Errors
    /// [`PrepareError`] for a stripped path that is ambiguous and for an announced body over the limit.
    pub fn prepare(
        permit: Permit<'_>,
        intake: Intake,
        body: ClientBody,
        how: &Forwarding,
        context: RequestContext<'_>,
    ) -> Result<Self, PrepareError> {
        let uri = outbound_uri(&permit, &intake.head.uri, how)?;
        let destination = destination_field(&permit, &intake, how)?;
        check_announced(&body, how)?;
        let framing = framing_field(&body, intake.present);
        let gate = (intake.waits_for_continue && !body.is_end_stream()).then(BodyGate::shut);
        let upgrade = intake.upgrade.clone();
        // an older client takes it for the answer (RFC 9110, section 15.2)
        let piece = match intake.head.version {
            Version::HTTP_2 => PIECE,
            _ => usize::MAX,
        };
        let hears_interim = intake.head.version == Version::HTTP_11;
        let mut request = Request::new(watched(body, how, context.ticker, gate.clone()));
        *request.method_mut() = intake.head.method.clone();
        *request.uri_mut() = uri;
        *request.version_mut() = Version::HTTP_11;
        let (mut fields, extensions) = write_fields(&permit, intake, how, context.request_id);
        if let Some((name, value)) = framing {
            fields.insert(name, value);
        }
        if let Some(destination) = destination {
            fields.insert(DESTINATION, destination);
        }
        *request.headers_mut() = fields;
        // hyper keeps the spelling of field names here
        *request.extensions_mut() = extensions;
        if gate.is_some() {
            request
                .headers_mut()
                .insert(EXPECT, HeaderValue::from_static("100-continue"));
        }
        let interim = context.interim.filter(|_| hears_interim);
        hear_interim(&mut request, gate, interim.clone());
        Ok(Self(Box::new(Written {
            request,
            piece,
            upgrade: upgrade.map(|upgrade| upgrade.protocol),
            interim,
        })))
    }

    pub(super) fn again(request: Request<RequestBody>, upgrade: Option<HeaderValue>) -> Self {
        let piece = usize::MAX;
        Self(Box::new(Written {
            request,
            piece,
            upgrade,
            interim: None,
        }))
    }

    /// Where interim answers go, if anywhere.
    pub(super) fn interim(&self) -> Option<Arc<Interim>> {
        self.0.interim.clone()
    }

    pub(super) fn into_parts(self) -> (Request<RequestBody>, Option<HeaderValue>) {
        let Written {
            request, upgrade, ..
        } = *self.0;
        (request, upgrade)
    }

    /// How much of the answer is read at once, in bytes.
    pub(super) fn piece(&self) -> usize {
        self.0.piece
    }

    /// What holds the body back until the upstream asks for it; `None` where nothing does.
    pub fn gate(&self) -> Option<Arc<BodyGate>> {
        self.0.request.body().exchange()?.gate.clone()
    }

    /// The requested protocol of an upgrade (RFC 9110, section 7.8).
    pub(super) fn upgrade(&self) -> Option<&HeaderValue> {
        self.0.upgrade.as_ref()
    }

    /// The request, for fields that depend on the attempt.
    pub(super) fn request_mut(&mut self) -> &mut Request<RequestBody> {
        &mut self.0.request
    }

    /// What its body reports, where it has one.
    pub(super) fn body_exchange(&self) -> Option<Rc<BodyExchange>> {
        self.0.request.body().exchange().cloned()
    }

    /// Addresses a server by its own name.
    pub(super) fn set_host(&mut self, own: &OwnHost) {
        let headers = self.0.request.headers_mut();
        headers.insert(HOST, own.host.clone());
        if let Some(url) = headers.get(DESTINATION).and_then(|sent| own.address(sent)) {
            headers.insert(DESTINATION, url);
        }
    }

    /// What is needed to send it a second time, where that is the same as sending it once: idempotent and without a body
    /// (RFC 9110, section 9.2.2).
    pub(super) fn spare(&self) -> Option<Spare> {
        let request = &self.0.request;
        let idempotent = matches!(
            *request.method(),
            Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE
        );
        if !idempotent || request.body().exchange().is_some() {
            return None;
        }
        Some(Spare::of(request, self.0.upgrade.as_ref()))
    }
}

impl From<Spare> for Outbound {
    fn from(spare: Spare) -> Self {
        let (request, upgrade) = spare.into_parts();
        Self::again(request, upgrade)
    }
}

/// How a server is addressed by its own name.
pub(super) struct OwnHost {
    scheme: &'static str,
    host: HeaderValue,
}

impl OwnHost {
    pub(super) fn of(origin: &Origin) -> Self {
        Self {
            scheme: match origin.speaks() {
                Speaks::Http1 | Speaks::Http2 => "http",
                Speaks::Tls => "https",
            },
            host: origin.host_field(),
        }
    }

    /// A URL with the same path at this server; `None` for a path alone.
    fn address(&self, url: &HeaderValue) -> Option<HeaderValue> {
        let (_, rest) = url.to_str().ok()?.split_once("://")?;
        let path = &rest[rest.find('/')?..];
        let host = self.host.to_str().ok()?;
        HeaderValue::try_from(format!("{}://{host}{path}", self.scheme)).ok()
    }
}

/// What the worker contributes to an outbound request.
pub struct RequestContext<'a> {
    /// `X-Request-Id`.
    pub request_id: HeaderValue,
    /// Makes the deadlines of a body.
    pub ticker: &'a Ticker,
    /// Where interim answers (1xx) go, if anywhere.
    pub interim: Option<Arc<Interim>>,
}

/// Origin-form: the decided path, and the query as it came.
fn outbound_uri(permit: &Permit<'_>, sent: &Uri, how: &Forwarding) -> Result<Uri, PrepareError> {
    let stripped = strip(permit.path(), how)?;
    let path = stripped.as_ref().unwrap_or(permit.path()).as_str();
    let origin_form = sent.scheme().is_none() && sent.path() == path;
    if origin_form {
        return Ok(sent.clone());
    }
    let target = match sent.query() {
        Some(query) => PathAndQuery::try_from(format!("{path}?{query}")),
        None => PathAndQuery::try_from(path),
    };
    Ok(Uri::from(target.expect(
        "a request path and a received query are a target",
    )))
}

/// The path without the mount; `None` where that stays.
fn strip(path: &RequestPath, how: &Forwarding) -> Result<Option<RequestPath>, PrepareError> {
    let stripped = how
        .strip
        .as_ref()
        .and_then(|mount| path.strip(mount, how.case, how.paths));
    stripped.transpose().map_err(PrepareError::Path)
}

/// WebDAV's `Destination`: the decided path, in the form that the client sent.
fn destination_field(
    permit: &Permit<'_>,
    intake: &Intake,
    how: &Forwarding,
) -> Result<Option<HeaderValue>, PrepareError> {
    let Some(path) = permit.destination() else {
        return Ok(None);
    };
    let stripped = strip(path, how)?;
    let path = stripped.as_ref().unwrap_or(path).as_str();
    let sent = intake.head.headers.get(DESTINATION);
    let is_url = sent.is_some_and(|sent| !sent.as_bytes().starts_with(b"/"));
    let url = is_url.then(|| intake.site.url(path)).flatten();
    let field = HeaderValue::try_from(url.unwrap_or_else(|| path.to_owned()));
    Ok(Some(field.expect("a host and a request path are ASCII")))
}

fn check_announced(body: &ClientBody, how: &Forwarding) -> Result<(), PrepareError> {
    let over = |limit: NonZeroU64| body.size_hint().lower() > limit.get();
    if how.body_limit.is_some_and(over) {
        Err(PrepareError::BodyTooLarge)
    } else {
        Ok(())
    }
}

/// The field that says how long the body is, where hyper would not write it. Some servers ask a POST without a body for
/// its length; and hyper believes that a GET of unknown length has no body.
fn framing_field(body: &ClientBody, sent: FieldPresence) -> Option<(HeaderName, HeaderValue)> {
    if body.is_end_stream() {
        return sent
            .has(FieldPresence::CONTENT_LENGTH)
            .then_some((CONTENT_LENGTH, HeaderValue::from_static("0")));
    }
    let unknown = body.size_hint().exact().is_none();
    unknown.then_some((TRANSFER_ENCODING, HeaderValue::from_static("chunked")))
}

fn watched(
    body: ClientBody,
    how: &Forwarding,
    ticker: &Ticker,
    gate: Option<Arc<BodyGate>>,
) -> RequestBody {
    if body.is_end_stream() {
        return RequestBody::empty();
    }
    let exchange = BodyExchange {
        fault: Cell::new(None),
        gate,
        incoming: RefCell::new(Some(body)),
        progress: Cell::new(Progress::Waiting),
        answered: Cell::new(false),
        flow: RefCell::default(),
        ticker: ticker.clone(),
        response: ticker.deadline(),
        response_after: how.upstream.timeouts.response,
    };
    let stall = ticker.deadline();
    let limit = how.body_limit.map_or(u64::MAX, NonZeroU64::get);
    let (filter, exchange) = (Arc::clone(&how.filter), Rc::new(exchange));
    RequestBody::streamed(BodyWatch {
        limit,
        stall,
        stall_after: how.body_timeout,
        filter,
        exchange,
    })
}

fn write_fields(
    permit: &Permit<'_>,
    intake: Intake,
    how: &Forwarding,
    request_id: HeaderValue,
) -> (HeaderMap, Extensions) {
    let Intake {
        head,
        host,
        present,
        client,
        forwarded,
        credential,
        upgrade,
        takes_trailers,
        ..
    } = intake;
    let Parts {
        version,
        headers: mut fields,
        extensions,
        ..
    } = head;
    let drop_credential = credential.filter(|credential| how.identity.removes(credential, permit));
    // the service's own protocols stay
    let protocols = drop_credential
        .as_ref()
        .filter(|credential| credential.is_among_protocols())
        .and_then(|_| own_protocols(&fields));
    let drop_credential = drop_credential.as_ref().map(Credential::field_name);
    let trailers = announced_trailers(&fields, version, present, how);
    let nominated = Nominated::read(&fields, present);
    // without a WebSocket to be opened its protocols mean nothing, and may hold a token
    let opens_socket = upgrade.as_ref().is_some_and(Upgrade::is_websocket);
    let passes = |name: &HeaderName| {
        how.filter.passes(name)
            && drop_credential != Some(name)
            && !nominated.contains(name)
            && (opens_socket || *name != SEC_WEBSOCKET_PROTOCOL)
    };
    // where the upstream's own is wanted, it takes this place when a server is chosen
    let first = (HOST, host.field().clone());
    retain_fields(&mut fields, Some(first), OWN_FIELDS, passes);
    if let Some(protocols) = protocols {
        fields.insert(SEC_WEBSOCKET_PROTOCOL, protocols);
    }
    let stripped = how.strip.as_ref().map(Mount::source);
    client.set_fields(&mut fields, forwarded, host.field(), stripped);
    fields.insert(X_REQUEST_ID, request_id);
    fields.append(VIA, via(version));
    if let Some(names) = trailers {
        fields.insert(TRAILER, names);
    }
    write_wishes(&mut fields, upgrade.as_ref(), takes_trailers);
    if let Some(identity) = permit.identity() {
        how.identity.set_fields(&mut fields, identity);
    }
    (fields, extensions)
}

/// Which trailers the upstream is told of: those that pass, where the message may have any.
#[inline]
fn announced_trailers(
    fields: &HeaderMap,
    version: Version,
    present: FieldPresence,
    how: &Forwarding,
) -> Option<HeaderValue> {
    let may_have_any = version == Version::HTTP_2 || present.has(FieldPresence::TRANSFER_ENCODING);
    if !(may_have_any && present.has(FieldPresence::TRAILER)) {
        return None;
    }
    announce_trailers(fields, |name| how.filter.passes_trailer(name))
}

/// What the gateway itself asks of the upstream: trailers (RFC 9110, section 10.1.4), and the key of a WebSocket that was
/// asked for over HTTP/2, which does without one (RFC 8441, section 5.1).
fn write_wishes(fields: &mut HeaderMap, upgrade: Option<&Upgrade>, takes_trailers: bool) {
    if takes_trailers {
        fields.insert(TE, HeaderValue::from_static("trailers"));
        fields.insert(CONNECTION, HeaderValue::from_static("te"));
    }
    if upgrade.is_some_and(|upgrade| upgrade.form == UpgradeForm::Connect) {
        let key = STANDARD.encode(ambient::random_bytes::<16>());
        fields.insert(
            SEC_WEBSOCKET_KEY,
            HeaderValue::try_from(key).expect("base64 is visible ASCII"),
        );
    }
}
