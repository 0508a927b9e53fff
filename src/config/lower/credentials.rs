//! `credentials`: which kinds of them identify callers.

use super::distinct;
use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::lint;
use crate::config::reader::Reader;
use crate::config::settings::Server;
use crate::config::span::Span;
use crate::config::yaml::Entry;
use crate::wire::{AcceptedCredentials, CredentialKind};

/// The kinds that are given; `None` where none are, or where they were refused.
pub(super) fn credentials(
    entry: Option<Entry>,
    (service, server): (Option<Span>, &Server),
    reader: &mut Reader<'_>,
) -> Option<AcceptedCredentials> {
    let entry = entry?;
    let span = entry.node.span;
    let items = reader.list(entry)?;
    if items.is_empty() {
        let finding = Finding::error(Code::EmptyValue, span, "`credentials` is empty");
        reader.report(finding.help("write `[bearer, cookie]`, or take the key away"));
        return None;
    }
    let kinds = distinct(&items, reader, |item, reader| {
        reader.choice(item, blocks::CREDENTIALS)
    })?;
    let mut spans = items.iter().map(|item| item.node.span).zip(&kinds);
    let basic = spans.find(|(_, kind)| **kind == CredentialKind::Basic);
    if let Some(finding) = basic.and_then(|(span, _)| lint::clear_passwords(server, span)) {
        reader.report(finding.about(service));
    }
    Some(AcceptedCredentials::of(&kinds))
}
