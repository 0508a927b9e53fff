//! What a notice says about access.

/// What a notice says about access by itself. What follows for requests stands among the changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    Opens,
    Closes,
    Says,
}

impl Weight {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Opens => "opens",
            Self::Closes => "closes",
            Self::Says => "says",
        }
    }
}
