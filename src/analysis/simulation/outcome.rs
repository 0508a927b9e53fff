//! The outcome of a simulated request in one word, as in `tests:`.

use std::fmt;

use crate::access::Decision;

/// The outcome of a simulated request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimulatedVerdict {
    /// It is forwarded, or the gateway itself answers it.
    Allowed,
    /// 401.
    Unauthenticated,
    /// 403.
    Forbidden,
    /// 400, 405 or 414: it is refused as invalid or ambiguous before any rule applies.
    BadRequest,
    /// 404: no service has its host and path.
    NotFound,
}

impl SimulatedVerdict {
    /// All verdicts, by name.
    pub const ALL: [(&'static str, Self); 5] = [
        ("allowed", Self::Allowed),
        ("unauthenticated", Self::Unauthenticated),
        ("forbidden", Self::Forbidden),
        ("bad_request", Self::BadRequest),
        ("not_found", Self::NotFound),
    ];

    /// The verdict of a decision.
    pub fn of(decision: &Decision) -> Self {
        match decision {
            Decision::Allow(_) => Self::Allowed,
            Decision::Challenge(_) => Self::Unauthenticated,
            Decision::Forbid(_) => Self::Forbidden,
        }
    }

    /// Its name, as in a configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::BadRequest => "bad_request",
            Self::NotFound => "not_found",
        }
    }
}

impl fmt::Display for SimulatedVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
