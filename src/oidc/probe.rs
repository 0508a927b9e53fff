//! Looks once whether people could sign in with a provider.

use std::time::Duration;

use super::metadata::ProviderMetadata;
use super::providers::metadata;
use super::settings::{ProviderLocation, ProviderSettings};
use crate::jwks::{self, KeyDocument, KeyLocation};

/// Fetches the metadata and the keys of a provider, as the gateway does, within `limit` for each document.
///
/// # Errors
/// What cannot be had, and why, in words.
pub async fn probe(settings: &ProviderSettings, limit: Duration) -> Result<(), String> {
    let metadata = match &settings.location {
        ProviderLocation::Given(endpoints) => ProviderMetadata::from((**endpoints).clone()),
        ProviderLocation::Metadata(url) => {
            let found = metadata(&settings.issuer, url, settings.tls.as_deref(), limit).await;
            found
                .map_err(|reason| format!("its metadata cannot be had: {reason}"))?
                .0
        }
    };
    let algorithms = metadata.accepted_algorithms(&settings.algorithms);
    let location = KeyLocation {
        document: KeyDocument::KeySet(metadata.endpoints.jwks),
        tls: settings.tls.clone(),
    };
    let probed = jwks::probe(&settings.issuer, &location, &algorithms, limit).await;
    probed.map_err(|reason| format!("its keys cannot be had: {reason}"))
}
