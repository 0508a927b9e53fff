//! Which credential of a request identifies its sender. A bearer token counts first, unless it is none of the gateway's
//! and of its issuers': beside a valid session cookie such a token is the service's own, and the cookie identifies.

use http::HeaderMap;

use super::snapshot::Snapshot;
use super::unchecked::Sender;
use super::worker::{Pinned, Worker};
use crate::access::ClientAddress;
use crate::identify::{CredentialError, CredentialOutcome};
use crate::session::RefreshToken;
use crate::token::ClaimedIssuers;
use crate::wire::{
    AcceptedCredentials, BasicCredentials, Credential, CredentialSource, GatewayCookies, Intake,
    Scheme, is_api_key,
};

/// The credentials of a request.
pub(super) struct Presented<'a> {
    /// The bearer token or API key, else the session cookie. Afterwards, the one that identifies the sender.
    pub(super) credential: &'a mut Option<Credential>,
    pub(super) cookies: &'a GatewayCookies,
    /// How the client came, which says under which name its cookie counts.
    pub(super) scheme: Scheme,
}

/// Whose request it is, now. `refused` says why its user name and password are not accepted, where they were checked.
pub(super) fn identify_sender(
    worker: &Worker,
    pinned: &Pinned,
    intake: &mut Intake,
    refused: Option<CredentialError>,
) -> Sender {
    let presented = Presented {
        credential: &mut intake.credential,
        cookies: &intake.cookies,
        scheme: intake.site.scheme,
    };
    let client = (intake.client.address, refused);
    identify_presented(worker, pinned, presented, client)
}

/// Whose credentials they are, now.
pub(super) fn identify_presented(
    worker: &Worker,
    pinned: &Pinned,
    presented: Presented<'_>,
    (address, refused): (ClientAddress, Option<CredentialError>),
) -> Sender {
    if let Some(session) = session_beside(pinned, &presented) {
        let identified = worker.identify(pinned, Some(&session), address);
        if matches!(identified.credential, CredentialOutcome::Holds { .. }) {
            *presented.credential = Some(session);
            return Sender::Identified(identified);
        }
    }
    let credential = presented.credential.as_ref();
    let identified = worker.identify(pinned, credential, address);
    let unchecked = CredentialOutcome::Refused(CredentialError::Unchecked);
    if refused.is_none()
        && identified.credential == unchecked
        && let Some(pair) = worker.unchecked(pinned, credential, address)
    {
        return Sender::Unchecked(pair);
    }
    let identified = identified.refused_for(refused);
    if let CredentialOutcome::Refused(error) = identified.credential {
        worker.shard.token_refused(error.kind());
    }
    Sender::Identified(identified)
}

/// The session cookie beside a bearer token that may be the service's own.
fn session_beside(pinned: &Pinned, presented: &Presented<'_>) -> Option<Credential> {
    let bearer = presented.credential.as_ref()?;
    if bearer.source() != CredentialSource::Bearer || !presented.cookies.has_sessions() {
        return None;
    }
    let (snapshot, token) = (&*pinned.snapshot, bearer.token());
    if pinned.verified.contains_bearer(token) || snapshot.may_be_issued(token) {
        return None;
    }
    snapshot
        .cookie
        .credential(presented.cookies, presented.scheme)
}

/// Keeps a token of the gateway from a service that is open to anyone: what is refused today, as that of a disabled
/// user, may be accepted tomorrow. Other tokens may be the service's own.
pub(super) fn withhold_own(snapshot: &Snapshot, credential: Option<&mut Credential>) {
    if let Some(credential) = credential
        && snapshot.claims_to_be_own(credential.token())
    {
        credential.withhold();
    }
}

/// What was sent to a service that does not accept it, and is a secret of the gateway: the service shall not get it.
pub(super) fn unaccepted_secret(
    snapshot: &Snapshot,
    accepted: AcceptedCredentials,
    field: Option<&Credential>,
    headers: &HeaderMap,
) -> Option<Credential> {
    let is_secret = |sent: &Credential| match sent.source() {
        CredentialSource::ApiKey => true,
        CredentialSource::Bearer => snapshot.claims_to_be_own(sent.token()),
        CredentialSource::Basic => {
            let pair = BasicCredentials::parse(sent.token());
            pair.is_some_and(|pair| is_api_key(&pair.password))
        }
        CredentialSource::Cookie => false,
    };
    accepted.unaccepted(field, headers).filter(is_secret)
}

impl Snapshot {
    /// Whether a token says that it is the gateway's own. Nothing is verified.
    pub(super) fn claims_to_be_own(&self, token: &str) -> bool {
        RefreshToken::is_claimed_by(token) || self.verifier.is_named_by(token)
    }

    /// Whether a token may be one of the gateway or of an issuer that it trusts. None of theirs is good without `iss`, so a
    /// JWT without one is somebody else's.
    fn may_be_issued(&self, token: &str) -> bool {
        let claimed = ClaimedIssuers::read(token);
        let is_known =
            |name: &str| name == self.verifier.issuer() || self.trusted_issuers.contains(name);
        RefreshToken::is_claimed_by(token) || claimed.any(is_known)
    }
}
