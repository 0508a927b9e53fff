//! Whether letter case counts when paths are compared.

use std::borrow::Cow;

/// Whether `/Jobs` and `/jobs` are the same path to a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CaseRule {
    /// They differ.
    #[default]
    Sensitive,
    /// They are the same: literals are folded, the values of parameters are not.
    Insensitive,
}

impl CaseRule {
    /// The form in which two literals are compared.
    pub fn fold(self, literal: Cow<'_, str>) -> Cow<'_, str> {
        match self {
            Self::Sensitive => literal,
            Self::Insensitive if is_folded(&literal) => literal,
            // By way of the upper case, so that `ß` meets `SS` and `ς` meets `σ`.
            Self::Insensitive => Cow::Owned(literal.to_uppercase().to_lowercase()),
        }
    }
}

fn is_folded(literal: &str) -> bool {
    literal
        .bytes()
        .all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
}
