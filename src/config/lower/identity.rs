//! `identity`: what the upstream is told about the caller.

use http::HeaderName;

use super::{distinct, label};
use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::reader::Reader;
use crate::config::shown::shown;
use crate::config::span::Span;
use crate::config::yaml::Entry;
use crate::wire::{CONNECTION_FIELDS, IdentityField, IdentityHeader, IdentitySettings};

/// Headers with a meaning of their own, beside those about the connection: to overwrite one of them would change more
/// than what the upstream knows.
const TAKEN: [&str; 19] = [
    "authorization",
    "cookie",
    "set-cookie",
    "content-type",
    "content-encoding",
    "content-range",
    "range",
    "accept-encoding",
    "origin",
    "via",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
    "x-request-id",
    "traceparent",
    "tracestate",
];

/// The `identity` block of a service.
pub(super) fn identity(entry: Entry, reader: &mut Reader<'_>) -> Option<IdentitySettings> {
    let mut section = reader.section(entry, &blocks::IDENTITY)?;
    let mut settings = IdentitySettings::default();
    if let Some(entries) = section.take("headers").and_then(|entry| reader.map(entry)) {
        settings.headers = headers(entries, reader);
    }
    if let Some(separator) = section
        .take("separator")
        .and_then(|entry| separator(&entry, reader))
    {
        settings.separator = separator;
    }
    if let Some(choice) = section.choice("authorization", blocks::AUTHORIZATION, reader) {
        settings.authorization = choice;
    }
    if let Some(entry) = section.take("pass") {
        settings.pass = pass(entry, &settings.headers, reader).unwrap_or_default();
    }
    section.finish(reader);
    Some(settings)
}

fn headers(entries: Vec<Entry>, reader: &mut Reader<'_>) -> Vec<IdentityHeader> {
    let mut headers: Vec<(IdentityHeader, Span)> = Vec::new();
    for entry in entries {
        let name = header_name(&entry.key, entry.key_span, reader);
        let Some((name, field)) = name.zip(field(&entry, reader)) else {
            continue;
        };
        // Many servers hand `-` and `_` to the application as the same letter.
        let twin = headers
            .iter()
            .find(|(other, _)| folded(&other.name) == folded(&name));
        if let Some((other, first)) = twin {
            let (key, other) = (shown(&entry.key), &other.name);
            let message = format!("`{key}` is the same header as `{other}` to many servers");
            let finding = Finding::error(Code::InvalidValue, entry.key_span, message);
            let finding = finding.note(*first, "first given here");
            reader.report(finding.help("take one of them away"));
        } else {
            headers.push((IdentityHeader { name, field }, entry.key_span));
        }
    }
    headers.into_iter().map(|(header, _)| header).collect()
}

fn header_name(text: &str, span: Span, reader: &mut Reader<'_>) -> Option<HeaderName> {
    let Ok(name) = text.parse::<HeaderName>() else {
        let message = format!("`{}` is not the name of a header", shown(text));
        let finding = Finding::error(Code::InvalidValue, span, message);
        reader.report(finding.help("write letters, digits and `-`, such as `Remote-User`"));
        return None;
    };
    if is_taken(&name) {
        let message = format!(
            "`{}` has a meaning of its own and cannot carry an identity",
            shown(text)
        );
        let finding = Finding::error(Code::InvalidValue, span, message);
        reader.report(finding.help("choose another name, such as `Remote-User`"));
        return None;
    }
    Some(name)
}

fn is_taken(name: &HeaderName) -> bool {
    TAKEN
        .iter()
        .chain(&CONNECTION_FIELDS)
        .any(|taken| folded_str(taken) == folded(name))
}

fn folded(name: &HeaderName) -> String {
    folded_str(name.as_str())
}

fn folded_str(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect()
}

fn field(entry: &Entry, reader: &mut Reader<'_>) -> Option<IdentityField> {
    let text = label(entry, reader)?;
    Some(match text.as_str() {
        "sub" => IdentityField::Subject,
        "roles" => IdentityField::Roles,
        "name" => IdentityField::Name,
        "email" => IdentityField::Email,
        _ => IdentityField::Claim(text.into()),
    })
}

fn separator(entry: &Entry, reader: &mut Reader<'_>) -> Option<String> {
    let text = reader.text(entry)?;
    let printable = text
        .bytes()
        .all(|byte| byte == b' ' || byte.is_ascii_graphic());
    // `%` opens an escape, and letters or digits would stand in the roles themselves.
    let distinct = !text.contains('%') && !text.chars().all(char::is_alphanumeric);
    if printable && distinct && text.trim() != "" && text.len() <= 8 {
        return Some(text);
    }
    reader.invalid(
        entry,
        "one to eight visible characters that no role holds",
        "write `\",\"`".to_owned(),
    );
    None
}

fn pass(
    entry: Entry,
    headers: &[IdentityHeader],
    reader: &mut Reader<'_>,
) -> Option<Vec<HeaderName>> {
    let items = reader.list(entry)?;
    distinct(&items, reader, |item, reader| {
        let text = reader.text(item)?;
        let Ok(name) = text.parse::<HeaderName>() else {
            reader.invalid(
                item,
                "the names of headers",
                "write a name such as `X-Remote-User`".to_owned(),
            );
            return None;
        };
        if is_taken(&name) {
            let message = format!(
                "{} is not an identity header: `pass` has no say in it",
                reader.written(item)
            );
            reader.report(
                Finding::error(Code::InvalidValue, item.node.span, message).help("take it away"),
            );
            return None;
        }
        if headers
            .iter()
            .any(|header| folded(&header.name) == folded(&name))
        {
            let written = reader.written(item);
            let message =
                format!("{written} carries the gateway's own word and cannot come from the client");
            reader.report(
                Finding::error(Code::InvalidValue, item.node.span, message).help("take it away"),
            );
            return None;
        }
        Some(name)
    })
}
