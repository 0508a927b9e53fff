//! The request path: parsed once, in one spelling that is both matched and forwarded.

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

/// A path without ambiguity: starts with `/`, has no dot segments, one spelling for every byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestPath {
    spelling: String,
}

/// Why a path is refused with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {}
impl std::fmt::Display for PathError {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}

impl RequestPath {
    /// Parses the path part of a request target, without query and fragment.
    pub fn parse(raw: &str, options: PathOptions) -> Result<Self, PathError> {
        let _ = (raw, options);
        todo!()
    }

    /// The one spelling, percent-encoded, starting with `/`.
    pub fn as_str(&self) -> &str {
        &self.spelling
    }

    /// The percent-decoded segment at this position.
    pub fn segment(&self, index: usize) -> Option<std::borrow::Cow<'_, str>> {
        let _ = index;
        todo!()
    }

    /// What is left after a mount's prefix is taken away, starting with `/`; checked again as a whole.
    /// `None` where the path does not lie under the mount.
    pub fn strip(&self, mount: &super::router::Mount, options: PathOptions) -> Option<Result<Self, PathError>> {
        let _ = (mount, options);
        todo!()
    }
}
