//! All users of one load of the users file.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use hashbrown::HashTable;

use super::api_key::{ApiKey, KeyDigest, KeyRefusal};
use super::password::PasswordHash;
use super::user::{User, UserRefusal};
use super::work::{RefusalWork, Work};
use crate::access::{Identity, Subjects};
use crate::ambient;

/// The work of a refused login where the list has no passwords.
const DEFAULT_WORK: Work = Work::Bcrypt { cost: 12 };

/// The user list.
#[derive(Debug)]
pub struct Directory {
    users: Users,
    /// Whose key it is, and which of the user's.
    keys: HashMap<KeyDigest, (Arc<User>, usize), ahash::RandomState>,
    /// The names that are not in lower case, in lower case.
    folded: HashSet<Box<str>, ahash::RandomState>,
    has_passwords: bool,
    refusal: RefusalWork,
}

/// A user list while it is read.
#[derive(Default)]
pub struct Enrolment {
    users: Users,
    refusal: RefusalWork,
}

/// Users in the order of the list.
#[derive(Debug)]
struct Users {
    list: Vec<Arc<User>>,
    /// Their numbers, by their names: four bytes a user, where a map would have the name as well.
    by_name: HashTable<u32>,
    hashing: ahash::RandomState,
}

impl Users {
    fn number(&self, subject: &str) -> Option<usize> {
        let is_it = |number: &u32| *self.list[*number as usize].identity.subject == *subject;
        let found = self.by_name.find(self.hashing.hash_one(subject), is_it)?;
        Some(*found as usize)
    }

    /// Adds a user, in place of one of the same name.
    fn add(&mut self, user: User) {
        let user = Arc::new(user);
        if let Some(number) = self.number(&user.identity.subject) {
            self.list[number] = user;
            return;
        }
        // a users file of a hundred bytes a user does not reach the bound
        let number = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.list.push(user);
        let Self {
            list,
            by_name,
            hashing,
        } = self;
        let hash = |number: &u32| hashing.hash_one(&*list[*number as usize].identity.subject);
        by_name.insert_unique(hash(&number), number, hash);
    }
}

impl Default for Users {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            by_name: HashTable::new(),
            hashing: ambient::hash_state(),
        }
    }
}

impl Enrolment {
    /// Adds a user at the end of the list. Of two equal subjects the last stays; the users file cannot hold two.
    pub fn add(&mut self, user: User) {
        if let Some(hash) = &user.password {
            self.refusal.include(hash.work());
        }
        self.users.add(user);
    }

    /// The number of the user of this name, from 0.
    pub fn number(&self, subject: &str) -> Option<usize> {
        self.users.number(subject)
    }

    /// The list, complete.
    pub fn finish(mut self) -> Directory {
        self.users.list.shrink_to_fit();
        let mut keys = HashMap::with_hasher(ambient::hash_state());
        let mut folded = HashSet::with_hasher(ambient::hash_state());
        for user in &self.users.list {
            let own = user.extras().api_keys.iter().enumerate();
            keys.extend(own.map(|(index, key)| (key.digest, (Arc::clone(user), index))));
            folded.extend(in_lower_case(&user.identity.subject));
        }
        let mut refusal = self.refusal;
        let has_passwords = refusal != RefusalWork::default();
        if !has_passwords {
            refusal.include(DEFAULT_WORK);
        }
        Directory {
            has_passwords,
            users: self.users,
            keys,
            folded,
            refusal,
        }
    }
}

/// `None` where it is in lower case.
fn in_lower_case(name: &str) -> Option<Box<str>> {
    let is_lower = |byte: u8| byte.is_ascii() && !byte.is_ascii_uppercase();
    if name.bytes().all(is_lower) {
        return None;
    }
    let lower = name.to_lowercase();
    (lower != name).then(|| lower.into())
}

impl Directory {
    /// Indexes the users by subject. Of two equal subjects the last stays; the users file cannot hold two.
    pub fn new(users: impl IntoIterator<Item = User>) -> Self {
        let mut enrolment = Enrolment::default();
        users.into_iter().for_each(|user| enrolment.add(user));
        enrolment.finish()
    }

    /// The user of this name.
    pub fn find(&self, subject: &str) -> Option<&Arc<User>> {
        let number = self.users.number(subject)?;
        self.users.list.get(number)
    }

    /// Whether this is the name of another user in other case.
    fn resembles(&self, subject: &str) -> bool {
        let lower = subject.to_lowercase();
        self.folded.contains(&*lower) || lower != subject && self.find(&lower).is_some()
    }

    /// Whether a token of another issuer counts that was issued then, in seconds since 1970. A name that is on no list
    /// counts: the issuer vouches for it, with the roles of the token.
    ///
    /// # Errors
    /// [`UserRefusal`] where the name, in whatever case, is on the list and is somebody else's, or its user may not come
    /// in.
    pub fn admit_foreign(
        &self,
        identity: &Identity,
        issued_at: Option<u64>,
    ) -> Result<(), UserRefusal> {
        match (identity.subjects, self.find(&identity.subject)) {
            (_, None) if self.resembles(&identity.subject) => Err(UserRefusal::LookAlike),
            (_, None) => Ok(()),
            (Subjects::Foreign, Some(_)) => Err(UserRefusal::Impostor),
            (Subjects::Users, Some(user)) => user.admit(issued_at),
        }
    }

    /// The API key that is sent as this text, at `now` in seconds since 1970.
    ///
    /// # Errors
    /// [`KeyRefusal`] where it does not hold now.
    pub fn find_key(&self, key: &str, now: u64) -> Result<&ApiKey, KeyRefusal> {
        self.find_key_holder(key, now).map(|(_, key)| key)
    }

    /// The same, with the user whose key it is.
    ///
    /// # Errors
    /// [`KeyRefusal`] where it does not hold now.
    pub fn find_key_holder(
        &self,
        key: &str,
        now: u64,
    ) -> Result<(&Arc<User>, &ApiKey), KeyRefusal> {
        let digest = KeyDigest::of(key).ok_or(KeyRefusal::Unknown)?;
        let (user, index) = self.keys.get(&digest).ok_or(KeyRefusal::Unknown)?;
        let extras = user.extras();
        let key = extras.api_keys.get(*index).ok_or(KeyRefusal::Unknown)?;
        match () {
            () if extras.disabled => Err(KeyRefusal::Disabled),
            () if now >= key.expires_at => Err(KeyRefusal::Expired),
            () => Ok((user, key)),
        }
    }

    /// All users, in the order of the list.
    pub fn users(&self) -> impl Iterator<Item = &Arc<User>> {
        self.users.list.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.users.list.len()
    }

    /// Whether anybody has a password.
    pub fn has_passwords(&self) -> bool {
        self.has_passwords
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.users.list.is_empty()
    }

    /// Hashes that a refused password is checked against as well, after a hash of this work, so that all refusals do the
    /// same work. Whether something matches them never counts.
    pub(super) fn padding(&self, done: Option<Work>) -> Vec<PasswordHash> {
        let missing = self.refusal.missing(done);
        missing.into_iter().map(PasswordHash::dummy_of).collect()
    }
}

/// Nobody.
impl Default for Directory {
    fn default() -> Self {
        Enrolment::default().finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::users::UserExtras;

    fn named(name: &str, cost: Option<u32>, extras: UserExtras) -> User {
        let identity = Identity {
            subject: name.into(),
            ..Identity::default()
        };
        User::new(identity.into(), cost.map(PasswordHash::dummy), extras)
    }

    #[test]
    fn a_key_holds_for_its_user_until_its_end() {
        let texts = [1, 2, 3].map(|byte| super::super::api_key::api_key([byte; 32]));
        let key = |index: usize, expires_at: u64| {
            let digest = KeyDigest::of(&texts[index]).unwrap();
            ApiKey {
                name: "ci".into(),
                digest,
                identity: Arc::default(),
                expires_at,
            }
        };
        let alice = UserExtras {
            api_keys: vec![key(0, 1000), key(1, 2000)],
            ..UserExtras::default()
        };
        let gone = UserExtras {
            api_keys: vec![key(2, 2000)],
            disabled: true,
            ..UserExtras::default()
        };
        let (alice, gone) = (named("alice", None, alice), named("gone", None, gone));
        let directory = Directory::new([alice, gone]);
        let refusal = |key: &str, now| directory.find_key(key, now).err();
        assert_eq!(
            (refusal(&texts[0], 999), refusal(&texts[0], 1000)),
            (None, Some(KeyRefusal::Expired))
        );
        assert_eq!(
            (refusal(&texts[1], 1999), refusal(&texts[2], 1)),
            (None, Some(KeyRefusal::Disabled))
        );
        let unknown = super::super::api_key::api_key([4; 32]);
        assert_eq!(refusal(&unknown, 1), Some(KeyRefusal::Unknown));
        assert_eq!(refusal("glk_", 1), Some(KeyRefusal::Unknown));
    }

    /// A user who is disabled does not come back as `Alice` by way of another issuer.
    #[test]
    fn a_name_in_other_case_is_nobodys() {
        let names = ["alice", "Bob", "Straße", "ÉMILE@example.com"];
        let user = |name| named(name, None, UserExtras::default());
        let directory = Directory::new(names.map(user));
        for (subject, expected) in [
            ("Alice", Some(UserRefusal::LookAlike)),
            ("ALICE", Some(UserRefusal::LookAlike)),
            ("bob", Some(UserRefusal::LookAlike)),
            ("BOB", Some(UserRefusal::LookAlike)),
            ("straße", Some(UserRefusal::LookAlike)),
            ("émile@EXAMPLE.com", Some(UserRefusal::LookAlike)),
            ("alice", None),
            ("Bob", None),
            ("alicia", None),
            ("Carol", None),
        ] {
            for subjects in [Subjects::Users, Subjects::Foreign] {
                let identity = Identity {
                    subject: subject.into(),
                    subjects,
                    ..Identity::default()
                };
                let listed = names.contains(&subject) && subjects == Subjects::Foreign;
                let expected = if listed {
                    Some(UserRefusal::Impostor)
                } else {
                    expected
                };
                let verdict = directory.admit_foreign(&identity, Some(0)).err();
                assert_eq!(verdict, expected, "{subject} {subjects:?}");
            }
        }
    }

    #[test]
    fn nobody_costs_as_much_as_the_costliest() {
        let cases: [(&[Option<u32>], u32); 5] = [
            (&[], 12),
            (&[None, None], 12),
            (&[Some(4)], 4),
            (&[Some(10), Some(12), Some(10), None], 12),
            (&[None, None, Some(15)], 15),
        ];
        for (costs, expected) in cases {
            let users = costs
                .iter()
                .enumerate()
                .map(|(index, cost)| named(&index.to_string(), *cost, UserExtras::default()));
            let padding = Directory::new(users).padding(None);
            let padding: Vec<u32> = padding.iter().map(PasswordHash::cost).collect();
            assert_eq!(padding, [expected], "{costs:?}");
        }
    }
}
