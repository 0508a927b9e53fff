//! What a load of the configuration needs from the process.

use std::path::Path;
use std::thread::available_parallelism;

use crate::ambient;
use crate::config::LoadRequest;

/// A request to load the configuration at `path`, with the environment and a fresh secret of this process.
pub fn load_request(path: &Path) -> LoadRequest {
    // A variable that is not UTF-8 cannot stand in a YAML file, so nothing can ask for it.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    LoadRequest {
        path: path.to_owned(),
        environment: environment.collect(),
        fallback_secret: ambient::random_bytes::<48>().to_vec().into(),
        cores: available_parallelism().map_or(1, usize::from),
    }
}
