//! Looks once whether the keys of an issuer can be had.

use std::time::Duration;

use super::discovery::discover_keys;
use super::fetch::{FetchOptions, fetch};
use super::location::{KeyDocument, KeyLocation};
use crate::token::{Algorithm, KeySet};

/// Finds and fetches the keys of an issuer, as the gateway does, within `limit` for each document.
///
/// # Errors
/// Why there are none, in words.
pub async fn probe(
    issuer: &str,
    location: &KeyLocation,
    algorithms: &[Algorithm],
    limit: Duration,
) -> Result<(), String> {
    let options = FetchOptions {
        tls: location.tls.as_deref(),
        deadline: limit,
    };
    let url = match &location.document {
        KeyDocument::KeySet(url) => url.clone(),
        KeyDocument::Metadata(url) => discover_keys(issuer, url, options).await?,
    };
    let at = |error: String| format!("{url}: {error}");
    let fetched = fetch(&url, options).await;
    let fetched = fetched.map_err(|error| at(error.to_string()))?;
    let keys =
        KeySet::from_jwks(&fetched.body, algorithms).map_err(|error| at(error.to_string()))?;
    match (keys.count(), keys.flaws().first()) {
        (0, Some(flaw)) => Err(at(flaw.to_string())),
        (0, None) => Err(at("no key is for these `algorithms`".to_owned())),
        (_, _) => Ok(()),
    }
}
