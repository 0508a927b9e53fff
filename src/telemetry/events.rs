//! Events of the gateway, for its operator, on stderr.

use std::fmt;
use std::io::Write;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, reload};

use super::access_log::{Stamp, quoted, word};
use super::{Attention, LineFormat};
use crate::ambient;

/// Fields that hold several values, with `, ` between them: lists in JSON.
const LISTS: [&str; 1] = ["clients"];

/// The events of the process; through it a reload changes the level.
#[derive(Clone, Debug)]
pub struct Events {
    filter: reload::Handle<Targets, Registry>,
}

/// Events already go somewhere: another part of the process has called [`init`] before.
#[derive(Debug)]
pub struct AlreadyInitialized;

/// Sends the events of the whole process to stderr, those of `level` and above.
///
/// # Errors
/// [`AlreadyInitialized`] at the second call.
pub fn init(format: LineFormat, level: Level) -> Result<Events, AlreadyInitialized> {
    let (filter, handle) = reload::Layer::new(targets(level));
    let layer = EventLines(format);
    let subscriber = tracing_subscriber::registry().with(filter).with(layer);
    subscriber.try_init().map_err(|_| AlreadyInitialized)?;
    Ok(Events { filter: handle })
}

/// Writes each event as one line, like those of the access log.
struct EventLines(LineFormat);

impl<S: Subscriber> Layer<S> for EventLines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Vec::with_capacity(256);
        let metadata = event.metadata();
        // the names of the gateway's own modules say nothing to its operators
        let (own, _) = metadata.target().split_once("::").unwrap_or_default();
        let library = Some(metadata.target()).filter(|_| own != env!("CARGO_CRATE_NAME"));
        let mut stamp = Stamp::default();
        let stamp = stamp.of(ambient::wall_clock());
        begin(&mut line, self.0, stamp, *metadata.level());
        let mut fields = Fields {
            out: &mut line,
            format: self.0,
        };
        event.record(&mut fields);
        library
            .into_iter()
            .for_each(|target| fields.text("target", target));
        end(&mut line, self.0);
        // an event that cannot be written is lost; a complaint about it would go the same way
        let _ = std::io::stderr().lock().write_all(&line);
    }
}

fn begin(out: &mut Vec<u8>, format: LineFormat, stamp: &[u8], level: Level) {
    let attention = match level {
        Level::ERROR => Attention::Much,
        Level::WARN => Attention::Some,
        _ => Attention::None,
    };
    let (before, between): (&[u8], &[u8]) = match format {
        LineFormat::Text | LineFormat::Coloured => (b"time=", b" level="),
        LineFormat::Json => (b"{\"timestamp\":\"", b"\",\"level\":\""),
    };
    out.extend_from_slice(before);
    out.extend_from_slice(stamp);
    out.extend_from_slice(between);
    attention.paint(format, out, |out| {
        out.extend_from_slice(level.as_str().as_bytes())
    });
    if format == LineFormat::Json {
        out.push(b'"');
    }
}

fn end(out: &mut Vec<u8>, format: LineFormat) {
    out.extend_from_slice(match format {
        LineFormat::Text | LineFormat::Coloured => b"\n",
        LineFormat::Json => b"}\n",
    });
}

/// Appends the fields of an event, in its order.
struct Fields<'a> {
    out: &'a mut Vec<u8>,
    format: LineFormat,
}

impl Fields<'_> {
    fn key(&mut self, name: &str) {
        match self.format {
            LineFormat::Text | LineFormat::Coloured => {
                self.out.push(b' ');
                self.out.extend_from_slice(name.as_bytes());
                self.out.push(b'=');
            }
            LineFormat::Json => {
                self.out.push(b',');
                quoted(self.out, name);
                self.out.push(b':');
            }
        }
    }

    fn text(&mut self, name: &str, value: &str) {
        self.key(name);
        match self.format {
            LineFormat::Text | LineFormat::Coloured => word(self.out, value),
            LineFormat::Json if LISTS.contains(&name) => {
                for (index, part) in value.split(", ").enumerate() {
                    self.out.push(if index == 0 { b'[' } else { b',' });
                    quoted(self.out, part);
                }
                self.out.push(b']');
            }
            LineFormat::Json => quoted(self.out, value),
        }
    }

    /// A number or truth value, which looks the same in both formats.
    fn scalar(&mut self, field: &Field, value: impl fmt::Display) {
        self.key(field.name());
        write!(self.out, "{value}").expect("writing to a vector cannot fail");
    }
}

impl Visit for Fields<'_> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.scalar(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.scalar(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.scalar(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field.name(), value);
    }

    /// Values that are displayed come this way too.
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field.name(), &format!("{value:?}"));
    }
}

impl Events {
    /// Changes the least severe level that is written, from the next event on.
    pub fn set_level(&self, level: Level) {
        // it fails only where the subscriber is gone, and then there is nothing to filter
        let _ = self.filter.reload(targets(level));
    }
}

/// Our own events of `level` and above. Libraries are limited to warnings below the level debug: what they call
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
        // what a directory sends is no matter for a log; what is wrong with it is reported by who asked
        .with_target("ldap3", LevelFilter::OFF)
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

    /// The line of an event, without its time.
    fn line(format: LineFormat) -> String {
        let mut line = Vec::new();
        begin(&mut line, format, b"T", Level::WARN);
        let mut fields = Fields {
            out: &mut line,
            format,
        };
        fields.text("message", "say \"hi\"");
        fields.text("clients", "https://[::1]:8443, unix:/run/g.sock");
        fields.text("user", "alice");
        end(&mut line, format);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn an_event_looks_like_a_line_of_the_access_log() {
        let rest =
            r#" message="say \"hi\"" clients="https://[::1]:8443, unix:/run/g.sock" user=alice"#;
        for (format, expected) in [
            (LineFormat::Text, format!("time=T level=WARN{rest}\n")),
            (
                LineFormat::Coloured,
                format!("time=T level=\x1b[33mWARN\x1b[0m{rest}\n"),
            ),
            (
                LineFormat::Json,
                concat!(
                    r#"{"timestamp":"T","level":"WARN","message":"say \"hi\"","#,
                    r#""clients":["https://[::1]:8443","unix:/run/g.sock"],"user":"alice"}"#,
                    "\n"
                )
                .to_owned(),
            ),
        ] {
            assert_eq!(line(format), expected);
        }
    }

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
