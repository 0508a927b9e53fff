//! Failed logins as one process counts them.
//!
//! An account from one network: held after `attempts` failures. One network over all accounts: held after ten times as
//! many. One account from everywhere: after twenty times as many it takes one try a second.
//!
//! All of it has bounded room. Holds are never pushed out; while there is room for no further one, the failures of a
//! pair are charged to its network tenfold, and those of a network to its neighbourhood (a /16, or a /32 of IPv6): a
//! flood closes the door to the networks it comes from, and to nobody else.

use ahash::RandomState;

use super::attempt::{Account, Attempt, AttemptLimits, Network, Proof, Subject, Verdict};
use super::ledger::{Counted, Ledger, Room};

const ROOM: Room = Room {
    counting: 16 * 1024,
    held: 64 * 1024,
};

/// How much heavier the failure of a pair is for a network where the pair itself cannot be held.
const CHARGE: usize = 10;

/// The failed logins of this process.
pub(super) struct Attempts {
    pairs: Ledger<(Account, Network)>,
    networks: Ledger<Network>,
    neighbourhoods: Ledger<Network>,
    accounts: Ledger<Account>,
}

impl Attempts {
    pub(super) fn new(hasher: &RandomState) -> Self {
        Self::within(ROOM, hasher)
    }

    fn within(room: Room, hasher: &RandomState) -> Self {
        Self {
            pairs: Ledger::new(room, hasher),
            networks: Ledger::new(room, hasher),
            neighbourhoods: Ledger::new(room, hasher),
            accounts: Ledger::new(room, hasher),
        }
    }

    /// Before the password is looked at. `now` is in milliseconds since 1970, here and below.
    pub(super) fn ask(&mut self, attempt: &Attempt, now: u64) -> Verdict {
        if let Some(until) = self.held_until(attempt, now) {
            return Verdict::Held(until.saturating_sub(now).max(1));
        }
        match self.accounts.try_slowly(&attempt.account, now) {
            Ok(()) => Verdict::Open,
            Err(at) => Verdict::Held(at.saturating_sub(now).max(1)),
        }
    }

    /// After the password was checked. Where others have failed in the meantime so often that the pair or the network
    /// is held, the result counts for nothing, right or wrong: guesses made at once are not more than guesses in turn.
    /// New holds are added to `holds`.
    pub(super) fn settle(
        &mut self,
        attempt: &Attempt,
        proof: Proof,
        limits: &AttemptLimits,
        now: u64,
        holds: &mut Vec<(Subject, u64)>,
    ) -> Verdict {
        if let Some(until) = self.held_until(attempt, now) {
            return Verdict::Held(until.saturating_sub(now).max(1));
        }
        match proof {
            Proof::Right => self.pairs.clear(&(attempt.account, attempt.network)),
            Proof::Wrong => self.count(attempt, limits, now, holds),
        }
        Verdict::Open
    }

    /// Puts a hold in force that was known before the process started.
    pub(super) fn restore(&mut self, subject: Subject, until: u64, now: u64) {
        // without room for it, what follows counts as after any other overflow
        let _ = match subject {
            Subject::Pair(account, network) => self.pairs.hold((account, network), until, now),
            Subject::Network(network) => self.networks.hold(network, until, now),
            Subject::Account(account) => self.accounts.hold(account, until, now),
        };
    }

    /// Everything that is held. A neighbourhood is shown as the network that stands for it.
    pub(super) fn holds(&self, now: u64) -> Vec<(Subject, u64)> {
        let pairs = self
            .pairs
            .holds(now)
            .map(|((account, network), until)| (Subject::Pair(account, network), until));
        let networks = self
            .networks
            .holds(now)
            .chain(self.neighbourhoods.holds(now));
        let networks = networks.map(|(network, until)| (Subject::Network(network), until));
        let accounts = self
            .accounts
            .holds(now)
            .map(|(account, until)| (Subject::Account(account), until));
        pairs.chain(networks).chain(accounts).collect()
    }

    /// Forgets failures, and lifts what they hold.
    pub(super) fn lift(&mut self, subject: &Subject) {
        match subject {
            Subject::Pair(account, network) => self.pairs.clear(&(*account, *network)),
            Subject::Network(network) => {
                self.networks.clear(network);
                self.neighbourhoods.clear(&network.wide());
            }
            Subject::Account(account) => self.accounts.clear(account),
        }
    }

    fn held_until(&self, attempt: &Attempt, now: u64) -> Option<u64> {
        let Attempt { account, network } = *attempt;
        let pair = self.pairs.held_until(&(account, network), now);
        let network_hold = self.networks.held_until(&network, now);
        let neighbourhood = self.neighbourhoods.held_until(&network.wide(), now);
        pair.max(network_hold).max(neighbourhood)
    }

    fn count(
        &mut self,
        attempt: &Attempt,
        limits: &AttemptLimits,
        now: u64,
        holds: &mut Vec<(Subject, u64)>,
    ) {
        let Attempt { account, network } = *attempt;
        let weight = match self.pairs.fail((account, network), limits.pair(), 1, now) {
            Counted::Counts => 1,
            Counted::Holds(until) => {
                holds.push((attempt.pair(), until));
                1
            }
            Counted::NoRoom => CHARGE,
        };
        match self.networks.fail(network, limits.network(), weight, now) {
            Counted::Counts => {}
            Counted::Holds(until) => holds.push((Subject::Network(network), until)),
            Counted::NoRoom => {
                self.neighbourhoods
                    .fail(network.wide(), limits.network(), weight, now);
            }
        }
        if let Counted::Holds(until) = self.accounts.fail(account, limits.account(), 1, now) {
            holds.push((Subject::Account(account), until));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ambient;

    const LIMITS: AttemptLimits = AttemptLimits {
        attempts: 5,
        window: Duration::from_secs(120),
        lockout: Duration::from_secs(300),
    };

    fn attempts() -> Attempts {
        Attempts::new(&ambient::hash_state())
    }

    fn attempt(name: &str, network: u32) -> Attempt {
        Attempt {
            account: Account::named(name),
            network: Network::V4(network.to_be_bytes()),
        }
    }

    /// Tries a wrong password; what was said before and after it was looked at.
    fn fail(attempts: &mut Attempts, attempt: &Attempt, now: u64) -> (Verdict, Verdict) {
        let asked = attempts.ask(attempt, now);
        let settled = match asked {
            Verdict::Open => attempts.settle(attempt, Proof::Wrong, &LIMITS, now, &mut Vec::new()),
            Verdict::Held(_) => asked,
        };
        (asked, settled)
    }

    const OPEN: (Verdict, Verdict) = (Verdict::Open, Verdict::Open);

    #[test]
    fn five_failures_hold_the_pair_and_nobody_else() {
        let mut attempts = attempts();
        let rita = attempt("rita", 1);
        for now in [0, 1000, 2000, 3000, 4000] {
            assert_eq!(fail(&mut attempts, &rita, now), OPEN, "{now}");
        }
        assert_eq!(attempts.ask(&rita, 5000), Verdict::Held(299_000));
        assert_eq!(
            attempts.ask(&rita, 303_999),
            Verdict::Held(1),
            "tries in between prolong nothing"
        );
        assert_eq!(attempts.ask(&attempt("rita", 2), 5000), Verdict::Open);
        assert_eq!(attempts.ask(&attempt("carl", 1), 5000), Verdict::Open);
        assert_eq!(attempts.ask(&rita, 304_000), Verdict::Open);
    }

    #[test]
    fn a_success_clears_the_pair() {
        let mut attempts = attempts();
        let rita = attempt("rita", 1);
        for round in 0..3 {
            for now in 0..4 {
                assert_eq!(fail(&mut attempts, &rita, round * 10 + now), OPEN);
            }
            let settled = attempts.settle(
                &rita,
                Proof::Right,
                &LIMITS,
                round * 10 + 5,
                &mut Vec::new(),
            );
            assert_eq!(settled, Verdict::Open);
        }
    }

    #[test]
    fn guesses_at_once_are_not_more_than_guesses_in_turn() {
        let mut attempts = attempts();
        let rita = attempt("rita", 1);
        for _ in 0..100 {
            assert_eq!(attempts.ask(&rita, 0), Verdict::Open);
        }
        let settle = |attempts: &mut Attempts, proof| {
            attempts.settle(&rita, proof, &LIMITS, 1, &mut Vec::new())
        };
        for _ in 0..5 {
            assert_eq!(settle(&mut attempts, Proof::Wrong), Verdict::Open);
        }
        for proof in [Proof::Wrong, Proof::Right] {
            assert_eq!(
                settle(&mut attempts, proof),
                Verdict::Held(300_000),
                "{proof:?}"
            );
        }
    }

    #[test]
    fn fifty_failures_hold_a_network_over_all_accounts() {
        let mut attempts = attempts();
        for name in 0..50 {
            assert_eq!(
                fail(&mut attempts, &attempt(&name.to_string(), 1), 0),
                OPEN,
                "{name}"
            );
        }
        assert_eq!(attempts.ask(&attempt("rita", 1), 1), Verdict::Held(299_999));
        assert_eq!(attempts.ask(&attempt("rita", 2), 1), Verdict::Open);
        attempts.lift(&Subject::Network(Network::V4(1_u32.to_be_bytes())));
        assert_eq!(attempts.ask(&attempt("rita", 1), 1), Verdict::Open);
    }

    #[test]
    fn a_hundred_failures_slow_an_account_and_lock_nobody_out() {
        let mut attempts = attempts();
        for network in 0..100 {
            assert_eq!(
                fail(&mut attempts, &attempt("rita", network), 0),
                OPEN,
                "{network}"
            );
        }
        let rita = attempt("rita", 1000);
        assert_eq!(attempts.ask(&rita, 500), Verdict::Held(500));
        assert_eq!(attempts.ask(&rita, 1000), Verdict::Open);
        assert_eq!(attempts.ask(&rita, 1001), Verdict::Held(999));
        assert_eq!(attempts.ask(&attempt("carl", 1000), 1001), Verdict::Open);
        assert_eq!(
            attempts.settle(&rita, Proof::Right, &LIMITS, 1002, &mut Vec::new()),
            Verdict::Open
        );
        assert_eq!(attempts.ask(&rita, 300_000), Verdict::Open);
    }

    #[test]
    fn without_room_only_the_noisy_networks_are_held() {
        let mut attempts = Attempts::within(
            Room {
                counting: 1000,
                held: 20,
            },
            &ambient::hash_state(),
        );
        for network in 0..20 {
            for _ in 0..5 {
                assert_eq!(
                    fail(&mut attempts, &attempt("rita", network << 16), 0),
                    OPEN
                );
            }
        }
        // the pairs are full: a further pair is not held, but its network is after as many failures
        let noisy = 77 << 16;
        for _ in 0..4 {
            assert_eq!(fail(&mut attempts, &attempt("carl", noisy), 1), OPEN);
        }
        for _ in 0..5 {
            let _ = fail(&mut attempts, &attempt("carl", noisy), 1);
        }
        assert_ne!(attempts.ask(&attempt("anybody", noisy), 2), Verdict::Open);
        assert_eq!(
            attempts.ask(&attempt("anybody", 78 << 16), 2),
            Verdict::Open
        );
        assert_ne!(
            attempts.ask(&attempt("rita", 0), 2),
            Verdict::Open,
            "no hold was pushed out"
        );
        assert_eq!(attempts.ask(&attempt("carl", 0), 2), Verdict::Open);
    }
}
