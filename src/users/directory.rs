//! All users of one load of the users file.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::password::PasswordHash;
use crate::access::Identity;

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

/// The user list.
#[derive(Debug)]
pub struct Directory {
    users: HashMap<Box<str>, Arc<User>, ahash::RandomState>,
}

impl Directory {
    /// Indexes the users by subject. Of two equal subjects the last stays; the users file cannot hold two.
    pub fn new(users: impl IntoIterator<Item = User>) -> Self {
        let users = users.into_iter().map(|user| (user.identity.subject.clone(), Arc::new(user))).collect();
        Self { users }
    }

    /// The user of this name.
    pub fn find(&self, subject: &str) -> Option<&Arc<User>> {
        self.users.get(subject)
    }

    /// All users, in no order.
    pub fn users(&self) -> impl Iterator<Item = &Arc<User>> {
        self.users.values()
    }
}
