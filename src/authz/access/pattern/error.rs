//! Why a text is not a pattern, and what to write instead.

use std::fmt;

use super::super::path::PathError;
use super::MAX_SEGMENTS;

use crate::text::percent;

/// Why a pattern is not one; `Display` says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatternError {
    /// It does not start with `/`; the pattern.
    NoLeadingSlash(Box<str>),
    /// `//`.
    EmptySegment,
    /// More segments than a pattern may have; their number.
    TooLong(usize),
    /// A raw `?`, `#` or `;`.
    Reserved(char),
    /// A character that no path holds raw, and that regular expressions or other routers give a meaning.
    NotLiteral(char),
    /// A piece of a regular expression; the piece.
    Regex(Box<str>),
    /// `*` as a part of a segment; the segment.
    PartialWildcard(Box<str>),
    /// Braces that do not span a whole segment; the segment.
    PartialParameter(Box<str>),
    /// A parameter as Express, Rails and others write it; its name.
    ColonParameter(Box<str>),
    /// A parameter whose name is none; what stands between the braces.
    BadName(Box<str>),
    /// Two parameters of one name.
    DoubleName(Box<str>),
    /// `**` before the end.
    RestNotLast,
    /// A literal that no accepted request path holds.
    Path {
        /// The segment as written.
        segment: Box<str>,
        /// What is wrong with it.
        error: PathError,
    },
    /// A parameter or `**` where a literal path is asked for, such as a service's `path`; the segment's text.
    NotAPrefix,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLeadingSlash(pattern) => match pattern.split_once("://") {
                Some((_, rest)) => write!(
                    f,
                    "`{pattern}` does not start with `/`; write `{}`, and the host in `hosts` of the service",
                    rest.find('/').map_or("/", |at| &rest[at..])
                ),
                None => write!(f, "`{pattern}` does not start with `/`; write `/{pattern}`"),
            },
            Self::EmptySegment => f.write_str("`//` can never match, such requests are refused; write one `/`"),
            Self::TooLong(count) => write!(
                f,
                "{count} segments are more than the {MAX_SEGMENTS} a pattern may have; end it earlier with `/**`"
            ),
            Self::Reserved(found) => write_reserved(f, *found),
            Self::NotLiteral(found) => write!(
                f,
                "`{found}` is not read as part of an expression; write `{{name}}` or `*` for any segment, \
                 or `{}` for a literal `{found}`",
                Escaped(found.encode_utf8(&mut [0; 4]))
            ),
            Self::Regex(piece) => write!(
                f,
                "`{piece}` looks like a regular expression; write `*` or `{{name}}` for one segment, \
                 `/**` at the end for any number, or `{}` for the literal",
                Escaped(piece)
            ),
            Self::PartialWildcard(segment) => write!(
                f,
                "`*` stands for a whole segment, not for a part as in `{segment}`; write `*` alone, \
                 `/**` at the end, or `%2A` for a literal one"
            ),
            Self::PartialParameter(segment) => write!(
                f,
                "a parameter is a whole segment, not a part as in `{segment}`; write `{{name}}` alone, \
                 or `%7B` and `%7D` for literal braces"
            ),
            Self::ColonParameter(name) => write!(
                f,
                "`:{name}` is a literal here; write `{{{}}}` for any segment, or `%3A{name}` for the literal",
                Suggestion(name)
            ),
            Self::BadName(name) => write!(
                f,
                "`{name}` is not a parameter's name; write letters, digits, `_` and `-`, \
                 and begin with a letter or `_`, such as `{{{}}}`",
                Suggestion(name)
            ),
            Self::DoubleName(name) => {
                write!(f, "the parameter `{{{name}}}` stands there twice; give one another name, or write `*`")
            }
            Self::RestNotLast => f.write_str(
                "`**` stands only at the end; write `*` for one segment in the middle, or end the pattern there",
            ),
            Self::Path { segment, error } => write!(
                f,
                "`{segment}` can never match, because such requests are refused: {error}; \
                 write the path as services see it"
            ),
            Self::NotAPrefix => f.write_str(
                "a literal path is asked for here; leave out `*`, `{name}` and `**`, \
                 as everything below it is covered",
            ),
        }
    }
}

fn write_reserved(f: &mut fmt::Formatter<'_>, found: char) -> fmt::Result {
    match found {
        '?' => f.write_str(
            "a pattern matches the path, never the query; leave out `?` and what follows",
        )?,
        '#' => f.write_str("a pattern holds no fragment; leave out `#` and what follows")?,
        other => write!(
            f,
            "`{other}` is refused in requests by default; leave it out"
        )?,
    }
    write!(
        f,
        ", or write `{}` for a literal one",
        Escaped(found.encode_utf8(&mut [0; 4]))
    )
}

impl std::error::Error for PatternError {}

/// A text with every byte percent-encoded.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut escaped = String::new();
        percent::encode_into(&mut escaped, self.0, |_| false);
        f.write_str(&escaped)
    }
}

/// What is left of a name such as `id:int` or `...path`.
struct Suggestion<'a>(&'a str);

impl fmt::Display for Suggestion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self
            .0
            .trim_start_matches(|c: char| !c.is_ascii_alphabetic() && c != '_');
        let end = name
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')
            .unwrap_or(name.len());
        f.write_str(if end == 0 { "name" } else { &name[..end] })
    }
}
