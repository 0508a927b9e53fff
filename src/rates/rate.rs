//! A rate, as it is configured.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

/// How many requests may come in which time. A caller has a bucket of `requests + burst`; each request takes one, and
/// `requests` of them come back in every `per`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    requests: u32,
    per: Duration,
    burst: u32,
    by: CountedBy,
}

/// Whose requests are counted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CountedBy {
    /// Those of a user; of callers without an identity those of an address.
    #[default]
    User,
    /// Those of a client address; of IPv6 those of a /64.
    Address,
    /// All of them.
    Service,
}

/// Why a rate is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateError {
    /// `requests`, `per` or `burst` lies outside its range.
    OutOfRange,
    /// An empty bucket would take longer than [`Rate::LONGEST_FILL`] to fill.
    FillsTooSlowly,
}

/// The rates of a service and of its rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceRates {
    /// Of all its requests.
    pub service: Option<Rate>,
    /// Of those that a rule decides, by rule id; a rule beyond the end has none.
    pub rules: Vec<Option<Rate>>,
}

impl Rate {
    /// How many `requests` there may be.
    pub const REQUESTS: RangeInclusive<u32> = 1..=1_000_000;
    /// How long `per` may be.
    pub const PER: RangeInclusive<Duration> =
        RangeInclusive::new(Duration::from_secs(1), Duration::from_secs(24 * 3600));
    /// How large `burst` may be.
    pub const BURST: RangeInclusive<u32> = 0..=1_000_000;
    /// How long an empty bucket may take to fill.
    pub const LONGEST_FILL: Duration = Duration::from_secs(365 * 24 * 3600);

    /// This rate.
    ///
    /// # Errors
    /// [`RateError`] where one of the values is too small or too large.
    pub fn new(requests: u32, per: Duration, burst: u32, by: CountedBy) -> Result<Self, RateError> {
        let fits = Self::REQUESTS.contains(&requests)
            && Self::PER.contains(&per)
            && Self::BURST.contains(&burst);
        let rate = Self {
            requests,
            per,
            burst,
            by,
        };
        if !fits {
            Err(RateError::OutOfRange)
        } else if rate.fill_time() > Self::LONGEST_FILL {
            Err(RateError::FillsTooSlowly)
        } else {
            Ok(rate)
        }
    }

    /// How many requests come back in every [`Self::per`]; at least 1.
    pub fn requests(self) -> u32 {
        self.requests
    }

    /// The time in which [`Self::requests`] come back.
    pub fn per(self) -> Duration {
        self.per
    }

    /// How many requests more may come at once; default 0.
    pub fn burst(self) -> u32 {
        self.burst
    }

    /// Whose requests are counted together.
    pub fn by(self) -> CountedBy {
        self.by
    }

    /// How many requests may come at once after a long pause.
    pub fn bucket(self) -> u32 {
        self.requests + self.burst
    }

    /// The time in which one request comes back, rounded up.
    pub fn interval(self) -> Duration {
        let nanos = self.per.as_nanos().div_ceil(u128::from(self.requests));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The time in which an empty bucket fills.
    pub fn fill_time(self) -> Duration {
        self.interval().saturating_mul(self.bucket())
    }

    /// Whether whoever keeps to `other` keeps to this rate as well: it neither fills more slowly nor holds less.
    pub fn admits_all_of(self, other: Self) -> bool {
        self.interval() <= other.interval() && self.bucket() >= other.bucket()
    }
}

/// ``100 requests per 1m and a burst of 20, by user``.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.requests == 1 { "" } else { "s" };
        write!(
            f,
            "{} request{plural} per {}",
            self.requests,
            Written(self.per)
        )?;
        if self.burst > 0 {
            write!(f, " and a burst of {}", self.burst)?;
        }
        write!(f, ", by {}", self.by.as_str())
    }
}

/// A duration as a configuration has it, in the largest unit that fits.
struct Written(Duration);

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let units = [
            ("d", 86_400_000),
            ("h", 3_600_000),
            ("m", 60_000),
            ("s", 1000),
        ];
        let unit = units.iter().find(|(_, size)| millis.is_multiple_of(*size));
        let (unit, size) = unit.copied().unwrap_or(("ms", 1));
        write!(f, "{}{unit}", millis / size)
    }
}

impl CountedBy {
    /// Its name, as a configuration has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Address => "address",
            Self::Service => "service",
        }
    }

    /// Whether requests that are counted together by `other` are so by this as well.
    pub fn joins_all_of(self, other: Self) -> bool {
        self == Self::Service || self == other
    }
}

impl ServiceRates {
    /// The rate of the rule at this place.
    pub fn of_rule(&self, rule: u32) -> Option<Rate> {
        self.rules.get(rule as usize).copied().flatten()
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.service.is_none() && self.rules.iter().all(Option::is_none)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(requests: u32, per: u64, burst: u32) -> Result<Rate, RateError> {
        Rate::new(requests, Duration::from_secs(per), burst, CountedBy::User)
    }

    #[test]
    fn a_rate_has_bounds() {
        for (requests, per, burst) in [
            (0, 60, 0),
            (1_000_001, 60, 0),
            (1, 0, 0),
            (1, 24 * 3600 + 1, 0),
            (1, 60, 1_000_001),
            (u32::MAX, u64::from(u32::MAX), u32::MAX),
        ] {
            assert_eq!(rate(requests, per, burst), Err(RateError::OutOfRange));
        }
        assert_eq!(rate(1, 24 * 3600, 365), Err(RateError::FillsTooSlowly));
        assert!(rate(1, 24 * 3600, 364).is_ok());
        assert!(rate(1_000_000, 1, 1_000_000).is_ok());
    }

    #[test]
    fn a_rate_is_never_faster_than_it_says() {
        let three = rate(3, 1, 2).expect("it is in range");
        assert_eq!(three.interval(), Duration::from_nanos(333_333_334));
        assert!(three.interval() * 3 >= Duration::from_secs(1));
        assert_eq!(three.bucket(), 5);
    }

    #[test]
    fn a_rate_is_said_in_words() {
        let shown = |requests, per, burst| rate(requests, per, burst).map(|rate| rate.to_string());
        assert_eq!(
            shown(100, 60, 20).as_deref(),
            Ok("100 requests per 1m and a burst of 20, by user")
        );
        assert_eq!(shown(1, 90, 0).as_deref(), Ok("1 request per 90s, by user"));
    }
}
