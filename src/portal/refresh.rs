//! New tokens for a refresh token.

use std::net::IpAddr;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::denial::RefreshDenial;
use super::login::{Granted, granted_response, holder};
use super::login_api::LoginApi;
use super::{Portal, PortalReply};
use crate::ambient;
use crate::session::{RefreshToken, Stamp, StoreMemory, StoreUnavailable, Times, TokenExchange};
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
        let fresh = shown.next(ambient::random_bytes());
        let times = self.times(now);
        let exchanged = self
            .sessions
            .exchange(&shown, &fresh, client, times)
            .await?;
        let (opened_at, generation) = match exchanged {
            TokenExchange::Good {
                subject,
                opened_at,
                generation,
                memory,
            } => {
                if memory == StoreMemory::Behind {
                    tracing::warn!(event = "state_behind", user = &*subject, session = %shown.session(),
                        "the state store has forgotten a refresh token that it gave: it has gone back in time, \
                         as in a failover; the session goes on");
                }
                *name = Some(subject);
                (opened_at, generation)
            }
            TokenExchange::Refused => return Err(RefreshDenial::Refused),
            TokenExchange::Reused { subject } => {
                *name = Some(subject);
                return Err(RefreshDenial::Reused);
            }
        };
        let Some(user) = name
            .as_deref()
            .and_then(|name| self.still_admitted(name, opened_at))
        else {
            self.sessions.end(shown.session(), times).await?;
            return Err(RefreshDenial::Refused);
        };
        let holder = holder(user, shown.session());
        let issued = self
            .issuer
            .issue(&holder, ambient::random_bytes(), now)
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
