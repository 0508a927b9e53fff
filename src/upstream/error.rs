//! What can go wrong on the way out, and whose fault it is.

use std::{fmt, io};

use crate::access::PathError;

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
    /// The server's name is not known.
    Resolve(String),
    /// No connection could be made.
    Connect(io::Error),
    /// No connection was made in time.
    ConnectTimeout,
    /// The connection ended before the answer.
    Closed(hyper::Error),
    /// The answer is not HTTP.
    Protocol(String),
    /// No answer came in time.
    ResponseTimeout,
    /// The client's body failed first.
    Client(BodyFault),
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

impl std::error::Error for BodyFault {}

impl fmt::Display for ForwardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve(name) => write!(f, "the upstream's name `{name}` cannot be resolved"),
            Self::Connect(error) => write!(f, "no connection to the upstream: {error}"),
            Self::ConnectTimeout => f.write_str("no connection to the upstream in time"),
            Self::Closed(error) => write!(f, "the upstream closed the connection before its answer: {error}"),
            Self::Protocol(what) => write!(f, "the upstream's answer is not HTTP/1.1: {what}"),
            Self::ResponseTimeout => f.write_str("no answer from the upstream in time"),
            Self::Client(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for ForwardError {}
