//! One renewal, from word of it to what came of it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::gate::{Passage, ProviderGate};
use super::provider::RenewalError;
use super::renewed::{RenewedSession, RenewedSessions};
use super::request::{RenewalRequest, is_due};
use crate::ambient;
use crate::session::browser::{BrowserIdentity, BrowserSession, ProviderSession, Renewal};
use crate::session::published::Published;
use crate::session::{OnceKey, OnceUse, Sessions, StoreUnavailable};
use crate::token::SessionId;

/// How long a lease lasts: longer than a provider may take for both of its answers, and the store for its own.
const LEASE: u64 = 60_000;

/// How long to wait before the store is tried again.
const RETRY: Duration = Duration::from_millis(250);

/// How often an exchanged refresh token is tried to be stored: for ten minutes.
const TRIES: u32 = 2400;

/// What renews.
pub(super) struct Renewer {
    pub(super) sessions: Sessions,
    pub(super) renewed: Arc<Published<RenewedSessions>>,
}

/// When a session may be looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// It was renewed, or has ended: requests learn of it.
    Done,
    /// Another replica renews it, or the store is away.
    Shortly,
    /// The provider is away.
    Long,
}

impl Wait {
    pub(super) fn duration(self) -> Duration {
        match self {
            Self::Done => Duration::ZERO,
            Self::Shortly => Duration::from_secs(1),
            Self::Long => Duration::from_secs(5),
        }
    }
}

/// What the store has of a session.
enum Found {
    /// Requests have been told what there is to know.
    Published,
    /// It is to be renewed.
    Due(BrowserSession),
}

/// What became of a record that was to be stored.
enum Stored {
    Yes,
    /// Somebody else has changed it, or the session has ended.
    Overtaken,
    /// The store was away for too long.
    No,
}

impl Renewer {
    pub(super) async fn renew(&self, request: RenewalRequest, gate: &Rc<ProviderGate>) -> Wait {
        match self.look(&request).await {
            Err(StoreUnavailable) => return Wait::Shortly,
            Ok(Found::Published) => return Wait::Done,
            Ok(Found::Due(_)) => {}
        }
        let Some(passage) = gate.pass().await else {
            return Wait::Long;
        };
        let lease = Renewal {
            session: request.session,
            holder: ambient::random_bytes(),
            millis: LEASE,
        };
        match self.sessions.lease(lease).await {
            Ok(true) => {}
            Ok(false) | Err(StoreUnavailable) => return Wait::Shortly,
        }
        // another replica may have renewed it before it gave the lease back
        let wait = match self.look(&request).await {
            Err(StoreUnavailable) => Wait::Shortly,
            Ok(Found::Published) => Wait::Done,
            Ok(Found::Due(record)) => self.ask(&request, record, passage).await,
        };
        self.sessions.release(lease).await;
        wait
    }

    /// Reads the record. Requests are told of one that is fresher than what they know, and of one that is lost.
    async fn look(&self, request: &RenewalRequest) -> Result<Found, StoreUnavailable> {
        let session = request.session;
        let record = self.sessions.find_browser(session).await?;
        let is_of_provider = |provider: &ProviderSession| {
            *provider.name == *request.provider.name()
                && *provider.fingerprint == *request.provider.fingerprint()
        };
        let found = record.filter(|record| record.provider.as_deref().is_some_and(is_of_provider));
        let Some(record) = found else {
            self.publish_lost(request);
            return Ok(Found::Published);
        };
        let Some(renewed) = RenewedSession::of(&record) else {
            return Ok(Found::Published);
        };
        // what stands beside a token that does not open may be anybody's
        let sealer = request.browsers.sealer();
        if record.open_refresh_token(session, sealer).is_none() {
            self.publish_lost(request);
            return Ok(Found::Published);
        }
        let now = ambient::unix_seconds();
        let is_due = is_due(renewed.checked_at, request.every, now);
        if renewed.checked_at > request.checked_at {
            self.publish(session, renewed);
        }
        Ok(if is_due {
            Found::Due(record)
        } else {
            Found::Published
        })
    }

    /// Asks the provider, and does what follows.
    async fn ask(
        &self,
        request: &RenewalRequest,
        record: BrowserSession,
        passage: Passage,
    ) -> Wait {
        match self.exchange(request, record, &passage).await {
            Ok(wait) => {
                answered(request, &passage);
                wait
            }
            Err(RenewalError::Away(reason)) => {
                if passage.failed() {
                    let provider = request.provider.name();
                    tracing::warn!(
                        event = "provider_lost",
                        provider,
                        reason,
                        "the provider does not renew sessions; they live on, and it is tried again"
                    );
                }
                Wait::Long
            }
            Err(RenewalError::Ended(reason)) => {
                answered(request, &passage);
                self.end(request, &reason).await
            }
        }
    }

    async fn exchange(
        &self,
        request: &RenewalRequest,
        mut record: BrowserSession,
        passage: &Passage,
    ) -> Result<Wait, RenewalError> {
        let (session, sealer) = (request.session, request.browsers.sealer());
        let Some(shown) = record.open_refresh_token(session, sealer) else {
            self.publish_lost(request);
            return Ok(Wait::Done);
        };
        let now = ambient::unix_seconds();
        let tokens = request.provider.refresh(&shown, now).await?;
        let fresh = tokens.refresh_token();
        if let Some(fresh) = fresh {
            let before = next_turn(&mut record);
            record.seal_refresh_token(session, sealer, fresh);
            match self.store(session, &record, before).await {
                Stored::Yes => {}
                Stored::Overtaken => return Ok(Wait::Shortly),
                Stored::No => return Ok(Wait::Long),
            }
        }
        let Some(provider) = record.provider.as_deref() else {
            return Ok(Wait::Done);
        };
        let identity = tokens.confirm(provider, ambient::unix_seconds()).await?;
        if identity
            .as_ref()
            .is_some_and(|now| now.subject != record.subject)
        {
            let reason = "the provider calls its user by another name now";
            return Err(RenewalError::Ended(reason.to_owned()));
        }
        // the store may take longer than the provider
        answered(request, passage);
        let before = next_turn(&mut record);
        confirm(&mut record, identity);
        record.seal_refresh_token(session, sealer, fresh.unwrap_or(&shown));
        match self.store(session, &record, before).await {
            Stored::Yes => {}
            Stored::Overtaken => return Ok(Wait::Shortly),
            Stored::No => return Ok(Wait::Long),
        }
        if let Some(renewed) = RenewedSession::of(&record) {
            self.publish(session, renewed);
        }
        Ok(Wait::Done)
    }

    /// Stores a record in place of the one it was made from. A refresh token that is not stored is lost, and with it the
    /// session at its provider: where the store is away, it is tried for as long as there is hope.
    async fn store(&self, session: SessionId, record: &BrowserSession, before: u64) -> Stored {
        for _ in 0..TRIES {
            let now = ambient::unix_seconds();
            let update = self
                .sessions
                .update_browser(session, record.clone(), before, now);
            match update.await {
                Ok(true) => return Stored::Yes,
                // it may be that an answer was lost, and not the change
                Ok(false) => match self.sessions.find_browser(session).await {
                    Ok(Some(found)) if found == *record => return Stored::Yes,
                    Ok(_) => return Stored::Overtaken,
                    Err(StoreUnavailable) => {}
                },
                Err(StoreUnavailable) => {}
            }
            sleep(RETRY).await;
        }
        Stored::No
    }

    async fn end(&self, request: &RenewalRequest, reason: &str) -> Wait {
        let times = request.times(ambient::unix_seconds());
        let (provider, session) = (request.provider.name(), request.session);
        // first: whoever finds the session ended finds why
        let key = OnceKey::new(OnceUse::RefusedSession, provider, &session.to_string());
        let noted = self.sessions.use_once(key, times.last_token, times.now);
        if noted.await.is_err() || self.sessions.end(session, times).await.is_err() {
            return Wait::Shortly;
        }
        tracing::info!(event = "provider_session_ended", provider, %session, reason,
            "the provider does not confirm a session any more; it has ended");
        Wait::Done
    }

    fn publish(&self, session: SessionId, renewed: RenewedSession) {
        self.renewed
            .change(|sessions| sessions.put(session, renewed));
    }

    /// Nothing can confirm the session any more: its user must go to the provider when it is time.
    fn publish_lost(&self, request: &RenewalRequest) {
        let lost = RenewedSession {
            identity: None,
            checked_at: request.checked_at,
            is_renewable: false,
        };
        self.publish(request.session, lost);
    }
}

/// The provider is there.
fn answered(request: &RenewalRequest, passage: &Passage) {
    if passage.succeeded() {
        let provider = request.provider.name();
        tracing::info!(
            event = "provider_restored",
            provider,
            "the provider renews sessions again"
        );
    }
}

/// Makes a later state of a record; says which state it is made from.
fn next_turn(record: &mut BrowserSession) -> u64 {
    let before = record.turn();
    if let Some(provider) = &mut record.provider {
        provider.turn = before.saturating_add(1);
    }
    before
}

fn confirm(record: &mut BrowserSession, identity: Option<BrowserIdentity>) {
    let Some(provider) = &mut record.provider else {
        return;
    };
    provider.checked_at = ambient::unix_seconds();
    if let Some(identity) = identity {
        provider.roles = identity.roles;
        provider.display_name = identity.display_name;
        provider.email = identity.email;
    }
}
