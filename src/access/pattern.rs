//! The path pattern of a rule: literals, `*` or `{name}` for one segment, `/**` at the end for any number.

/// A parsed pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    source: Box<str>,
}

/// Why a pattern is not one; `Display` says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatternError {}

impl Pattern {
    /// Parses the text of the configuration.
    pub fn parse(source: &str) -> Result<Self, PatternError> {
        let _ = source;
        todo!()
    }

    /// The text as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The names of its `{name}` segments, from the left.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }

    /// Whether each literal prefix segment of the pattern lies under `path` (e.g. `/auth`): every request that the pattern
    /// covers would lie under it.
    pub fn lies_under(&self, path: &str) -> bool {
        let _ = path;
        todo!()
    }
}
