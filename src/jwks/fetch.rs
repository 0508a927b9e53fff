//! Fetches a key set once.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use super::lifetime::lifetime;
use crate::net::{GetError, GetRequest, HttpUrl, get};

/// From the name to the last byte.
const DEADLINE: Duration = Duration::from_secs(10);

/// The most bytes of a key set.
const LARGEST: usize = 256 * 1024;

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

/// Fetches what is published there. Name servers and the roots of the system are read anew: it is once in five minutes,
/// and they may have changed.
pub(super) async fn fetch(url: &HttpUrl) -> Result<Fetched, FetchError> {
    let request = GetRequest {
        url,
        accept: "application/jwk-set+json, application/json",
        tls: None,
        largest: LARGEST,
        deadline: DEADLINE,
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
