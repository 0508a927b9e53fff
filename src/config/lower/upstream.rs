//! `upstream`: where a service's requests go.

use std::time::Duration;

use super::server::duration;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::reader::Reader;
use crate::config::section::Section;
use crate::config::yaml::{Entry, Value};
use crate::upstream::{HostHeader, Origin, OriginError, Settings, Timeouts};

const ONE_SERVER: &str = "write one server, such as `[http://127.0.0.1:9000]`";

/// A server, or the block in full.
pub(super) fn upstream(entry: Entry, reader: &mut Reader<'_>) -> Option<Settings> {
    if !matches!(entry.node.value, Value::Map(_)) {
        return short(&entry, reader);
    }
    let mut section = reader.section(entry)?;
    let servers = section.require(reader, "servers", "[http://127.0.0.1:9000]");
    let origin = servers.and_then(|entry| servers_of(entry, reader));
    let timeouts = section.take("timeouts").and_then(|entry| reader.section(entry));
    let timeouts = timeouts.map(|section| lower_timeouts(section, reader)).unwrap_or_default();
    let retries = section.take("retries").and_then(|entry| reader.integer(&entry, 0..=3)).unwrap_or(1);
    let hosts = [("preserve", HostHeader::Preserve), ("upstream", HostHeader::Upstream)];
    let host = section.take("host").and_then(|entry| reader.choice(&entry, &hosts)).unwrap_or_default();
    section.refuse(reader, &["balance", "health", "tls"]);
    section.finish(reader);
    let retries = u32::try_from(retries).unwrap_or(0);
    origin.map(|origin| Settings { origin, timeouts, retries, host })
}

fn short(entry: &Entry, reader: &mut Reader<'_>) -> Option<Settings> {
    if matches!(entry.node.value, Value::List(_)) {
        reader.wrong_type(entry, "a server such as `http://127.0.0.1:9000`, or a map with `servers`");
        return None;
    }
    let origin = origin(entry, reader)?;
    Some(Settings { origin, timeouts: Timeouts::default(), retries: 1, host: HostHeader::Preserve })
}

fn servers_of(entry: Entry, reader: &mut Reader<'_>) -> Option<Origin> {
    let items = reader.filled_list(entry, ONE_SERVER)?;
    let origins: Vec<_> = items.iter().map(|item| origin(item, reader)).collect();
    if let Some(second) = items.get(1) {
        let message = "more than one server of an upstream is not available in this version";
        reader.report(Finding::error(Code::NotAvailable, second.node.span, message).help(ONE_SERVER));
        return None;
    }
    origins.into_iter().next().flatten()
}

fn origin(entry: &Entry, reader: &mut Reader<'_>) -> Option<Origin> {
    let text = reader.text(entry)?;
    let error = match Origin::parse(&text) {
        Ok(origin) => return Some(origin),
        Err(error) => error,
    };
    let code = match &error {
        OriginError::Unavailable(_) => Code::NotAvailable,
        OriginError::Malformed | OriginError::Scheme(_) | OriginError::Extra => Code::InvalidValue,
    };
    reader.report(Finding::error(code, entry.node.span, format!("`{}`: {error}", entry.key)));
    None
}

fn lower_timeouts(mut section: Section, reader: &mut Reader<'_>) -> Timeouts {
    let mut timeouts = Timeouts::default();
    let shortest = Duration::from_millis(10);
    let day = Duration::from_secs(24 * 3600);
    duration(&mut timeouts.connect, section.take("connect"), shortest..=day / 24, reader);
    duration(&mut timeouts.response, section.take("response"), shortest..=day, reader);
    duration(&mut timeouts.idle, section.take("idle"), shortest..=day, reader);
    section.finish(reader);
    timeouts
}
