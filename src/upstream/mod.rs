//! The only way out: from a permit to the upstream's answer.

mod settings;

pub use settings::{HostHeader, Origin, OriginError, Settings, Timeouts};
