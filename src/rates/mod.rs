//! Rates: how many requests a caller may send. Each caller has a bucket that a request takes from and time fills (the
//! generic cell rate algorithm); all buckets of the process lie in one table of bounded size. Time is an argument.

mod bucket;
mod fields;
mod limit;
mod limits;
mod rate;
mod table;

pub use bucket::BucketLevel;
pub use fields::{EnforcedLevels, RATELIMIT, RATELIMIT_POLICY};
pub use limit::LimitedBy;
pub use limits::{RateOutcome, RateRefusal, ServiceLimits};
pub use rate::{CountedBy, Rate, RateError, ServiceRates};
pub use table::{RateTable, TableUse};
