//! How a caller has authenticated, and what a rule may ask of that.

use core::time::Duration;
use std::fmt;

/// When and how a caller has signed in. It is about the credential, where an identity is about its holder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authentication {
    /// Not by a sign-in: nobody was there whom a rule could ask to sign in again. So it is for API keys, for a password that
    /// comes with each request, and for the tokens of other issuers. The default, by which no demand holds.
    #[default]
    WithoutSignIn,
    /// By a sign-in at the gateway.
    SignedIn {
        /// How long ago that was; `None` where it is unknown.
        age: Option<Duration>,
        /// Whether a second factor was shown.
        second_factor: bool,
    },
}

/// What a condition asks of the sign-in: `second_factor` and `max_age`. Both must hold; the default asks for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuthenticationDemand {
    /// A second factor was shown.
    pub second_factor: bool,
    /// The sign-in is at most so long ago.
    pub max_age: Option<Duration>,
}

impl AuthenticationDemand {
    /// Whether it asks for nothing, so that a caller who has not signed in meets it as well.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a caller meets it who has authenticated so. A sign-in of unknown age is none of any age.
    pub fn is_met_by(&self, authentication: Authentication) -> bool {
        match authentication {
            Authentication::WithoutSignIn => self.is_empty(),
            Authentication::SignedIn { age, second_factor } => {
                let is_young = |max_age| age.is_some_and(|age| age <= max_age);
                (second_factor || !self.second_factor) && self.max_age.is_none_or(is_young)
            }
        }
    }

    /// Both demands together.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let both = self.max_age.into_iter().chain(other.max_age);
        Self {
            second_factor: self.second_factor || other.second_factor,
            max_age: both.min(),
        }
    }

    /// The way to authenticate that meets it and no greater one.
    pub fn least(&self) -> Authentication {
        if self.is_empty() {
            return Authentication::WithoutSignIn;
        }
        Authentication::SignedIn {
            age: self.max_age,
            second_factor: self.second_factor,
        }
    }

    /// Orders demands by what they ask of a caller who has authenticated so: the easiest first.
    pub(super) fn effort(&self, authentication: Authentication) -> impl Ord + use<> {
        let shown = matches!(
            authentication,
            Authentication::SignedIn {
                second_factor: true,
                ..
            }
        );
        let shortest = self.max_age.map_or(Duration::MAX, |max_age| max_age);
        (self.second_factor && !shown, std::cmp::Reverse(shortest))
    }
}

/// As part of a sentence: `a sign-in with a second factor within the last 15m`.
impl fmt::Display for AuthenticationDemand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sign-in")?;
        if self.second_factor {
            f.write_str(" with a second factor")?;
        }
        match self.max_age {
            Some(max_age) => write!(f, " within the last {}", ShortDuration(max_age)),
            None => Ok(()),
        }
    }
}

/// A duration as a configuration has it: in the largest unit that says it without a rest, down to milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct ShortDuration(pub Duration);

impl fmt::Display for ShortDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u128, &str); 5] = [
            (24 * 3600 * 1000, "d"),
            (3600 * 1000, "h"),
            (60 * 1000, "m"),
            (1000, "s"),
            (1, "ms"),
        ];
        let millis = self.0.as_millis();
        let mut fitting = UNITS.iter();
        match fitting.find(|(unit, _)| millis > 0 && millis.is_multiple_of(*unit)) {
            Some((unit, name)) => write!(f, "{}{name}", millis / unit),
            None => f.write_str("0s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(second_factor: bool, max_age: Option<u64>) -> AuthenticationDemand {
        AuthenticationDemand {
            second_factor,
            max_age: max_age.map(Duration::from_secs),
        }
    }

    fn signed_in(age: Option<u64>, second_factor: bool) -> Authentication {
        Authentication::SignedIn {
            age: age.map(Duration::from_secs),
            second_factor,
        }
    }

    #[test]
    fn what_is_not_known_meets_no_demand() {
        for (demand, met_by) in [
            (demand(false, None), [true, true, true, true, true]),
            (demand(true, None), [false, false, false, true, true]),
            (demand(false, Some(60)), [false, false, true, false, false]),
            (demand(true, Some(61)), [false, false, false, true, false]),
        ] {
            let callers = [
                Authentication::WithoutSignIn,
                signed_in(None, false),
                signed_in(Some(60), false),
                signed_in(Some(61), true),
                signed_in(None, true),
            ];
            assert_eq!(callers.map(|one| demand.is_met_by(one)), met_by, "{demand}");
        }
    }

    #[test]
    fn the_least_sign_in_meets_its_demand_and_both_demands_ask_for_more() {
        for one in [
            demand(false, None),
            demand(true, None),
            demand(false, Some(60)),
            demand(true, Some(900)),
        ] {
            assert!(one.is_met_by(one.least()), "{one}");
            let more = one.and(&demand(true, Some(30)));
            assert_eq!(more, demand(true, Some(30)));
            assert!(!more.is_met_by(one.least()) && one.is_met_by(more.least()));
        }
    }

    #[test]
    fn demands_read_as_parts_of_a_sentence() {
        for (demand, text) in [
            (demand(true, None), "a sign-in with a second factor"),
            (demand(false, Some(900)), "a sign-in within the last 15m"),
            (
                demand(true, Some(90)),
                "a sign-in with a second factor within the last 90s",
            ),
            (demand(false, Some(0)), "a sign-in within the last 0s"),
            (demand(false, Some(172_800)), "a sign-in within the last 2d"),
        ] {
            assert_eq!(demand.to_string(), text);
        }
    }
}
