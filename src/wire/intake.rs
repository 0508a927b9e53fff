//! A request's head, taken in: checked once, and split into what is decided on and what is passed on.

use http::header::TE;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};

use super::bad_request::BadRequest;
use super::browser::Site;
use super::cookie::{GatewayCookies, SessionCookie};
use super::credential::{Credential, CredentialSource};
use super::destination::check_request_line;
use super::field_presence::FieldPresence;
use super::forwarded::{ForwardedClient, ForwardedInfo, TrustedProxies};
use super::framing;
use super::host::Host;
use super::http2;
use super::peer::Peer;
use super::socket_token::with_socket_token;
use super::upgrade::Upgrade;
use crate::access::{RequestPath, RequestedPaths};
use crate::text::list;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a decision is made on.
#[derive(Clone, Debug)]
pub struct Target {
    /// The method as sent; GET for an extended CONNECT, which opens what a GET opens in HTTP/1.1 (RFC 8441, section 5).
    pub method: Method,
    /// The host that finds the service.
    pub host: Host,
    /// The path in its one spelling.
    pub path: RequestPath,
    /// The path of WebDAV's `Destination`, where there is one.
    pub destination: Option<RequestPath>,
}

impl Target {
    /// The paths that must be allowed.
    pub fn paths(&self) -> RequestedPaths<'_> {
        RequestedPaths {
            target: &self.path,
            destination: self.destination.as_ref(),
        }
    }
}

/// The rest of a request's head.
#[derive(Debug)]
pub struct Intake {
    /// The head as sent, without the gateway's own cookies.
    pub head: Parts,
    /// The host that finds the service.
    pub host: Host,
    /// Which fields that matter the head had when it came.
    pub present: FieldPresence,
    /// Where it comes from.
    pub client: ForwardedClient,
    /// What trusted proxies state about the original request; `None` where the peer is none.
    pub forwarded: Option<Box<ForwardedInfo>>,
    /// The origin that the client asked, as far as a trusted proxy or the connection says.
    pub site: Site,
    /// Whether a page of another origin sends it that `cors` lets act by the browser's cookies at the gateway's own
    /// endpoints; set where they answer.
    pub from_allowed_page: bool,
    /// The bearer token, else the session cookie; unchecked.
    pub credential: Option<Credential>,
    /// The gateway's own cookies, which are no longer in the head.
    pub cookies: GatewayCookies,
    /// The id that a trusted proxy gave the request.
    pub request_id: Option<HeaderValue>,
    /// The protocol that the client wants to switch to.
    pub upgrade: Option<Upgrade>,
    /// Whether the client takes trailers: `TE: trailers`.
    pub takes_trailers: bool,
    /// Whether the client waits for a `100 Continue` before it sends the body.
    pub waits_for_continue: bool,
}

impl Intake {
    /// Checks a head, but for its path: how that is read depends on the service.
    ///
    /// # Errors
    /// [`BadRequest`] for everything that could be read in two ways.
    pub fn read(
        mut head: Parts,
        peer: &Peer,
        trusted: &TrustedProxies,
        cookie: &SessionCookie,
    ) -> Result<Self, BadRequest> {
        let present = FieldPresence::of(&head.headers);
        let upgrade = Upgrade::read(&head, present);
        if upgrade.is_some() && head.method == Method::CONNECT {
            head.method = Method::GET;
        }
        check_request_line(&head.method, &head.uri)?;
        // a trusted proxy may have taken TLS off
        let scheme = (!trusted.trust(peer)).then(|| peer.scheme());
        if head.version == Version::HTTP_2 {
            http2::settle(&mut head, scheme)?;
        }
        if present.has(FieldPresence::TRANSFER_ENCODING.or(FieldPresence::EXPECT)) {
            framing::check(&head.headers, head.version)?;
        }
        let host = Host::read(&head, scheme)?;
        let mut bearer = Credential::read(&head.headers, present)?;
        if upgrade.as_ref().is_some_and(Upgrade::is_websocket) {
            bearer = with_socket_token(bearer, &head.headers)?;
        }
        let (client, forwarded) = trusted.client(peer, &head.headers);
        let site = site_of(forwarded.as_deref(), peer, &host);
        let cookies = if present.has(FieldPresence::COOKIE) {
            cookie.take(&mut head.headers)
        } else {
            GatewayCookies::default()
        };
        let credential = bearer.or_else(|| cookie.credential(&cookies, site.scheme));
        let request_id = if client.from_trusted_proxy {
            read_request_id(&head.headers)
        } else {
            None
        };
        let takes_trailers = present.has(FieldPresence::TE) && takes_trailers(&head.headers);
        let waits_for_continue =
            head.version == Version::HTTP_11 && present.has(FieldPresence::EXPECT);
        Ok(Self {
            head,
            host,
            present,
            client,
            forwarded,
            site,
            from_allowed_page: false,
            credential,
            cookies,
            request_id,
            upgrade,
            takes_trailers,
            waits_for_continue,
        })
    }
}

/// The site as a trusted proxy states it, else as it was asked here.
#[inline]
fn site_of(forwarded: Option<&ForwardedInfo>, peer: &Peer, host: &Host) -> Site {
    let (scheme, stated) = forwarded.map_or((None, None), |info| (info.scheme(), info.host()));
    Site {
        scheme: scheme.unwrap_or(peer.scheme()),
        host: stated.unwrap_or(host.field()).clone(),
    }
}

impl Intake {
    /// Whether a credential stands in a field, which no browser adds by itself, whoever makes it send the request.
    pub fn has_field_credential(&self) -> bool {
        self.credential
            .as_ref()
            .is_some_and(|credential| credential.source() != CredentialSource::Cookie)
    }

    /// Whether the browser says that a page sends it that may act in its session: one of the same origin, or of one
    /// that `cors` allows.
    pub fn comes_from_own_page(&self) -> bool {
        self.from_allowed_page || self.site.sends(&self.head.headers)
    }

    /// Whether cookies alone show sessions, so that another site may have made the browser send the request.
    pub fn acts_by_cookies(&self) -> bool {
        self.cookies.has_sessions() && !self.has_field_credential()
    }
}

fn takes_trailers(headers: &HeaderMap) -> bool {
    list::names(headers, TE, "trailers")
}

/// An id of a trusted proxy, if it is one that logs can hold.
pub(super) fn read_request_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = headers.get(X_REQUEST_ID)?;
    let sound = (1..=128).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic);
    sound.then(|| id.clone())
}
