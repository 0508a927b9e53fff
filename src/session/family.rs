//! A family: the refresh tokens that came from one login, and which of them is good.
//!
//! Each token is good once. A spent one that is shown again was stolen, or its thief has been here: the whole family
//! ends. One exception keeps honest clients in: where two of their requests refresh at the same moment, both show the
//! same token. For [`GRACE`] after it was spent the immediate predecessor is therefore still good, and gives a sibling,
//! but only to the network that spent it: a stolen token that is shown from elsewhere is noticed at once (RFC 9700,
//! section 4.14.2).

use serde::{Deserialize, Serialize};

use super::attempt::Network;
use super::refresh_token::Digest;

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
    /// When, in seconds since 1970.
    pub(super) opened_at: u64,
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

/// What became of a token that was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// It was good; the fresh one takes its place.
    Good,
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
            opened_at: now,
            lines: vec![line],
        }
    }

    /// Exchanges a token for a fresh one, good for `ttl` seconds. Any token that is not good counts as spent: nobody can
    /// show one of this family who never had one.
    pub(super) fn exchange(
        &mut self,
        shown: Digest,
        fresh: Digest,
        network: Network,
        now: u64,
        ttl: u64,
    ) -> Shown {
        let predecessor = if let Some(at) = self.lines.iter().position(|line| line.current == shown)
        {
            if self.lines[at].expires_at <= now {
                return Shown::Expired;
            }
            self.lines.remove(at);
            Spent {
                token: shown,
                at: now,
                network: Some(network),
            }
        } else if let Some(spent) = self.recently_spent(shown, network, now) {
            spent
        } else {
            return Shown::Reused;
        };
        if self.lines.len() == SIBLINGS {
            self.lines.remove(0);
        }
        let expires_at = now.saturating_add(ttl);
        self.lines.push(Line {
            current: fresh,
            expires_at,
            predecessor: Some(predecessor),
        });
        Shown::Good
    }

    /// When the last of its tokens expires.
    pub(super) fn expires_at(&self) -> u64 {
        self.lines
            .iter()
            .map(|line| line.expires_at)
            .max()
            .unwrap_or(0)
    }

    fn recently_spent(&self, shown: Digest, network: Network, now: u64) -> Option<Spent> {
        let spent = self
            .lines
            .iter()
            .filter_map(|line| line.predecessor.as_ref());
        // the clock of another replica may be ahead
        spent
            .filter(|spent| now.saturating_sub(spent.at) <= GRACE)
            .find(|spent| spent.token == shown)
            .filter(|spent| spent.network.is_none_or(|before| before == network))
            .cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::RefreshToken;

    const TTL: u64 = 1000;
    const HOME: Network = Network::V4([192, 0, 2, 1]);
    const ELSEWHERE: Network = Network::V4([192, 0, 2, 2]);

    fn token(number: u8) -> Digest {
        RefreshToken::first([0; 16], [number; 32]).digest()
    }

    fn family() -> Family {
        Family::open("alice".into(), token(0), 0, TTL)
    }

    #[test]
    fn a_token_is_good_once() {
        let mut family = family();
        assert_eq!(
            family.exchange(token(0), token(1), HOME, 100, TTL),
            Shown::Good
        );
        assert_eq!(
            family.exchange(token(1), token(2), HOME, 200, TTL),
            Shown::Good
        );
        for spent in [0, 1, 9] {
            assert_eq!(
                family.exchange(token(spent), token(3), HOME, 300, TTL),
                Shown::Reused,
                "{spent}"
            );
        }
    }

    #[test]
    fn the_immediate_predecessor_is_good_for_a_moment_and_gives_siblings() {
        let mut family = family();
        assert_eq!(
            family.exchange(token(0), token(1), HOME, 100, TTL),
            Shown::Good
        );
        assert_eq!(
            family.exchange(token(0), token(2), HOME, 100 + GRACE, TTL),
            Shown::Good
        );
        // the sibling does not prolong the moment
        assert_eq!(
            family
                .clone()
                .exchange(token(0), token(3), HOME, 101 + GRACE, TTL),
            Shown::Reused
        );
        // both are good, in any order
        assert_eq!(
            family.exchange(token(1), token(4), HOME, 500, TTL),
            Shown::Good
        );
        assert_eq!(
            family.exchange(token(2), token(5), HOME, 600, TTL),
            Shown::Good
        );
        // a grandparent is spent, however short the time
        assert_eq!(
            family.exchange(token(4), token(6), HOME, 600, TTL),
            Shown::Good
        );
        assert_eq!(
            family.exchange(token(1), token(7), HOME, 600, TTL),
            Shown::Reused
        );
    }

    #[test]
    fn the_predecessor_is_good_for_the_network_only_that_spent_it() {
        let mut family = family();
        let spend = family.exchange(token(0), token(1), HOME, 100, TTL);
        assert_eq!(spend, Shown::Good);
        let stolen = family
            .clone()
            .exchange(token(0), token(2), ELSEWHERE, 100, TTL);
        assert_eq!(stolen, Shown::Reused);
        // a sibling keeps the network, and an unspent token is good from anywhere
        let sibling = family.exchange(token(0), token(2), HOME, 101, TTL);
        assert_eq!(sibling, Shown::Good);
        let moved = family.exchange(token(1), token(3), ELSEWHERE, 102, TTL);
        assert_eq!(moved, Shown::Good);
        for (shown, network, expected) in [
            (0, ELSEWHERE, Shown::Reused),
            (1, HOME, Shown::Reused),
            (0, HOME, Shown::Good),
            (1, ELSEWHERE, Shown::Good),
        ] {
            let became = family
                .clone()
                .exchange(token(shown), token(4), network, 103, TTL);
            assert_eq!(became, expected, "{shown} from {network:?}");
        }
    }

    #[test]
    fn a_family_of_an_earlier_version_is_read() {
        let mut family = family();
        family.exchange(token(0), token(1), HOME, 100, TTL);
        let mut value = serde_json::to_value(&family).unwrap();
        let spent = &mut value["lines"][0]["predecessor"];
        assert!(spent.as_object_mut().unwrap().remove("network").is_some());
        let mut family: Family = serde_json::from_value(value).unwrap();
        let sibling = family.exchange(token(0), token(2), ELSEWHERE, 101, TTL);
        assert_eq!(sibling, Shown::Good);
    }

    #[test]
    fn a_token_expires() {
        let mut family = family();
        assert_eq!(
            family.clone().exchange(token(0), token(1), HOME, TTL, TTL),
            Shown::Expired
        );
        assert_eq!(
            family.exchange(token(0), token(1), HOME, TTL - 1, TTL),
            Shown::Good
        );
        assert_eq!(family.expires_at(), 2 * TTL - 1);
    }

    #[test]
    fn siblings_are_bounded() {
        let mut family = family();
        assert_eq!(
            family.exchange(token(0), token(1), HOME, 0, TTL),
            Shown::Good
        );
        for number in 2..=40 {
            assert_eq!(
                family.exchange(token(0), token(number), HOME, 1, TTL),
                Shown::Good
            );
        }
        assert_eq!(family.lines.len(), SIBLINGS);
        assert_eq!(
            family.exchange(token(40), token(41), HOME, 2, TTL),
            Shown::Good
        );
        assert_eq!(
            family.exchange(token(1), token(42), HOME, 2, TTL),
            Shown::Reused,
            "not used for the longest time"
        );
    }

    #[test]
    fn a_family_is_read_back() {
        let mut family = family();
        family.exchange(token(0), token(1), HOME, 100, TTL);
        let text = serde_json::to_string(&family).unwrap();
        assert_eq!(serde_json::from_str::<Family>(&text).unwrap(), family);
    }
}
