//! What others ask a directory: whose name and password these are, and who somebody is today.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout_at;
use zeroize::Zeroizing;

use super::connection::{BindAnswer, may_be_password};
use super::error::{LdapError, LdapFailure};
use super::filter::FilterValues;
use super::groups::GroupWalk;
use super::pace::Pace;
use super::person::{Found, Person, find};
use super::pool::{Pool, late, open};
use super::settings::LdapSettings;
use crate::access::{Identity, Subjects};
use crate::ambient;
use crate::telemetry::metrics::{Metrics, ProviderResult};
use crate::token::{LDAP, ProviderClaims};

/// So many may sign in at once. Each has a connection of its own while its password is checked.
const AT_ONCE: usize = 128;

/// The most characters of a name that is looked for.
const LONGEST_NAME: usize = 256;

/// A directory. Everything is asked by tasks of one runtime, which own the connections.
pub struct LdapDirectory {
    settings: LdapSettings,
    runtime: Handle,
    pool: Pool,
    pace: Pace,
    places: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

/// Who somebody is, by the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LdapIdentity {
    /// The value of the subject's attribute, as the entry has it.
    pub subject: Box<str>,
    /// The roles that the groups are worth.
    pub roles: Vec<Box<str>>,
    /// The display name, where there is one.
    pub name: Option<Box<str>>,
    /// The mail address, where there is one.
    pub email: Option<Box<str>>,
}

/// Somebody who gave a name, before the password is looked at.
pub struct LdapCandidate {
    person: Option<Box<Person>>,
    begun: Instant,
    deadline: Instant,
    place: OwnedSemaphorePermit,
}

impl LdapDirectory {
    /// A directory that is asked by tasks of this runtime. Nothing is connected yet.
    pub fn new(settings: LdapSettings, runtime: Handle, metrics: Arc<Metrics>) -> Self {
        Self {
            settings,
            runtime,
            pool: Pool::new(),
            pace: Pace::default(),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            metrics,
        }
    }

    /// What it was set up with.
    pub fn settings(&self) -> &LdapSettings {
        &self.settings
    }

    /// What tells this directory from others: under another one, the same subject may be somebody else.
    pub fn fingerprint(&self) -> Box<str> {
        let users = &self.settings.users;
        let (url, base) = (self.settings.url.to_string(), users.base.to_string());
        ProviderClaims::fingerprint([&url, &base, &users.subject])
    }

    /// How long a password check takes here, for refusals of others that must not be told apart by time.
    pub fn pace(&self) -> Duration {
        self.pace.duration()
    }

    /// Looks for the entry of a name as somebody typed it. That there is none, the candidate does not tell.
    ///
    /// # Errors
    /// [`LdapFailure::Busy`] and [`LdapFailure::Unavailable`].
    pub async fn find(self: &Arc<Self>, typed: &str) -> Result<LdapCandidate, LdapFailure> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| LdapFailure::Busy)?;
        let (begun, deadline) = self.times();
        let mut candidate = LdapCandidate {
            person: None,
            begun,
            deadline,
            place,
        };
        let is_name = !typed.trim().is_empty()
            && !typed.contains('\0')
            && typed.chars().count() <= LONGEST_NAME;
        if is_name {
            let values = FilterValues {
                username: typed,
                dn: "",
            };
            let filter = self.settings.users.filter.fill(values);
            let own = Arc::clone(self);
            let search = async move { find(&own.pool, &own.settings, filter, deadline).await };
            let found = self.run("search", search).await?;
            candidate.person = match found {
                Found::One(person) => Some(person),
                Found::Nobody(why) => {
                    report(why);
                    None
                }
            };
        }
        Ok(candidate)
    }

    /// Checks the password of a candidate by a bind on a connection of its own, and reads the groups. `counts` is false
    /// where even the right password must not let in: then it takes as long, and is refused.
    ///
    /// # Errors
    /// [`LdapFailure`]. Refusals take the same time for everybody.
    pub async fn authenticate(
        self: &Arc<Self>,
        candidate: LdapCandidate,
        password: Zeroizing<String>,
        counts: bool,
    ) -> Result<LdapIdentity, LdapFailure> {
        let LdapCandidate {
            person,
            begun,
            deadline,
            place,
        } = candidate;
        let person = person.filter(|_| counts);
        let own = Arc::clone(self);
        self.run("bind", async move {
            let _place = place;
            if !may_be_password(&password) {
                return Ok(None);
            }
            let dn = match &person {
                Some(person) => person.entry.dn.clone(),
                // as far as anybody can tell from outside
                None => format!("cn=nobody,{}", own.settings.users.base),
            };
            let bound = timeout_at(deadline.into(), own.bind(&dn, &password, deadline)).await;
            let answer = bound.unwrap_or_else(|_| Err(late(&own.settings)))?;
            let Some(person) = person else {
                own.pace.wait(begun).await;
                return Ok(None);
            };
            own.pace.observe(begun);
            if answer == BindAnswer::Refused {
                own.pace.wait(begun).await;
                return Ok(None);
            }
            own.identify(&person, deadline).await
        })
        .await?
        .ok_or(LdapFailure::Refused)
    }

    /// Who the user with this subject is today, without a password.
    ///
    /// # Errors
    /// [`LdapFailure::Refused`] where the directory has no such user any more, or has locked them.
    pub async fn look_up(self: &Arc<Self>, subject: &str) -> Result<LdapIdentity, LdapFailure> {
        let users = &self.settings.users;
        let filter = users.filter.fill_for_subject(&users.subject, subject);
        let (own, subject) = (Arc::clone(self), Box::<str>::from(subject));
        let (_, deadline) = self.times();
        self.run("look_up", async move {
            match find(&own.pool, &own.settings, filter, deadline).await? {
                Found::One(person) if person.subject == subject => {
                    own.identify(&person, deadline).await
                }
                Found::One(_) => Ok(None),
                Found::Nobody(why) => {
                    report(why);
                    Ok(None)
                }
            }
        })
        .await?
        .ok_or(LdapFailure::Refused)
    }

    async fn bind(
        &self,
        dn: &str,
        password: &str,
        deadline: Instant,
    ) -> Result<BindAnswer, LdapError> {
        let mut connection = open(&self.settings, deadline).await?;
        connection.bind(dn, password).await
    }

    /// `None` where groups make the entry unusable.
    async fn identify(
        &self,
        person: &Person,
        deadline: Instant,
    ) -> Result<Option<LdapIdentity>, LdapError> {
        let walk = GroupWalk::new(&self.pool, &self.settings, deadline);
        let groups = match walk.of(person).await {
            Err(LdapError::Unusable(why)) => {
                report(Some(why));
                return Ok(None);
            }
            groups => groups?,
        };
        Ok(Some(LdapIdentity {
            subject: person.subject.clone(),
            roles: self.settings.roles.roles(&groups),
            name: person.name.clone(),
            email: person.email.clone(),
        }))
    }

    fn times(&self) -> (Instant, Instant) {
        let begun = ambient::now();
        (begun, begun + self.settings.timeout)
    }

    /// On the runtime that owns the connections. It goes on where whoever asked has gone: it has a deadline.
    async fn run<T: Answer + Send + 'static>(
        &self,
        operation: &'static str,
        task: impl Future<Output = Result<T, LdapError>> + Send + 'static,
    ) -> Result<T, LdapFailure> {
        let ended = self.runtime.spawn(task).await;
        let result = match &ended {
            Ok(Ok(answer)) if answer.is_positive() => ProviderResult::Success,
            Ok(Ok(_) | Err(LdapError::Unusable(_))) => ProviderResult::Refused,
            Ok(Err(LdapError::Unavailable(_))) | Err(_) => ProviderResult::Unavailable,
        };
        self.metrics.provider_asked(LDAP, operation, result);
        match ended {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(LdapError::Unavailable(why))) => {
                let url = &self.settings.url;
                tracing::warn!(event = "ldap_unavailable", directory = %url, reason = %why,
                    "the directory cannot be asked; nobody of it can sign in until it can");
                Err(LdapFailure::Unavailable(why))
            }
            Ok(Err(LdapError::Unusable(why))) => {
                report(Some(why));
                Err(LdapFailure::Refused)
            }
            Err(_) => Err(LdapFailure::Unavailable("the gateway stops".to_owned())),
        }
    }
}

/// An answer of the directory: something, or no.
trait Answer {
    fn is_positive(&self) -> bool;
}

impl Answer for Found {
    fn is_positive(&self) -> bool {
        matches!(self, Self::One(_))
    }
}

impl Answer for Option<LdapIdentity> {
    fn is_positive(&self) -> bool {
        self.is_some()
    }
}

/// Why somebody is refused whose password may be right; whoever signs in is told nothing.
fn report(why: Option<String>) {
    if let Some(reason) = why {
        tracing::warn!(event = "ldap_entry_refused", %reason, "an entry of the directory cannot sign in");
    }
}

impl LdapCandidate {
    /// The subject of the entry that was found. Only for counting attempts: the password is not checked yet.
    pub fn subject(&self) -> Option<&str> {
        self.person.as_ref().map(|person| &*person.subject)
    }
}

impl LdapIdentity {
    /// As rules see it. Names of the directory are those of the user list, whose names come first.
    pub fn identity(&self) -> Identity {
        Identity {
            subject: self.subject.clone(),
            roles: self.roles.as_slice().into(),
            name: self.name.clone(),
            email: self.email.clone(),
            claims: Vec::new(),
            subjects: Subjects::Users,
            provider: Some(LDAP.into()),
        }
    }
}

impl fmt::Debug for LdapDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LdapDirectory")
            .field(&self.settings)
            .finish()
    }
}

impl fmt::Debug for LdapCandidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LdapCandidate")
    }
}
