//! `upstream.health`: how the servers are checked.

use std::time::Duration;

use http::uri::PathAndQuery;

use crate::config::reader::Reader;
use crate::config::section::Section;
use crate::config::yaml::Entry;
use crate::upstream::Health;

/// `None` where its path is missing or refused.
pub(super) fn health(mut section: Section, reader: &mut Reader<'_>) -> Option<Health> {
    let path = section.require(reader, "path", "/healthz");
    let path = path.and_then(|entry| path_of(&entry, reader));
    // the rest is read whatever the path is, so that everything wrong is said at once
    let mut health = Health::of(PathAndQuery::from_static("/"));
    let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3600));
    section.duration("interval", &mut health.interval, second / 10..=hour, reader);
    section.duration(
        "timeout",
        &mut health.timeout,
        second / 100..=hour / 60,
        reader,
    );
    section.integer("unhealthy_after", &mut health.unhealthy_after, reader);
    section.integer("healthy_after", &mut health.healthy_after, reader);
    section.finish(reader);
    Some(Health {
        path: path?,
        ..health
    })
}

fn path_of(entry: &Entry, reader: &mut Reader<'_>) -> Option<PathAndQuery> {
    let text = reader.text(entry)?;
    let path = text
        .parse()
        .ok()
        .filter(|_| text.starts_with('/') && !text.contains('#'));
    if path.is_none() {
        reader.invalid(
            entry,
            "a path",
            "write an absolute path such as `/healthz`".to_owned(),
        );
    }
    path
}
