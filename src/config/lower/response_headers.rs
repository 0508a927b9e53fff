//! `response_headers`: what is added to answers, or taken out of them.

use http::{HeaderName, HeaderValue};

use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::reader::Reader;
use crate::config::scalar::{Scalar, resolve};
use crate::config::shown::shown;
use crate::config::span::Span;
use crate::config::yaml::{Entry, Value};
use crate::wire::{CONNECTION_FIELDS, ResponseFields};

/// The `response_headers` block of a service: a value sets a header, nothing takes it out.
pub(super) fn response_headers(entry: Entry, reader: &mut Reader<'_>) -> Option<ResponseFields> {
    let entries = reader.map(entry)?;
    let mut fields = ResponseFields::default();
    let mut complete = true;
    for entry in entries {
        let Some(name) = free_name(&entry, reader) else {
            complete = false;
            continue;
        };
        if is_nothing(&entry) {
            fields.remove.push(name);
        } else if let Some(value) = value(&entry, reader) {
            fields.set.push((name, value));
        } else {
            complete = false;
        }
    }
    complete.then_some(fields)
}

/// The name of a header.
pub(super) fn field_name(text: &str, span: Span, reader: &mut Reader<'_>) -> Option<HeaderName> {
    let name = text.parse().ok();
    if name.is_none() {
        let message = format!("`{}` is not the name of a header", shown(text));
        let finding = Finding::error(Code::InvalidValue, span, message);
        reader.report(finding.help("write letters, digits and `-`, such as `X-Frame-Options`"));
    }
    name
}

/// A name that is not about the connection: how long an answer is, the gateway alone knows.
fn free_name(entry: &Entry, reader: &mut Reader<'_>) -> Option<HeaderName> {
    let name = field_name(&entry.key, entry.key_span, reader)?;
    if CONNECTION_FIELDS.contains(&name.as_str()) {
        let message = format!(
            "`{}` is about the connection, and not the operator's to set",
            shown(&entry.key)
        );
        let finding = Finding::error(Code::InvalidValue, entry.key_span, message);
        reader.report(finding.help("take it away"));
        return None;
    }
    Some(name)
}

fn is_nothing(entry: &Entry) -> bool {
    matches!(&entry.node.value, Value::Plain(text) if resolve(text) == Scalar::Nothing)
}

fn value(entry: &Entry, reader: &mut Reader<'_>) -> Option<HeaderValue> {
    let (_, text) = reader.scalar(entry, "the value of a header")?;
    let value = HeaderValue::from_str(text.trim()).ok();
    if value.is_none() {
        reader.invalid(
            entry,
            "the value of a header",
            "write one line of visible characters".to_owned(),
        );
    }
    value
}
