//! Who tries to log in, and how many failures are too many.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::text::hex;

/// How many failures hold a pair of account and network, and for how long: `auth.login`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptLimits {
    /// Failures that hold a pair; default 5. Ten times as many hold a network, twenty times as many slow an account.
    pub attempts: u32,
    /// The time within which they count together; default 2 min.
    pub window: Duration,
    /// How long after the last failure they hold; default 5 min.
    pub lockout: Duration,
}

/// An account that somebody tries to log in to, whether or not it exists. Only a hash of the name is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Account([u8; 16]);

/// The network that a client comes from: one IPv4 address, or the /64 of an IPv6 address, which is what one customer
/// gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "IpAddr", into = "IpAddr")]
pub enum Network {
    /// One address.
    V4([u8; 4]),
    /// The first 64 bits.
    V6([u8; 8]),
}

/// A browser that somebody has signed in with before, as its device cookie says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeviceId([u8; 16]);

/// One login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginAttempt {
    /// To which account.
    pub account: Account,
    /// From which network.
    pub network: Network,
    /// With which browser, where the account was signed in to with it before.
    pub device: Option<DeviceId>,
}

/// How a password check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordResult {
    /// It was the account's.
    Correct,
    /// It was not, or there is no such account.
    Incorrect,
    /// It was the account's, and a second factor is still to be shown: until then nothing is forgotten and no network is known.
    Pending,
}

/// Why a password is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Nothing slows the account.
    Ordinary,
    /// It is the turn of this client: the account is slowed.
    Turn,
    /// The account was signed in to with this browser before; whether it is slowed does not matter.
    KnownDevice,
    /// The account is slowed, and was logged in to from this network before.
    KnownNetwork,
}

/// A login may not go on yet. Its password was not looked at, or its result does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttled {
    /// It may go on after so many milliseconds; at least 1.
    pub millis: u64,
}

/// Which lockouts began with a failed login.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Begun {
    /// Of the account, from the client's network.
    pub pair: bool,
    /// Of the client's network, for all accounts.
    pub network: bool,
    /// The account takes one try a second from clients that it does not know.
    pub account: bool,
}

impl Begun {
    pub(super) fn note(&mut self, subject: &Subject) {
        match subject {
            Subject::Pair(..) => self.pair = true,
            Subject::Network(_) => self.network = true,
            Subject::Account(_) => self.account = true,
        }
    }

    /// Short, fixed names for logs.
    pub fn scopes(self) -> impl Iterator<Item = &'static str> {
        let scopes = [
            ("account_and_network", self.pair),
            ("network", self.network),
            ("account", self.account),
        ];
        scopes
            .into_iter()
            .filter_map(|(scope, begun)| begun.then_some(scope))
    }
}

/// What failures are counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    Pair(Account, Network),
    Network(Network),
    Account(Account),
}

/// How many failures hold, within how many milliseconds, for how many after the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Measure {
    pub(super) limit: usize,
    pub(super) window: u64,
    pub(super) lockout: u64,
}

/// A slowed account may be tried once in so many milliseconds by clients that it does not know.
pub(super) const SLOW: u64 = 1000;

/// Whose turn it was and who failed makes room for others: its site has the next turn after so many milliseconds.
pub(super) const REST: u64 = 60_000;

impl Default for AttemptLimits {
    fn default() -> Self {
        Self {
            attempts: 5,
            window: Duration::from_secs(120),
            lockout: Duration::from_secs(300),
        }
    }
}

impl AttemptLimits {
    pub(super) fn pair(&self) -> Measure {
        self.times(1)
    }

    pub(super) fn network(&self) -> Measure {
        self.times(10)
    }

    pub(super) fn account(&self) -> Measure {
        self.times(20)
    }

    fn times(&self, factor: usize) -> Measure {
        let millis =
            |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 4);
        let limit = usize::try_from(self.attempts)
            .unwrap_or(usize::MAX)
            .saturating_mul(factor)
            .max(1);
        Measure {
            limit,
            window: millis(self.window),
            lockout: millis(self.lockout),
        }
    }
}

impl LoginAttempt {
    /// A login to the account of this name, byte for byte, from this address, with a browser that the account is known
    /// to have used.
    pub fn new(name: &str, address: IpAddr, device: Option<DeviceId>) -> Self {
        Self {
            account: Account::named(name),
            network: Network::of(address),
            device,
        }
    }

    pub(super) fn pair(&self) -> Subject {
        Subject::Pair(self.account, self.network)
    }
}

impl Throttled {
    pub(super) fn until(until: u64, now: u64) -> Self {
        Self {
            millis: until.saturating_sub(now).max(1),
        }
    }
}

impl DeviceId {
    /// The browser of this name, which must be random or a hash.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// A name for it in a store.
    pub(super) fn key(&self) -> String {
        hex::encode(&self.0)
    }
}

impl Account {
    /// A name for it in a store.
    pub(super) fn key(&self) -> String {
        hex::encode(&self.0)
    }

    pub(super) fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    pub(super) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The account of this name.
    pub fn named(name: &str) -> Self {
        let digest = Sha256::digest(name);
        let (half, _) = digest.split_at(16);
        Self(
            half.try_into()
                .expect("half of a SHA-256 digest has 16 bytes"),
        )
    }
}

impl Network {
    /// The network of an address. An IPv4 address in IPv6 clothes counts as IPv4.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }

    /// The neighbourhood that answers for it where there is no room for the network itself: a /16 of IPv4, a /32 of
    /// IPv6.
    pub(super) fn wide(self) -> Self {
        match self {
            Self::V4([a, b, ..]) => Self::V4([a, b, 0, 0]),
            Self::V6([a, b, c, d, ..]) => Self::V6([a, b, c, d, 0, 0, 0, 0]),
        }
    }

    /// What one customer with more than one network has: a /24 of IPv4, a /48 of IPv6.
    pub(super) fn site(self) -> Self {
        match self {
            Self::V4([a, b, c, _]) => Self::V4([a, b, c, 0]),
            Self::V6([a, b, c, d, e, f, ..]) => Self::V6([a, b, c, d, e, f, 0, 0]),
        }
    }

    pub(super) fn address(self) -> IpAddr {
        match self {
            Self::V4(octets) => Ipv4Addr::from(octets).into(),
            Self::V6([a, b, c, d, e, f, g, h]) => {
                Ipv6Addr::from([a, b, c, d, e, f, g, h, 0, 0, 0, 0, 0, 0, 0, 0]).into()
            }
        }
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self::of(address)
    }
}

/// Its first address.
impl From<Network> for IpAddr {
    fn from(network: Network) -> Self {
        network.address()
    }
}

impl Subject {
    /// A name for it in a store.
    pub(super) fn key(&self) -> String {
        match self {
            Self::Pair(account, network) => format!("pair:{}:{}", account.key(), network.address()),
            Self::Network(network) => format!("network:{}", network.address()),
            Self::Account(account) => format!("account:{}", account.key()),
        }
    }

    /// Reads what [`Self::key`] writes.
    pub(super) fn parse(key: &str) -> Option<Self> {
        let network = |text: &str| text.parse().ok().map(Network::of);
        let account = |text: &str| hex::decode(text).map(Account);
        match key.split_once(':')? {
            ("pair", rest) => {
                let (name, address) = rest.split_once(':')?;
                Some(Self::Pair(account(name)?, network(address)?))
            }
            ("network", address) => network(address).map(Self::Network),
            ("account", name) => account(name).map(Self::Account),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_what_one_customer_has() {
        let network = |text: &str| Network::of(text.parse().unwrap());
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("192.0.2.1"), network("::ffff:192.0.2.1"));
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("192.0.2.1").wide(), network("192.0.0.0"));
        assert_eq!(network("192.0.2.1").site(), network("192.0.2.0"));
        assert_eq!(network("2001:db8:1:2::1").site(), network("2001:db8:1::"));
        assert_eq!(
            network("2001:db8:1:2::1").wide(),
            network("2001:db8:ffff::").wide()
        );
    }

    #[test]
    fn a_subject_is_read_back() {
        let (account, network) = (
            Account::named("rita"),
            Network::of("2001:db8::1".parse().unwrap()),
        );
        for subject in [
            Subject::Pair(account, network),
            Subject::Network(network),
            Subject::Account(account),
        ] {
            assert_eq!(Subject::parse(&subject.key()), Some(subject));
        }
        for wrong in ["", "pair", "pair:zz:1.2.3.4", "network:x", "user:0"] {
            assert_eq!(Subject::parse(wrong), None, "{wrong}");
        }
    }
}
