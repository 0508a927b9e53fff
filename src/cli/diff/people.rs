//! The users of both configurations.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::access::Identity;
use crate::analysis::diff::ComparedUser;
use crate::config::Config;
use crate::users::User;

/// All users of either configuration, by name.
pub(super) struct Everybody {
    pub(super) people: Vec<ComparedUser>,
}

impl Everybody {
    pub(super) fn of(old: &Config, new: &Config) -> Self {
        let users = old.directory.users().chain(new.directory.users());
        let names: BTreeSet<&str> = users.map(|user| &*user.identity.subject).collect();
        let person = |name: &str| ComparedUser {
            name: name.into(),
            before: old.directory.find(name).and_then(|user| enabled(user)),
            after: new.directory.find(name).and_then(|user| enabled(user)),
        };
        Self {
            people: names.into_iter().map(person).collect(),
        }
    }

    /// `carl, rita and 3 more`.
    pub(super) fn names(&self, people: &[usize], most: usize) -> String {
        let shown: Vec<&str> = people
            .iter()
            .take(most)
            .map(|index| &*self.people[*index].name)
            .collect();
        match people.len().saturating_sub(most) {
            0 => shown.join(", "),
            more => format!("{} and {more} more", shown.join(", ")),
        }
    }
}

fn enabled(user: &User) -> Option<Arc<Identity>> {
    (!user.extras().disabled).then(|| Arc::clone(&user.identity))
}
