//! Requests that are refused before any rule is asked, because they can be read in two ways.

use std::fmt;

use http::StatusCode;

use crate::access::PathError;

/// What a request target holds that none may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadTarget {
    /// A `#`: a fragment is no part of a target (RFC 9112, section 3.2).
    Fragment,
    /// Another character that must be escaped (RFC 3986, section 2), or bytes that are no text.
    Character,
}

impl BadTarget {
    /// What is wrong with a byte of a path or of a query.
    pub fn of_byte(byte: u8, in_query: bool) -> Option<Self> {
        match byte {
            b'#' => Some(Self::Fragment),
            b'<' | b'>' => Some(Self::Character),
            b'"' if in_query => Some(Self::Character),
            b'`' if !in_query => Some(Self::Character),
            _ => None,
        }
    }

    /// What is wrong with a target: that it has a fragment, else its first such character.
    pub fn of(target: &str) -> Option<Self> {
        if target.contains('#') {
            return Some(Self::Fragment);
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = path.bytes().map(|byte| (byte, false));
        let mut bytes = path.chain(query.bytes().map(|byte| (byte, true)));
        bytes.find_map(|(byte, in_query)| Self::of_byte(byte, in_query))
    }
}

/// A scheme of authentication (RFC 9110, section 11.1), as far as messages name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthScheme {
    /// RFC 7617.
    Basic,
    /// RFC 6750.
    Bearer,
    /// RFC 7616.
    Digest,
    /// Any other, or none.
    Other,
}

impl AuthScheme {
    /// The scheme of a field's value.
    pub(super) fn of(field: &[u8]) -> Self {
        let name = field.split(|byte| *byte == b' ').next().unwrap_or_default();
        let is = |scheme: &[u8]| name.eq_ignore_ascii_case(scheme);
        match () {
            () if is(b"basic") => Self::Basic,
            () if is(b"bearer") => Self::Bearer,
            () if is(b"digest") => Self::Digest,
            () => Self::Other,
        }
    }
}

impl fmt::Display for AuthScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic => "Basic",
            Self::Bearer => "Bearer",
            Self::Digest => "Digest",
            Self::Other => "another scheme",
        })
    }
}

/// What is wrong with a request. The fault is the client's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadRequest {
    /// No `Host` (RFC 9112, section 3.2).
    MissingHost,
    /// More than one `Host`.
    SeveralHosts,
    /// A `Host` that is no `host[:port]`.
    MalformedHost,
    /// An absolute-form target of another scheme than the connection's.
    ForeignScheme,
    /// An absolute-form target whose authority is not that of `Host`.
    ForeignAuthority,
    /// An ambiguous path.
    Path(PathError),
    /// A target of more than [`BadRequest::TARGET_BYTES`].
    TargetTooLong,
    /// More fields than `server.limits.headers` (RFC 6585, section 5).
    TooManyFields,
    /// A description of the request that is longer than is read.
    DescriptionTooLong,
    /// This standard method in other case, such as `get`.
    MethodCase(&'static str),
    /// CONNECT or TRACE.
    MethodNotAllowed,
    /// More than one `Authorization`: the schemes of the first two.
    SeveralCredentials(AuthScheme, AuthScheme),
    /// A target with a character that none may hold.
    Target(BadTarget),
    /// A bearer token and an API key, or more than one `X-Api-Key`.
    SeveralApiKeys,
    /// `Sec-WebSocket-Protocol` has a token of the gateway beside another credential.
    SeveralSocketTokens,
    /// `bearer` in `Sec-WebSocket-Protocol`, with nothing behind it.
    MissingSocketToken,
    /// `Transfer-Encoding` other than exactly one `chunked` (RFC 9112, section 6.1).
    TransferEncoding,
    /// More than one `Destination`.
    SeveralDestinations,
    /// A `Destination` that is neither an absolute path nor a URL (RFC 4918, section 10.3).
    MalformedDestination,
    /// A `Destination` with an ambiguous path.
    DestinationPath(PathError),
    /// A `Destination` of another scheme, host or port than the request (RFC 4918, section 9.8.5).
    ForeignDestination,
    /// A `Destination` that goes to another service, to the gateway itself, or nowhere.
    DestinationElsewhere,
    /// An `Expect` other than `100-continue` (RFC 9110, section 10.1.1).
    Expectation,
}

impl BadRequest {
    /// The longest request target that is read.
    pub const TARGET_BYTES: usize = 16 * 1024;

    /// The status that tells the client.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::MissingHost
            | Self::SeveralHosts
            | Self::MalformedHost
            | Self::ForeignScheme
            | Self::ForeignAuthority
            | Self::Path(_)
            | Self::MethodCase(_)
            | Self::SeveralCredentials(..)
            | Self::Target(_)
            | Self::SeveralApiKeys
            | Self::SeveralSocketTokens
            | Self::MissingSocketToken
            | Self::SeveralDestinations
            | Self::MalformedDestination
            | Self::DestinationPath(_)
            | Self::TransferEncoding => StatusCode::BAD_REQUEST,
            Self::ForeignDestination | Self::DestinationElsewhere => StatusCode::BAD_GATEWAY,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::TooManyFields | Self::DescriptionTooLong => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
        }
    }
}

impl fmt::Display for BadRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MissingHost => "the request has no `Host`",
            Self::SeveralHosts => "the request has more than one `Host`",
            Self::MalformedHost => "the `Host` is malformed",
            Self::ForeignScheme => "the target's scheme is not that of the connection",
            Self::ForeignAuthority => "the target's host is not that of `Host`",
            Self::Path(error) => return error.fmt(f),
            Self::TargetTooLong => "the request target is too long",
            Self::TooManyFields => "the request has too many header fields",
            Self::DescriptionTooLong => "the request has more than 1 MiB of header fields",
            Self::MethodCase(standard) => {
                return write!(f, "methods are case-sensitive; did you mean `{standard}`?");
            }
            Self::MethodNotAllowed => "the method is not allowed",
            Self::SeveralCredentials(one, other) => {
                return write!(
                    f,
                    "the request has more than one `Authorization`: {one} and {other}"
                );
            }
            Self::Target(BadTarget::Fragment) => "the request target holds a `#`",
            Self::Target(BadTarget::Character) => {
                "the request target holds a character that must be escaped"
            }
            Self::SeveralApiKeys => "the request has an `X-Api-Key` and another credential",
            Self::SeveralSocketTokens => {
                "the request has a token in `Sec-WebSocket-Protocol` and another credential"
            }
            Self::MissingSocketToken => "no token follows `bearer` in `Sec-WebSocket-Protocol`",
            Self::TransferEncoding => "`Transfer-Encoding` is not exactly `chunked`",
            Self::SeveralDestinations => "the request has more than one `Destination`",
            Self::MalformedDestination => "the `Destination` is neither an absolute path nor a URL",
            Self::DestinationPath(error) => return write!(f, "`Destination`: {error}"),
            Self::ForeignDestination => {
                "the `Destination` is of another scheme, host or port than the request"
            }
            Self::DestinationElsewhere => "the `Destination` is not of the request's service",
            Self::Expectation => "only `100-continue` can be expected",
        })
    }
}

impl std::error::Error for BadRequest {}

impl From<PathError> for BadRequest {
    fn from(error: PathError) -> Self {
        Self::Path(error)
    }
}
