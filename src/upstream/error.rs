//! What can go wrong on the way out, and whose fault it is.

use std::error::Error;
use std::fmt;

use super::limits::{LARGEST_HEAD, MOST_FIELDS};
use crate::access::PathError;
use crate::net::{DialError, TlsFailure};

/// Why a permitted request cannot be written for the upstream. The fault is the client's.
#[derive(Debug)]
pub enum PrepareError {
    /// What is left of the path after the mount is ambiguous.
    Path(PathError),
    /// The announced body is over the limit.
    BodyTooLarge,
}

/// What is wrong with the body that a client sends. The fault is the client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFault {
    /// Malformed framing, or the client went away.
    Broken,
    /// More bytes than the limit.
    TooLarge,
    /// Too long between two pieces.
    TimedOut,
}

/// Why there is no answer from the upstream.
#[derive(Debug)]
pub enum ForwardError {
    /// There is no connection.
    Dial(DialError),
    /// The request that opened the connection for this one too did not open it.
    Opening(String),
    /// The connection ended before the answer.
    Closed(hyper::Error),
    /// The answer is not HTTP, or not one to this request.
    Protocol(String),
    /// The protocol that the server speaks has no way to say this request.
    Inexpressible(String),
    /// The head of the answer is larger than the gateway takes.
    HeadTooLarge,
    /// No answer came in time.
    ResponseTimeout,
    /// The client's body failed first.
    Client(BodyFault),
    /// No server is healthy, so the request was not sent.
    Unavailable,
}

/// Why the body of an answer ends before its end. The fault is the upstream's.
#[derive(Debug)]
pub enum AnswerFault {
    /// The connection, or the stream in it, broke.
    Broken(hyper::Error),
    /// Too long between two pieces.
    TimedOut,
}

impl ForwardError {
    /// What hyper fails for over HTTP/1.1.
    pub(super) fn of_http1(error: hyper::Error) -> Self {
        if error.is_parse_too_large() {
            Self::HeadTooLarge
        } else if error.is_parse() {
            Self::Protocol(error.to_string())
        } else {
            Self::Closed(error)
        }
    }

    /// A body that breaks before its first piece.
    pub(super) fn of_body(fault: AnswerFault) -> Self {
        match fault {
            AnswerFault::Broken(error) => Self::Protocol(error.to_string()),
            AnswerFault::TimedOut => Self::ResponseTimeout,
        }
    }

    /// The same failure to connect, for another request that waited for the same connection.
    pub(super) fn echo(&self) -> Self {
        match self {
            Self::Dial(error) => Self::Dial(error.clone()),
            Self::Opening(what) => Self::Opening(what.clone()),
            Self::Protocol(what) => Self::Protocol(what.clone()),
            Self::Inexpressible(what) => Self::Inexpressible(what.clone()),
            Self::Closed(error) => Self::Opening(error.to_string()),
            Self::HeadTooLarge => Self::HeadTooLarge,
            Self::ResponseTimeout => Self::ResponseTimeout,
            Self::Client(fault) => Self::Client(*fault),
            Self::Unavailable => Self::Unavailable,
        }
    }

    /// A short, fixed name, for what counts and groups.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Dial(DialError::Resolve { .. }) => "resolve",
            Self::Dial(DialError::Connect(_)) | Self::Opening(_) => "connect",
            Self::Dial(DialError::TimedOut(_)) => "connect_timeout",
            Self::Dial(DialError::Tls(_)) => "tls",
            Self::Closed(_) => "reset",
            Self::Protocol(_) | Self::Inexpressible(_) | Self::HeadTooLarge => "protocol",
            Self::ResponseTimeout => "response_timeout",
            Self::Client(_) => "client",
            Self::Unavailable => "unavailable",
        }
    }

    /// Whether there was no connection, so that the server has not seen the request.
    pub(super) fn is_unreachable(&self) -> bool {
        matches!(self, Self::Dial(_) | Self::Opening(_))
    }

    /// What the TLS handshake with the server failed for, where that is why.
    pub(super) fn tls_failure(&self) -> Option<TlsFailure> {
        match self {
            Self::Dial(error) => error.tls_failure(),
            Self::Closed(error) => TlsFailure::cause_of(error),
            Self::Opening(_)
            | Self::Protocol(_)
            | Self::Inexpressible(_)
            | Self::HeadTooLarge
            | Self::ResponseTimeout
            | Self::Client(_)
            | Self::Unavailable => None,
        }
    }

    /// Whether it speaks against the server: a failure to connect, a timeout, a reset, or an answer that is
    /// not HTTP. An answer that is HTTP never does.
    pub(super) fn blames_server(&self) -> bool {
        match self {
            Self::Dial(_)
            | Self::Opening(_)
            | Self::Closed(_)
            | Self::Protocol(_)
            | Self::ResponseTimeout => true,
            Self::Inexpressible(_) | Self::HeadTooLarge | Self::Client(_) | Self::Unavailable => {
                false
            }
        }
    }
}

impl fmt::Display for BodyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broken => "the request body is malformed or ended early",
            Self::TooLarge => "the request body is too large",
            Self::TimedOut => "the request body came too slowly",
        })
    }
}

impl Error for BodyFault {}

impl fmt::Display for ForwardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dial(DialError::Resolve { host, reason }) => {
                write!(
                    f,
                    "the upstream's name `{host}` cannot be resolved: {reason}"
                )
            }
            Self::Dial(DialError::Connect(attempts)) => {
                write!(f, "no connection to the upstream: {attempts}")
            }
            Self::Dial(DialError::TimedOut(attempts)) => {
                write!(f, "no connection to the upstream in time: {attempts}")
            }
            Self::Dial(DialError::Tls(attempts)) => {
                write!(f, "no TLS with the upstream: {attempts}")
            }
            Self::Opening(what) => write!(f, "no connection to the upstream: {what}"),
            Self::Closed(error) => {
                write!(
                    f,
                    "the upstream closed the connection before its answer: {}",
                    innermost(error)
                )
            }
            Self::Protocol(what) => write!(f, "the upstream's answer is not HTTP/1.1: {what}"),
            Self::Inexpressible(what) => write!(f, "the request cannot be sent: {what}"),
            Self::HeadTooLarge => write!(
                f,
                "the upstream's answer has more than {MOST_FIELDS} header fields, more than {LARGEST_HEAD} bytes of them, or malformed ones"
            ),
            Self::ResponseTimeout => f.write_str("no answer from the upstream in time"),
            Self::Client(fault) => fault.fmt(f),
            Self::Unavailable => f.write_str("no server of the upstream is healthy"),
        }
    }
}

impl Error for ForwardError {}

impl fmt::Display for AnswerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(error) => innermost(error).fmt(f),
            Self::TimedOut => f.write_str("nothing more came in time"),
        }
    }
}

impl Error for AnswerFault {}

/// The message of hyper with its cause for HTTP/2: the message alone is only `http2 error`.
fn innermost(error: &hyper::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
