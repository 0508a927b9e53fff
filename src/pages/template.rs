//! Pages with places to fill in.
//!
//! `{{name}}` stands for a value, always escaped. `{{#name}}…{{/name}}` is there only where the value is not empty,
//! `{{^name}}…{{/name}}` only where it is. There is nothing else: no code, no file to include, no way around escaping.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use sha2::{Digest, Sha256};

use super::escape::escape;
use super::markup::Markup;

/// A template that can be filled in.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pieces: Vec<Piece>,
    policy: HeaderValue,
}

/// A page, and the `Content-Security-Policy` it is shown under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The whole document.
    pub html: String,
    /// What the browser may load and do: the page's own styles, and sending its form to where it came from.
    pub policy: HeaderValue,
}

/// A piece of a template; a number is the position of a name.
#[derive(Clone, Debug)]
enum Piece {
    Text(Box<str>),
    Value(usize),
    Section {
        of: usize,
        shown: Shown,
        pieces: Vec<Piece>,
    },
}

/// When a section is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Filled,
    Empty,
}

/// Why a template cannot be used, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// From 1; 0 where it is about the whole file.
    pub line: usize,
    fault: Fault,
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Unclosed,
    Unknown(String, Vec<&'static str>),
    NotOpen(String),
    StillOpen(String),
    Torn(String),
    Unquoted,
    InComment,
    InStyle,
    Script,
    Missing(&'static str),
}

/// What a page knows: all names, and those it cannot do without.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names {
    pub(super) all: &'static [&'static str],
    pub(super) required: &'static [&'static str],
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(super) fn parse(text: &str, names: Names) -> Result<Self, TemplateError> {
        let mut parser = Parser {
            names,
            markup: Markup::new(),
            seen: Vec::new(),
            open: Vec::new(),
            line: 1,
        };
        // browsers end lines in one way before they look at a style's digest
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let pieces = parser.read(&text).map_err(|fault| TemplateError {
            line: parser.line,
            fault,
        })?;
        let whole = |fault| TemplateError { line: 0, fault };
        if let Some(missing) = names
            .required
            .iter()
            .find(|name| !parser.seen.contains(name))
        {
            return Err(whole(Fault::Missing(missing)));
        }
        Ok(Self {
            pieces,
            policy: policy(&parser.markup.into_styles()),
        })
    }

    /// Fills it in; `values` are in the order of the names.
    pub(super) fn fill(&self, values: &[&str]) -> Page {
        let mut html = String::with_capacity(8 * 1024);
        write(&self.pieces, values, &mut html);
        Page {
            html,
            policy: self.policy.clone(),
        }
    }
}

fn write(pieces: &[Piece], values: &[&str], html: &mut String) {
    for piece in pieces {
        match piece {
            Piece::Text(text) => html.push_str(text),
            Piece::Value(of) => escape(values[*of], html),
            Piece::Section { of, shown, pieces }
                if (*shown == Shown::Empty) == values[*of].is_empty() =>
            {
                write(pieces, values, html);
            }
            Piece::Section { .. } => {}
        }
    }
}

/// Nothing may be loaded, and no script runs.
fn policy(styles: &[String]) -> HeaderValue {
    let hash = |style: &String| format!(" 'sha256-{}'", STANDARD.encode(Sha256::digest(style)));
    let styles: String = if styles.is_empty() {
        " 'none'".to_owned()
    } else {
        styles.iter().map(hash).collect()
    };
    let policy = format!(
        "default-src 'none'; style-src{styles}; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    );
    HeaderValue::try_from(policy).expect("base64 is visible ASCII")
}

struct Parser {
    names: Names,
    markup: Markup,
    seen: Vec<&'static str>,
    /// The sections that are open, from the outside, with what stood before each.
    open: Vec<Open>,
    line: usize,
}

struct Open {
    of: usize,
    shown: Shown,
    place: super::markup::Place,
    before: Vec<Piece>,
}

impl Parser {
    fn read(&mut self, text: &str) -> Result<Vec<Piece>, Fault> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            self.follow(before)?;
            pieces.push(Piece::Text(before.into()));
            let (mark, after) = after.split_once("}}").ok_or(Fault::Unclosed)?;
            pieces = self.mark(mark.trim(), pieces)?;
            rest = after;
        }
        self.follow(rest)?;
        pieces.push(Piece::Text(rest.into()));
        match self.open.pop() {
            Some(open) => Err(Fault::StillOpen(self.names.all[open.of].to_owned())),
            None => Ok(pieces),
        }
    }

    fn follow(&mut self, text: &str) -> Result<(), Fault> {
        for character in text.chars() {
            self.markup.take(character)?;
            self.line += usize::from(character == '\n');
        }
        Ok(())
    }

    /// What stands between the braces. Returns the pieces that go on behind it.
    fn mark(&mut self, mark: &str, mut pieces: Vec<Piece>) -> Result<Vec<Piece>, Fault> {
        if let Some(name) = mark.strip_prefix('#') {
            return self.begin(name, Shown::Filled, pieces);
        }
        if let Some(name) = mark.strip_prefix('^') {
            return self.begin(name, Shown::Empty, pieces);
        }
        if let Some(name) = mark.strip_prefix('/') {
            return self.end(name, pieces);
        }
        self.markup.admits_value()?;
        let of = self.name(mark)?;
        self.seen.push(self.names.all[of]);
        pieces.push(Piece::Value(of));
        Ok(pieces)
    }

    fn begin(&mut self, name: &str, shown: Shown, before: Vec<Piece>) -> Result<Vec<Piece>, Fault> {
        let of = self.name(name)?;
        self.open.push(Open {
            of,
            shown,
            place: self.markup.place,
            before,
        });
        Ok(Vec::new())
    }

    fn end(&mut self, name: &str, pieces: Vec<Piece>) -> Result<Vec<Piece>, Fault> {
        let of = self.name(name)?;
        let open = self
            .open
            .pop()
            .filter(|open| open.of == of)
            .ok_or_else(|| Fault::NotOpen(name.to_owned()))?;
        // with and without the section, what follows must stand in the same place
        if open.place != self.markup.place {
            return Err(Fault::Torn(name.to_owned()));
        }
        let mut before = open.before;
        before.push(Piece::Section {
            of,
            shown: open.shown,
            pieces,
        });
        Ok(before)
    }

    fn name(&self, name: &str) -> Result<usize, Fault> {
        let found = self
            .names
            .all
            .iter()
            .position(|known| *known == name.trim());
        found.ok_or_else(|| Fault::Unknown(name.trim().to_owned(), self.names.all.to_vec()))
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        self.fault.fmt(f)
    }
}

impl std::error::Error for TemplateError {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unclosed => f.write_str("`{{` without `}}`"),
            Self::Unknown(name, known) => {
                let shown: String = name.chars().take(40).flat_map(char::escape_debug).collect();
                let known = known
                    .iter()
                    .map(|name| format!("`{name}`"))
                    .collect::<Vec<_>>()
                    .join(", ");
                write!(f, "`{{{{{shown}}}}}` means nothing here; known are {known}")
            }
            Self::NotOpen(name) => write!(f, "`{{{{/{name}}}}}` closes what is not open"),
            Self::StillOpen(name) => write!(
                f,
                "`{{{{#{name}}}}}` is never closed; write `{{{{/{name}}}}}`"
            ),
            Self::Torn(name) => {
                write!(
                    f,
                    "the section `{name}` begins and ends in different places of a tag; move it around whole tags"
                )
            }
            Self::Unquoted => {
                f.write_str("a placeholder in a tag needs quotes, such as `value=\"{{user}}\"`")
            }
            Self::InComment => f.write_str("a placeholder has no place in a comment"),
            Self::InStyle => f.write_str(
                "a placeholder has no place in a style: the page's policy names its digest",
            ),
            Self::Script => f.write_str("scripts do not run on this page; take it away"),
            Self::Missing(name) => {
                write!(f, "the page does without `{{{{{name}}}}}`, and cannot work")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Names = Names {
        all: &["a", "b"],
        required: &[],
    };

    fn fill(text: &str, values: [&str; 2]) -> Result<String, String> {
        let template = Template::parse(text, NAMES).map_err(|error| error.to_string())?;
        Ok(template.fill(&values).html)
    }

    #[test]
    fn values_are_escaped_and_sections_shown() {
        for (text, expected) in [
            ("x", "x"),
            ("<b>{{a}}</b>", "<b>&lt;1&gt;</b>"),
            ("<i title=\"{{ a }}\">", "<i title=\"&lt;1&gt;\">"),
            ("{{#a}}[{{a}}]{{/a}}{{^a}}no{{/a}}", "[&lt;1&gt;]"),
            ("{{#b}}[{{b}}]{{/b}}{{^b}}no{{/b}}", "no"),
            ("{{#a}}{{^b}}both{{/b}}{{/a}}", "both"),
            ("<input{{#a}} autofocus{{/a}}>", "<input autofocus>"),
            ("a } } { b", "a } } { b"),
        ] {
            assert_eq!(fill(text, ["<1>", ""]).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_broken_template_says_where() {
        for (text, expected) in [
            ("a\n{{a", "line 2: `{{` without `}}`"),
            (
                "{{c}}",
                "line 1: `{{c}}` means nothing here; known are `a`, `b`",
            ),
            (
                "{{#a}}x",
                "line 1: `{{#a}}` is never closed; write `{{/a}}`",
            ),
            ("{{#a}}{{/b}}", "line 1: `{{/b}}` closes what is not open"),
            ("{{/a}}", "line 1: `{{/a}}` closes what is not open"),
            (
                "<p {{a}}>",
                "line 1: a placeholder in a tag needs quotes, such as `value=\"{{user}}\"`",
            ),
            (
                "<p x={{a}}>",
                "line 1: a placeholder in a tag needs quotes, such as `value=\"{{user}}\"`",
            ),
            (
                "<!-- <p>{{a}} -->",
                "line 1: a placeholder has no place in a comment",
            ),
            (
                "<style>\n\n{{a}}</style>",
                "line 3: a placeholder has no place in a style: the page's policy names its digest",
            ),
            (
                "<SCRIPT src=x>",
                "line 1: scripts do not run on this page; take it away",
            ),
            (
                "<p title=\"{{#a}}\">{{/a}}",
                "line 1: the section `a` begins and ends in different places of a tag; move it around whole tags",
            ),
        ] {
            assert_eq!(fill(text, ["", ""]), Err(expected.to_owned()), "{text}");
        }
        let needs = Names {
            all: &["a"],
            required: &["a"],
        };
        let error = Template::parse("{{#a}}{{/a}}", needs).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the page does without `{{a}}`, and cannot work"
        );
    }

    #[test]
    fn the_policy_names_the_styles() {
        let policy = |text| Template::parse(text, NAMES).unwrap().policy;
        let rest = "; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
        assert_eq!(
            policy("x").to_str().unwrap(),
            format!("default-src 'none'; style-src 'none'{rest}")
        );
        // printf 'p{}' | openssl dgst -sha256 -binary | base64
        let digest = "'sha256-gG2yISYereRMiG2lMXrbiUgi0Ubw9p7QCeWcroOvy9Y='";
        let text = "<style media=\"all\">p{}</STYLE><p>";
        assert_eq!(
            policy(text).to_str().unwrap(),
            format!("default-src 'none'; style-src {digest}{rest}")
        );
    }
}
