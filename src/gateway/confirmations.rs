//! What providers say of sessions while these last: read by requests from memory, and asked for beside them.

use std::sync::Arc;
use std::time::Duration;

use super::snapshot::Snapshot;
use crate::identify::Confirmations;
use crate::session::{RenewalRequest, RenewalView, RenewedSession};
use crate::token::{ProviderClaims, SessionId};

/// One worker's view, under one snapshot.
pub(super) struct WorkerConfirmations<'a> {
    pub(super) view: &'a RenewalView,
    pub(super) snapshot: &'a Snapshot,
}

impl Confirmations for WorkerConfirmations<'_> {
    fn newer(&self, session: &SessionId, said: &ProviderClaims) -> Option<Arc<ProviderClaims>> {
        let renewed = self.view.find(session)?;
        is_newer(&renewed, said).then(|| Arc::new(said_now(&renewed, said)))
    }

    fn request(&self, session: SessionId, said: &ProviderClaims) {
        let mut providers = self.snapshot.renewing.iter();
        let Some(provider) = providers.find(|one| one.of.name == said.provider) else {
            return;
        };
        self.view.request(session, || RenewalRequest {
            session,
            provider: Arc::clone(&provider.asked),
            browsers: Arc::clone(&self.snapshot.browsers),
            checked_at: said.checked_at,
            every: Duration::from_secs(provider.of.refresh),
            longest_token: self.snapshot.longest_token,
        });
    }
}

/// Whether the cookie says less: it is older, or of a refresh token that is lost.
fn is_newer(renewed: &RenewedSession, said: &ProviderClaims) -> bool {
    let is_lost = said.has_refresh_token && !renewed.is_renewable;
    renewed.checked_at > said.checked_at || (renewed.checked_at == said.checked_at && is_lost)
}

/// What the cookie would say now.
fn said_now(renewed: &RenewedSession, said: &ProviderClaims) -> ProviderClaims {
    let mut now = said.clone();
    now.checked_at = renewed.checked_at;
    now.has_refresh_token = renewed.is_renewable;
    if let Some(identity) = &renewed.identity {
        now.roles = identity.roles.clone();
        now.name = identity.display_name.clone();
        now.email = identity.email.clone();
    }
    now
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::BrowserIdentity;

    #[test]
    fn the_newest_word_counts_and_a_lost_token_is_said() {
        let said = ProviderClaims {
            roles: vec!["admin".into()],
            name: Some("Ann".into()),
            checked_at: 100,
            has_refresh_token: true,
            ..ProviderClaims::default()
        };
        let renewed = |checked_at, is_renewable, roles: Option<&str>| RenewedSession {
            identity: roles.map(|role| BrowserIdentity {
                subject: "ann".into(),
                roles: vec![role.into()],
                ..BrowserIdentity::default()
            }),
            checked_at,
            is_renewable,
        };
        for (renewed, newer) in [
            (renewed(99, true, None), false),
            (renewed(99, false, None), false),
            (renewed(100, true, None), false),
            (renewed(100, false, None), true),
            (renewed(101, true, Some("staff")), true),
        ] {
            assert_eq!(is_newer(&renewed, &said), newer, "{renewed:?}");
        }
        let now = said_now(&renewed(101, true, Some("staff")), &said);
        assert_eq!((&*now.roles, now.name), (&["staff".into()][..], None));
        let now = said_now(&renewed(100, false, None), &said);
        assert_eq!((&*now.roles, now.checked_at), (&["admin".into()][..], 100));
        assert!(!now.has_refresh_token);
    }
}
