//! Who tries to log in, and how many failures are too many.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Network {
    /// One address.
    V4([u8; 4]),
    /// The first 64 bits.
    V6([u8; 8]),
}

/// One login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// To which account.
    pub account: Account,
    /// From which network.
    pub network: Network,
}

/// How a password check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It was the account's.
    Right,
    /// It was not, or there is no such account.
    Wrong,
}

/// Whether a login may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a held login must not go on"]
pub enum Verdict {
    /// It may.
    Open,
    /// It may not before so many milliseconds have passed; at least 1.
    Held(u64),
}

/// What a checked password led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Whether the login may go on.
    pub verdict: Verdict,
    /// What began with it.
    pub begun: Begun,
}

/// Which lockouts began with a failed login.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Begun {
    /// Of the account, from the client's network.
    pub pair: bool,
    /// Of the client's network, for all accounts.
    pub network: bool,
    /// The account takes one try a second, from everywhere.
    pub account: bool,
}

impl Begun {
    pub(super) fn of(holds: &[(Subject, u64)]) -> Self {
        let mut begun = Self::default();
        for (subject, _) in holds {
            match subject {
                Subject::Pair(..) => begun.pair = true,
                Subject::Network(_) => begun.network = true,
                Subject::Account(_) => begun.account = true,
            }
        }
        begun
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

/// A slowed account may be tried once in so many milliseconds.
pub(super) const SLOW: u64 = 1000;

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

impl Attempt {
    /// A login to the account of this name, byte for byte, from this address.
    pub fn new(name: &str, address: IpAddr) -> Self {
        Self {
            account: Account::named(name),
            network: Network::of(address),
        }
    }

    pub(super) fn pair(&self) -> Subject {
        Subject::Pair(self.account, self.network)
    }
}

impl Account {
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

    pub(super) fn address(self) -> IpAddr {
        match self {
            Self::V4(octets) => Ipv4Addr::from(octets).into(),
            Self::V6([a, b, c, d, e, f, g, h]) => {
                Ipv6Addr::from([a, b, c, d, e, f, g, h, 0, 0, 0, 0, 0, 0, 0, 0]).into()
            }
        }
    }
}

impl Subject {
    /// A name for it in a store.
    pub(super) fn key(&self) -> String {
        let digits = |account: &Account| hex::encode(&account.0);
        match self {
            Self::Pair(account, network) => {
                format!("pair:{}:{}", digits(account), network.address())
            }
            Self::Network(network) => format!("network:{}", network.address()),
            Self::Account(account) => format!("account:{}", digits(account)),
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
