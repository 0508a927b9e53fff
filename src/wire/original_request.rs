//! Forward-auth: the original request that another proxy describes.
//!
//! Traefik and Caddy describe it in `X-Forwarded-Method`, `-Proto`, `-Host` and `-Uri`, nginx in `X-OriginalRequest-Method` and
//! `X-OriginalRequest-URL`, Envoy by the path of the check request. A client can send the fields of one kind through a proxy
//! that writes the other, so only one kind may be there.

use std::fmt;

use http::header::UPGRADE;
use http::{HeaderMap, HeaderName, Method};

use super::browser::Site;
use super::destination::check_method;
use super::forwarded::{ForwardedInfo, StatedScheme};
use super::host::Host;
use super::intake::Intake;
use super::peer::Scheme;

const X_FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
const X_ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
const X_ORIGINAL_URL: HeaderName = HeaderName::from_static("x-original-url");
const SEC_WEBSOCKET_KEY: HeaderName = HeaderName::from_static("sec-websocket-key");

/// `auth.verify`: which fields describe the original request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardAuthHeaders {
    /// The kind that is present; both at once are rejected.
    #[default]
    Either,
    /// `X-Forwarded-*`; others are ignored.
    Forwarded,
    /// `X-OriginalRequest-*`, whatever else is there.
    Original,
}

/// The kind of proxy that requests the check, as far as the response depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardAuthProxy {
    /// A proxy that passes any error response to the client: Traefik, Caddy, HAProxy, Envoy.
    Proxy,
    /// nginx, which accepts 401 and 403 and turns every other status into 500.
    Nginx,
}

/// The request that the proxy received from the client.
#[derive(Clone, Debug)]
pub struct OriginalRequest {
    /// Its method, one that a rule can name.
    pub method: Method,
    /// The origin that the client requested.
    pub site: Site,
    /// Its host, as services are found by it.
    pub host: Box<str>,
    /// Its path, not parsed yet.
    pub path: String,
    /// Its query.
    pub query: Option<String>,
    /// Whether it upgrades to another protocol.
    pub upgrades: bool,
    /// The kind of proxy.
    pub asked_by: ForwardAuthProxy,
}

/// Why the original request is unclear: the proxy is misconfigured, or passes a client's fields through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginalError {
    /// No field describes a request.
    Nothing,
    /// More than one kind of description.
    SeveralKinds,
    /// This field is missing, or there more than once.
    Field(&'static str),
    /// This field is malformed.
    Malformed(&'static str),
    /// The path has a `#`, behind which servers read nothing, or everything.
    Fragment,
    /// A method that no request may have.
    Method,
}

impl OriginalRequest {
    /// Parses the description. `below` is the path behind the endpoint's own: empty, or the original path.
    ///
    /// # Errors
    /// [`OriginalError`] for everything that could be read in two ways.
    pub fn read(
        intake: &Intake,
        below: &str,
        counts: ForwardAuthHeaders,
    ) -> Result<Self, OriginalError> {
        let headers = &intake.head.headers;
        let forwarded = has_any(headers, &[X_FORWARDED_URI, X_FORWARDED_METHOD]);
        let original = has_any(headers, &[X_ORIGINAL_URL, X_ORIGINAL_METHOD]);
        match (counts, below) {
            (ForwardAuthHeaders::Either, "") if forwarded && original => {
                Err(OriginalError::SeveralKinds)
            }
            (ForwardAuthHeaders::Either, "") if original => Self::of_nginx(headers),
            (ForwardAuthHeaders::Either, "") if forwarded => Self::of_proxy(intake),
            (ForwardAuthHeaders::Either, "") => Err(OriginalError::Nothing),
            (ForwardAuthHeaders::Forwarded, "") => Self::of_proxy(intake),
            (ForwardAuthHeaders::Original, "") => Self::of_nginx(headers),
            (ForwardAuthHeaders::Either, path) if !forwarded && !original => {
                Self::of_path(intake, path)
            }
            (
                ForwardAuthHeaders::Either
                | ForwardAuthHeaders::Forwarded
                | ForwardAuthHeaders::Original,
                _,
            ) => Err(OriginalError::SeveralKinds),
        }
    }

    /// Proxies in a row may each add their own `X-Forwarded-Proto`: it is read as for any request.
    fn of_proxy(intake: &Intake) -> Result<Self, OriginalError> {
        const PROTO: &str = "X-Forwarded-Proto";
        let headers = &intake.head.headers;
        let stated = intake.forwarded.as_deref();
        let scheme = match stated.map(ForwardedInfo::x_forwarded_proto) {
            Some(StatedScheme::Known(scheme)) => scheme,
            Some(StatedScheme::Unreadable) => return Err(OriginalError::Malformed(PROTO)),
            Some(StatedScheme::Absent) | None => return Err(OriginalError::Field(PROTO)),
        };
        let host = one(headers, &X_FORWARDED_HOST, "X-Forwarded-Host")?;
        let method = method_of(one(headers, &X_FORWARDED_METHOD, "X-Forwarded-Method")?)?;
        let uri = one(headers, &X_FORWARDED_URI, "X-Forwarded-Uri")?;
        let sent = RequestDescription {
            method,
            scheme,
            host,
            uri,
            field: "X-Forwarded-Host",
            asked_by: ForwardAuthProxy::Proxy,
        };
        sent.check(headers)
    }

    fn of_nginx(headers: &HeaderMap) -> Result<Self, OriginalError> {
        const URL: &str = "X-Original-URL";
        let url = one(headers, &X_ORIGINAL_URL, URL)?;
        let (scheme, rest) = url.split_once("://").ok_or(OriginalError::Malformed(URL))?;
        let scheme = Scheme::parse(scheme.as_bytes()).ok_or(OriginalError::Malformed(URL))?;
        let (host, uri) = rest.split_at(rest.find('/').ok_or(OriginalError::Malformed(URL))?);
        let method = method_of(one(headers, &X_ORIGINAL_METHOD, "X-Original-Method")?)?;
        RequestDescription {
            method,
            scheme,
            host,
            uri,
            field: URL,
            asked_by: ForwardAuthProxy::Nginx,
        }
        .check(headers)
    }

    fn of_path(intake: &Intake, path: &str) -> Result<Self, OriginalError> {
        Ok(Self {
            method: intake.head.method.clone(),
            site: Site {
                scheme: intake.site.scheme,
                host: intake.host.field().clone(),
            },
            host: intake.host.name().into(),
            path: path.to_owned(),
            query: intake.head.uri.query().map(str::to_owned),
            upgrades: upgrades(&intake.head.method, &intake.head.headers),
            asked_by: ForwardAuthProxy::Proxy,
        })
    }
}

/// The parts of a description.
struct RequestDescription<'a> {
    method: Method,
    scheme: Scheme,
    host: &'a str,
    uri: &'a str,
    /// The field that the host comes from.
    field: &'static str,
    asked_by: ForwardAuthProxy,
}

impl RequestDescription<'_> {
    fn check(self, headers: &HeaderMap) -> Result<OriginalRequest, OriginalError> {
        let malformed = OriginalError::Malformed(self.field);
        let host = Host::parse(self.host).ok_or(malformed)?;
        let (path, query) = match self.uri.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (self.uri, None),
        };
        if self.uri.contains('#') {
            return Err(OriginalError::Fragment);
        }
        Ok(OriginalRequest {
            upgrades: upgrades(&self.method, headers),
            method: self.method,
            site: Site {
                scheme: self.scheme,
                host: host.field().clone(),
            },
            host: host.name().into(),
            path: path.to_owned(),
            query,
            asked_by: self.asked_by,
        })
    }
}

fn has_any(headers: &HeaderMap, names: &[HeaderName]) -> bool {
    names.iter().any(|name| headers.contains_key(name))
}

/// The text of a field that is present exactly once.
fn one<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
    shown: &'static str,
) -> Result<&'h str, OriginalError> {
    let mut values = headers.get_all(name).iter();
    let value = values
        .next()
        .filter(|_| values.next().is_none())
        .ok_or(OriginalError::Field(shown))?;
    std::str::from_utf8(value.as_bytes()).map_err(|_| OriginalError::Malformed(shown))
}

pub(super) fn method_of(text: &str) -> Result<Method, OriginalError> {
    let method = Method::from_bytes(text.as_bytes()).map_err(|_| OriginalError::Method)?;
    check_method(&method).map_err(|_| OriginalError::Method)?;
    Ok(method)
}

/// Proxies keep `Upgrade` to themselves; the key of a WebSocket passes, which only a GET opens (RFC 6455, section 4.1).
fn upgrades(method: &Method, headers: &HeaderMap) -> bool {
    let opens_socket = method == Method::GET && headers.contains_key(SEC_WEBSOCKET_KEY);
    opens_socket || headers.contains_key(UPGRADE)
}

impl fmt::Display for OriginalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str(
                "neither `X-Forwarded-Uri` nor `X-Original-URL` says what is asked about",
            ),
            Self::SeveralKinds => {
                f.write_str("the request that is asked about is described in two ways")
            }
            Self::Field(name) => write!(f, "there is not exactly one `{name}`"),
            Self::Malformed(name) => write!(f, "`{name}` is malformed"),
            Self::Fragment => f.write_str("the path has a `#`"),
            Self::Method => f.write_str("the method is not allowed"),
        }
    }
}

impl std::error::Error for OriginalError {}
