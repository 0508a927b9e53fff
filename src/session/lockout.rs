//! Lockouts in force, for an operator who looks at them and lifts one.

use std::net::IpAddr;

use super::attempt::{Account, Network, Subject};
use super::holds::Holds;
use super::job::Job;
use super::reply::StoreUnavailable;
use super::sessions::Sessions;

/// The lockouts in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lockouts {
    /// How many there are, those that are not listed included.
    pub total: usize,
    /// The last to end first.
    pub list: Vec<Lockout>,
}

/// One lockout in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lockout {
    /// A name for it, by which it is lifted.
    pub id: String,
    /// What is locked out.
    pub held: LockoutScope,
    /// When it ends, in milliseconds since 1970.
    pub until: u64,
}

/// The scope of a lockout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockoutScope {
    /// An account, from one network.
    Pair(Account, Network),
    /// A network, over all accounts.
    Network(Network),
    /// An account: clients from unknown networks may try it once a second.
    Account(Account),
}

/// There is no lockout of such a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown;

impl Sessions {
    /// The lockouts in force at `now`, in milliseconds since 1970; at most `limit` of them are listed.
    ///
    /// # Errors
    /// [`StoreUnavailable`] where the store is unavailable.
    pub async fn lockouts(&self, limit: usize, now: u64) -> Result<Lockouts, StoreUnavailable> {
        let holds: Holds = self.order(|reply| Job::List(limit, now, reply)).await?;
        let list = holds.list.into_iter().map(|(subject, until)| Lockout {
            id: subject.key(),
            held: subject.into(),
            until,
        });
        Ok(Lockouts {
            total: holds.total,
            list: list.collect(),
        })
    }

    /// Lifts a lockout by its name, and forgets the failures that led to it. Says whom it held, and whether it was lifted;
    /// one that is over, or never was, is lifted as well.
    ///
    /// # Errors
    /// [`Unknown`] where no lockout can have that name; inside, [`StoreUnavailable`]: then it may still be in force.
    pub async fn lift_named(
        &self,
        id: &str,
    ) -> Result<(LockoutScope, Result<(), StoreUnavailable>), Unknown> {
        let subject = Subject::parse(id).ok_or(Unknown)?;
        let held = subject.into();
        Ok((
            held,
            self.order(|reply| Job::ClearLockouts(vec![subject], reply))
                .await,
        ))
    }
}

impl Network {
    /// As operators write it: an IPv4 address, or an IPv6 network of 64 bits.
    pub fn in_words(self) -> String {
        match self.address() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("{address}/64"),
        }
    }
}

impl From<Subject> for LockoutScope {
    fn from(subject: Subject) -> Self {
        match subject {
            Subject::Pair(account, network) => Self::Pair(account, network),
            Subject::Network(network) => Self::Network(network),
            Subject::Account(account) => Self::Account(account),
        }
    }
}
