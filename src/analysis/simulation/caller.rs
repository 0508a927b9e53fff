//! The caller of a simulated request.

use core::time::Duration;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::access::{AccessSubject, Authentication, Claim, Identity, ShortDuration};
use crate::users::Directory;

/// A caller as an operator describes it; without user, roles and claims, an anonymous one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallerSpec {
    /// The user; what the other fields leave out is taken from the user list.
    pub user: Option<Box<str>>,
    /// The roles, instead of those in the user list.
    pub roles: Option<Vec<Box<str>>>,
    /// The claims, instead of those in the user list.
    pub claims: Option<Vec<Claim>>,
    /// The client's address; without one, no `networks` condition is fulfilled.
    pub address: Option<IpAddr>,
    /// Whether a second factor was shown at the sign-in.
    pub second_factor: bool,
    /// How long ago the sign-in was; `None`: it is new.
    pub age: Option<Duration>,
}

/// A caller, and its name in messages.
#[derive(Clone, Debug)]
pub struct SimulatedCaller {
    /// What a decision takes.
    pub caller: AccessSubject,
    /// In words: ``user `alice` with roles admin``.
    pub name: String,
}

/// The user is not in the user list, and the description gives no roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownUser(pub Box<str>);

impl CallerSpec {
    /// The caller that the gateway would identify. The credential of a disabled user is rejected, whatever the other
    /// fields say.
    ///
    /// # Errors
    /// [`UnknownUser`] where the roles would have to come from the user list, which has no such user.
    pub fn resolve(&self, directory: &Directory) -> Result<SimulatedCaller, UnknownUser> {
        let place = self
            .address
            .map(|address| format!(" from {address}"))
            .unwrap_or_default();
        if self.is_anonymous() {
            return Ok(SimulatedCaller {
                caller: AccessSubject::anonymous(self.address),
                name: format!("an anonymous caller{place}"),
            });
        }
        let listed = self.user.as_deref().and_then(|user| directory.find(user));
        let is_disabled = listed.is_some_and(|user| user.extras().disabled);
        if let Some(user) = self.user.as_ref().filter(|_| is_disabled) {
            let comma = if place.is_empty() { "" } else { "," };
            return Ok(SimulatedCaller {
                caller: AccessSubject::rejected(self.address),
                name: format!("user `{user}`, who is disabled{comma}{place}"),
            });
        }
        let identity = self.identity(listed.map(|user| &*user.identity))?;
        let whom = self
            .user
            .as_ref()
            .map_or("somebody".to_owned(), |user| format!("user `{user}`"));
        let roles = roles_text(&identity.roles);
        let name = format!("{whom} with {roles}{place}{}", self.sign_in_text());
        let subject = AccessSubject::known(Arc::new(identity), self.address);
        Ok(SimulatedCaller {
            caller: subject.authenticated(self.authentication()),
            name,
        })
    }

    fn is_anonymous(&self) -> bool {
        self.user.is_none()
            && self.roles.is_none()
            && self.claims.is_none()
            && !self.second_factor
            && self.age.is_none()
    }

    /// How somebody has signed in of whom this is said.
    pub fn authentication(&self) -> Authentication {
        Authentication::SignedIn {
            age: Some(self.age.unwrap_or_default()),
            second_factor: self.second_factor,
        }
    }

    /// What is said of the sign-in, as the end of the name.
    pub fn sign_in_text(&self) -> String {
        match (self.age, self.second_factor) {
            (None, false) => String::new(),
            (None, true) => ", signed in with a second factor".to_owned(),
            (Some(age), false) => format!(", signed in {} ago", ShortDuration(age)),
            (Some(age), true) => {
                let age = ShortDuration(age);
                format!(", signed in {age} ago with a second factor")
            }
        }
    }

    /// The identity, completed from that in the user list.
    fn identity(&self, listed: Option<&Identity>) -> Result<Identity, UnknownUser> {
        let identity = match (listed, &self.user) {
            (Some(identity), _) => identity.clone(),
            (None, Some(user)) if self.roles.is_none() => return Err(UnknownUser(user.clone())),
            (None, Some(user)) => Identity {
                subject: user.clone(),
                ..Identity::default()
            },
            // user names have no spaces, so this one fulfils no `user` condition
            (None, None) => Identity {
                subject: "(some user)".into(),
                ..Identity::default()
            },
        };
        Ok(Identity {
            roles: self.roles.clone().map_or(identity.roles, Into::into),
            claims: self.claims.clone().unwrap_or(identity.claims),
            ..identity
        })
    }
}

/// Roles in words: `the roles a, b`.
pub fn roles_text(roles: &[Box<str>]) -> String {
    match roles {
        [] => "no roles".to_owned(),
        [role] => format!("the role {role}"),
        roles => format!("the roles {}", roles.join(", ")),
    }
}

impl fmt::Display for UnknownUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no user `{}`", self.0)
    }
}

impl std::error::Error for UnknownUser {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::ClaimValue;
    use crate::users::{User, UserExtras};

    fn user(name: &str, disabled: bool) -> User {
        let claims = vec![Claim {
            name: "tenant".into(),
            values: vec![ClaimValue::Text("acme".into())],
        }];
        let identity = Identity {
            subject: name.into(),
            roles: ["listed".into()].into(),
            claims,
            ..Identity::default()
        };
        let extras = UserExtras {
            disabled,
            ..UserExtras::default()
        };
        User::new(identity.into(), None, extras)
    }

    fn resolve(who: CallerSpec) -> Result<(String, Option<Identity>), UnknownUser> {
        let directory = Directory::new([user("alice", false), user("gone", true)]);
        who.resolve(&directory).map(|subject| {
            (
                subject.name,
                subject
                    .caller
                    .identity()
                    .map(|identity| (**identity).clone()),
            )
        })
    }

    #[test]
    fn what_is_not_said_of_a_listed_user_is_as_listed() {
        let (name, alice) = resolve(CallerSpec {
            user: Some("alice".into()),
            ..CallerSpec::default()
        })
        .unwrap();
        let alice = alice.unwrap();
        assert_eq!(name, "user `alice` with the role listed");
        assert_eq!(
            (&*alice.subject, &*alice.roles, alice.claims.len()),
            ("alice", &["listed".into()][..], 1)
        );
        let roles = Some(vec!["a".into(), "b".into()]);
        let (name, alice) = resolve(CallerSpec {
            user: Some("alice".into()),
            roles,
            ..CallerSpec::default()
        })
        .unwrap();
        let alice = alice.unwrap();
        assert_eq!(name, "user `alice` with the roles a, b");
        assert_eq!((alice.roles.len(), alice.claims.len()), (2, 1));
    }

    #[test]
    fn what_is_said_of_the_sign_in_counts() {
        let directory = Directory::new([user("alice", false)]);
        let age = Some(Duration::from_secs(1200));
        for (second_factor, age, expected) in [
            (false, None, ""),
            (true, None, ", signed in with a second factor"),
            (false, age, ", signed in 20m ago"),
            (true, age, ", signed in 20m ago with a second factor"),
        ] {
            let who = CallerSpec {
                user: Some("alice".into()),
                second_factor,
                age,
                ..CallerSpec::default()
            };
            let resolved = who.resolve(&directory).unwrap();
            assert_eq!(
                resolved.name,
                format!("user `alice` with the role listed{expected}")
            );
            let expected = Authentication::SignedIn {
                age: Some(age.unwrap_or_default()),
                second_factor,
            };
            assert_eq!(resolved.caller.authentication(), expected);
        }
        let somebody = CallerSpec {
            second_factor: true,
            ..CallerSpec::default()
        };
        assert!(
            somebody
                .resolve(&directory)
                .unwrap()
                .caller
                .identity()
                .is_some()
        );
    }

    #[test]
    fn strangers_need_roles() {
        assert_eq!(
            resolve(CallerSpec {
                user: Some("eve".into()),
                ..CallerSpec::default()
            }),
            Err(UnknownUser("eve".into())),
            "not even with claims"
        );
        let (name, eve) = resolve(CallerSpec {
            user: Some("eve".into()),
            roles: Some(Vec::new()),
            ..CallerSpec::default()
        })
        .unwrap();
        assert_eq!(
            (name.as_str(), &*eve.unwrap().subject),
            ("user `eve` with no roles", "eve")
        );
    }

    #[test]
    fn the_disabled_and_the_anonymous_have_no_identity() {
        let address = "10.0.0.1".parse().ok();
        for (who, expected) in [
            (CallerSpec::default(), "an anonymous caller"),
            (
                CallerSpec {
                    address,
                    ..CallerSpec::default()
                },
                "an anonymous caller from 10.0.0.1",
            ),
            (
                CallerSpec {
                    user: Some("gone".into()),
                    ..CallerSpec::default()
                },
                "user `gone`, who is disabled",
            ),
            (
                CallerSpec {
                    user: Some("gone".into()),
                    roles: Some(vec!["a".into()]),
                    address,
                    ..CallerSpec::default()
                },
                "user `gone`, who is disabled, from 10.0.0.1",
            ),
        ] {
            assert_eq!(resolve(who), Ok((expected.to_owned(), None)));
        }
    }
}
