//! A request's head, taken in: checked once, and split into what is decided on and what is passed on.

use http::request::Parts;
use http::{HeaderName, HeaderValue, Method};

use super::bad_request::BadRequest;
use super::credential::Credential;
use super::forwarded::{ClientAddress, SaidByProxy, TrustedProxies};
use super::framing;
use super::host::Host;
use super::peer::Peer;
use crate::access::{PathOptions, RequestPath};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a decision is made on.
#[derive(Debug)]
pub struct Target {
    /// The method as sent.
    pub method: Method,
    /// The host that finds the service.
    pub host: Host,
    /// The path in its one spelling.
    pub path: RequestPath,
}

/// The rest of a request's head.
#[derive(Debug)]
pub struct Intake {
    /// The head as sent.
    pub head: Parts,
    /// Where it comes from.
    pub client: ClientAddress,
    /// What a trusted proxy says about the original request.
    pub said: SaidByProxy,
    /// The bearer token, unchecked.
    pub credential: Option<Credential>,
    /// The id that a trusted proxy gave the request.
    pub request_id: Option<HeaderValue>,
}

impl Intake {
    /// Checks a head. `paths` are the most that any service accepts in a path.
    ///
    /// # Errors
    /// [`BadRequest`] for everything that could be read in two ways.
    pub fn read(
        head: Parts,
        peer: &Peer,
        trusted: &TrustedProxies,
        paths: PathOptions,
    ) -> Result<(Target, Self), BadRequest> {
        Target::check_line(&head.method, &head.uri)?;
        framing::check(&head.headers, head.version)?;
        let host = Host::read(&head.headers, &head.uri)?;
        let path = RequestPath::parse(head.uri.path(), paths)?;
        let credential = Credential::read(&head.headers)?;
        let client = trusted.client(peer, &head.headers);
        let (said, request_id) = if client.from_trusted_proxy {
            (SaidByProxy::read(&head.headers), read_request_id(&head))
        } else {
            (SaidByProxy::default(), None)
        };
        let target = Target { method: head.method.clone(), host, path };
        Ok((target, Self { head, client, said, credential, request_id }))
    }
}

/// An id of a trusted proxy, if it is one that logs can hold.
fn read_request_id(head: &Parts) -> Option<HeaderValue> {
    let id = head.headers.get(X_REQUEST_ID)?;
    let sound = (1..=128).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic);
    sound.then(|| id.clone())
}
