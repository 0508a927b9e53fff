//! Secrets and files: read whole, and never shown.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::Reader;
use crate::config::code::Code;
use crate::config::files::{beside, denial, reason};
use crate::config::finding::Finding;
use crate::config::shown::{REDACTED, looks_secret, may_be_secret, shown};
use crate::config::span::{File, Span};
use crate::config::variables::lacks_braces;
use crate::config::yaml::{Entry, Value};

impl Reader<'_> {
    /// A text that may hold a secret, which is seen only from all of it: given here, or in a file of its own.
    pub(in crate::config) fn half_secret(
        &mut self,
        inline: Option<Entry>,
        file: Option<Entry>,
    ) -> Option<(Span, String)> {
        match (inline, file) {
            (Some(entry), None) => self.filled_text(&entry).map(|text| (entry.node.span, text)),
            (inline, file) => self.secret(inline, file),
        }
    }

    /// A secret: given here, or in a file of its own under `entry_file`.
    pub(in crate::config) fn secret(
        &mut self,
        inline: Option<Entry>,
        file: Option<Entry>,
    ) -> Option<(Span, String)> {
        let (span, text) = self.public(inline.as_ref(), file.as_ref())?;
        inline.iter().for_each(|entry| self.warn_of_inline(entry));
        self.secrets.note(span, &text);
        Some((span, text))
    }

    /// Remembers a secret that was read, so that it is noticed in a second place.
    pub(in crate::config) fn note_secret(&mut self, span: Span, secret: &[u8]) {
        self.secrets.note(span, secret);
    }

    /// A text that has the two spellings of a secret and is none, such as a public key.
    pub(in crate::config) fn public(
        &mut self,
        inline: Option<&Entry>,
        file: Option<&Entry>,
    ) -> Option<(Span, String)> {
        match (inline, file) {
            (Some(inline), Some(file)) => {
                let message = format!("`{}` is given as well as `{}`", file.key, inline.key);
                let finding = Finding::error(Code::TwoSpellings, file.key_span, message)
                    .note(inline.key_span, "first given here")
                    .help("take one of them away");
                self.report(finding);
                None
            }
            (Some(entry), None) => self.filled_text(entry).map(|text| (entry.node.span, text)),
            (None, Some(entry)) => self.text_file(entry).map(|text| (entry.node.span, text)),
            (None, None) => None,
        }
    }

    fn unreadable(&mut self, entry: &Entry, (path, name): (&Path, &str), error: &std::io::Error) {
        let message = format!("cannot read `{name}`: {}", reason(error));
        let finding = Finding::error(Code::UnreadableFile, entry.node.span, message);
        self.report(if error.kind() == ErrorKind::PermissionDenied {
            finding.help(denial(path))
        } else if name == REDACTED {
            // a secret that stands where its file should be named
            finding
                .help("write the name of the file that holds it")
                .conceal(entry.node.span)
        } else if error.kind() == ErrorKind::NotFound {
            let from = self.file_name(entry.node.span);
            finding.help(format!(
                "make it, or name one that is there; a relative name starts at the folder of `{from}`"
            ))
        } else {
            finding
        });
    }

    /// A users file holds hashes and is kept like a secret; a configuration is not. A default in it is no better.
    fn warn_of_inline(&mut self, entry: &Entry) {
        let (Value::Plain(text) | Value::Quoted(text)) = &entry.node.value else {
            return;
        };
        let inline = !text.contains("${") || text.contains(":-");
        let braces = if lacks_braces(text) {
            "the braces are missing: "
        } else {
            ""
        };
        if inline && entry.node.span.file == File::Config {
            let message = format!("`{}` stands in the configuration itself", entry.key);
            let finding = Finding::warning(Code::InlineSecret, entry.node.span, message);
            let file = format!("{}_file", entry.key);
            self.report(finding.help(format!(
                "{braces}write `{}: ${{VARIABLE}}`, or name a file with `{file}`",
                entry.key
            )));
        }
    }

    fn text_file(&mut self, entry: &Entry) -> Option<String> {
        let (path, name) = self.named_file(entry)?;
        match self.files.read_text(&path) {
            Ok(mut text) => {
                // Editors and `echo` end a file with a newline; it is no part of the text.
                let kept = text
                    .strip_suffix('\n')
                    .map(|rest| rest.strip_suffix('\r').unwrap_or(rest).len());
                text.truncate(kept.unwrap_or(text.len()));
                Some(text)
            }
            Err(error) => {
                self.unreadable(entry, (&path, &name), &error);
                None
            }
        }
    }

    /// A file that is named here, and how to call it in messages.
    pub(in crate::config) fn file(
        &mut self,
        entry: &Entry,
    ) -> Option<(String, Zeroizing<Vec<u8>>)> {
        let (path, name) = self.named_file(entry)?;
        match self.files.read(&path) {
            Ok(bytes) => Some((name, bytes.into())),
            Err(error) => {
                self.unreadable(entry, (&path, &name), &error);
                None
            }
        }
    }

    /// A path, relative to the file that names it, and how to call it in messages.
    fn named_file(&mut self, entry: &Entry) -> Option<(PathBuf, String)> {
        let text = self.filled_text(entry)?;
        let path = beside(self.path_of(entry.node.span), &text);
        let written = match &entry.node.value {
            Value::Plain(written) | Value::Quoted(written) => written,
            Value::List(_) | Value::Map(_) | Value::Broken => "",
        };
        let name = if looks_secret(&text) || (may_be_secret(&text) && !path.exists()) {
            REDACTED.to_owned()
        } else if written.contains("${") && !path.exists() {
            // what a variable brings in may be the secret itself
            shown(written)
        } else {
            path.display().to_string()
        };
        Some((path, name))
    }
}
