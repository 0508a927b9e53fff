//! `allow_lints`: warnings that the operator has thought about.

use super::distinct;
use crate::config::code::Code;
use crate::config::finding::{Finding, did_you_mean};
use crate::config::lint::LINTS;
use crate::config::reader::Reader;
use crate::config::span::Span;
use crate::config::yaml::Entry;

/// Silences lints about what stands at `subject`; without one, about anything.
pub(super) fn allow_lints(entry: Option<Entry>, subject: Option<Span>, reader: &mut Reader<'_>) {
    let Some(items) = entry.and_then(|entry| reader.list(entry)) else {
        return;
    };
    distinct(&items, reader, |item, reader| {
        let code = lint(item, reader)?;
        reader.silence(code, subject, item.node.span);
        Some(code)
    });
}

fn lint(item: &Entry, reader: &mut Reader<'_>) -> Option<Code> {
    let text = reader.text(item)?;
    let names = || LINTS.iter().map(|(code, _)| code.as_str());
    let found = LINTS
        .iter()
        .find(|(code, _)| code.as_str() == text)
        .map(|(code, _)| *code);
    if found.is_none() {
        let message = format!("{} is not the name of a lint", reader.written(item));
        let help = did_you_mean(&text, names())
            .unwrap_or_else(|| "`gatelatch check --lints` lists them".to_owned());
        reader.report(Finding::error(Code::InvalidValue, item.node.span, message).help(help));
    }
    found
}
