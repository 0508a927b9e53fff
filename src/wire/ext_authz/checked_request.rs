//! The request that Envoy describes in a `CheckRequest`.

use std::iter;
use std::net::IpAddr;

use bytes::Bytes;
use http::header::{AUTHORIZATION, COOKIE, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::grpc::{self, GrpcError};
use super::message::{CheckRequest, HttpRequest};
use crate::access::ClientAddress;
use crate::wire::browser::Site;
use crate::wire::cookie::{GatewayCookies, SessionCookie};
use crate::wire::destination_field::DESTINATION;
use crate::wire::forwarded::{StatedScheme, TrustedProxies};
use crate::wire::host::Host;
use crate::wire::intake::read_request_id;
use crate::wire::original_request::{ForwardAuthProxy, OriginalError, OriginalRequest, method_of};
use crate::wire::peer::Scheme;

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// A `CheckRequest` that has all that a decision needs, unchecked.
pub struct CheckedRequest<'m> {
    /// What the values of fields are shares of.
    body: &'m Bytes,
    http: HttpRequest<'m>,
    /// The client, as Envoy's settings say who that is.
    source: Option<IpAddr>,
}

/// The request that Envoy received from its client.
pub struct DescribedRequest<'m> {
    /// Its method, origin and path.
    pub original: OriginalRequest,
    /// The path and the query, as sent.
    pub target: &'m str,
    /// Its fields, without the gateway's own cookies once those are taken.
    pub headers: HeaderMap,
    /// The client's address.
    pub client: ClientAddress,
    /// The id that Envoy gave it.
    pub request_id: Option<HeaderValue>,
    /// Whether another trusted proxy stands before Envoy, and may have written forwarded fields.
    pub(super) is_behind_proxy: bool,
    /// Whether several `Cookie` lines may have come as one, joined by commas.
    has_joined_cookies: bool,
    /// Whether fewer cookies are left than were sent.
    pub(super) has_cut_cookies: bool,
}

impl<'m> CheckedRequest<'m> {
    /// Reads the body of a call.
    ///
    /// # Errors
    /// [`GrpcError`] for what Envoy does not send, whatever its client does.
    pub fn read(body: &'m Bytes) -> Result<Self, GrpcError> {
        let attributes = CheckRequest::read(grpc::message(body)?)?.attributes;
        let attributes = attributes.ok_or(GrpcError::Missing("attributes"))?;
        let http = attributes.http;
        let http = http.ok_or(GrpcError::Missing("attributes.request.http"))?;
        // not the host: a client can send an empty one
        for (text, name) in [(http.method, "method"), (http.scheme, "scheme")] {
            if text.is_empty() {
                return Err(GrpcError::Missing(name));
            }
        }
        let source: Option<IpAddr> = attributes.source.parse().ok();
        Ok(Self {
            body,
            http,
            source: source.map(|address| address.to_canonical()),
        })
    }

    /// The method, the host and the path as sent, for the record of a request that is refused.
    pub fn shown(&self) -> (Method, &str, &str) {
        let method = Method::from_bytes(self.http.method.as_bytes()).unwrap_or_default();
        let path = self.http.path.split(['?', '#']).next();
        (method, self.http.host, path.unwrap_or_default())
    }

    /// Checks what Envoy's client may have had a part in. `trusted` are the proxies that are believed, of which Envoy is one.
    ///
    /// # Errors
    /// [`OriginalError`] for everything that could be read in two ways.
    pub fn describe(self, trusted: &TrustedProxies) -> Result<DescribedRequest<'m>, OriginalError> {
        let Self { body, http, source } = self;
        let method = method_of(http.method)?;
        let host = Host::parse(http.host).ok_or(OriginalError::Malformed("host"))?;
        let target = http.path;
        if target.contains('#') {
            return Err(OriginalError::Fragment);
        }
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let headers = fields(body, &http).ok_or(OriginalError::Malformed("headers"))?;
        let client = trusted.stated_client(source, &headers);
        let scheme = match client.scheme {
            StatedScheme::Known(scheme) => scheme,
            StatedScheme::Absent => {
                Scheme::parse(http.scheme.as_bytes()).ok_or(OriginalError::Malformed("scheme"))?
            }
            StatedScheme::Unreadable => return Err(OriginalError::Malformed("X-Forwarded-Proto")),
        };
        let original = OriginalRequest {
            method,
            site: Site {
                scheme,
                host: host.field().clone(),
            },
            host: host.name().into(),
            path: path.to_owned(),
            query: query.map(str::to_owned),
            // Envoy shows it
            upgrades: headers.contains_key(UPGRADE),
            asked_by: ForwardAuthProxy::Proxy,
        };
        Ok(DescribedRequest {
            original,
            target,
            client: client.address,
            request_id: read_request_id(&headers),
            is_behind_proxy: client.is_behind_proxy,
            has_joined_cookies: !has_raw(&http, &COOKIE),
            has_cut_cookies: false,
            headers,
        })
    }
}

impl DescribedRequest<'_> {
    /// Takes the gateway's cookies out.
    pub fn take_cookies(&mut self, cookie: &SessionCookie) -> GatewayCookies {
        if !self.headers.contains_key(COOKIE) {
            return GatewayCookies::default();
        }
        let lines = |headers: &HeaderMap| -> Vec<HeaderValue> {
            headers.get_all(COOKIE).iter().cloned().collect()
        };
        let sent = lines(&self.headers);
        if self.has_joined_cookies {
            cookie.unjoin(&mut self.headers);
        }
        let cookies = cookie.take(&mut self.headers);
        self.has_cut_cookies = sent != lines(&self.headers);
        cookies
    }
}

/// Whether Envoy describes each line of a field by itself.
fn has_raw(http: &HttpRequest<'_>, name: &HeaderName) -> bool {
    let mut raw = http.header_map.iter().flatten();
    raw.any(|field| field.key.eq_ignore_ascii_case(name.as_str().as_bytes()))
}

/// All fields, of either form; `None` where one cannot be a field, or there are more than a map holds.
fn fields(body: &Bytes, http: &HttpRequest<'_>) -> Option<HeaderMap> {
    let raw_fields = http.header_map.as_ref().map_or(0, Vec::len);
    let raw = http.header_map.iter().flatten();
    let raw = raw.filter(|field| !field.key.starts_with(b":"));
    let mut headers = HeaderMap::with_capacity(http.headers.len() + raw_fields);
    for field in raw {
        let value = match field.raw_value {
            [] => field.value.as_bytes(),
            raw => raw,
        };
        let name = HeaderName::from_bytes(field.key).ok()?;
        headers.try_append(name, share(body, value)?).ok()?;
    }
    for (key, value) in &http.headers {
        if key.starts_with(':') {
            continue;
        }
        let name = HeaderName::from_bytes(key.as_bytes()).ok()?;
        if http.header_map.is_some() && headers.contains_key(&name) {
            continue;
        }
        let values = unmerge(&name, value).map(|value| share(body, value.as_bytes()));
        let mut values = values.peekable();
        while let Some(value) = values.next() {
            if values.peek().is_none() {
                headers.try_append(name, value?).ok()?;
                break;
            }
            headers.try_append(&name, value?).ok()?;
        }
    }
    Some(headers)
}

/// The value of a field, as a share of the message; `None` where it cannot be one.
fn share(body: &Bytes, value: &[u8]) -> Option<HeaderValue> {
    HeaderValue::from_maybe_shared(body.slice_ref(value)).ok()
}

/// The values that Envoy has joined by commas, where it matters that there were several: of fields that may come once only,
/// as if each had come by itself.
fn unmerge<'v>(name: &HeaderName, value: &'v str) -> impl Iterator<Item = &'v str> + use<'v> {
    let begins_anew: fn(&str) -> bool = match () {
        () if *name == AUTHORIZATION => begins_credentials,
        () if *name == X_API_KEY => |rest| begins_with(rest, &["glk_"]),
        () if *name == DESTINATION => |rest| begins_with(rest, &["/", "http://", "https://"]),
        () => |_| false,
    };
    let quotes = *name == AUTHORIZATION;
    let mut rest = Some(value);
    iter::from_fn(move || {
        let value = rest.take()?;
        let mut commas = value.match_indices(',').map(|(comma, _)| comma);
        let parts = commas.find(|comma| {
            let (before, after) = (&value[..*comma], &value[comma + 1..]);
            begins_anew(after.trim_ascii_start()) && !(quotes && ends_quoted(before))
        });
        let Some(comma) = parts else {
            return Some(value);
        };
        rest = Some(&value[comma + 1..]);
        Some(&value[..comma])
    })
}

fn begins_with(rest: &str, starts: &[&str]) -> bool {
    starts.iter().any(|start| {
        let found = rest.as_bytes().get(..start.len());
        found.is_some_and(|found| found.eq_ignore_ascii_case(start.as_bytes()))
    })
}

/// Whether a scheme stands here, and not one more parameter of the credentials before it, which is `name=value` with blanks
/// around the `=` (RFC 9110, sections 11.2 and 11.4).
fn begins_credentials(rest: &str) -> bool {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let behind = rest.trim_start_matches(is_token);
    let value = behind.trim_ascii_start();
    behind.len() < rest.len() && !value.starts_with('=') && (behind != value || value.is_empty())
}

/// Whether a quoted string is open behind this (RFC 9110, section 5.6.4).
fn ends_quoted(before: &str) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    for byte in before.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
    }
    quoted
}
