//! Fetches a document once.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use super::lifetime::lifetime;
use crate::net::{BoundedRequest, BoundedRequestError, HttpUrl, TlsSettings, get};

/// From the name to the last byte.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// The most bytes of a document.
const LARGEST: usize = 256 * 1024;

/// How documents are fetched.
#[derive(Clone, Copy)]
pub struct FetchOptions<'a> {
    /// How servers are verified; `None`: by the roots of the system.
    pub tls: Option<&'a TlsSettings>,
    /// From the name to the last byte.
    pub deadline: Duration,
}

/// What was fetched.
pub(super) struct Fetched {
    pub(super) body: Bytes,
    pub(super) lifetime: Duration,
}

/// Why nothing was fetched.
#[derive(Debug)]
pub enum FetchError {
    /// No answer.
    Get(BoundedRequestError),
    /// An answer without success.
    Status(StatusCode),
}

/// Fetches what is published there. Name servers and, without settings for TLS, the roots of the system are read anew: it
/// is once in five minutes, and they may have changed.
pub(super) async fn fetch(url: &HttpUrl, options: FetchOptions<'_>) -> Result<Fetched, FetchError> {
    let request = BoundedRequest {
        url,
        accept: "application/jwk-set+json, application/json",
        authorization: None,
        tls: options.tls,
        largest: LARGEST,
        deadline: options.deadline,
    };
    let response = get(request).await.map_err(FetchError::Get)?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status()));
    }
    Ok(Fetched {
        lifetime: lifetime(response.headers()),
        body: response.into_body(),
    })
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Get(error) => error.fmt(f),
            Self::Status(status) if status.is_redirection() => {
                write!(
                    f,
                    "answered {status}, and redirects are not followed: write the final URL"
                )
            }
            Self::Status(status) => write!(f, "answered {status}"),
        }
    }
}

impl std::error::Error for FetchError {}
