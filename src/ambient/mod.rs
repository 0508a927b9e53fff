//! The only doors to the clock and to chance. Everything else takes time and randomness as arguments.

mod ticker;

pub use ticker::{Deadline, TICK, Ticker};

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The monotonic clock, for measuring and deadlines.
#[expect(clippy::disallowed_methods, reason = "this is the door")]
pub fn now() -> Instant {
    Instant::now()
}

/// The wall clock, for log lines and tokens.
#[expect(clippy::disallowed_methods, reason = "this is the door")]
pub fn wall_clock() -> SystemTime {
    SystemTime::now()
}

/// Whole seconds since 1970 (RFC 7519 `NumericDate`); 0 for a clock set before that.
pub fn unix_seconds() -> u64 {
    wall_clock().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

/// Bytes from the operating system's random source.
///
/// # Panics
/// Where the system has no random source: nothing secret can be made there.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has a random source");
    bytes
}
