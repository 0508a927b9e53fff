//! Step 4: whose credential is it? For the gateway's own tokens the user list is the truth at every request.

use std::sync::Arc;

use super::credential_error::CredentialError;
use super::remembered::{Admitted, Remembered};
use super::snapshot::Snapshot;
use super::worker::{Pinned, Worker};
use crate::access::{Caller, ClientAddress, Identity};
use crate::token::{ExternalToken, SessionId, TokenError, VerifiedClaims};
use crate::users::{Directory, User, UserRefusal};
use crate::wire::{Credential, CredentialSource};

/// A caller, with the result of checking its credential.
pub(super) struct Identified {
    pub(super) caller: Caller,
    pub(super) credential: CredentialOutcome,
    /// The session of a browser that is to last for another while, where it is time.
    pub(super) renewal: Option<Box<VerifiedClaims>>,
}

/// Whose credential it is, until which second since 1970, and in which session of ours, if in any.
struct Holder {
    identity: Arc<Identity>,
    expires_at: u64,
    session: Option<SessionId>,
    renewal: Option<Box<VerifiedClaims>>,
}

/// The result of checking a credential.
pub(super) enum CredentialOutcome {
    /// The request has no credential.
    Absent,
    /// Valid until this second since 1970, unless its session ends. API keys and tokens of other issuers belong to no
    /// session of the gateway.
    Holds {
        expires_at: u64,
        session: Option<SessionId>,
    },
    /// Not valid.
    Refused(CredentialError),
}

impl Admitted {
    /// What may change while the token lives: whether its session has ended.
    fn holder(&self, worker: &Worker) -> Result<Holder, CredentialError> {
        let Self { claims, identity } = self;
        if worker.revocations().is_revoked(&claims.session) {
            return Err(CredentialError::Revoked);
        }
        let (identity, session) = (Arc::clone(identity), Some(claims.session));
        Ok(Holder {
            identity,
            expires_at: claims.expires_at,
            session,
            renewal: None,
        })
    }
}

/// Checks whether the credential is valid now. Never an error: an invalid credential is a kind of caller.
pub(super) fn identify(
    worker: &Worker,
    pinned: &Pinned,
    credential: Option<&Credential>,
    address: ClientAddress,
    now: u64,
) -> Identified {
    let Some(credential) = credential else {
        return Identified {
            caller: Caller::anonymous(address),
            credential: CredentialOutcome::Absent,
            renewal: None,
        };
    };
    let found = match credential.source() {
        CredentialSource::Bearer => holder(worker, pinned, credential.token(), now),
        CredentialSource::ApiKey => key_holder(pinned, credential.token(), now),
        CredentialSource::Cookie => browser_holder(worker, pinned, credential.token(), now),
    };
    match found {
        Ok(Holder {
            identity,
            expires_at,
            session,
            renewal,
        }) => Identified {
            caller: Caller::known(identity, address),
            credential: CredentialOutcome::Holds {
                expires_at,
                session,
            },
            renewal,
        },
        Err(error) => Identified {
            caller: Caller::rejected(address),
            credential: CredentialOutcome::Refused(error),
            renewal: None,
        },
    }
}

/// The holder of an API key. It is looked up every time: one hash costs less than a safe cache.
fn key_holder(pinned: &Pinned, key: &str, now: u64) -> Result<Holder, CredentialError> {
    let key = pinned
        .snapshot
        .directory
        .find_key(key, now)
        .map_err(CredentialError::ApiKey)?;
    let identity = Arc::clone(&key.identity);
    Ok(Holder {
        identity,
        expires_at: key.expires_at,
        session: None,
        renewal: None,
    })
}

/// A token that was verified a moment ago is not verified again, but its time and its session are looked at every time.
fn holder(
    worker: &Worker,
    pinned: &Pinned,
    token: &str,
    now: u64,
) -> Result<Holder, CredentialError> {
    let Snapshot {
        verifier,
        trusted_issuers,
        directory,
        ..
    } = &*pinned.snapshot;
    match pinned.tokens.borrow().find(token) {
        Some(Remembered::Own(token)) if verifier.is_still_valid(&token.claims, now) => {
            return token.holder(worker);
        }
        Some(Remembered::Foreign(token)) if trusted_issuers.is_still_valid(token, now) => {
            return Ok(bearer_of(token));
        }
        Some(_) | None => {}
    }
    let (holder, remembered) = match trusted_issuers.verify(token, now) {
        Some(token) => {
            let token = token.map_err(CredentialError::Token)?;
            directory
                .admit_foreign(&token.identity, token.issued_at)
                .map_err(refused)?;
            (bearer_of(&token), Remembered::Foreign(token))
        }
        None => {
            let claims = verifier
                .verify(token, now)
                .map_err(CredentialError::Token)?;
            let admitted = admit(directory, claims, |claims| claims.issued_at)?;
            (admitted.holder(worker)?, Remembered::Own(admitted))
        }
    };
    pinned.tokens.borrow_mut().keep(token, remembered);
    Ok(holder)
}

/// The same for the session of a browser. It is as old as its sign-in, however often it was renewed.
fn browser_holder(
    worker: &Worker,
    pinned: &Pinned,
    token: &str,
    now: u64,
) -> Result<Holder, CredentialError> {
    let Snapshot {
        browsers,
        directory,
        ..
    } = &*pinned.snapshot;
    let renewed = |admitted: &Admitted| {
        let due = browsers.is_due(&admitted.claims, now);
        Ok(Holder {
            renewal: due.then(|| Box::new(admitted.claims.clone())),
            ..admitted.holder(worker)?
        })
    };
    if let Some(admitted) = pinned.sessions.borrow().find(token)
        && browsers.is_still_valid(&admitted.claims, now)
    {
        return renewed(admitted);
    }
    let claims = browsers
        .verify(token, now)
        .map_err(CredentialError::Token)?;
    let admitted = admit(directory, claims, |claims| claims.signed_in_at)?;
    let holder = renewed(&admitted)?;
    pinned.sessions.borrow_mut().keep(token, admitted);
    Ok(holder)
}

/// Whose token it is, if the list still has its user. `age` is what counts for `tokens_valid_after`.
fn admit(
    directory: &Directory,
    claims: VerifiedClaims,
    age: impl Fn(&VerifiedClaims) -> Option<u64>,
) -> Result<Admitted, CredentialError> {
    let identity = Arc::clone(&find_user(directory, &claims.subject, age(&claims))?.identity);
    Ok(Admitted { claims, identity })
}

fn bearer_of(token: &ExternalToken) -> Holder {
    Holder {
        identity: Arc::clone(&token.identity),
        expires_at: token.expires_at,
        session: None,
        renewal: None,
    }
}

fn find_user<'d>(
    directory: &'d Directory,
    subject: &str,
    issued_at: Option<u64>,
) -> Result<&'d User, CredentialError> {
    let user = directory.find(subject).ok_or(CredentialError::UserGone)?;
    user.admit(issued_at).map_err(refused)?;
    Ok(user)
}

fn refused(refusal: UserRefusal) -> CredentialError {
    match refusal {
        // services would take another issuer's `alice` for ours
        UserRefusal::Impostor => CredentialError::Token(TokenError::Subject),
        UserRefusal::Disabled => CredentialError::UserDisabled,
        UserRefusal::TooOld => CredentialError::TooOld,
    }
}
