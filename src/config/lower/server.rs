//! `server` and `log`.

use std::net::SocketAddr;
use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use ipnet::IpNet;

use super::listen::listen;
use super::{distinct, server_tls};
use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::lint;
use crate::config::proxy_protocol::ProxyProtocol;
use crate::config::reader::Reader;
use crate::config::section::Section;
use crate::config::settings::{Listen, Log, LogFormat, Server, ServerLimits, ServerTimeouts};
use crate::config::value;
use crate::config::yaml::{Entry, Value};
use crate::telemetry::audit::AuditSink;
use crate::wire::ForwardedFields;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// The shortest wait that is a deadline and not a mistake.
const SHORTEST: Duration = Duration::from_millis(10);

/// The `server` block.
pub(super) fn server(entry: Option<Entry>, cores: usize, reader: &mut Reader<'_>) -> Server {
    let mut server = default_server(cores);
    let Some(mut section) = entry.and_then(|entry| reader.section(entry, &blocks::SERVER)) else {
        return server;
    };
    if let Some(listen) = section
        .take("listen")
        .and_then(|entry| listen(entry, reader))
    {
        server.listen = listen;
    }
    if let Some(entry) = section.take("trusted_proxies") {
        server.trusted_proxies = trusted_proxies(entry, reader).unwrap_or_default();
    }
    if let Some(preserve) = section.boolean("preserve_header_case", reader) {
        server.preserve_header_case = preserve;
    }
    if let Some(workers) = section
        .take("workers")
        .and_then(|entry| workers(&entry, cores, reader))
    {
        server.workers = workers;
    }
    if let Some(section) = section
        .take("timeouts")
        .and_then(|entry| reader.section(entry, &blocks::SERVER_TIMEOUTS))
    {
        timeouts(&mut server.timeouts, section, reader);
    }
    if let Some(section) = section
        .take("limits")
        .and_then(|entry| reader.section(entry, &blocks::SERVER_LIMITS))
    {
        limits(&mut server.limits, section, reader);
    }
    if let Some(section) = section
        .take("tls")
        .and_then(|entry| reader.section(entry, &blocks::SERVER_TLS))
    {
        server.tls = server_tls::server_tls(section, reader);
    }
    server.forwarded = section
        .choice("forwarded", blocks::FORWARDED, reader)
        .unwrap_or_default();
    if let Some(entry) = section.take("proxy_protocol") {
        server.proxy_protocol = proxy_protocol(entry, &server.trusted_proxies, reader);
    }
    section.finish(reader);
    server
}

fn default_server(cores: usize) -> Server {
    Server {
        listen: vec![Listen::Tcp(SocketAddr::from(([0, 0, 0, 0], 8080)))],
        tls: None,
        trusted_proxies: Vec::new(),
        forwarded: ForwardedFields::default(),
        proxy_protocol: None,
        preserve_header_case: false,
        workers: cores.max(1),
        timeouts: ServerTimeouts {
            handshake: Duration::from_secs(10),
            header: Duration::from_secs(10),
            body: Duration::from_secs(60),
            idle: Duration::from_secs(75),
            tunnel: Duration::from_secs(3600),
            drain_delay: Duration::ZERO,
            drain: Duration::from_secs(30),
        },
        limits: ServerLimits {
            header_bytes: 32 << 10,
            headers: 100,
            body: None,
            connections: None,
            streams: 100,
        },
    }
}

fn trusted_proxies(entry: Entry, reader: &mut Reader<'_>) -> Option<Vec<IpNet>> {
    let items = reader.list(entry)?;
    let networks = distinct(&items, reader, network)?;
    let wide = items
        .iter()
        .zip(&networks)
        .filter_map(|(item, network)| lint::wide_proxies(network, item.node.span));
    wide.for_each(|finding| reader.report(finding));
    Some(networks)
}

/// `true`, or the block.
fn proxy_protocol(
    entry: Entry,
    trusted: &[IpNet],
    reader: &mut Reader<'_>,
) -> Option<ProxyProtocol> {
    let span = entry.node.span;
    let spoken = if matches!(entry.node.value, Value::Map(_)) {
        let mut section = reader.section(entry, &blocks::PROXY_PROTOCOL)?;
        let tls = section.choice("tls", blocks::PROXIED_TLS, reader);
        let mode = section.choice("mode", blocks::PROXY_MODE, reader);
        section.finish(reader);
        Some(ProxyProtocol {
            tls: tls.unwrap_or_default(),
            mode: mode.unwrap_or_default(),
        })
    } else {
        let spoken = reader.boolean(&entry).unwrap_or(false);
        spoken.then(ProxyProtocol::default)
    };
    if spoken.is_some() && trusted.is_empty() {
        let message = "`proxy_protocol` has no effect: nobody is in `trusted_proxies`";
        let finding = Finding::warning(Code::TrustsNobody, span, message);
        reader.report(finding.help(
            "name the networks of your load balancers, such as `trusted_proxies: [10.0.0.0/8]`",
        ));
    }
    spoken
}

/// A network such as `10.0.0.0/8`.
pub(super) fn network(entry: &Entry, reader: &mut Reader<'_>) -> Option<IpNet> {
    let text = reader.text(entry)?;
    match value::network(&text) {
        Ok(network) => Some(network),
        Err(help) => {
            reader.invalid(entry, "a network", help);
            None
        }
    }
}

fn workers(entry: &Entry, cores: usize, reader: &mut Reader<'_>) -> Option<usize> {
    let (_, text) = reader.scalar(entry, "`auto` or a whole number")?;
    if text == "auto" {
        return Some(cores.max(1));
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = reader.integer(entry, blocks::SERVER.range("workers")?)?;
        return usize::try_from(number).ok();
    }
    reader.invalid(
        entry,
        "`auto` or a whole number",
        "write `auto` for one worker a core".to_owned(),
    );
    None
}

fn timeouts(timeouts: &mut ServerTimeouts, mut section: Section, reader: &mut Reader<'_>) {
    let hour = Duration::from_secs(3600);
    for (key, field, range) in [
        ("handshake", &mut timeouts.handshake, SHORTEST..=hour),
        ("header", &mut timeouts.header, SHORTEST..=hour),
        ("body", &mut timeouts.body, SHORTEST..=DAY),
        ("idle", &mut timeouts.idle, SHORTEST..=DAY),
        ("tunnel", &mut timeouts.tunnel, SHORTEST..=7 * DAY),
        (
            "drain_delay",
            &mut timeouts.drain_delay,
            Duration::ZERO..=hour,
        ),
        ("drain", &mut timeouts.drain, Duration::ZERO..=DAY),
    ] {
        section.duration(key, field, range, reader);
    }
    section.finish(reader);
}

fn limits(limits: &mut ServerLimits, mut section: Section, reader: &mut Reader<'_>) {
    // Below 8 KiB the HTTP engine cannot hold one request head.
    let head = section
        .take("header_bytes")
        .and_then(|entry| reader.size(&entry, 8 << 10..=1 << 20));
    if let Some(bytes) = head.and_then(|bytes| usize::try_from(bytes).ok()) {
        limits.header_bytes = bytes;
    }
    section.integer("headers", &mut limits.headers, reader);
    if let Some(entry) = section.take("body") {
        limits.body = body_limit(&entry, reader);
    }
    limits.connections = connections(&mut section, reader);
    section.integer("streams", &mut limits.streams, reader);
    section.finish(reader);
}

/// `auto`, or a number.
fn connections(section: &mut Section, reader: &mut Reader<'_>) -> Option<NonZeroUsize> {
    let entry = section.take("connections")?;
    let (_, text) = reader.scalar(&entry, "`auto` or a whole number")?;
    if text == "auto" {
        return None;
    }
    let range = blocks::SERVER_LIMITS.range("connections")?;
    let number = reader.integer(&entry, range)?;
    NonZeroUsize::new(usize::try_from(number).ok()?)
}

/// Bytes of a body; 0 is no limit.
pub(super) fn body_limit(entry: &Entry, reader: &mut Reader<'_>) -> Option<NonZeroU64> {
    reader.size(entry, 0..=1 << 40).and_then(NonZeroU64::new)
}

/// The `log` block.
pub(super) fn log(entry: Option<Entry>, reader: &mut Reader<'_>) -> Log {
    let mut log = Log {
        format: LogFormat::Auto,
        level: tracing::Level::INFO,
        access: true,
        audit: None,
    };
    let Some(mut section) = entry.and_then(|entry| reader.section(entry, &blocks::LOG)) else {
        return log;
    };
    if let Some(format) = section.choice("format", blocks::LOG_FORMATS, reader) {
        log.format = format;
    }
    if let Some(level) = section.choice("level", blocks::LOG_LEVELS, reader) {
        log.level = level;
    }
    if let Some(access) = section.boolean("access", reader) {
        log.access = access;
    }
    let entry = section.take("audit");
    log.audit = entry.and_then(|entry| audit(&entry, reader));
    section.finish(reader);
    log
}

/// `off`, `stdout`, `stderr`, or a file.
fn audit(entry: &Entry, reader: &mut Reader<'_>) -> Option<AuditSink> {
    // a YAML 1.1 habit: there `off` is `false`
    let (_, text) = reader.scalar(entry, "`off`, `stdout`, `stderr` or a file")?;
    match text.as_str() {
        "off" | "false" => None,
        "stdout" => Some(AuditSink::Stdout),
        "stderr" => Some(AuditSink::Stderr),
        _ => reader.path(entry).map(AuditSink::File),
    }
}
