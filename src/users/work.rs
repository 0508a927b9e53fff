//! What checking a password costs.

use std::fmt;

/// The work of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// bcrypt.
    Bcrypt {
        /// It doubles with each step; 10 is the least that is recommended.
        cost: u32,
    },
    /// argon2id (RFC 9106).
    Argon2id {
        /// In KiB.
        memory: u32,
        /// Over the whole memory.
        passes: u32,
        /// They run one after the other here.
        lanes: u32,
    },
}

impl Work {
    /// What an argon2id hash may take: no hash of a users file eats the machine.
    pub const ARGON2_LIMITS: &str =
        "m up to 262144 (256 MiB), t up to 32, p up to 16, and m times t up to 1048576";

    /// Whether a stolen hash of this work is quick to try: below bcrypt's cost 10, or below m=7168, t=5 and the like,
    /// which is what OWASP asks for.
    pub fn is_weak(self) -> bool {
        match self {
            Self::Bcrypt { cost } => cost < 10,
            Self::Argon2id { memory, passes, .. } => {
                u64::from(memory) * u64::from(passes) < 7168 * 5
            }
        }
    }

    /// About how many microseconds it takes, to compare different kinds.
    pub(super) fn estimate(self) -> u64 {
        match self {
            Self::Bcrypt { cost } => 80 << cost.min(32),
            Self::Argon2id { memory, passes, .. } => u64::from(memory) * u64::from(passes),
        }
    }
}

/// As the hash writes it.
impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bcrypt { cost } => write!(f, "cost {cost}"),
            Self::Argon2id {
                memory,
                passes,
                lanes,
            } => write!(f, "m={memory},t={passes},p={lanes}"),
        }
    }
}
