//! New tokens for a refresh token.

use std::net::IpAddr;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::denial::RefreshDenial;
use super::login::{Granted, granted_response};
use super::login_api::LoginApi;
use super::signed_in::SignedIn;
use super::{Portal, PortalReply};
use crate::ambient;
use crate::ldap::LdapFailure;
use crate::session::{RefreshToken, Stamp, StoreMemory, StoreUnavailable, Times, TokenExchange};
use crate::token::LDAP;
use crate::users::User;

/// A refresh, or a logout, that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEvent {
    /// A refresh token was shown.
    Refresh {
        /// Its user, where it is identified.
        user: Option<Box<str>>,
        /// Whether it got tokens.
        outcome: Result<(), RefreshDenial>,
    },
    /// A logout that ended what there was to end, or could not.
    Logout(Result<(), StoreUnavailable>),
}

impl Portal {
    pub(super) async fn answer_refresh(
        &self,
        api: LoginApi,
        shown: Zeroizing<String>,
        client: IpAddr,
        now: u64,
    ) -> PortalReply {
        let mut user = None;
        let granted = self.refresh(&shown, client, now, &mut user).await;
        let response = match &granted {
            Ok(granted) => granted_response(granted),
            Err(denial) => denial.into_response(api),
        };
        let outcome = granted.map(drop);
        PortalReply {
            response,
            session: Some(SessionEvent::Refresh { user, outcome }),
            ..PortalReply::default()
        }
    }

    /// `name` becomes that of the user whose token it is.
    async fn refresh(
        &self,
        shown: &str,
        client: IpAddr,
        now: u64,
        name: &mut Option<Box<str>>,
    ) -> Result<Granted, RefreshDenial> {
        let signer = self.browsers.signer();
        let shown = RefreshToken::parse(shown, signer).ok_or(RefreshDenial::Refused)?;
        // before the token is spent: it must be good again when the directory is
        let provided = self.provided_holder_of(&shown, name, now).await?;
        let fresh = shown.next(ambient::random_bytes());
        let times = self.times(now);
        let exchanged = self
            .sessions
            .exchange(&shown, &fresh, client, times)
            .await?;
        let (opened_at, sign_in, generation) = match exchanged {
            TokenExchange::Good {
                subject,
                opened_at,
                sign_in,
                generation,
                memory,
            } => {
                if memory == StoreMemory::Behind {
                    tracing::warn!(event = "state_behind", user = &*subject, session = %shown.session(),
                        "the state store has forgotten a refresh token that it gave: it has gone back in time, \
                         as in a failover; the session goes on");
                }
                *name = Some(subject);
                (opened_at, sign_in, generation)
            }
            TokenExchange::Refused => return Err(RefreshDenial::Refused),
            TokenExchange::Reused { subject } => {
                *name = Some(subject);
                return Err(RefreshDenial::Reused);
            }
        };
        let listed = || {
            let user = self.still_admitted(name.as_deref()?, opened_at)?;
            Some(SignedIn::Listed(Arc::clone(user)))
        };
        let Some(holder) = provided.or_else(listed) else {
            self.sessions.end(shown.session(), times).await?;
            return Err(RefreshDenial::Refused);
        };
        let issued = self
            .issue(&holder, (shown.session(), sign_in), now)
            .map_err(RefreshDenial::NoToken)?;
        let stamp = Stamp {
            generation,
            issued_at: now,
        };
        Ok(Granted {
            issued,
            refresh: fresh.expose(stamp, signer),
        })
    }

    /// Whom the directory still knows, where it vouches for the holder of the token; whom it does not know any more is
    /// signed out.
    async fn provided_holder_of(
        &self,
        shown: &RefreshToken,
        name: &mut Option<Box<str>>,
        now: u64,
    ) -> Result<Option<SignedIn>, RefreshDenial> {
        let Some(holder) = shown.holder() else {
            return Ok(None);
        };
        *name = Some(holder.subject.clone());
        let found = match &*holder.provider {
            LDAP => self.look_up(&holder.subject).await,
            _ => Err(LdapFailure::Refused),
        };
        if found == Err(LdapFailure::Refused) {
            self.sessions.end(shown.session(), self.times(now)).await?;
        }
        Ok(Some(SignedIn::Directory(found?)))
    }

    /// The user as the list has it today: a session is as old as its login, however often it was refreshed.
    pub(super) fn still_admitted(&self, name: &str, opened_at: u64) -> Option<&Arc<User>> {
        self.directory
            .find(name)
            .filter(|user| user.admit(Some(opened_at)).is_ok())
    }

    /// The times of a session at this second since 1970.
    pub fn times(&self, now: u64) -> Times {
        Times {
            now,
            ttl: self.settings.refresh_ttl.as_secs(),
            last_token: now.saturating_add(self.settings.longest_token.as_secs()),
        }
    }
}
