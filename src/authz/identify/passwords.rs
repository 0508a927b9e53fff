//! User names and passwords that were checked under the snapshot in force, so that a client that sends them with each
//! request costs no hash each time.
//!
//! A pair is remembered for the network that it was checked for, and forgotten where that network is locked out of the
//! account: otherwise whoever guesses would learn from what is remembered what a lockout keeps from him.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ahash::RandomState;
use aws_lc_rs::hmac;
use tokio::sync::watch;

use super::credential_error::CredentialError;
use crate::access::{ClientAddress, Identity};
use crate::ambient;
use crate::session::{Account, Network};
use crate::text::fold::fold;

/// Pairs that are remembered by the process, and by each worker; about 200 bytes each.
const REMEMBERED: usize = 4096;

/// What a pair is remembered by: a hash under a key of this snapshot, of the field's value and of the client's network.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PairDigest([u8; 32]);

/// The pairs that were checked under a snapshot, shared by all workers. Nothing on the way of a request that a worker
/// remembers takes the lock.
pub struct VerifiedPasswords {
    key: hmac::Key,
    pairs: Mutex<Pairs>,
    /// Goes up where pairs are forgotten.
    generation: AtomicU64,
}

struct Pairs {
    verified: HashMap<PairDigest, VerifiedPair, RandomState>,
    /// The oldest first.
    order: VecDeque<PairDigest>,
    /// Those that are being checked.
    checks: HashMap<PairDigest, PendingCheck, RandomState>,
}

struct VerifiedPair {
    user: RememberedUser,
    /// Failed attempts count for the name as it was typed, and for the user's own where a directory finds both.
    accounts: [Account; 2],
    network: Option<Network>,
}

/// Whose pair it is, and until which second since 1970 that counts without another look.
#[derive(Clone)]
pub(super) struct RememberedUser {
    pub(super) identity: Arc<Identity>,
    pub(super) until: u64,
}

/// Who checks a pair.
pub enum PairCheck<'a> {
    /// Whoever has this. Equal pairs wait until it is dropped.
    Mine(CheckGuard<'a>),
    /// Somebody else.
    Pending(PendingCheck),
}

/// The check of an equal pair, which is under way.
#[derive(Clone)]
pub struct PendingCheck(watch::Receiver<Option<CredentialError>>);

/// The duty to check a pair.
pub struct CheckGuard<'a> {
    passwords: &'a VerifiedPasswords,
    digest: PairDigest,
    over: watch::Sender<Option<CredentialError>>,
}

/// What one worker remembers of them.
pub(super) struct PasswordView {
    generation: u64,
    pairs: HashMap<PairDigest, RememberedUser, RandomState>,
}

fn network_of(address: ClientAddress) -> Option<Network> {
    address.known().map(Network::of)
}

impl VerifiedPasswords {
    /// Nothing was checked yet.
    pub fn new() -> Self {
        let map_hasher = ambient::hash_state();
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &ambient::random_bytes::<32>()),
            pairs: Mutex::new(Pairs {
                verified: HashMap::with_hasher(map_hasher.clone()),
                order: VecDeque::new(),
                checks: HashMap::with_hasher(map_hasher),
            }),
            generation: AtomicU64::new(0),
        }
    }

    /// The digest of what stands behind the scheme of the field, for a client at this address.
    pub fn digest(&self, token: &str, address: ClientAddress) -> PairDigest {
        let mut hash = hmac::Context::with_key(&self.key);
        match network_of(address) {
            None => hash.update(&[0]),
            Some(Network::V4(network)) => {
                hash.update(&[4]);
                hash.update(&network);
            }
            Some(Network::V6(network)) => {
                hash.update(&[6]);
                hash.update(&network);
            }
        }
        hash.update(token.as_bytes());
        let tag = hash.sign();
        PairDigest(
            tag.as_ref()
                .try_into()
                .expect("a tag of HMAC-SHA-256 has 32 bytes"),
        )
    }

    /// Whose pair it is, where it was checked.
    fn find(&self, digest: &PairDigest) -> Option<RememberedUser> {
        let pairs = self.lock();
        Some(pairs.verified.get(digest)?.user.clone())
    }

    /// The duty to check a pair that is not remembered, unless somebody has it already.
    pub fn check(&self, digest: PairDigest) -> PairCheck<'_> {
        let mut pairs = self.lock();
        if let Some(pending) = pairs.checks.get(&digest) {
            return PairCheck::Pending(pending.clone());
        }
        let (over, pending) = watch::channel(None);
        pairs.checks.insert(digest, PendingCheck(pending));
        PairCheck::Mine(CheckGuard {
            passwords: self,
            digest,
            over,
        })
    }

    /// Forgets the pairs of an account for the network of a client, which is locked out of it.
    pub fn forget(&self, username: &str, address: ClientAddress) {
        let (account, network) = (Account::named(&fold(username)), network_of(address));
        let mut pairs = self.lock();
        let former = pairs.verified.len();
        pairs
            .verified
            .retain(|_, pair| !pair.accounts.contains(&account) || pair.network != network);
        if pairs.verified.len() != former {
            let Pairs {
                verified, order, ..
            } = &mut *pairs;
            order.retain(|digest| verified.contains_key(digest));
            self.generation.fetch_add(1, Ordering::Release);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pairs> {
        // nothing can panic while the lock is held, so a poisoned one is sound
        self.pairs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PendingCheck {
    /// Waits until the check is over: why the pair was refused, if it was.
    pub async fn over(mut self) -> Option<CredentialError> {
        // the sender is dropped with the duty
        while self.0.changed().await.is_ok() {}
        *self.0.borrow()
    }
}

impl CheckGuard<'_> {
    /// Says to whoever waits with an equal pair why it is refused.
    pub fn refused(self, why: CredentialError) {
        self.over.send_replace(Some(why));
    }

    /// Remembers that it is the pair of this user, who gave this name, for the network of a client at this address, until
    /// this second since 1970.
    pub fn verified(
        self,
        identity: Arc<Identity>,
        username: &str,
        address: ClientAddress,
        until: u64,
    ) {
        let pair = VerifiedPair {
            accounts: [username, &identity.subject].map(|name| Account::named(&fold(name))),
            network: network_of(address),
            user: RememberedUser { identity, until },
        };
        let mut pairs = self.passwords.lock();
        if pairs.verified.insert(self.digest, pair).is_none() {
            pairs.order.push_back(self.digest);
        }
        if pairs.order.len() > REMEMBERED
            && let Some(oldest) = pairs.order.pop_front()
        {
            pairs.verified.remove(&oldest);
            // what no lockout finds any more must not stay with a worker
            self.passwords.generation.fetch_add(1, Ordering::Release);
        }
    }
}

impl Drop for CheckGuard<'_> {
    fn drop(&mut self) {
        self.passwords.lock().checks.remove(&self.digest);
    }
}

impl PasswordView {
    /// Whose pair it is, where it was checked and that counts at `now`, in seconds since 1970.
    pub(super) fn find(
        &mut self,
        shared: &VerifiedPasswords,
        digest: &PairDigest,
        now: u64,
    ) -> Option<RememberedUser> {
        let generation = shared.generation.load(Ordering::Acquire);
        if self.generation != generation || self.pairs.len() >= REMEMBERED {
            self.pairs.clear();
            self.generation = generation;
        }
        let counts = |user: &RememberedUser| now < user.until;
        if let Some(user) = self.pairs.get(digest).filter(|user| counts(user)) {
            return Some(user.clone());
        }
        let user = shared.find(digest).filter(counts)?;
        self.pairs.insert(*digest, user.clone());
        Some(user)
    }
}

impl Default for PasswordView {
    fn default() -> Self {
        Self {
            generation: 0,
            pairs: HashMap::with_hasher(ambient::hash_state()),
        }
    }
}

impl Default for VerifiedPasswords {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for VerifiedPasswords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedPasswords").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(subject: &str) -> Arc<Identity> {
        Arc::new(Identity {
            subject: subject.into(),
            ..Identity::default()
        })
    }

    fn at(address: &str) -> ClientAddress {
        ClientAddress::from(address.parse::<std::net::IpAddr>().unwrap())
    }

    fn verify(passwords: &VerifiedPasswords, token: &str, subject: &str, address: ClientAddress) {
        let PairCheck::Mine(guard) = passwords.check(passwords.digest(token, address)) else {
            panic!("nobody else checks it");
        };
        guard.verified(identity(subject), "typed", address, 100);
    }

    #[test]
    fn a_pair_is_remembered_for_one_network() {
        let passwords = VerifiedPasswords::new();
        let mut view = PasswordView::default();
        verify(&passwords, "YTpi", "a", at("192.0.2.1"));
        let mut find = |token: &str, address: ClientAddress| {
            let digest = passwords.digest(token, address);
            view.find(&passwords, &digest, 0)
                .map(|found| found.identity.subject.to_string())
        };
        assert_eq!(find("YTpi", at("192.0.2.1")).as_deref(), Some("a"));
        assert_eq!(find("YTpi", at("::ffff:192.0.2.1")).as_deref(), Some("a"));
        for (token, address) in [
            ("YTpi", at("192.0.2.2")),
            ("YTpi", ClientAddress::Unknown),
            ("YTpj", at("192.0.2.1")),
            ("", at("192.0.2.1")),
        ] {
            assert_eq!(find(token, address), None, "{token}");
        }
        verify(&passwords, "YTpi", "a", at("2001:db8::1"));
        let digest = passwords.digest("YTpi", at("2001:db8::ffff"));
        for (now, is_known) in [(0, true), (99, true), (100, false)] {
            let found = view.find(&passwords, &digest, now);
            assert_eq!(found.is_some(), is_known, "the same /64, at {now}");
        }
    }

    #[test]
    fn a_lockout_forgets_what_its_network_has_shown_of_the_account() {
        let passwords = VerifiedPasswords::new();
        let mut view = PasswordView::default();
        let (here, there) = (at("192.0.2.1"), at("192.0.2.2"));
        for (token, subject, address) in [("x", "a", here), ("x", "a", there), ("y", "b", here)] {
            verify(&passwords, token, subject, address);
            let digest = passwords.digest(token, address);
            assert!(view.find(&passwords, &digest, 0).is_some());
        }
        let mut known = || {
            [("x", here), ("x", there), ("y", here)].map(|(token, address)| {
                let digest = passwords.digest(token, address);
                view.find(&passwords, &digest, 0).is_some()
            })
        };
        passwords.forget("a", here);
        assert_eq!(known(), [false, true, true]);
        // under the name that was typed, too: a directory finds people by several
        passwords.forget("Typed", here);
        assert_eq!(known(), [false, true, false]);
        passwords.forget("typed", there);
        assert_eq!(known(), [false; 3]);
    }

    #[tokio::test]
    async fn one_checks_and_equal_ones_wait() {
        let passwords = VerifiedPasswords::new();
        let digest = passwords.digest("x", at("192.0.2.1"));
        for why in [None, Some(CredentialError::Password)] {
            let PairCheck::Mine(guard) = passwords.check(digest) else {
                panic!("nobody else checks it");
            };
            let PairCheck::Pending(pending) = passwords.check(digest) else {
                panic!("it is being checked");
            };
            match why {
                Some(why) => guard.refused(why),
                None => drop(guard),
            }
            assert_eq!(pending.over().await, why);
        }
        assert!(matches!(passwords.check(digest), PairCheck::Mine(_)));
    }

    #[test]
    fn there_is_a_bound() {
        let passwords = VerifiedPasswords::new();
        let address = at("192.0.2.1");
        for number in 0..REMEMBERED + 10 {
            verify(&passwords, &number.to_string(), "a", address);
        }
        let pairs = passwords.lock();
        assert_eq!(
            (pairs.verified.len(), pairs.order.len()),
            (REMEMBERED, REMEMBERED)
        );
        assert!(pairs.checks.is_empty());
        drop(pairs);
        assert!(passwords.find(&passwords.digest("9", address)).is_none());
        assert!(passwords.find(&passwords.digest("10", address)).is_some());
    }
}
