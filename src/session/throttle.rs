//! Failed logins as one process counts them.
//!
//! An account from one network: held after `attempts` failures. One network over all accounts: held after ten times as
//! many. One account from everywhere: after twenty times as many it is slowed: it takes one try a second from clients that
//! it does not know. It knows browsers that it was signed in to with before, by their device cookie, and the networks of
//! its last good logins. A turn that was used for a failure is given to others before the same site has another one.
//!
//! A failure with a device cookie is counted for that cookie in place of the account; after `attempts` of them it does
//! not count as known for a while.
//!
//! All of it has bounded room. Holds are never pushed out; while there is room for no further one, the failures of a
//! pair are charged to its network tenfold, and those of a network to its neighbourhood (a /16, or a /32 of IPv6): a
//! flood closes the door to the networks it comes from, and to nobody else.

use ahash::RandomState;

use super::attempt::{
    Account, Admission, AttemptLimits, DeviceId, LoginAttempt, Measure, Network, PasswordResult,
    REST, Subject, Throttled,
};
use super::job::RecordAttempt;
use super::known::{KnownNetworks, KnownPlaces};
use super::ledger::{Counted, Ledger, Room};

const ROOM: Room = Room {
    counting: 16 * 1024,
    held: 64 * 1024,
};

/// The number of accounts with known networks, in each of two generations.
const KNOWN: usize = 64 * 1024;

/// How much heavier the failure of a pair is for a network where the pair itself cannot be held.
const CHARGE: usize = 10;

/// One failure rests.
const RESTS: Measure = Measure {
    limit: 1,
    window: 1,
    lockout: REST,
};

/// The failed logins of this process.
pub(super) struct LoginThrottle {
    pairs: Ledger<(Account, Network)>,
    networks: Ledger<Network>,
    neighbourhoods: Ledger<Network>,
    accounts: Ledger<Account>,
    devices: Ledger<DeviceId>,
    /// Sites that have had their turn at an account.
    resting: Ledger<(Account, Network)>,
    known: KnownPlaces,
}

/// The changes that a recorded login causes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ThrottleUpdate {
    /// Lockouts that began, or were prolonged, and until when.
    pub(super) holds: Vec<(Subject, u64)>,
    /// The networks of the account, where they have changed.
    pub(super) known: Option<KnownNetworks>,
}

impl LoginThrottle {
    pub(super) fn new(hasher: &RandomState) -> Self {
        Self::within(ROOM, hasher)
    }

    fn within(room: Room, hasher: &RandomState) -> Self {
        Self {
            pairs: Ledger::new(room, hasher),
            networks: Ledger::new(room, hasher),
            neighbourhoods: Ledger::new(room, hasher),
            accounts: Ledger::new(room, hasher),
            devices: Ledger::new(room, hasher),
            resting: Ledger::new(room, hasher),
            known: KnownPlaces::new(KNOWN, hasher),
        }
    }

    /// Before the password is looked at. `now` is in milliseconds since 1970, here and below.
    pub(super) fn check(
        &mut self,
        attempt: &LoginAttempt,
        now: u64,
    ) -> Result<Admission, Throttled> {
        let LoginAttempt {
            account, network, ..
        } = *attempt;
        if let Some(until) = self.held_until(attempt, now) {
            return Err(Throttled::until(until, now));
        }
        if attempt.device.is_some() && self.device_held_until(attempt, now).is_none() {
            return Ok(Admission::KnownDevice);
        }
        if self.accounts.held_until(&account, now).is_none() {
            return Ok(Admission::Ordinary);
        }
        if self.known.contains(&account, network, now) {
            return Ok(Admission::KnownNetwork);
        }
        if let Some(until) = self.resting.held_until(&(account, network.site()), now) {
            return Err(Throttled::until(until, now));
        }
        match self.accounts.try_slowly(&account, now) {
            Ok(()) => Ok(Admission::Turn),
            Err(at) => Err(Throttled::until(at, now)),
        }
    }

    /// After the password was checked. Where others have failed in the meantime so often that the pair, the network or
    /// the device cookie is held, the result counts for nothing, right or wrong: guesses made at once are not more than
    /// guesses in turn.
    pub(super) fn record(
        &mut self,
        record: &RecordAttempt,
        outcome: &mut ThrottleUpdate,
    ) -> Result<(), Throttled> {
        let (attempt, now) = (&record.attempt, record.now);
        let device = match record.admission {
            Admission::KnownDevice => self.device_held_until(attempt, now),
            Admission::Ordinary | Admission::Turn | Admission::KnownNetwork => None,
        };
        if let Some(until) = self.held_until(attempt, now).max(device) {
            return Err(Throttled::until(until, now));
        }
        match record.result {
            PasswordResult::Correct => {
                let (account, network) = (attempt.account, attempt.network);
                self.pairs.clear(&(account, network));
                outcome.known = self.known.add(account, network, now);
            }
            PasswordResult::Pending => {}
            PasswordResult::Incorrect => {
                self.count(attempt, &record.limits, now, &mut outcome.holds);
                self.count_for(record, &mut outcome.holds);
            }
        }
        Ok(())
    }

    /// Restores a lockout from before the process started.
    pub(super) fn restore(&mut self, subject: Subject, until: u64, now: u64) {
        // without room for it, what follows counts as after any other overflow
        let _ = match subject {
            Subject::Pair(account, network) => self.pairs.hold((account, network), until, now),
            Subject::Network(network) => self.networks.hold(network, until, now),
            Subject::Account(account) => self.accounts.hold(account, until, now),
        };
    }

    /// Restores the networks from before the process started.
    pub(super) fn restore_known(&mut self, account: Account, known: KnownNetworks) {
        self.known.put(account, known);
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

    /// Clears failures and lifts their lockouts.
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

    fn held_until(&self, attempt: &LoginAttempt, now: u64) -> Option<u64> {
        let LoginAttempt {
            account, network, ..
        } = *attempt;
        let pair = self.pairs.held_until(&(account, network), now);
        let network_hold = self.networks.held_until(&network, now);
        let neighbourhood = self.neighbourhoods.held_until(&network.wide(), now);
        pair.max(network_hold).max(neighbourhood)
    }

    fn device_held_until(&self, attempt: &LoginAttempt, now: u64) -> Option<u64> {
        let device = attempt.device.as_ref();
        device.and_then(|device| self.devices.held_until(device, now))
    }

    fn count(
        &mut self,
        attempt: &LoginAttempt,
        limits: &AttemptLimits,
        now: u64,
        holds: &mut Vec<(Subject, u64)>,
    ) {
        let LoginAttempt {
            account, network, ..
        } = *attempt;
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
    }

    /// Counts a failure for the device cookie, or else for the account.
    fn count_for(&mut self, record: &RecordAttempt, holds: &mut Vec<(Subject, u64)>) {
        let RecordAttempt { limits, now, .. } = record;
        let LoginAttempt {
            account,
            network,
            device,
        } = record.attempt;
        if let (Admission::KnownDevice, Some(device)) = (record.admission, device) {
            // without room, the failures of the pair and of the network count all the same
            let _ = self.devices.fail(device, limits.pair(), 1, *now);
            return;
        }
        if let Counted::Holds(until) = self.accounts.fail(account, limits.account(), 1, *now) {
            holds.push((Subject::Account(account), until));
        }
        if record.admission == Admission::Turn {
            let _ = self.resting.fail((account, network.site()), RESTS, 1, *now);
        }
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod simulation;
