//! `upstream`: where a service's requests go.

mod health;
mod tls;

use std::time::Duration;

pub(super) use self::tls::{SystemRoots, authorities};

use super::distinct;
use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::reader::Reader;
use crate::config::section::Section;
use crate::config::span::Span;
use crate::config::yaml::{Entry, Value};
use crate::upstream::{Balance, Origin, Settings, Timeouts};

const SERVERS: &str = "write at least one server, such as `[http://127.0.0.1:9000]`";

/// A server, or the block in full.
pub(super) fn upstream(
    entry: Entry,
    roots: &SystemRoots,
    reader: &mut Reader<'_>,
) -> Option<Settings> {
    if !matches!(entry.node.value, Value::Map(_)) {
        return short(&entry, roots, reader);
    }
    let mut section = reader.section(entry, &blocks::UPSTREAM)?;
    let servers = section.require(reader, "servers", "[http://127.0.0.1:9000]");
    let servers = servers.and_then(|entry| servers_of(entry, reader));
    let balance = balance(&mut section, reader);
    let health = section
        .take("health")
        .and_then(|entry| reader.section(entry, &blocks::UPSTREAM_HEALTH));
    let health = health.map(|section| health::health(section, reader));
    let timeouts = section
        .take("timeouts")
        .and_then(|entry| reader.section(entry, &blocks::UPSTREAM_TIMEOUTS));
    let timeouts = timeouts
        .map(|section| lower_timeouts(section, reader))
        .unwrap_or_default();
    let mut retries = 1;
    section.integer("retries", &mut retries, reader);
    let host = section
        .choice("host", blocks::HOST, reader)
        .unwrap_or_default();
    let tls = section
        .take("tls")
        .map(|entry| tls::written(entry, servers.as_deref(), roots, reader));
    section.finish(reader);
    let servers = servers?;
    let tls = match tls {
        Some(written) => Some(written?),
        None => tls::implied(&servers, roots),
    };
    let health = match health {
        Some(written) => Some(written?),
        None => None,
    };
    Some(Settings {
        balance,
        health,
        timeouts,
        retries,
        host,
        tls,
        preserve_header_case: false,
        servers,
    })
}

/// Where the servers stand.
pub(super) fn places(entry: &Entry) -> Vec<Span> {
    let Value::Map(block) = &entry.node.value else {
        return vec![entry.node.span];
    };
    let servers = block.iter().find(|entry| &*entry.key == "servers");
    match servers.map(|entry| &entry.node.value) {
        Some(Value::List(items)) => items.iter().map(|item| item.span).collect(),
        Some(_) | None => Vec::new(),
    }
}

fn short(entry: &Entry, roots: &SystemRoots, reader: &mut Reader<'_>) -> Option<Settings> {
    if matches!(entry.node.value, Value::List(_)) {
        reader.wrong_type(
            entry,
            "a server such as `http://127.0.0.1:9000`, or a map with `servers`",
        );
        return None;
    }
    let server = server(entry, reader)?;
    let tls = tls::implied(std::slice::from_ref(&server), roots);
    Some(Settings {
        tls,
        ..Settings::of(server)
    })
}

fn servers_of(entry: Entry, reader: &mut Reader<'_>) -> Option<Vec<Origin>> {
    let items = reader.filled_list(entry, SERVERS)?;
    distinct(&items, reader, server)
}

fn server(entry: &Entry, reader: &mut Reader<'_>) -> Option<Origin> {
    let text = reader.text(entry)?;
    let parsed = Origin::parse(&text);
    if let Err(error) = &parsed {
        let message = format!("`{}`: {error}", entry.key);
        reader.report(Finding::error(Code::InvalidValue, entry.node.span, message));
    }
    parsed.ok()
}

fn balance(section: &mut Section, reader: &mut Reader<'_>) -> Balance {
    section
        .choice("balance", blocks::BALANCE, reader)
        .unwrap_or_default()
}

fn lower_timeouts(mut section: Section, reader: &mut Reader<'_>) -> Timeouts {
    let mut timeouts = Timeouts::default();
    let shortest = Duration::from_millis(10);
    let day = Duration::from_secs(24 * 3600);
    section.duration(
        "connect",
        &mut timeouts.connect,
        shortest..=day / 24,
        reader,
    );
    section.duration("response", &mut timeouts.response, shortest..=day, reader);
    section.duration("stream", &mut timeouts.stream, shortest..=day, reader);
    section.duration("idle", &mut timeouts.idle, shortest..=day, reader);
    section.finish(reader);
    timeouts
}
