//! How a client came, as a proxy states it.

use crate::wire::Scheme;

/// What the outermost trusted proxy states about how the client came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatedScheme {
    /// Nothing.
    #[default]
    Absent,
    /// Something that is no scheme.
    Unreadable,
    /// This scheme.
    Known(Scheme),
}

impl StatedScheme {
    pub(super) fn parse(text: &[u8]) -> Self {
        Scheme::parse(text).map_or(Self::Unreadable, Self::Known)
    }
}
