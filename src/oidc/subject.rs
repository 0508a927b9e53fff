//! Whom a provider speaks of.

use crate::token::is_valid_foreign_subject;

/// The most characters of a subject (OpenID Connect Core 1.0, section 2).
const LONGEST_SUBJECT: usize = 255;

/// Of whom the first ID token was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderSubject {
    /// `iss`.
    pub issuer: Box<str>,
    /// `sub`.
    pub sub: Box<str>,
    /// When the person has signed in at the provider, in seconds since 1970, where it says so.
    pub auth_time: Option<u64>,
}

/// Whether a text can name a person.
pub(super) fn is_acceptable(subject: &str) -> bool {
    is_valid_foreign_subject(subject) && subject.chars().count() <= LONGEST_SUBJECT
}
