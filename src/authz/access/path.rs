//! The request path: parsed once, in one spelling that is both matched and forwarded.

mod bytes;
mod error;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use self::bytes::Class;
pub use self::error::PathError;

/// What a service accepts beyond the strict default; every `true` gives up a guarantee.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathOptions {
    /// `%2F` inside a segment.
    pub allow_encoded_slash: bool,
    /// `%5C`, `%23`, `%3F`, `%3B` inside a segment.
    pub allow_encoded_reserved: bool,
    /// A raw `;`.
    pub allow_semicolon: bool,
    /// `//` is read, and forwarded, as `/`.
    pub merge_slashes: bool,
}

impl PathOptions {
    /// Accepts what either accepts.
    ///
    /// The service is found by its path, and only then its options are known: parse with the union of all services'
    /// options, find the service, and parse the raw path again with the service's own. Where both succeed, both
    /// give the same path.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            allow_encoded_slash: self.allow_encoded_slash || other.allow_encoded_slash,
            allow_encoded_reserved: self.allow_encoded_reserved || other.allow_encoded_reserved,
            allow_semicolon: self.allow_semicolon || other.allow_semicolon,
            merge_slashes: self.merge_slashes || other.merge_slashes,
        }
    }
}

impl PathOptions {
    /// The one option that, added to these, would accept a path which these refuse; `None` where no single one does.
    pub fn missing_for(self, raw: &str) -> Option<&'static str> {
        let single = [
            (
                "allow_encoded_slash",
                Self {
                    allow_encoded_slash: true,
                    ..self
                },
            ),
            (
                "allow_encoded_reserved",
                Self {
                    allow_encoded_reserved: true,
                    ..self
                },
            ),
            (
                "allow_semicolon",
                Self {
                    allow_semicolon: true,
                    ..self
                },
            ),
            (
                "merge_slashes",
                Self {
                    merge_slashes: true,
                    ..self
                },
            ),
        ];
        single
            .into_iter()
            .find(|(_, options)| RequestPath::parse(raw, *options).is_ok())
            .map(|(key, _)| key)
    }
}

/// A path without ambiguity: starts with `/`, has no dot segments, one spelling for every byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestPath {
    spelling: String,
}

impl RequestPath {
    /// Parses the path part of a request target, without query and fragment.
    ///
    /// Parsing the result again gives the result again.
    pub fn parse(raw: &str, options: PathOptions) -> Result<Self, PathError> {
        if is_plain(raw) {
            return Ok(Self {
                spelling: raw.to_owned(),
            });
        }
        let spelling = normalise(raw, options)?;
        refuse_second_readings(&spelling)?;
        Ok(Self { spelling })
    }

    /// The one spelling, percent-encoded, starting with `/`.
    pub fn as_str(&self) -> &str {
        &self.spelling
    }

    /// The percent-decoded segment at this position, from 0; a trailing slash does not begin one.
    pub fn segment(&self, index: usize) -> Option<Cow<'_, str>> {
        self.segments().nth(index)
    }

    /// The percent-decoded segments, from the left; none for `/`, and none after a trailing slash.
    pub fn segments(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.inner().split_terminator('/').map(decode)
    }

    /// The spelling of the segments, joined by single slashes: without the leading and a trailing slash. Empty for `/`.
    pub(super) fn inner(&self) -> &str {
        let inner = &self.spelling[1..];
        inner.strip_suffix('/').unwrap_or(inner)
    }
}

impl fmt::Display for RequestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.spelling)
    }
}

/// The percent-decoded form of a piece of a parsed path.
pub(super) fn decode(piece: &str) -> Cow<'_, str> {
    if !piece.as_bytes().contains(&b'%') {
        return Cow::Borrowed(piece);
    }
    // The parser lets no path through whose segments are not UTF-8, so nothing is replaced here.
    Cow::Owned(String::from_utf8_lossy(&bytes::decode(piece.as_bytes())).into_owned())
}

/// Whether one look at each byte shows that the path already is its own spelling. `/.` may begin a dot segment and
/// is left to the thorough way.
fn is_plain(raw: &str) -> bool {
    let mut previous = 0;
    for &byte in raw.as_bytes() {
        if !bytes::is_plain(byte) || (previous == b'/' && (byte == b'/' || byte == b'.')) {
            return false;
        }
        previous = byte;
    }
    raw.starts_with('/')
}

/// Writes the path in its one spelling, refusing every byte that has no place in it.
fn normalise(raw: &str, options: PathOptions) -> Result<String, PathError> {
    if !raw.starts_with('/') {
        return Err(PathError::NotAbsolute);
    }
    let mut spelling = Vec::with_capacity(raw.len() + 16);
    let mut rest = raw.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte == b'%' {
            let (value, after) = bytes::split_escape(after).ok_or(PathError::BadEscape)?;
            rest = after;
            push_escaped(&mut spelling, value, options)?;
        } else {
            push_raw(&mut spelling, *byte, options)?;
        }
    }
    // All of it is ASCII by now.
    String::from_utf8(spelling).map_err(|_| PathError::NotUtf8)
}

fn push_raw(spelling: &mut Vec<u8>, byte: u8, options: PathOptions) -> Result<(), PathError> {
    match bytes::class(byte) {
        Class::Slash if !spelling.ends_with(b"/") => spelling.push(b'/'),
        Class::Slash if options.merge_slashes => {}
        Class::Slash => return Err(PathError::EmptySegment),
        Class::Semicolon if !options.allow_semicolon => return Err(PathError::Semicolon),
        Class::Unreserved | Class::Delimiter | Class::Semicolon => spelling.push(byte),
        Class::Backslash => return Err(PathError::Backslash),
        Class::Hash => return Err(PathError::Fragment),
        Class::Question => return Err(PathError::Query),
        Class::Control => return Err(PathError::Control(byte)),
        Class::Other => bytes::push_escape(spelling, byte),
    }
    Ok(())
}

fn push_escaped(spelling: &mut Vec<u8>, byte: u8, options: PathOptions) -> Result<(), PathError> {
    match bytes::class(byte) {
        Class::Unreserved => spelling.push(byte),
        Class::Slash if !options.allow_encoded_slash => return Err(PathError::EncodedSlash),
        Class::Backslash | Class::Hash | Class::Question | Class::Semicolon
            if !options.allow_encoded_reserved =>
        {
            return Err(PathError::EncodedReserved(byte));
        }
        Class::Control => return Err(PathError::EncodedControl(byte)),
        Class::Slash
        | Class::Backslash
        | Class::Hash
        | Class::Question
        | Class::Semicolon
        | Class::Delimiter
        | Class::Other => bytes::push_escape(spelling, byte),
    }
    Ok(())
}

/// Refuses a spelling that a service could read differently after decoding it.
fn refuse_second_readings(spelling: &str) -> Result<(), PathError> {
    if bytes::holds_double_encoding(spelling.as_bytes()) {
        return Err(PathError::DoubleEncoding);
    }
    let decoded = bytes::decode(spelling.as_bytes());
    let decoded = std::str::from_utf8(&decoded).map_err(|_| PathError::NotUtf8)?;
    // Split at every byte that some server takes for a border: an allowed `%2F` or `%5C` as well.
    decoded.split(['/', '\\']).try_for_each(refuse_dots)
}

/// Refuses a segment that is a dot segment, or empty, once a server has cut off `;parameters` (servlet containers
/// do), or what it takes for a query or fragment.
fn refuse_dots(segment: &str) -> Result<(), PathError> {
    let name = segment.split([';', '?', '#']).next().unwrap_or_default();
    match name {
        "." | ".." => Err(PathError::DotSegment),
        "" if segment.starts_with(';') => Err(PathError::EmptySegment),
        _ => Ok(()),
    }
}
