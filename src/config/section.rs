//! A map whose keys are asked for one by one; what nobody asked for is unknown.

use super::code::Code;
use super::finding::{Finding, did_you_mean};
use super::reader::Reader;
use super::secrecy::shown_key;
use super::shown::REDACTED;
use super::span::{File, Span};
use super::yaml::Entry;

/// The keys of one map that are not read yet.
#[derive(Debug)]
pub(super) struct Section {
    span: Span,
    entries: Vec<Entry>,
    known: Vec<&'static str>,
}

impl Section {
    /// `span` is where a missing key is reported.
    pub(super) fn new(span: Span, entries: Vec<Entry>) -> Self {
        Self {
            span,
            entries,
            known: Vec::new(),
        }
    }

    /// Where the map stands.
    pub(super) fn span(&self) -> Span {
        self.span
    }

    /// All keys of a map whose keys are names that the operator chose.
    pub(super) fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// The value of a key, if it is given.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Entry> {
        self.known.push(key);
        let index = self.entries.iter().position(|entry| &*entry.key == key)?;
        Some(self.entries.remove(index))
    }

    /// The value of a key that must be given.
    pub(super) fn require(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        example: &str,
    ) -> Option<Entry> {
        let entry = self.take(key);
        if entry.is_none() {
            let finding =
                Finding::error(Code::MissingKey, self.span, format!("`{key}` is missing"));
            reader.report(finding.help(format!("write `{key}: {example}`")));
        }
        entry
    }

    /// The value of a key that has two names, of which one may be given.
    pub(super) fn either(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        alias: &'static str,
    ) -> Option<Entry> {
        match (self.take(key), self.take(alias)) {
            (Some(first), Some(second)) => {
                let (first, second) = if first.key_span <= second.key_span {
                    (first, second)
                } else {
                    (second, first)
                };
                let message = format!("`{}` is given as well as `{}`", second.key, first.key);
                let finding = Finding::error(Code::TwoSpellings, second.key_span, message)
                    .note(first.key_span, "first given here")
                    .help("take one of them away");
                reader.report(finding);
                Some(first)
            }
            (first, second) => first.or(second),
        }
    }

    /// Reports what is left.
    pub(super) fn finish(self, reader: &mut Reader<'_>) {
        for entry in &self.entries {
            let help = did_you_mean(&entry.key, self.known.iter().copied())
                .unwrap_or_else(|| format!("known here: {}", listed(&self.known)));
            let key = shown_key(entry);
            let message = format!("unknown key `{key}`");
            let finding = Finding::error(Code::UnknownKey, entry.key_span, message).help(help);
            reader.report(guarded(finding, &key, entry));
        }
    }
}

/// A misspelled `password` must not be what brings a hash to the screen, nor a key that is a secret itself.
fn guarded(finding: Finding, key: &str, entry: &Entry) -> Finding {
    let value = entry.node.span;
    match entry.key_span.file {
        _ if key == REDACTED => finding.conceal(Span {
            start: entry.key_span.start,
            ..value
        }),
        File::Users => finding.conceal(value),
        File::Config | File::Environment | File::Tests => finding,
    }
}

fn listed(keys: &[&'static str]) -> String {
    keys.iter()
        .map(|key| format!("`{key}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
