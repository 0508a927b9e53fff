//! `tracing`: where traces go, and which requests are traced.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};

use super::label;
use super::upstream::SystemRoots;
use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::reader::Reader;
use crate::config::scalar::Scalar;
use crate::config::yaml::Entry;
use crate::net::{ServerAddress, TlsError, TlsSettings, TrustRoots, certificates};
use crate::telemetry::traces::TraceSettings;

/// What a key ends in that names a file with the value.
const FILE: &str = "_file";

const FORMS: &str = "write `http://host:4317` or `https://host:4317`: OTLP over gRPC";

/// The block; `None` where nothing is traced, or it was refused.
pub(super) fn tracing(
    entry: Option<Entry>,
    roots: &SystemRoots,
    reader: &mut Reader<'_>,
) -> Option<TraceSettings> {
    let mut section = reader.section(entry?, &blocks::TRACING)?;
    let collector = section.require(reader, "otlp", "\"http://127.0.0.1:4317\"");
    let collector = collector.and_then(|entry| collector_of(&entry, reader));
    let secure = collector
        .as_ref()
        .is_none_or(|uri: &Uri| uri.scheme_str() == Some("https"));
    let tls = match section.take("ca") {
        Some(entry) => authorities(&entry, secure, reader).map(Arc::new),
        None => secure.then(|| Arc::new(roots.tls())),
    };
    let sample = section
        .take("sample")
        .and_then(|entry| share(&entry, reader))
        .unwrap_or(1.0);
    let service_name = section
        .take("service_name")
        .and_then(|entry| label(&entry, reader));
    let headers = section
        .take("headers")
        .map(|entry| headers(entry, reader))
        .unwrap_or_default();
    let range = Duration::from_millis(100)..=Duration::from_secs(60);
    let mut timeout = Duration::from_secs(10);
    section.duration("timeout", &mut timeout, range, reader);
    let trust = section
        .choice("trust", blocks::TRUST_CONTEXT, reader)
        .unwrap_or_default();
    section.finish(reader);
    Some(TraceSettings {
        collector: collector?,
        tls,
        headers,
        timeout,
        sample,
        service_name,
        trust,
    })
}

/// The collector as a URL; a path or a query would never be asked for.
fn collector_of(entry: &Entry, reader: &mut Reader<'_>) -> Option<Uri> {
    let text = reader.filled_text(entry)?;
    let uri: Option<Uri> = text.parse().ok();
    let sound = uri.filter(|uri| {
        let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
        let host = uri
            .authority()
            .is_some_and(|authority| ServerAddress::from_authority(authority, 443).is_some());
        scheme && host && uri.path() == "/" && uri.query().is_none()
    });
    if sound.is_none() {
        let finding = Finding::error(
            Code::InvalidValue,
            entry.node.span,
            "`otlp` expects the URL of a collector",
        );
        reader.report(finding.conceal(entry.node.span).help(FORMS));
    }
    sound
}

fn authorities(entry: &Entry, secure: bool, reader: &mut Reader<'_>) -> Option<TlsSettings> {
    if !secure {
        let message = "`ca` is given, but `otlp` is not `https://`";
        let finding = Finding::error(Code::InvalidValue, entry.key_span, message);
        reader.report(finding.help("write `https://` where TLS is spoken, or take `ca` away"));
        return None;
    }
    let (name, pem) = reader.file(entry)?;
    let made =
        certificates(&pem).and_then(|found| TlsSettings::new(TrustRoots::Only(found), None, None));
    if let Err(error) = &made {
        let message = match error {
            TlsError::Malformed | TlsError::NoCertificate => {
                format!("`{name}` holds no certificate in PEM")
            }
            TlsError::NoKey
            | TlsError::Authority(_)
            | TlsError::KeyMismatch
            | TlsError::Identity(_) => format!("`{name}` cannot be used: {error}"),
        };
        reader.report(Finding::error(Code::InvalidValue, entry.node.span, message));
    }
    made.ok()
}

/// A ratio from 0 to 1.
fn share(entry: &Entry, reader: &mut Reader<'_>) -> Option<f64> {
    const EXPECTED: &str = "a number from 0 to 1";
    let share = match reader.scalar(entry, EXPECTED)?.0 {
        Scalar::Real(share) => share,
        Scalar::Integer(0) => 0.0,
        Scalar::Integer(1) => 1.0,
        Scalar::Integer(_) => f64::NAN,
        Scalar::Nothing | Scalar::Boolean(_) | Scalar::Text => {
            reader.wrong_type(entry, EXPECTED);
            return None;
        }
    };
    if (0.0..=1.0).contains(&share) {
        return Some(share);
    }
    reader.invalid(
        entry,
        EXPECTED,
        "write `0.1` for one new trace in ten".to_owned(),
    );
    None
}

/// What the collector asks of its clients. Every value is a secret, with the three spellings of one.
fn headers(entry: Entry, reader: &mut Reader<'_>) -> Vec<(HeaderName, HeaderValue)> {
    let entries = reader.map(entry).unwrap_or_default().into_iter();
    let (files, inline): (Vec<Entry>, Vec<Entry>) =
        entries.partition(|entry| entry.key.ends_with(FILE));
    let inline = inline.into_iter().map(|entry| (Some(entry), None));
    let mut pairs: Vec<(Option<Entry>, Option<Entry>)> = inline.collect();
    for file in files {
        let name = file.key.trim_end_matches(FILE);
        let own = |(inline, _): &&mut (Option<Entry>, _)| {
            inline.as_ref().is_some_and(|entry| &*entry.key == name)
        };
        match pairs.iter_mut().find(own) {
            Some((_, beside)) => *beside = Some(file),
            None => pairs.push((None, Some(file))),
        }
    }
    pairs
        .into_iter()
        .filter_map(|(inline, file)| header(inline, file, reader))
        .collect()
}

fn header(
    inline: Option<Entry>,
    file: Option<Entry>,
    reader: &mut Reader<'_>,
) -> Option<(HeaderName, HeaderValue)> {
    let key = inline.as_ref().or(file.as_ref())?;
    // names that gRPC itself uses, and `-bin`, which it encodes
    let name = HeaderName::from_bytes(
        key.key
            .trim_end_matches(FILE)
            .to_ascii_lowercase()
            .as_bytes(),
    )
    .ok();
    let own = |name: &HeaderName| {
        let name = name.as_str();
        name.starts_with("grpc-")
            || name.ends_with("-bin")
            || ["te", "content-type", "host"].contains(&name)
    };
    let Some(name) = name.filter(|name| !own(name)) else {
        let finding = Finding::error(
            Code::InvalidValue,
            key.key_span,
            "`headers` expects names of header fields",
        );
        reader.report(finding.help("write such as `authorization: ${OTLP_AUTHORIZATION}`"));
        return None;
    };
    let (span, text) = reader.secret(inline, file)?;
    let Ok(mut value) = HeaderValue::from_str(&text) else {
        let message = format!("the value of `{name}` cannot be sent in a header field");
        let finding = Finding::error(Code::InvalidValue, span, message);
        reader.report(
            finding
                .conceal(span)
                .help("write it in one line of visible characters"),
        );
        return None;
    };
    value.set_sensitive(true);
    Some((name, value))
}
