//! Fetches a document once.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use super::lifetime::lifetime;
use crate::net::{GetError, GetRequest, HttpUrl, TlsSettings, get};

/// From the name to the last byte.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// The most bytes of a document.
const LARGEST: usize = 256 * 1024;

/// How documents are fetched.
#[derive(Clone, Copy)]
pub(super) struct FetchOptions<'a> {
    pub(super) tls: Option<&'a TlsSettings>,
    pub(super) deadline: Duration,
}

/// What was fetched.
pub(super) struct Fetched {
    pub(super) body: Bytes,
    pub(super) lifetime: Duration,
}

/// Why nothing was fetched.
#[derive(Debug)]
pub(super) enum FetchError {
    Get(GetError),
    Status(StatusCode),
}

/// Fetches what is published there. Name servers and, without settings for TLS, the roots of the system are read anew: it
/// is once in five minutes, and they may have changed.
pub(super) async fn fetch(url: &HttpUrl, options: FetchOptions<'_>) -> Result<Fetched, FetchError> {
    let request = GetRequest {
        url,
        accept: "application/jwk-set+json, application/json",
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
