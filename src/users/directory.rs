//! All users of one load of the users file.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::api_key::{ApiKey, KeyDigest, KeyRefusal};
use super::password::PasswordHash;
use super::work::{RefusalWork, Work};
use crate::access::{Identity, Subjects};
use crate::ambient;
use crate::factors::TotpSecret;

/// One user as the users file has it.
#[derive(Clone, Debug)]
pub struct User {
    /// What rules and identity headers see.
    pub identity: Arc<Identity>,
    /// The password; `None`: no password login.
    pub password: Option<PasswordHash>,
    /// The secret of an authenticator app, whose codes are asked for after the password; `None`: there is none.
    pub totp: Option<TotpSecret>,
    /// A disabled user can neither log in nor use a token.
    pub disabled: bool,
    /// Tokens issued before this second since 1970 are refused; it is not before [`User::created`].
    pub tokens_valid_after: Option<u64>,
    /// Since this second since 1970 the name is this user's: second factors that were added before are another person's.
    pub created: Option<u64>,
    /// `claims` as written, copied into new tokens; `None`: there are none.
    pub claims: Option<Box<Map<String, Value>>>,
    /// The keys of programs.
    pub api_keys: Vec<ApiKey>,
}

/// The work of a refused login where the list has no passwords.
const DEFAULT_WORK: Work = Work::Bcrypt { cost: 12 };

impl User {
    /// The API key with this fingerprint, expired or not.
    pub fn key_of(&self, fingerprint: &str) -> Option<&ApiKey> {
        let mut keys = self.api_keys.iter();
        keys.find(|key| key.digest.fingerprint() == fingerprint)
    }

    /// Whether a token of this user counts that was issued then, in seconds since 1970; `None` where it does not say.
    ///
    /// # Errors
    /// [`UserRefusal`] where the user is disabled, or where `tokens_valid_after` is set and the token is not known to be
    /// younger.
    pub fn admit(&self, issued_at: Option<u64>) -> Result<(), UserRefusal> {
        let young_enough = |after: u64| issued_at.is_some_and(|issued| issued >= after);
        match () {
            () if self.disabled => Err(UserRefusal::Disabled),
            () if !self.tokens_valid_after.is_none_or(young_enough) => Err(UserRefusal::TooOld),
            () => Ok(()),
        }
    }
}

/// Why the user list refuses the bearer of a valid token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserRefusal {
    /// Another issuer's subject has the name of a user, and is not that user.
    Impostor,
    /// Another issuer's subject is a user's name in other case: whom a service or an issuer takes it for is not certain.
    LookAlike,
    /// The user is disabled.
    Disabled,
    /// The token is older than the user's `tokens_valid_after`, or does not say how old it is.
    TooOld,
}

impl fmt::Display for UserRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Impostor => "a user of the list has the name of its subject",
            Self::LookAlike => "a user of the list has the name of its subject in other case",
            Self::Disabled => "the user is disabled",
            Self::TooOld => "the token is older than `tokens_valid_after`",
        })
    }
}

/// The user list.
#[derive(Debug)]
pub struct Directory {
    /// Each with the number of its place in the list.
    users: HashMap<Member, u32, ahash::RandomState>,
    /// Whose key it is, and which of the user's.
    keys: HashMap<KeyDigest, (Arc<User>, usize), ahash::RandomState>,
    /// The names that are not in lower case, in lower case.
    folded: HashSet<Box<str>, ahash::RandomState>,
    has_passwords: bool,
    refusal: RefusalWork,
}

/// A user list while it is read.
pub struct Enrolment {
    users: HashMap<Member, u32, ahash::RandomState>,
    refusal: RefusalWork,
}

/// A user as an element of a set, found by the subject: a name of its own in the table would double the names.
#[derive(Debug)]
struct Member(Arc<User>);

impl Enrolment {
    /// Adds a user at the end of the list. Of two equal subjects the last stays; the users file cannot hold two.
    pub fn add(&mut self, user: User) {
        if let Some(hash) = &user.password {
            self.refusal.include(hash.work());
        }
        // a users file of a hundred bytes a user does not reach the bound
        let number = u32::try_from(self.users.len()).unwrap_or(u32::MAX);
        let member = Member(Arc::new(user));
        self.users.remove(&member);
        self.users.insert(member, number);
    }

    /// The number of the user of this name, from 0.
    pub fn number(&self, subject: &str) -> Option<usize> {
        self.users.get(subject).map(|number| *number as usize)
    }

    /// The list, complete.
    pub fn finish(self) -> Directory {
        let mut keys = HashMap::with_hasher(ambient::hash_state());
        for Member(user) in self.users.keys() {
            let own = user.api_keys.iter().enumerate();
            keys.extend(own.map(|(index, key)| (key.digest, (Arc::clone(user), index))));
        }
        let mut folded = HashSet::with_hasher(ambient::hash_state());
        for Member(user) in self.users.keys() {
            let name = &user.identity.subject;
            folded.extend(Some(name.to_lowercase().into()).filter(|lower| lower != name));
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

impl Directory {
    /// Indexes the users by subject. Of two equal subjects the last stays; the users file cannot hold two.
    pub fn new(users: impl IntoIterator<Item = User>) -> Self {
        let mut enrolment = Enrolment::default();
        users.into_iter().for_each(|user| enrolment.add(user));
        enrolment.finish()
    }

    /// The user of this name.
    pub fn find(&self, subject: &str) -> Option<&Arc<User>> {
        self.users
            .get_key_value(subject)
            .map(|(Member(user), _)| user)
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
        let key = user.api_keys.get(*index).ok_or(KeyRefusal::Unknown)?;
        match () {
            () if user.disabled => Err(KeyRefusal::Disabled),
            () if now >= key.expires_at => Err(KeyRefusal::Expired),
            () => Ok((user, key)),
        }
    }

    /// All users, in no order.
    pub fn users(&self) -> impl Iterator<Item = &Arc<User>> {
        self.users.keys().map(|Member(user)| user)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether anybody has a password.
    pub fn has_passwords(&self) -> bool {
        self.has_passwords
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// All users with their numbers, in no order.
    pub fn numbered(&self) -> impl Iterator<Item = (&Arc<User>, usize)> {
        self.users
            .iter()
            .map(|(Member(user), number)| (user, *number as usize))
    }

    /// Hashes that a refused password is checked against as well, after a hash of this work, so that all refusals do the
    /// same work. Whether something matches them never counts.
    pub(super) fn padding(&self, done: Option<Work>) -> Vec<PasswordHash> {
        let missing = self.refusal.missing(done);
        missing.into_iter().map(PasswordHash::dummy_of).collect()
    }
}

impl Default for Enrolment {
    fn default() -> Self {
        Self {
            users: HashMap::with_hasher(ambient::hash_state()),
            refusal: RefusalWork::default(),
        }
    }
}

/// Nobody.
impl Default for Directory {
    fn default() -> Self {
        Enrolment::default().finish()
    }
}

impl Borrow<str> for Member {
    fn borrow(&self) -> &str {
        &self.0.identity.subject
    }
}

impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        self.0.identity.subject == other.0.identity.subject
    }
}

impl Eq for Member {}

/// As `str` does, which stands in for it.
impl Hash for Member {
    fn hash<H: Hasher>(&self, state: &mut H) {
        str::hash(&self.0.identity.subject, state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(index: usize, cost: Option<u32>) -> User {
        User {
            identity: Arc::new(Identity {
                subject: index.to_string().into(),
                ..Identity::default()
            }),
            password: cost.map(PasswordHash::dummy),
            totp: None,
            disabled: false,
            tokens_valid_after: None,
            created: None,
            claims: None,
            api_keys: Vec::new(),
        }
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
        let alice = User {
            api_keys: vec![key(0, 1000), key(1, 2000)],
            ..user(1, None)
        };
        let gone = User {
            api_keys: vec![key(2, 2000)],
            disabled: true,
            ..user(2, None)
        };
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
        let directory = Directory::new(names.map(|name| User {
            identity: Arc::new(Identity {
                subject: name.into(),
                ..Identity::default()
            }),
            ..user(0, None)
        }));
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
                .map(|(index, &cost)| user(index, cost));
            let padding = Directory::new(users).padding(None);
            let padding: Vec<u32> = padding.iter().map(PasswordHash::cost).collect();
            assert_eq!(padding, [expected], "{costs:?}");
        }
    }
}
