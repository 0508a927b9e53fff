//! Typed reading of single values. Whatever cannot be read is reported, and `None` says only that it was.

mod containers;
mod help;
mod secret;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) use self::help::meant;
use self::help::{TOTP_HELP, duration_help, type_help};
use super::code::Code;
use super::files::{Files, beside};
use super::finding::{Finding, Findings, any_of, did_you_mean};
use super::lint::Secrets;
use super::scalar::{Scalar, resolve};
use super::secrecy::shown_key;
use super::settings::Origin;
use super::shown::shown;
use super::span::{File, Span};
use super::value;
use super::variables::Variables;
use super::yaml::{Entry, Node, Value};
use crate::text::port::port_beyond;

/// What every step of lowering needs.
pub(super) struct Reader<'a> {
    variables: Variables<'a>,
    findings: Findings,
    files: Files,
    config_path: PathBuf,
    users_path: Option<PathBuf>,
    tests_path: Option<PathBuf>,
    secrets: Secrets,
    /// The last text that was read with a port beyond 65535 in it: its place and the port.
    port_beyond: Option<(Span, String)>,
}

/// How far a reader was, to go back to.
pub(super) struct Mark {
    findings: usize,
    files: Files,
    secrets: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        variables: Variables<'a>,
        findings: Findings,
        files: Files,
        config_path: &Path,
    ) -> Self {
        let config_path = config_path.to_owned();
        Self {
            variables,
            findings,
            files,
            config_path,
            users_path: None,
            tests_path: None,
            secrets: Secrets::default(),
            port_beyond: None,
        }
    }

    /// From now on, places in the users file belong to this one.
    pub(super) fn enter_users(&mut self, path: &Path) -> (&mut Files, &mut Findings) {
        self.users_path = Some(path.to_owned());
        (&mut self.files, &mut self.findings)
    }

    /// From now on, places in a file of tests belong to this one.
    pub(super) fn enter_tests(&mut self, path: &Path) -> (&mut Files, &mut Findings) {
        self.tests_path = Some(path.to_owned());
        (&mut self.files, &mut self.findings)
    }

    pub(super) fn finish(mut self) -> (Findings, Files) {
        for finding in self.secrets.shared() {
            self.findings.push(finding);
        }
        (self.findings, self.files)
    }

    /// Remembers what was said and read so far.
    pub(super) fn mark(&self) -> Mark {
        Mark {
            findings: self.findings.len(),
            files: self.files.clone(),
            secrets: self.secrets.len(),
        }
    }

    /// Adds what a file itself is wrong in, before what was said of its values since the mark.
    pub(super) fn precede(&mut self, mark: &Mark, mut findings: Findings) {
        self.findings.insert(mark.findings, findings.split_off(0));
    }

    /// Forgets what was said and read since then.
    pub(super) fn roll_back(&mut self, mark: &Mark) {
        self.findings.split_off(mark.findings);
        self.files = mark.files.clone();
        self.secrets.truncate(mark.secrets);
    }

    /// Adds a problem. Of a value that is refused, a port beyond 65535 is the reason, whatever the key.
    pub(super) fn report(&mut self, finding: Finding) {
        let port = self.port_beyond.take();
        let port = port.filter(|(span, _)| finding.is_of(Code::InvalidValue, *span));
        self.findings.push(match port {
            Some((_, port)) => {
                finding.help(format!("ports go up to 65535, and `{port}` is beyond"))
            }
            None => finding,
        });
    }

    /// Lets warnings of this kind pass about what stands at `subject`, or, without one, about anything. `place` is
    /// where that is written.
    pub(super) fn silence(&mut self, code: Code, subject: Option<Span>, place: Span) {
        self.findings.silence(code, subject, place);
    }

    /// The path of the file that a place lies in.
    pub(super) fn path_of(&self, span: Span) -> &Path {
        let other = match span.file {
            File::Users => &self.users_path,
            File::Tests => &self.tests_path,
            File::Config | File::Environment => &None,
        };
        other.as_ref().unwrap_or(&self.config_path)
    }

    /// The beginning of a place, for messages.
    pub(super) fn origins(&self, spans: &[Span]) -> Vec<Origin> {
        spans.iter().map(|span| self.origin(*span)).collect()
    }

    pub(super) fn origin(&self, span: Span) -> Origin {
        let (line, column) = (span.start.line as usize, span.start.column as usize);
        Origin {
            file: self.path_of(span).to_owned(),
            line,
            column,
        }
    }

    /// What a file is called, for messages about all of it.
    pub(super) fn file_name(&self, span: Span) -> Box<str> {
        let name = self.path_of(span).file_name().unwrap_or_default();
        name.to_string_lossy().into()
    }

    /// A string, with its variables replaced.
    pub(super) fn text(&mut self, entry: &Entry) -> Option<String> {
        match &entry.node.value {
            Value::Plain(text) if resolve(text) != Scalar::Text => {
                self.wrong_type(entry, "a string")
            }
            Value::Plain(text) | Value::Quoted(text) => return self.expand(&entry.node, text),
            Value::List(_) | Value::Map(_) => self.wrong_type(entry, "a string"),
            Value::Broken => {}
        }
        None
    }

    /// A string that holds something.
    pub(super) fn filled_text(&mut self, entry: &Entry) -> Option<String> {
        let text = self.text(entry)?;
        if text.trim().is_empty() {
            let message = format!("`{}` is empty", entry.key);
            let finding = Finding::error(Code::EmptyValue, entry.node.span, message);
            let help = (&*entry.key == "totp").then(|| TOTP_HELP.to_owned());
            self.report(finding.maybe_help(help));
            return None;
        }
        Some(text)
    }

    /// What a scalar says, and its text with the variables replaced: what a variable brings in is read like a scalar.
    pub(super) fn scalar(&mut self, entry: &Entry, expected: &str) -> Option<(Scalar, String)> {
        match &entry.node.value {
            Value::Plain(text) | Value::Quoted(text) => {
                let expanded = self.expand(&entry.node, text)?;
                let plain = matches!(entry.node.value, Value::Plain(_)) || text.contains("${");
                let scalar = if plain {
                    resolve(&expanded)
                } else {
                    Scalar::Text
                };
                Some((scalar, expanded))
            }
            Value::List(_) | Value::Map(_) => {
                self.wrong_type(entry, expected);
                None
            }
            Value::Broken => None,
        }
    }

    fn expand(&mut self, node: &Node, text: &str) -> Option<String> {
        let error = match self.variables.expand(text) {
            Ok(expanded) => {
                let port = port_beyond(&expanded).map(str::to_owned);
                self.port_beyond = port.map(|port| (node.span, port));
                return Some(expanded.into_owned());
            }
            // the file that may set it cannot be read, which is reported
            Err(error) if error.code == Code::UnsetVariable && !self.variables.are_complete() => {
                return None;
            }
            Err(error) => error,
        };
        let width = node.span.end.column.saturating_sub(node.span.start.column);
        let plain =
            matches!(node.value, Value::Plain(_)) && node.span.start.line == node.span.end.line;
        // Escapes and folded lines shift the characters; only then is the whole value marked.
        let exact = plain && width as usize == text.chars().count();
        let span = if exact {
            node.span.part(error.offset, error.length)
        } else {
            node.span
        };
        self.report(Finding::error(error.code, span, error.message).help(error.help));
        None
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, entry: &Entry) -> Option<bool> {
        match self.scalar(entry, BOOLEAN)?.0 {
            Scalar::Boolean(value) => Some(value),
            Scalar::Nothing | Scalar::Integer(_) | Scalar::Real(_) | Scalar::Text => {
                self.wrong_type(entry, BOOLEAN);
                None
            }
        }
    }

    /// A whole number.
    pub(super) fn integer(&mut self, entry: &Entry, range: RangeInclusive<u64>) -> Option<u64> {
        const EXPECTED: &str = "a whole number";
        match self.scalar(entry, EXPECTED)?.0 {
            Scalar::Integer(number) => {
                let within = u64::try_from(number)
                    .ok()
                    .filter(|number| range.contains(number));
                if within.is_none() {
                    self.out_of_range(entry, &range.start().to_string(), &range.end().to_string());
                }
                within
            }
            Scalar::Nothing | Scalar::Boolean(_) | Scalar::Real(_) | Scalar::Text => {
                self.wrong_type(entry, EXPECTED);
                None
            }
        }
    }

    /// A duration such as `10s`.
    pub(super) fn duration(
        &mut self,
        entry: &Entry,
        range: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let (_, text) = self.scalar(entry, "a duration such as `10s`")?;
        let Some(duration) = value::duration(&text) else {
            self.invalid(entry, "a duration", duration_help(entry, &text, &range));
            return None;
        };
        if !range.contains(&duration) {
            self.out_of_range(
                entry,
                &value::show_duration(*range.start()),
                &value::show_duration(*range.end()),
            );
            return None;
        }
        Some(duration)
    }

    /// A number of bytes such as `16KiB`.
    pub(super) fn size(&mut self, entry: &Entry, range: RangeInclusive<u64>) -> Option<u64> {
        let (_, text) = self.scalar(entry, "a size such as `16KiB`")?;
        let Some(size) = value::size(&text) else {
            self.invalid(
                entry,
                "a size",
                "write bytes, `16KiB`, `10MiB` or `1GiB`".to_owned(),
            );
            return None;
        };
        if !range.contains(&size) {
            self.out_of_range(
                entry,
                &value::show_size(*range.start()),
                &value::show_size(*range.end()),
            );
            return None;
        }
        Some(size)
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        entry: &Entry,
        choices: &[(&'static str, T)],
    ) -> Option<T> {
        let names = || choices.iter().map(|(name, _)| *name);
        let (_, text) = self.scalar(entry, &any_of(names()))?;
        let found = choices
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, value)| *value);
        if found.is_none() {
            let written = self.written(entry);
            let message = format!("`{}` expects {}, not {written}", entry.key, any_of(names()));
            let finding = Finding::error(Code::InvalidValue, entry.node.span, message);
            let help = meant(&entry.key, &text).map(str::to_owned);
            self.report(finding.maybe_help(help.or_else(|| did_you_mean(&text, names()))));
        }
        found
    }

    /// Whether nothing is written, or `null`.
    pub(super) fn is_nothing(&self, entry: &Entry) -> bool {
        matches!(&entry.node.value, Value::Plain(text) if resolve(text) == Scalar::Nothing)
    }

    /// Reads a text that belongs to the configuration.
    pub(super) fn read_file(&mut self, path: &Path) -> std::io::Result<String> {
        self.files.read_text(path)
    }

    /// A path, relative to the file that names it.
    pub(super) fn path(&mut self, entry: &Entry) -> Option<PathBuf> {
        let text = self.filled_text(entry)?;
        Some(beside(self.path_of(entry.node.span), &text))
    }

    /// Reports a value of another kind than the one expected.
    pub(super) fn wrong_type(&mut self, entry: &Entry, expected: &str) {
        self.wrong_type_or(entry, expected, || None);
    }

    fn wrong_type_or(
        &mut self,
        entry: &Entry,
        expected: &str,
        other_help: impl FnOnce() -> Option<String>,
    ) {
        let key = shown_key(entry);
        let message = match kind_of(&entry.node) {
            NOTHING => format!("`{key}` expects {expected}, and nothing is given"),
            kind => format!("`{key}` expects {expected}, not {kind}"),
        };
        let help = type_help(entry, expected).or_else(other_help);
        self.report(Finding::error(Code::WrongType, entry.node.span, message).maybe_help(help));
    }

    /// Reports a value that is not what it should be.
    pub(super) fn invalid(&mut self, entry: &Entry, what: &str, help: String) {
        let message = format!(
            "`{}` expects {what}, not {}",
            shown(&entry.key),
            self.written(entry)
        );
        self.report(Finding::error(Code::InvalidValue, entry.node.span, message).help(help));
    }

    fn out_of_range(&mut self, entry: &Entry, least: &str, most: &str) {
        let message = format!("`{}` is out of range: {}", entry.key, self.written(entry));
        let finding = Finding::error(Code::OutOfRange, entry.node.span, message);
        self.report(finding.help(format!("from {least} to {most} is accepted")));
    }

    /// A value as it stands in the file: what a variable brings in may be a secret.
    pub(super) fn written(&self, entry: &Entry) -> String {
        match &entry.node.value {
            Value::Plain(text) if text.is_empty() => "nothing".to_owned(),
            Value::Plain(text) | Value::Quoted(text) => format!("`{}`", shown(text)),
            Value::List(_) | Value::Map(_) | Value::Broken => kind_of(&entry.node).to_owned(),
        }
    }
}

const NOTHING: &str = "nothing";
const BOOLEAN: &str = "`true` or `false`";

fn kind_of(node: &Node) -> &'static str {
    match &node.value {
        Value::Plain(text) => match resolve(text) {
            Scalar::Nothing => NOTHING,
            Scalar::Boolean(_) => "a boolean",
            Scalar::Integer(_) | Scalar::Real(_) => "a number",
            Scalar::Text => "a string",
        },
        Value::Quoted(_) => "a string",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
        Value::Broken => "something else",
    }
}
