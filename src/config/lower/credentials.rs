//! `credentials`: which kinds of them identify callers.

use super::distinct;
use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::{Finding, any_of};
use crate::config::lint;
use crate::config::reader::{Reader, meant};
use crate::config::secrecy::is_slip;
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
        let known = slip_of(word_of(&entry));
        let help = known.map(|known| format!("write `credentials: [{known}]`"));
        let finding = Finding::error(Code::WrongType, span, "`credentials` expects a list");
        reader.report(finding.help(help.unwrap_or_else(|| HELP.to_owned())));
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

/// One kind. What else is written may be a credential itself, and is not repeated unless it is a slip of the pen.
fn kind(item: &Entry, reader: &mut Reader<'_>) -> Option<CredentialKind> {
    let word = word_of(item);
    let mut kinds = blocks::CREDENTIALS.iter();
    if let Some((_, kind)) = kinds.find(|(name, _)| *name == word) {
        return Some(*kind);
    }
    let code = match &item.node.value {
        Value::Plain(_) | Value::Quoted(_) => Code::InvalidValue,
        Value::List(_) | Value::Map(_) | Value::Broken => Code::WrongType,
    };
    let known = slip_of(word);
    let found = known.map_or_else(String::new, |_| format!(", not `{word}`"));
    let message = format!("`credentials` expects {}{found}", any_of(words()));
    let help = meant("credentials", word).map(str::to_owned);
    let help = help.or_else(|| Some(format!("did you mean `{}`?", known?)));
    let finding = Finding::error(code, item.node.span, message);
    reader.report(finding.help(help.unwrap_or_else(|| HELP.to_owned())));
    None
}

const HELP: &str = "write those that callers may use, such as `[bearer, cookie]`";

fn words() -> impl Iterator<Item = &'static str> {
    blocks::CREDENTIALS.iter().map(|(name, _)| *name)
}

/// The kind that a word is but for one slip of the pen.
fn slip_of(word: &str) -> Option<&'static str> {
    words().find(|known| is_slip(word, known))
}

fn word_of(entry: &Entry) -> &str {
    match &entry.node.value {
        Value::Plain(text) | Value::Quoted(text) => text,
        Value::List(_) | Value::Map(_) | Value::Broken => "",
    }
}
