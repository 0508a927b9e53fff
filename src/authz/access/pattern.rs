//! The path pattern of a rule: literals, `*` or `{name}` for one segment, `/**` at the end for any number.

mod error;
#[cfg(test)]
mod tests;

use std::fmt;

pub use self::error::PatternError;
use super::path::{PathOptions, RequestPath};

/// The most segments a pattern may have. It bounds the depth of the tree walk, and no real path comes near it.
pub(super) const MAX_SEGMENTS: usize = 128;

/// A parsed pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    source: Box<str>,
    segments: Box<[Segment]>,
}

/// One segment of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Exactly this text, percent-decoded.
    Literal(Box<str>),
    /// One segment that is not empty: `{name}`, or `*` without a name.
    Parameter(Option<Box<str>>),
    /// `**`: zero or more segments; only at the end.
    Rest,
}

impl Pattern {
    /// Parses the text of the configuration. A trailing slash is ignored.
    pub fn parse(source: &str) -> Result<Self, PatternError> {
        refuse_foreign_syntax(source)?;
        let pieces = split(source)?;
        let segments = pieces
            .iter()
            .map(|piece| parse_segment(piece))
            .collect::<Result<Box<[_]>, _>>()?;
        refuse_early_rest(&segments)?;
        refuse_double_names(&segments)?;
        Ok(Self {
            source: source.into(),
            segments,
        })
    }

    /// The text as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Its segments, from the left; none for `/`. [`Segment::Rest`] stands at the end or nowhere.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The names of its `{name}` segments, from the left.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(Segment::name)
    }

    /// Whether every request that the pattern covers lies under `path`, a literal prefix such as `/auth`: it begins
    /// with that prefix's segments as literals. Letter case counts. `false` where `path` is no literal path.
    pub fn lies_under(&self, path: &str) -> bool {
        let Ok(prefix) = Self::parse(path) else {
            return false;
        };
        let literal = prefix
            .segments
            .iter()
            .all(|segment| matches!(segment, Segment::Literal(_)));
        literal && self.segments.starts_with(&prefix.segments)
    }

    /// The position of the parameter of this name; its value is the path's segment at the same position.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.segments
            .iter()
            .position(|segment| segment.name() == Some(name))
    }
}

impl Segment {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Parameter(name) => name.as_deref(),
            Self::Literal(_) | Self::Rest => None,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

/// Refuses what other routers would read as something else than a literal.
fn refuse_foreign_syntax(source: &str) -> Result<(), PatternError> {
    if let Some(found) = source.chars().find(|c| "?#;".contains(*c)) {
        return Err(PatternError::Reserved(found));
    }
    if let Some(found) = source.chars().find(|c| r#"^|\[]"<>`"#.contains(*c)) {
        return Err(PatternError::NotLiteral(found));
    }
    for hint in [".*", ".+", "(?"] {
        if source.contains(hint) {
            return Err(PatternError::Regex(hint.into()));
        }
    }
    if source.ends_with('$') {
        return Err(PatternError::Regex("$".into()));
    }
    Ok(())
}

fn split(source: &str) -> Result<Vec<&str>, PatternError> {
    let inner = source
        .strip_prefix('/')
        .ok_or_else(|| PatternError::NoLeadingSlash(source.into()))?;
    let pieces: Vec<&str> = inner.split_terminator('/').collect();
    if pieces.contains(&"") {
        return Err(PatternError::EmptySegment);
    }
    if pieces.len() > MAX_SEGMENTS {
        return Err(PatternError::TooLong(pieces.len()));
    }
    Ok(pieces)
}

fn parse_segment(piece: &str) -> Result<Segment, PatternError> {
    match piece {
        "**" => Ok(Segment::Rest),
        "*" => Ok(Segment::Parameter(None)),
        _ if piece.contains(['{', '}']) => parse_name(piece).map(Some).map(Segment::Parameter),
        _ if is_colon_parameter(piece) => Err(PatternError::ColonParameter(piece[1..].into())),
        _ if piece.contains('*') => Err(PatternError::PartialWildcard(piece.into())),
        _ => parse_literal(piece),
    }
}

/// `:id`, which other routers take for a parameter.
fn is_colon_parameter(piece: &str) -> bool {
    let name = piece.strip_prefix(':');
    name.is_some_and(|name| name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'))
}

fn parse_name(piece: &str) -> Result<Box<str>, PatternError> {
    let inner = piece
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    let inner = inner.filter(|inner| !inner.contains(['{', '}']));
    let name = inner.ok_or_else(|| PatternError::PartialParameter(piece.into()))?;
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if begins
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    {
        return Ok(name.into());
    }
    Err(PatternError::BadName(name.into()))
}

/// Reads a literal as the path parser reads a request's. A service that allows an encoded slash, or another encoded
/// reserved character, may have rules for it.
fn parse_literal(piece: &str) -> Result<Segment, PatternError> {
    let options = PathOptions {
        allow_encoded_slash: true,
        allow_encoded_reserved: true,
        ..PathOptions::default()
    };
    let path =
        RequestPath::parse(&format!("/{piece}"), options).map_err(|error| PatternError::Path {
            segment: piece.into(),
            error,
        })?;
    Ok(Segment::Literal(path.segment(0).unwrap_or_default().into()))
}

fn refuse_early_rest(segments: &[Segment]) -> Result<(), PatternError> {
    let before_last = segments.split_last().map_or(segments, |(_, before)| before);
    if before_last.contains(&Segment::Rest) {
        Err(PatternError::RestNotLast)
    } else {
        Ok(())
    }
}

fn refuse_double_names(segments: &[Segment]) -> Result<(), PatternError> {
    let names: Vec<&str> = segments.iter().filter_map(Segment::name).collect();
    let double = names
        .iter()
        .enumerate()
        .find(|(index, name)| names[..*index].contains(name));
    double.map_or(Ok(()), |(_, name)| {
        Err(PatternError::DoubleName((*name).into()))
    })
}
