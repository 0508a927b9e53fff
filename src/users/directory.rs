//! All users of one load of the users file.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::password::PasswordHash;
use crate::access::Identity;
use crate::ambient;

/// One user as the users file has it.
#[derive(Clone, Debug)]
pub struct User {
    /// What rules and identity headers see.
    pub identity: Arc<Identity>,
    /// The password; `None`: no password login.
    pub password: Option<PasswordHash>,
    /// A disabled user can neither log in nor use a token.
    pub disabled: bool,
    /// Tokens issued before this second since 1970 are refused.
    pub tokens_valid_after: Option<u64>,
    /// `claims` as written, copied into new tokens.
    pub claims: Map<String, Value>,
}

/// The cost of the dummy hash of a list without passwords.
const DEFAULT_COST: u32 = 12;

impl User {
    /// Whether a token of this user counts that was issued then: not where the user is disabled, and where
    /// `tokens_valid_after` is set only if the token is known to be younger.
    pub fn admits(&self, issued_at: Option<u64>) -> bool {
        let young_enough = |after: u64| issued_at.is_some_and(|issued| issued >= after);
        !self.disabled && self.tokens_valid_after.is_none_or(young_enough)
    }
}

/// The user list.
#[derive(Debug)]
pub struct Directory {
    users: HashMap<Box<str>, Arc<User>, ahash::RandomState>,
    dummy: PasswordHash,
}

impl Directory {
    /// Indexes the users by subject. Of two equal subjects the last stays; the users file cannot hold two.
    pub fn new(users: impl IntoIterator<Item = User>) -> Self {
        let mut by_subject = HashMap::with_hasher(ambient::hash_state());
        by_subject.extend(users.into_iter().map(|user| (user.identity.subject.clone(), Arc::new(user))));
        let dummy = PasswordHash::dummy(commonest_cost(by_subject.values()));
        Self { users: by_subject, dummy }
    }

    /// The user of this name.
    pub fn find(&self, subject: &str) -> Option<&Arc<User>> {
        self.users.get(subject)
    }

    /// All users, in no order.
    pub fn users(&self) -> impl Iterator<Item = &Arc<User>> {
        self.users.values()
    }

    /// What the password of somebody is checked against who has none, or does not exist.
    pub(super) fn dummy(&self) -> &PasswordHash {
        &self.dummy
    }
}

/// Of equally common costs the highest: a slow refusal tells less than a quick one.
fn commonest_cost<'a>(users: impl Iterator<Item = &'a Arc<User>>) -> u32 {
    let mut counts = BTreeMap::new();
    for hash in users.filter_map(|user| user.password.as_ref()) {
        *counts.entry(hash.cost()).or_insert(0_usize) += 1;
    }
    counts.into_iter().max_by_key(|&(cost, count)| (count, cost)).map_or(DEFAULT_COST, |(cost, _)| cost)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(index: usize, cost: Option<u32>) -> User {
        User {
            identity: Arc::new(Identity { subject: index.to_string().into(), ..Identity::default() }),
            password: cost.map(PasswordHash::dummy),
            disabled: false,
            tokens_valid_after: None,
            claims: Map::new(),
        }
    }

    #[test]
    fn the_dummy_has_the_commonest_cost() {
        let cases: [(&[Option<u32>], u32); 6] = [
            (&[], 12),
            (&[None, None], 12),
            (&[Some(4)], 4),
            (&[Some(10), Some(12), Some(10), None], 10),
            (&[Some(10), Some(12)], 12),
            (&[None, None, Some(15)], 15),
        ];
        for (costs, expected) in cases {
            let users = costs.iter().enumerate().map(|(index, &cost)| user(index, cost));
            assert_eq!(Directory::new(users).dummy().cost(), expected, "{costs:?}");
        }
    }
}
