//! `credentials`: which kinds of them identify callers.

use super::distinct;
use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::lint;
use crate::config::reader::{Reader, meant};
use crate::config::settings::Server;
use crate::config::span::Span;
use crate::config::yaml::{Entry, Value};
use crate::wire::{AcceptedCredentials, CredentialKind};

/// The kinds that are given; `None` where none are, or where they were refused.
pub(super) fn credentials(
    entry: Option<Entry>,
    (service, server): (Option<Span>, &Server),
    reader: &mut Reader<'_>,
) -> Option<AcceptedCredentials> {
    let entry = entry?;
    let span = entry.node.span;
    if !matches!(entry.node.value, Value::List(_)) {
        report(span, "`credentials` expects a list", None, reader);
        return None;
    }
    let items = reader.list(entry)?;
    if items.is_empty() {
        let finding = Finding::error(Code::EmptyValue, span, "`credentials` is empty");
        reader.report(finding.help("write `[bearer, cookie]`, or take the key away"));
        return None;
    }
    let kinds = distinct(&items, reader, kind)?;
    let mut spans = items.iter().map(|item| item.node.span).zip(&kinds);
    let basic = spans.find(|(_, kind)| **kind == CredentialKind::Basic);
    if let Some(finding) = basic.and_then(|(span, _)| lint::clear_passwords(server, span)) {
        reader.report(finding.about(service));
    }
    Some(AcceptedCredentials::of(&kinds))
}

/// One kind. What else is written may be a credential itself, and is not repeated.
fn kind(item: &Entry, reader: &mut Reader<'_>) -> Option<CredentialKind> {
    let word = match &item.node.value {
        Value::Plain(text) | Value::Quoted(text) => text.as_ref(),
        Value::List(_) | Value::Map(_) | Value::Broken => "",
    };
    let mut kinds = blocks::CREDENTIALS.iter();
    if let Some((_, kind)) = kinds.find(|(name, _)| *name == word) {
        return Some(*kind);
    }
    let message = "`credentials` expects `bearer`, `cookie` or `basic`";
    report(item.node.span, message, meant("credentials", word), reader);
    None
}

fn report(span: Span, message: &str, help: Option<&str>, reader: &mut Reader<'_>) {
    let finding = Finding::error(Code::WrongType, span, message);
    reader.report(finding.help(help.unwrap_or("write `[bearer, cookie]`")));
}
