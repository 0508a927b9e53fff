//! What is wrong with a template.

use std::fmt;

use minijinja::ErrorKind;

/// Why a template cannot be used, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// From 1; 0 where it is about the whole file.
    pub line: usize,
    pub(super) fault: Fault,
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A tag that opens like this and is not closed.
    Unclosed(&'static str),
    /// `{{#name}}` and its kin, which this file once was written in.
    Section(String),
    /// A statement that is not for pages.
    Statement(String),
    /// A filter.
    Filter(String),
    /// No value of this name; those that the page has.
    Unknown(String, &'static [&'static str]),
    /// A statement that begins in one place of the markup and ends in another.
    Torn(String),
    Unquoted,
    InComment,
    InStyle,
    /// An element that has no place on a page.
    Element(String),
    /// What looks like a tag in an element that holds none.
    TagInText(String),
    /// No placeholder for a value that the page cannot do without.
    Missing(&'static str),
    /// What minijinja says of the syntax, or of a page with sample values.
    Engine(String),
}

impl From<minijinja::Error> for TemplateError {
    fn from(error: minijinja::Error) -> Self {
        let kind = error.kind().to_string();
        // unknown names are found before: it is a part of a value
        let detail = if error.kind() == ErrorKind::UndefinedError {
            Some("a value is a text, and has no parts")
        } else {
            error.detail()
        };
        let detail = detail.map(|detail| format!("{kind}: {detail}"));
        Self {
            line: error.line().unwrap_or_default(),
            fault: Fault::Engine(detail.unwrap_or(kind)),
        }
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
            Self::Unclosed(opening) => write!(f, "`{opening}` is never closed"),
            Self::Section(name) => write!(
                f,
                "`{{{{{}}}}}` is no placeholder; write `{{% if name %}}…{{% endif %}}` or `{{% if not name %}}…{{% endif %}}`",
                shown(name)
            ),
            Self::Statement(name) if name == "autoescape" => {
                f.write_str("`{% autoescape %}` is refused: every value is escaped")
            }
            Self::Statement(name) if name == "set" || name == "endset" => {
                f.write_str("`{% set %}` takes a value, such as `{% set x = user %}`")
            }
            Self::Statement(name) => write!(
                f,
                "`{{% {} %}}` is refused; known are `if`, `elif`, `else`, `for` and `set`",
                shown(name)
            ),
            Self::Filter(name) if name == "safe" => {
                f.write_str("`|safe` is refused: every value is escaped")
            }
            Self::Filter(name) => write!(f, "`|{}` is refused: pages have no filters", shown(name)),
            Self::Unknown(name, known) => {
                let known: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
                let (name, known) = (shown(name), known.join(", "));
                write!(
                    f,
                    "`{{{{ {name} }}}}` means nothing here; known are {known}"
                )
            }
            Self::Torn(name) => write!(
                f,
                "`{{% {name} %}}` and its end are in different places of a tag; put them around whole tags or attributes"
            ),
            Self::Unquoted => {
                f.write_str("a placeholder in a tag needs quotes, such as `value=\"{{ user }}\"`")
            }
            Self::InComment => f.write_str("a placeholder has no place in a comment"),
            Self::InStyle => f.write_str(
                "a placeholder has no place in a style: the page's policy names its digest",
            ),
            Self::Element(name) if name == "script" => {
                f.write_str("scripts do not run on this page; take it away")
            }
            Self::Element(name) => write!(f, "`<{name}` has no place on this page; take it away"),
            Self::TagInText(name) => write!(
                f,
                "what looks like a tag in `<{name}>` is none; write `< ` or `&lt;`"
            ),
            Self::Missing(name) => {
                write!(
                    f,
                    "the page does without `{{{{ {name} }}}}`, and cannot work"
                )
            }
            Self::Engine(said) => f.write_str(&shown(said)),
        }
    }
}

/// Text of a template as messages can hold it.
fn shown(text: &str) -> String {
    text.chars()
        .take(120)
        .flat_map(char::escape_debug)
        .collect()
}
