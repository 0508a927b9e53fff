//! `${VAR}` in string values, from the environment and from the `.env` beside the configuration.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use super::code::Code;
use super::finding::{Finding, Findings, did_you_mean};
use super::shown::may_name_secret;
use super::span::{File, Span};

/// What variables stand for. It cannot be printed: most of them are secrets.
pub(super) struct Variables<'a> {
    environment: &'a BTreeMap<String, String>,
    dotenv: Dotenv,
}

/// What the `.env` beside the configuration sets.
#[derive(Default)]
pub(super) struct Dotenv {
    /// Where it is, or would be.
    pub(super) path: PathBuf,
    /// `None`: there is none.
    pub(super) values: Option<BTreeMap<String, String>>,
    /// Whether there is one that cannot be read.
    pub(super) unreadable: bool,
}

/// Why a text cannot be expanded, and where in it, in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExpandError {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) help: String,
    pub(super) offset: u32,
    pub(super) length: u32,
}

impl<'a> Variables<'a> {
    /// The environment wins over the lines of `dotenv`.
    pub(super) fn new(environment: &'a BTreeMap<String, String>, dotenv: Dotenv) -> Self {
        Self {
            environment,
            dotenv,
        }
    }

    /// Whether every file that may set some was read.
    pub(super) fn are_complete(&self) -> bool {
        !self.dotenv.unreadable
    }

    /// Replaces `${NAME}` and `${NAME:-default}`; `$$` is a `$`, and a `$` before anything else is itself.
    pub(super) fn expand<'t>(&self, text: &'t str) -> Result<Cow<'t, str>, ExpandError> {
        if !text.contains('$') || !text.contains("${") && !text.contains("$$") {
            return Ok(Cow::Borrowed(text));
        }
        let (mut expanded, mut rest) = (String::with_capacity(text.len()), text);
        while let Some(at) = rest.find('$') {
            expanded.push_str(&rest[..at]);
            rest = &rest[at..];
            if rest.starts_with("$$") {
                expanded.push('$');
                rest = &rest[2..];
            } else if rest.starts_with("${") {
                let offset = text[..text.len() - rest.len()].chars().count();
                let (value, length) = self.substitute(rest, offset)?;
                expanded.push_str(value);
                rest = &rest[length..];
            } else {
                expanded.push('$');
                rest = &rest[1..];
            }
        }
        expanded.push_str(rest);
        Ok(Cow::Owned(expanded))
    }

    /// The value of the variable that `text` starts with, and the bytes that its spelling takes.
    fn substitute<'s>(
        &'s self,
        text: &'s str,
        offset: usize,
    ) -> Result<(&'s str, usize), ExpandError> {
        let end = text
            .find('}')
            .ok_or_else(|| malformed(text, offset, "`${` is not closed"))?;
        let inner = &text[2..end];
        let (name, default) = match inner.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        if !is_name(name) {
            return Err(malformed(
                &text[..=end],
                offset,
                "`${…}` does not hold the name of a variable",
            ));
        }
        if default.is_some_and(|default| default.contains("${")) {
            return Err(malformed(
                &text[..=end],
                offset,
                "a default cannot hold another variable",
            ));
        }
        // As in a shell, `:-` also replaces an empty value.
        let value = self
            .find(name)
            .filter(|value| default.is_none() || !value.is_empty())
            .or(default);
        match value {
            Some(value) => Ok((value, end + 1)),
            None => Err(self.unset(name, &text[..=end], offset)),
        }
    }

    fn find(&self, name: &str) -> Option<&str> {
        self.environment
            .get(name)
            .or_else(|| self.dotenv.values.as_ref()?.get(name))
            .map(String::as_str)
    }

    fn unset(&self, name: &str, text: &str, offset: usize) -> ExpandError {
        let file = self.dotenv.path.display();
        let names = self.dotenv.values.iter().flat_map(BTreeMap::keys);
        let meant = did_you_mean(name, names.map(String::as_str))
            .map(|meant| format!("{meant} `{file}` sets it"));
        let meant =
            meant.or_else(|| did_you_mean(name, self.environment.keys().map(String::as_str)));
        let help = meant.unwrap_or_else(|| {
            let there = match self.dotenv.values {
                Some(_) => "",
                None => " (there is no such file yet)",
            };
            // a secret that stands in the configuration is none
            let default = match may_name_secret(name) {
                true => String::new(),
                false => format!(", or write `${{{name}:-default}}`"),
            };
            format!("set it in the environment or in `{file}`{there}{default}")
        });
        located(
            Code::UnsetVariable,
            format!("the variable `{name}` is not set"),
            help,
            text,
            offset,
        )
    }
}

fn malformed(text: &str, offset: usize, message: &str) -> ExpandError {
    let help =
        "write `${NAME}` or `${NAME:-default}`, and `$${` for the characters `${` themselves";
    located(
        Code::MalformedVariable,
        message.to_owned(),
        help.to_owned(),
        text,
        offset,
    )
}

fn located(code: Code, message: String, help: String, text: &str, offset: usize) -> ExpandError {
    let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    ExpandError {
        code,
        message,
        help,
        offset: narrow(offset),
        length: narrow(text.chars().count()),
    }
}

/// `$NAME`, which is no variable without its braces.
pub(super) fn lacks_braces(text: &str) -> bool {
    text.strip_prefix('$').is_some_and(is_name)
}

fn is_name(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Reads `.env`: `KEY=VALUE`, `export`, quotes and comments. Values are taken as they are, without expansion.
pub(super) fn read_dotenv(text: &str, findings: &mut Findings) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match assignment(line) {
            Ok((name, value)) => {
                values.insert(name.to_owned(), value);
            }
            Err(message) => {
                let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
                let span = Span::at(File::Environment, number, 1);
                let finding = Finding::error(Code::MalformedEnvironment, span, message);
                let help = "write `KEY=VALUE`, in quotes where the value holds spaces or `#`";
                findings.push(finding.help(help));
            }
        }
    }
    values
}

/// The messages quote nothing of the line: it is a secret more often than not.
fn assignment(line: &str) -> Result<(&str, String), &'static str> {
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    let (name, value) = line.split_once('=').ok_or("a line without `=`")?;
    let name = name.trim_end();
    if !is_name(name) {
        return Err("what stands before `=` is not the name of a variable");
    }
    Ok((name, dotenv_value(value.trim_start())?))
}

fn dotenv_value(text: &str) -> Result<String, &'static str> {
    match text.chars().next() {
        Some(quote @ ('"' | '\'')) => quoted(&text[1..], quote),
        Some(_) | None => Ok(text
            .split(" #")
            .next()
            .unwrap_or_default()
            .trim_end()
            .to_owned()),
    }
}

fn quoted(text: &str, quote: char) -> Result<String, &'static str> {
    let mut value = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            _ if c == quote => {
                let after = rest.as_str().trim_start();
                let ends = after.is_empty() || after.starts_with('#');
                return if ends {
                    Ok(value)
                } else {
                    Err("something follows the closing quote")
                };
            }
            '\\' if quote == '"' => match rest.next() {
                Some('n') => value.push('\n'),
                Some('t') => value.push('\t'),
                Some(escaped @ ('"' | '\\' | '$')) => value.push(escaped),
                Some(_) | None => {
                    return Err(
                        "an unknown escape; `\\n`, `\\t`, `\\\"`, `\\\\` and `\\$` are known",
                    );
                }
            },
            _ => value.push(c),
        }
    }
    Err("a quote that is not closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(text: &str) -> Result<String, String> {
        let environment = [
            ("A", "1"),
            ("EMPTY", ""),
            ("BOTH", "environment"),
            ("_", "/bin/sh"),
        ];
        let environment = environment
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let dotenv = [("BOTH", "file"), ("ONLY", "file")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let dotenv = Dotenv {
            path: "conf/.env".into(),
            values: Some(dotenv.into()),
            unreadable: false,
        };
        let variables = Variables::new(&environment, dotenv);
        variables
            .expand(text)
            .map(Cow::into_owned)
            .map_err(|error| format!("{}; {}", error.message, error.help))
    }

    #[test]
    fn variables_are_replaced_and_other_dollars_stay() {
        for (text, expected) in [
            ("plain", "plain"),
            ("${A}", "1"),
            ("x${A}y${A}z", "x1y1z"),
            ("${BOTH} ${ONLY}", "environment file"),
            ("${NONE:-d e}", "d e"),
            ("${NONE:-}", ""),
            ("${EMPTY}", ""),
            ("${EMPTY:-d}", "d"),
            ("$${A}", "${A}"),
            ("$$", "$"),
            ("$A $", "$A $"),
            ("$2b$12$abc", "$2b$12$abc"),
        ] {
            assert_eq!(expand(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_replaced_is_named() {
        for (text, expected) in [
            (
                "${NONE}",
                "the variable `NONE` is not set; set it in the environment or in `conf/.env`, or write",
            ),
            (
                "${OLNY}",
                "the variable `OLNY` is not set; did you mean `ONLY`? `conf/.env` sets it",
            ),
            (
                "${EMTPY}",
                "the variable `EMTPY` is not set; did you mean `EMPTY`?",
            ),
            (
                "${S}",
                "the variable `S` is not set; set it in the environment or in `conf/.env`, or write",
            ),
            ("${A", "`${` is not closed"),
            ("${}", "`${…}` does not hold the name of a variable"),
            ("${A-b}", "`${…}` does not hold the name of a variable"),
            ("${NONE:-${A}}", "a default cannot hold another variable"),
        ] {
            let said = expand(text).unwrap_err();
            assert!(said.starts_with(expected), "{text}: {said}");
        }
    }

    #[test]
    fn dotenv_lines() {
        for (line, expected) in [
            ("A=b", Ok(("A", "b"))),
            ("export A = b c # d", Ok(("A", "b c"))),
            ("A=", Ok(("A", ""))),
            ("A=\"b # \\\"c\\n\" # d", Ok(("A", "b # \"c\n"))),
            ("A='b \\n' ", Ok(("A", "b \\n"))),
            ("A=b#c", Ok(("A", "b#c"))),
            ("A", Err("a line without `=`")),
            (
                "1A=b",
                Err("what stands before `=` is not the name of a variable"),
            ),
            ("A='b", Err("a quote that is not closed")),
            ("A='b' c", Err("something follows the closing quote")),
        ] {
            let read = assignment(line);
            assert_eq!(
                read.as_ref().map(|(name, value)| (*name, value.as_str())),
                expected.as_ref().copied(),
                "{line}"
            );
        }
    }
}
