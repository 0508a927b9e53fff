//! HTTP Basic at the endpoints of the gateway that say who the caller is. It counts where some service accepts it, and where
//! nothing else is sent: a browser may send what it knows for a service of this host that has passwords of its own.

use http::HeaderMap;

use super::decide::refuse_credential;
use super::rejection::Rejection;
use super::snapshot::Snapshot;
use super::unchecked::UncheckedPair;
use super::worker::{Pinned, Worker};
use crate::identify::{CredentialOutcome, Identified};
use crate::portal::PortalEndpoint;
use crate::wire::{AcceptedCredentials, Challenges, CredentialSource, Intake, is_of_page};

impl Snapshot {
    fn accepts_passwords(&self) -> bool {
        let mut services = self.services.iter();
        services.any(|service| service.credentials.basic)
    }

    /// What an endpoint asks a caller for whom it does not know.
    fn own_challenges(&self, endpoint: PortalEndpoint, headers: &HeaderMap) -> Challenges {
        let asks = endpoint.identifies() && !is_of_page(headers);
        Challenges {
            basic: asks && self.accepts_passwords(),
            ..Challenges::default()
        }
    }
}

/// Takes the user name and the password for the credential of a request that has no other. Gives them where they have to be
/// checked first.
pub(super) fn take_password(
    worker: &Worker,
    pinned: &Pinned,
    intake: &mut Intake,
) -> Result<Option<UncheckedPair>, Rejection> {
    let snapshot = &*pinned.snapshot;
    if intake.credential.is_some() || !snapshot.accepts_passwords() {
        return Ok(None);
    }
    let accepted = AcceptedCredentials {
        basic: true,
        ..AcceptedCredentials::default()
    };
    intake.choose_credential(accepted, &snapshot.cookie)?;
    Ok(worker.unchecked(pinned, intake.credential.as_ref(), intake.client.address))
}

/// Refuses a wrong user name or password as a service would. Gives what an endpoint asks a caller for whom it does not know.
pub(super) fn refuse_password(
    snapshot: &Snapshot,
    endpoint: PortalEndpoint,
    intake: &Intake,
    identified: &Identified,
) -> Result<Challenges, Rejection> {
    let challenges = snapshot.own_challenges(endpoint, &intake.head.headers);
    let credential = intake.credential.as_ref();
    let is_basic = credential.is_some_and(|one| one.source() == CredentialSource::Basic);
    match identified.credential {
        CredentialOutcome::Refused(error) if is_basic => Err(refuse_credential(error, challenges)),
        CredentialOutcome::Refused(_)
        | CredentialOutcome::Absent
        | CredentialOutcome::Holds { .. } => Ok(challenges),
    }
}
