//! From a name and a password to a user, or to an answer that tells nothing.

use std::fmt;
use std::sync::Arc;

use super::directory::Directory;
use super::hasher::{Busy, Hasher, PasswordCheck};
use super::password::{Password, PasswordHash};
use super::user::User;
use super::work::Work;

/// Why nobody was logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginFailure {
    /// The name is unknown, its user is disabled or has no password, or the password is wrong. Which one is not
    /// told apart, not even by time.
    Invalid,
    /// The same, and the password is longer than bcrypt reads, so that no bcrypt hash has it; programs that cut it would.
    /// For the log alone: the client is told nothing else.
    TooLong,
    /// The password was not checked.
    Busy,
}

/// The user of this name, if the password is theirs. Names compare byte for byte.
///
/// A password that is accepted costs one run of the user's own hash. Every refusal costs as much as the costliest hash of
/// the list (of bcrypt and of argon2id, where the list has both), whatever hash the user has, or none; with `hides_match`, which
/// is for a password that something else comes with, so does every match.
///
/// # Errors
/// [`LoginFailure`]; it says nothing about whether the user exists.
pub async fn authenticate(
    directory: &Directory,
    hasher: &Hasher,
    name: &str,
    password: Password,
    hides_match: bool,
) -> Result<Arc<User>, LoginFailure> {
    let user = directory.find(name);
    let hash = user.and_then(|user| user.password.clone());
    let against = PasswordCheck {
        padding: directory.padding(hash.as_ref().map(PasswordHash::work)),
        enabled: user.is_some_and(|user| !user.extras().disabled),
        hash,
        hides_match,
    };
    let work = against.hash.as_ref().map(PasswordHash::work);
    let too_long = password.is_too_long() && !matches!(work, Some(Work::Argon2id { .. }));
    let accepted = hasher.verify(password, against).await?;
    user.filter(|_| accepted).cloned().ok_or(if too_long {
        LoginFailure::TooLong
    } else {
        LoginFailure::Invalid
    })
}

impl From<Busy> for LoginFailure {
    fn from(_: Busy) -> Self {
        Self::Busy
    }
}

impl fmt::Display for LoginFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid | Self::TooLong => f.write_str("invalid credentials"),
            Self::Busy => Busy.fmt(f),
        }
    }
}

impl std::error::Error for LoginFailure {}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::access::Identity;
    use crate::users::{HasherSettings, UserExtras};

    fn user(name: &str, cost: Option<u32>) -> User {
        let identity = Identity {
            subject: name.into(),
            ..Identity::default()
        };
        let extras = UserExtras {
            disabled: name == "disabled",
            ..UserExtras::default()
        };
        User::new(identity.into(), cost.map(PasswordHash::dummy), extras)
    }

    fn directory() -> Directory {
        Directory::new([
            user("alice", Some(7)),
            user("bob", Some(9)),
            user("machine", None),
            user("disabled", Some(7)),
        ])
    }

    /// What the checker says about every password.
    #[derive(Clone, Copy, PartialEq)]
    enum Verdict {
        Right,
        Wrong,
    }

    /// Logs in with a checker that writes down which costs it was asked for.
    fn attempt(name: &str, verdict: Verdict) -> (Option<String>, Vec<u32>) {
        attempt_with(name, verdict, false)
    }

    fn attempt_with(name: &str, verdict: Verdict, hides_match: bool) -> (Option<String>, Vec<u32>) {
        let costs = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&costs);
        let check = move |_: &Password, hash: &PasswordHash| {
            seen.lock().unwrap().push(hash.cost());
            verdict == Verdict::Right
        };
        let hasher = Hasher::start_with(HasherSettings::default(), Arc::new(check)).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let found = runtime.block_on(authenticate(
            &directory(),
            &hasher,
            name,
            Password::from("x".to_owned()),
            hides_match,
        ));
        let subject = match found {
            Ok(user) => Some(user.identity.subject.to_string()),
            Err(failure) => {
                assert_eq!(failure, LoginFailure::Invalid);
                None
            }
        };
        let costs = costs.lock().unwrap().clone();
        (subject, costs)
    }

    /// Rounds of bcrypt.
    fn rounds(costs: &[u32]) -> u64 {
        costs.iter().map(|cost| 1 << cost).sum()
    }

    #[test]
    fn every_refusal_costs_the_same_work() {
        for name in ["alice", "bob", "disabled", "machine", "nobody", ""] {
            let (subject, costs) = attempt(name, Verdict::Wrong);
            assert_eq!((subject, rounds(&costs)), (None, 1 << 9), "{name}");
        }
    }

    #[test]
    fn a_match_that_is_hidden_costs_what_a_refusal_costs() {
        for name in ["alice", "bob"] {
            let (_, refused) = attempt_with(name, Verdict::Wrong, true);
            let (subject, matched) = attempt_with(name, Verdict::Right, true);
            assert_eq!((subject.as_deref(), matched), (Some(name), refused));
        }
    }

    #[test]
    fn a_password_that_bcrypt_cuts_is_known_by_its_length() {
        let directory = Directory::new([user("alice", Some(4))]);
        let hasher = Hasher::start(HasherSettings::default()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        for (length, expected) in [
            (72, LoginFailure::Invalid),
            (73, LoginFailure::TooLong),
            (1000, LoginFailure::TooLong),
        ] {
            for name in ["alice", "nobody"] {
                let password = Password::from("x".repeat(length));
                let outcome = authenticate(&directory, &hasher, name, password, false);
                let failure = runtime.block_on(outcome).err();
                assert_eq!(failure, Some(expected), "{name} {length}");
            }
        }
    }

    #[test]
    fn a_match_counts_only_for_enabled_users_with_a_password() {
        for (name, cost) in [("alice", 7), ("bob", 9)] {
            let accepted = (Some(name.to_owned()), vec![cost]);
            assert_eq!(attempt(name, Verdict::Right), accepted, "its own work only");
        }
        for name in ["disabled", "machine", "nobody", "Alice", "alice ", ""] {
            let (subject, costs) = attempt(name, Verdict::Right);
            assert_eq!((subject, rounds(&costs)), (None, 1 << 9), "{name}");
        }
    }
}
