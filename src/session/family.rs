//! A family: the refresh tokens that came from one login, and which of them is good.
//!
//! Each token is good once. A spent one that is shown again was stolen, or its thief has been here: the whole family
//! ends. One exception keeps honest clients in: where two of their requests refresh at the same moment, both show the
//! same token. For [`GRACE`] after it was spent the immediate predecessor is therefore still good, and gives a sibling,
//! but only to the network that spent it: a stolen token that is shown from elsewhere is noticed at once (RFC 9700,
//! section 4.14.2).
//!
//! A store can go back in time: a primary dies, and its replica has not heard of the last exchanges; a backup is put
//! back. The good token of the client is then one that the store has never seen. Tokens are therefore numbered, and
//! their numbers signed: one with a greater number than the store has given is not spent, but forgotten. It is good, and
//! everything that the store holds of the family instead is spent from then on, for it may have been exchanged already.
//! Whoever holds a stolen token of the family is still found out by the next step of either side: of two tokens the one with
//! the smaller number is spent, and so is one of two with the same.

use serde::{Deserialize, Serialize};

use super::attempt::Network;
use super::refresh_token::{Digest, Stamp};
use crate::token::SignIn;

/// For how many seconds the immediate predecessor of a token is good.
pub const GRACE: u64 = 10;

/// The most tokens of one family that are good at a time. Where more siblings are asked for, the one that was not used
/// for the longest time is spent.
const SIBLINGS: usize = 32;

/// The refresh tokens of one session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Family {
    /// Who logged in.
    pub(super) subject: Box<str>,
    /// Who vouches for them; `None`: the user list, and in what an earlier version has written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) provider: Option<Box<str>>,
    /// When, in seconds since 1970.
    pub(super) opened_at: u64,
    /// How they logged in; unknown in what an earlier version has written.
    #[serde(default, skip_serializing_if = "SignIn::is_unknown")]
    pub(super) sign_in: SignIn,
    /// The greatest number of its tokens; 0 in what an earlier version has written.
    #[serde(default)]
    generation: u64,
    /// When a token was last exchanged; 0 where none was, and in what an earlier version has written.
    #[serde(default, skip_serializing_if = "is_zero")]
    used_at: u64,
    /// The good tokens, the one that was made last at the end.
    lines: Vec<Line>,
}

/// A token that is good, and the one it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    current: Digest,
    expires_at: u64,
    predecessor: Option<Spent>,
}

/// A token that was exchanged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Spent {
    token: Digest,
    at: u64,
    /// The network it was exchanged from; absent in what an earlier version has written, less than [`GRACE`] ago if it
    /// matters.
    #[serde(default)]
    network: Option<Network>,
}

/// A token that is shown, to be exchanged for a fresh one. Times are seconds since 1970 and seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exchange {
    pub(super) shown: Digest,
    /// Its number, where the gateway has signed it.
    pub(super) stamp: Option<Stamp>,
    pub(super) fresh: Digest,
    /// Where the request comes from.
    pub(super) network: Network,
    pub(super) now: u64,
    /// How long the fresh one is good.
    pub(super) ttl: u64,
    /// A token that was spent before this time is spent for whoever shows it again.
    pub(super) spent_since: u64,
}

/// A token of which is asked whether it is good. Times as above.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) shown: Digest,
    pub(super) stamp: Option<Stamp>,
    pub(super) now: u64,
    pub(super) ttl: u64,
}

/// What became of a token that was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// It was good; the fresh one takes its place.
    Good,
    /// It was good, although the store has forgotten that it made it; the same.
    Forgotten,
    /// Its time is over.
    Expired,
    /// It was spent before: the family must end.
    Reused,
}

impl Family {
    /// A new family with its first token, good for `ttl` seconds.
    pub(super) fn open(subject: Box<str>, first: Digest, now: u64, ttl: u64) -> Self {
        let line = Line {
            current: first,
            expires_at: now.saturating_add(ttl),
            predecessor: None,
        };
        Self {
            subject,
            provider: None,
            opened_at: now,
            sign_in: SignIn::default(),
            generation: 1,
            used_at: 0,
            lines: vec![line],
        }
    }

    /// Exchanges a token for a fresh one, good for `ttl` seconds. Any token that is not good counts as spent: nobody can
    /// show one of this family who never had one.
    pub(super) fn exchange(&mut self, exchange: &Exchange) -> Shown {
        let Exchange {
            shown, now, ttl, ..
        } = *exchange;
        let spent_now = Spent {
            token: shown,
            at: now,
            network: Some(exchange.network),
        };
        let known = self.lines.iter().position(|line| line.current == shown);
        let (became, predecessor) = if let Some(at) = known {
            if self.lines[at].expires_at <= now {
                return Shown::Expired;
            }
            self.lines.remove(at);
            (Shown::Good, spent_now)
        } else if let Some(spent) = self.recently_spent(exchange) {
            (Shown::Good, spent)
        } else if let Some(stamp) = self.forgotten(exchange) {
            if stamp.issued_at.saturating_add(ttl) <= now {
                return Shown::Expired;
            }
            self.lines.clear();
            self.generation = stamp.generation;
            (Shown::Forgotten, spent_now)
        } else {
            return Shown::Reused;
        };
        if self.lines.len() == SIBLINGS {
            self.lines.remove(0);
        }
        self.generation = self.generation.saturating_add(1);
        self.used_at = now;
        self.lines.push(Line {
            current: exchange.fresh,
            expires_at: now.saturating_add(ttl),
            predecessor: Some(predecessor),
        });
        became
    }

    /// Until when a token is good that is shown to nobody but us, in seconds since 1970; `None` where it is spent or
    /// expired.
    pub(super) fn look(&self, look: &Look) -> Option<u64> {
        let known = self.lines.iter().find(|line| line.current == look.shown);
        let forgotten = look
            .stamp
            .filter(|stamp| stamp.generation > self.generation);
        let end = match known {
            Some(line) => line.expires_at,
            None => forgotten?.issued_at.saturating_add(look.ttl),
        };
        Some(end).filter(|end| *end > look.now)
    }

    /// When a token of it was last exchanged; `None` where that is not known.
    pub(super) fn used_at(&self) -> Option<u64> {
        Some(self.used_at).filter(|at| *at > 0)
    }

    /// The number of the token that was made last.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// The stamp of a token that was made after everything that the store knows of the family.
    fn forgotten(&self, exchange: &Exchange) -> Option<Stamp> {
        exchange
            .stamp
            .filter(|stamp| stamp.generation > self.generation)
    }

    /// When the last of its tokens expires.
    pub(super) fn expires_at(&self) -> u64 {
        self.lines
            .iter()
            .map(|line| line.expires_at)
            .max()
            .unwrap_or(0)
    }

    fn recently_spent(&self, exchange: &Exchange) -> Option<Spent> {
        let spent = self
            .lines
            .iter()
            .filter_map(|line| line.predecessor.as_ref());
        // the clock of another replica may be ahead
        spent
            .filter(|spent| spent.at >= exchange.spent_since)
            .find(|spent| spent.token == exchange.shown)
            .filter(|spent| {
                let before = spent.network;
                before.is_none_or(|before| before == exchange.network)
            })
            .cloned()
    }
}

/// For serde, which passes a reference.
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests;
