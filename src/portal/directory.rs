//! Passwords that an LDAP directory checks, for names that the user list does not have.

use std::net::IpAddr;
use std::sync::Arc;

use super::Portal;
use super::admit::AdmittedAttempt;
use super::denial::LoginDenial;
use super::fields::LoginRequest;
use super::second_factor::Proven;
use super::signed_in::SignedIn;
use crate::access::{Identity, Subjects};
use crate::ldap::{LdapDirectory, LdapFailure, LdapIdentity};
use crate::session::{DeviceId, LoginAttempt, PasswordResult};
use crate::text::fold::fold;
use crate::users::authenticate;

impl Portal {
    /// Checks a password in the directory. Attempts count under the name as directories fold it, and under the subject of
    /// the entry, so that no spelling and no second name of somebody gives further ones.
    pub(super) async fn authenticate_in_directory(
        &self,
        ldap: &Arc<LdapDirectory>,
        request: LoginRequest,
        client: IpAddr,
        device: Option<DeviceId>,
    ) -> Result<Proven, LoginDenial> {
        let LoginRequest {
            username, password, ..
        } = request;
        let typed = fold(&username);
        let attempt = LoginAttempt::new(&typed, client, device);
        let admitted = self.admit(attempt).await??;
        let candidate = ldap.find(&username).await.map_err(unanswered)?;
        let subject = candidate.subject().map(fold);
        let mut attempts = vec![admitted];
        let mut counts = candidate
            .subject()
            .is_some_and(|subject| self.is_free(subject));
        if let Some(subject) = subject.filter(|subject| *subject != typed) {
            let own = LoginAttempt::new(&subject, client, device);
            match self.admit(own).await? {
                Ok(admitted) => attempts.push(admitted),
                // to say so would tell that both names are one
                Err(_) => counts = false,
            }
        }
        let found = ldap
            .authenticate(candidate, password.to_text(), counts)
            .await;
        let found = match found {
            Err(LdapFailure::Refused) => {
                // a wrong password of a user of the list costs as much
                if !self.directory.is_empty() {
                    let list = &self.directory;
                    let _ = authenticate(list, &self.hasher, &username, password, false).await;
                }
                None
            }
            found => Some(found.map_err(unanswered)?),
        };
        self.count(attempts, found, &username).await
    }

    /// Records a wrong password, under each of its names.
    async fn count(
        &self,
        attempts: Vec<AdmittedAttempt>,
        found: Option<LdapIdentity>,
        name: &str,
    ) -> Result<Proven, LoginDenial> {
        if let Some(identity) = found {
            return Ok(Proven {
                user: SignedIn::Directory(Arc::new(identity.identity())),
                name: name.to_owned(),
                attempts,
            });
        }
        let begun = self
            .record_attempts(attempts, PasswordResult::Incorrect)
            .await?;
        Err(LoginDenial::Invalid(begun))
    }

    /// Whether no user of the list has this name, in whatever case: names of the list come first.
    fn is_free(&self, subject: &str) -> bool {
        let identity = Identity {
            subject: subject.into(),
            subjects: Subjects::Foreign,
            ..Identity::default()
        };
        self.directory.admit_foreign(&identity, None).is_ok()
    }

    /// Who somebody of the directory is today.
    ///
    /// # Errors
    /// [`LdapFailure::Refused`] also where there is no directory any more, or a user of the list has the name now.
    pub(super) async fn look_up(&self, subject: &str) -> Result<Arc<Identity>, LdapFailure> {
        let ldap = self.ldap.as_ref().filter(|_| self.is_free(subject));
        let ldap = ldap.ok_or(LdapFailure::Refused)?;
        let found = ldap.look_up(subject).await?;
        Ok(Arc::new(found.identity()))
    }
}

/// Nothing is known of the password, so that nothing counts.
fn unanswered(failure: LdapFailure) -> LoginDenial {
    match failure {
        LdapFailure::Busy => LoginDenial::Busy,
        LdapFailure::Refused | LdapFailure::Unavailable(_) => LoginDenial::DirectoryAway,
    }
}
