//! One attempt at a server, and whether it may be repeated.

use http::response::Parts;

use super::answer_first::AnswerFirst;
use super::error::ForwardError;
use super::outbound::Outbound;
use super::spare::Spare;
use super::state::ServerLoad;
use crate::telemetry::metrics::GaugeGuard;

/// A connection that speaks another protocol from now on (RFC 9110, section 7.8).
pub struct Switched {
    /// The head of the `101`.
    pub head: Parts,
    /// The connection, on which both sides continue in the other protocol.
    pub io: AnswerFirst,
    /// Counts the connection as active for as long as it is kept.
    pub held: GaugeGuard,
    /// Counts it as under way where that is how servers are chosen; to be kept as long as `held`.
    pub load: Option<ServerLoad>,
}

/// Whether another exchange has used the connection before. If so, it may have been closed by the server meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    First,
    Further,
}

/// Whether a failed request may be sent again.
pub(super) enum Again {
    /// It may have had an effect.
    Never,
    /// It cannot have had one, or a second one is none.
    Harmless(Outbound),
    /// Nothing of it was sent: the kept connection had ended by itself before. That was no attempt yet.
    Unsent(Outbound),
}

/// A failed attempt, with the request where it may be sent again.
pub(super) struct Failed {
    pub(super) error: ForwardError,
    pub(super) again: Again,
    /// Whether it used a reused connection, whose failure indicates little about the server.
    pub(super) used: Use,
}

impl Again {
    pub(super) fn of_spare(spare: Option<Spare>) -> Self {
        spare.map_or(Self::Never, |spare| Self::Harmless(spare.into()))
    }

    /// Of a request that comes back as it was.
    pub(super) fn of_unsent(unsent: Outbound, used: Use) -> Self {
        match used {
            Use::First => Self::Harmless(unsent),
            Use::Further => Self::Unsent(unsent),
        }
    }
}
