//! The networks that an account has logged in from lately: whoever comes from one of them is not slowed down by other
//! people's guesses.

use std::collections::HashMap;

use ahash::RandomState;
use serde::{Deserialize, Serialize};

use super::attempt::{Account, Network};

/// How many networks of one account are known: those of its last good logins.
pub(super) const NETWORKS: usize = 8;

/// How long a network is known after a good login, in milliseconds: 90 days, as long as a browser.
pub(super) const KNOWN_FOR: u64 = 90 * 24 * 3600 * 1000;

/// A login from a network that is known changes something only so many milliseconds after the one before: a day.
const AGAIN: u64 = 24 * 3600 * 1000;

/// The known networks of one account, the one that was used last at the end, with the millisecond of that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KnownNetworks(Vec<(Network, u64)>);

impl KnownNetworks {
    /// When the last of them was used, to the day.
    pub(super) fn last_used(&self) -> u64 {
        self.0.iter().map(|(_, at)| *at).max().unwrap_or(0)
    }

    fn contains(&self, network: Network, now: u64) -> bool {
        self.0
            .iter()
            .any(|(known, at)| *known == network && now < at.saturating_add(KNOWN_FOR))
    }

    /// Adds a network, in place of the one that was used least recently; says whether that is worth storing. A network
    /// in steady use moves to the end each time, and is stored once a day.
    fn add(&mut self, network: Network, now: u64) -> bool {
        let recent = |(known, at): &(Network, u64)| *known == network && now < at + AGAIN;
        if let Some(found) = self.0.iter().position(recent) {
            self.0[found..].rotate_left(1);
            return false;
        }
        self.0.retain(|(known, _)| *known != network);
        if self.0.len() >= NETWORKS {
            self.0.remove(0);
        }
        self.0.push((network, now));
        true
    }
}

/// The known networks of all accounts, in bounded room: when the young generation is full, the old one is dropped. Only
/// logins that succeed get here.
pub(super) struct KnownPlaces {
    young: HashMap<Account, KnownNetworks, RandomState>,
    old: HashMap<Account, KnownNetworks, RandomState>,
    room: usize,
}

impl KnownPlaces {
    /// So many accounts in each of the two generations.
    pub(super) fn new(room: usize, hasher: &RandomState) -> Self {
        Self {
            young: HashMap::with_hasher(hasher.clone()),
            old: HashMap::with_hasher(hasher.clone()),
            room,
        }
    }

    /// Whether the account has logged in from this network lately.
    pub(super) fn contains(&self, account: &Account, network: Network, now: u64) -> bool {
        let known = self.young.get(account).or_else(|| self.old.get(account));
        known.is_some_and(|known| known.contains(network, now))
    }

    /// After a good login. The networks of the account, where they have changed.
    pub(super) fn add(
        &mut self,
        account: Account,
        network: Network,
        now: u64,
    ) -> Option<KnownNetworks> {
        let before = self
            .young
            .remove(&account)
            .or_else(|| self.old.remove(&account));
        let mut known = before.unwrap_or_default();
        let changed = known.add(network, now);
        self.put(account, known.clone());
        changed.then_some(known)
    }

    /// Puts in what was known before the process started.
    pub(super) fn put(&mut self, account: Account, known: KnownNetworks) {
        if self.young.len() >= self.room {
            let hasher = self.old.hasher().clone();
            self.old = std::mem::replace(&mut self.young, HashMap::with_hasher(hasher));
        }
        self.young.insert(account, known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ambient;

    fn network(number: u8) -> Network {
        Network::V4([192, 0, 2, number])
    }

    #[test]
    fn a_network_in_steady_use_stays_known() {
        let mut known = KnownNetworks::default();
        known.add(network(0), 0);
        for other in 1..=3 * NETWORKS as u8 {
            let now = u64::from(other) * 60_000;
            assert!(known.add(network(other), now));
            assert!(!known.add(network(0), now), "stored once a day");
            assert!(known.contains(network(0), now));
        }
        assert_eq!(known.0.len(), NETWORKS);
    }

    #[test]
    fn the_last_eight_networks_are_known_for_ninety_days() {
        let mut places = KnownPlaces::new(10, &ambient::hash_state());
        let alice = Account::named("alice");
        for number in 0..9 {
            assert!(
                places
                    .add(alice, network(number), u64::from(number))
                    .is_some()
            );
        }
        let known: Vec<u8> = (0..10)
            .filter(|number| places.contains(&alice, network(*number), 10))
            .collect();
        assert_eq!(known, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert!(!places.contains(&Account::named("bob"), network(1), 10));
        // one that is used again is written down once a day, and then is the last to go
        assert_eq!(places.add(alice, network(1), AGAIN), None);
        assert!(places.add(alice, network(1), AGAIN + 1).is_some());
        assert!(places.add(alice, network(9), AGAIN + 2).is_some());
        assert!(places.contains(&alice, network(1), AGAIN + 3));
        assert!(!places.contains(&alice, network(2), AGAIN + 3));
        assert!(places.contains(&alice, network(8), KNOWN_FOR + 7));
        assert!(!places.contains(&alice, network(8), KNOWN_FOR + 8));
    }

    #[test]
    fn the_room_is_bounded_and_who_logs_in_often_stays() {
        let mut places = KnownPlaces::new(10, &ambient::hash_state());
        let alice = Account::named("alice");
        for number in 0..100 {
            let _ = places.add(alice, network(1), 0);
            let _ = places.add(Account::named(&number.to_string()), network(2), 0);
        }
        assert!(places.contains(&alice, network(1), 1));
        assert!(places.young.len() + places.old.len() <= 20);
        assert!(!places.contains(&Account::named("0"), network(2), 1));
    }

    #[test]
    fn known_networks_are_read_back() {
        let mut known = KnownNetworks::default();
        known.add(network(1), 5);
        known.add(Network::of("2001:db8::1".parse().unwrap()), 6);
        let text = serde_json::to_string(&known).unwrap();
        assert_eq!(serde_json::from_str::<KnownNetworks>(&text).unwrap(), known);
        assert_eq!(known.last_used(), 6);
    }
}
