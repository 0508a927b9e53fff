//! Events: what the gateway tells its operator on stderr.

use std::fmt;
use std::io::IsTerminal;

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt as lines, reload};

use super::LineFormat;

/// The events of the process; through it a reload changes the level.
#[derive(Clone, Debug)]
pub struct Events {
    filter: reload::Handle<Targets, Registry>,
}

/// Events already go somewhere: another part of the process has called [`init`] before.
#[derive(Debug)]
pub struct AlreadyInitialized;

/// Sends the events of the whole process to stderr, those of `level` and above. Colours are for terminals only, and
/// not where `NO_COLOR` is set.
///
/// # Errors
/// [`AlreadyInitialized`] at the second call.
pub fn init(format: LineFormat, level: Level) -> Result<Events, AlreadyInitialized> {
    let (filter, handle) = reload::Layer::new(targets(level));
    // an event that cannot be written is lost; a complaint about it would go the same way, and panic there
    let layer = lines::layer()
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    let layer = match format {
        LineFormat::Text if std::io::stderr().is_terminal() => layer.boxed(),
        LineFormat::Text => layer.with_ansi(false).boxed(),
        LineFormat::Json => layer
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .boxed(),
    };
    let subscriber = tracing_subscriber::registry().with(filter).with(layer);
    subscriber.try_init().map_err(|_| AlreadyInitialized)?;
    Ok(Events { filter: handle })
}

impl Events {
    /// Changes the least severe level that is written, from the next event on.
    pub fn set_level(&self, level: Level) {
        // it fails only where the subscriber is gone, and then there is nothing to filter
        let _ = self.filter.reload(targets(level));
    }
}

/// Our own events of `level` and above. Libraries are held to warnings unless everything is asked for: what they call
/// information is ours to report.
fn targets(level: Level) -> Targets {
    let libraries = match level {
        Level::DEBUG | Level::TRACE => level,
        Level::ERROR => Level::ERROR,
        _ => Level::WARN,
    };
    Targets::new()
        .with_default(LevelFilter::from(libraries))
        .with_target(env!("CARGO_CRATE_NAME"), level)
}

impl fmt::Display for AlreadyInitialized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("events already go somewhere")
    }
}

impl std::error::Error for AlreadyInitialized {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_quieter_than_the_gateway() {
        for (level, ours, theirs) in [
            (Level::ERROR, Level::ERROR, Level::ERROR),
            (Level::INFO, Level::INFO, Level::WARN),
            (Level::DEBUG, Level::DEBUG, Level::DEBUG),
        ] {
            let filter = targets(level);
            assert!(filter.would_enable("gatelatch::server", &ours), "{level}");
            assert!(filter.would_enable("hyper", &theirs), "{level}");
            assert_eq!(
                filter.would_enable("hyper", &Level::INFO),
                theirs >= Level::INFO,
                "{level}"
            );
        }
    }
}
