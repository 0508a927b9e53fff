//! Whether a store can be used, for who only asks.

use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;

use super::remote;
use super::settings::StateSettings;

/// Whether a store can be used, as a gateway that starts now would find it. It changes nothing, and opens no file: a
/// running gateway has it.
///
/// # Errors
/// Why not, without credentials.
pub async fn probe(settings: &StateSettings, limit: Duration) -> Result<(), String> {
    match settings {
        StateSettings::Memory => Ok(()),
        StateSettings::File(path) => match std::path::absolute(path) {
            Ok(path) if path.parent().is_some_and(Path::is_dir) => Ok(()),
            Ok(_) => Err("its folder does not exist".to_owned()),
            Err(error) => Err(error.to_string()),
        },
        StateSettings::Redis(redis) => timeout(limit, remote::probe(redis))
            .await
            .unwrap_or_else(|_| Err("no answer in time".to_owned())),
    }
}
