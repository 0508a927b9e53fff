//! The only doors to the clock, to chance and to the priority of a thread. Everything else takes time and randomness as
//! arguments. The ticker also has the allocator give freed memory back to the system.

mod memory;
mod priority;
mod ticker;

pub use priority::stand_back;
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
    wall_clock()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs()
}

/// Whole milliseconds since 1970; 0 for a clock set before that.
pub fn unix_millis() -> u64 {
    let since = wall_clock()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Bytes from the operating system's random source.
///
/// # Panics
/// Where the system has no random source: nothing secret can be made there.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system has a random source");
    bytes
}

/// The state of a hash map that nobody can aim at, as fast as it gets.
pub fn hash_state() -> ahash::RandomState {
    let [a, b, c, d] = std::array::from_fn(|_| u64::from_le_bytes(random_bytes()));
    ahash::RandomState::with_seeds(a, b, c, d)
}

/// The bcrypt hash of a password with a fresh salt.
///
/// # Errors
/// Where bcrypt refuses the cost (4 to 31) or the password.
pub fn hash_password(password: &str, cost: u32) -> bcrypt::BcryptResult<String> {
    Ok(bcrypt::hash_with_salt(password, cost, random_bytes())?.to_string())
}
