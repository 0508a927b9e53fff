//! From when until when a token is valid.

use std::time::Duration;

use super::claims::Claims;
use super::error::TokenError;

/// The dates of a token, in seconds since 1970. All that a verdict on a token owes to the time follows from them, when it
/// is verified and each time that it is remembered: clocks are also set back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Dates {
    pub(super) expires_at: u64,
    pub(super) not_before: Option<u64>,
    pub(super) issued_at: Option<u64>,
}

impl Dates {
    /// A token without an end has ended.
    pub(super) fn of(claims: &Claims<'_>) -> Self {
        Self {
            expires_at: claims.expires_at.map_or(0, |date| date.0),
            not_before: claims.not_before.map(|date| date.0),
            issued_at: claims.issued_at.map(|date| date.0),
        }
    }

    /// Whether a token with these dates is valid at `now`.
    pub(super) fn hold(&self, leeway: Duration, max_lifetime: Duration, now: u64) -> bool {
        let checks = self.checks(leeway, max_lifetime, now);
        checks.iter().all(|(_, verdict)| verdict.is_ok())
    }

    /// Every check with its name and verdict, in the order in which they count.
    pub(super) fn checks(
        &self,
        leeway: Duration,
        max_lifetime: Duration,
        now: u64,
    ) -> [(&'static str, Result<(), TokenError>); 4] {
        let verdict = |holds: bool, refusal| if holds { Ok(()) } else { Err(refusal) };
        let latest = now.saturating_add(leeway.as_secs());
        // "On or after" `exp` is too late (RFC 7519, section 4.1.4).
        let lives = now < self.expires_at.saturating_add(leeway.as_secs());
        let begun = self.not_before.is_none_or(|begins| begins <= latest);
        let is_past = |issued_at| issued_at <= latest && issued_at <= self.expires_at;
        let born = self.issued_at.is_none_or(is_past);
        let issued_at = self.issued_at.unwrap_or(now);
        let is_short = self.expires_at.saturating_sub(issued_at) <= max_lifetime.as_secs();
        [
            ("not expired", verdict(lives, TokenError::Expired)),
            ("already valid", verdict(begun, TokenError::NotYetValid)),
            ("time of issue", verdict(born, TokenError::IssuedAt)),
            ("lifetime", verdict(is_short, TokenError::Lifetime)),
        ]
    }
}
