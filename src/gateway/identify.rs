//! Step 4: whose credential is it? For the gateway's own tokens the user list is the truth at every request.

use std::net::IpAddr;
use std::sync::Arc;

use super::snapshot::Snapshot;
use super::worker::{Pinned, Worker};
use crate::access::Caller;
use crate::telemetry::metrics::TokenRefusal;
use crate::token::{Refusal, SessionId, VerifiedClaims};
use crate::users::{Directory, User};
use crate::wire::Credential;

/// A caller, with what the rest of the flow says about the credential.
pub(super) struct Identified {
    pub(super) caller: Caller,
    pub(super) credential: Outcome,
}

/// What became of the credential.
pub(super) enum Outcome {
    /// There was none.
    Absent,
    /// It holds until this second since 1970, unless its session is ended.
    Holds { expires_at: u64, session: SessionId },
    /// It does not hold.
    Refused(CredentialError),
}

/// Why a credential does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CredentialError {
    /// The token itself is refused.
    Token(Refusal),
    /// Its session was ended.
    Revoked,
    /// Its user is not on the list.
    UserGone,
    /// Its user is disabled.
    UserDisabled,
    /// It is older than its user's `tokens_valid_after`, or does not say how old it is.
    TooOld,
}

/// Looks whether the credential holds now. Never an error: a bad credential is a kind of caller.
pub(super) fn identify(
    worker: &Worker,
    pinned: &Pinned,
    credential: Option<&Credential>,
    address: Option<IpAddr>,
    now: u64,
) -> Identified {
    let Some(credential) = credential else {
        return Identified { caller: Caller::anonymous(address), credential: Outcome::Absent };
    };
    match holder(worker, pinned, credential.token(), now) {
        Ok(Holder { user, expires_at, session }) => Identified {
            caller: Caller::known(Arc::clone(&user.identity), address),
            credential: Outcome::Holds { expires_at, session },
        },
        Err(error) => Identified { caller: Caller::rejected(address), credential: Outcome::Refused(error) },
    }
}

/// Whose token it is, and until when.
struct Holder<'p> {
    user: &'p User,
    expires_at: u64,
    session: SessionId,
}

/// A token that was verified a moment ago is not verified again, but its time, its session and its user are looked at
/// every time.
fn holder<'p>(worker: &Worker, pinned: &'p Pinned, token: &str, now: u64) -> Result<Holder<'p>, CredentialError> {
    let Snapshot { verifier, directory, .. } = &*pinned.snapshot;
    if let Some(claims) = pinned.tokens.borrow().find(token)
        && verifier.still_holds(claims, now)
    {
        return admit(worker, directory, claims);
    }
    let claims = verifier.verify(token, now).map_err(CredentialError::Token)?;
    let holder = admit(worker, directory, &claims)?;
    pinned.tokens.borrow_mut().keep(token, claims);
    Ok(holder)
}

/// What may change while a token lives.
fn admit<'d>(
    worker: &Worker,
    directory: &'d Directory,
    claims: &VerifiedClaims,
) -> Result<Holder<'d>, CredentialError> {
    if worker.revocations().is_revoked(&claims.session) {
        return Err(CredentialError::Revoked);
    }
    let user = find_user(directory, claims)?;
    Ok(Holder { user, expires_at: claims.expires_at, session: claims.session })
}

fn find_user<'d>(directory: &'d Directory, claims: &VerifiedClaims) -> Result<&'d User, CredentialError> {
    match directory.find(&claims.subject) {
        None => Err(CredentialError::UserGone),
        Some(user) if user.disabled => Err(CredentialError::UserDisabled),
        Some(user) if !user.admits(claims.issued_at) => Err(CredentialError::TooOld),
        Some(user) => Ok(user),
    }
}

impl CredentialError {
    /// A short, fixed name for logs.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Token(refusal) => refusal.label(),
            Self::Revoked => "session_ended",
            Self::UserGone => "user_gone",
            Self::UserDisabled => "user_disabled",
            Self::TooOld => "too_old",
        }
    }

    /// What the client is told. That a user is gone or disabled is not its business.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Token(refusal) => refusal.description(),
            Self::Revoked | Self::UserGone | Self::UserDisabled | Self::TooOld => "the token is no longer accepted",
        }
    }

    /// How it is counted.
    pub(super) fn kind(self) -> TokenRefusal {
        match self {
            Self::Token(refusal) => kind_of(refusal),
            Self::UserGone | Self::UserDisabled => TokenRefusal::User,
            Self::Revoked | Self::TooOld => TokenRefusal::Revoked,
        }
    }
}

fn kind_of(refusal: Refusal) -> TokenRefusal {
    match refusal {
        Refusal::TooLarge
        | Refusal::Malformed
        | Refusal::Header
        | Refusal::Type
        | Refusal::Critical
        | Refusal::Claims
        | Refusal::Missing
        | Refusal::Subject
        | Refusal::Lifetime => TokenRefusal::Malformed,
        Refusal::Algorithm | Refusal::KeyId | Refusal::Signature => TokenRefusal::Signature,
        Refusal::Issuer | Refusal::Audience => TokenRefusal::Scope,
        Refusal::Expired => TokenRefusal::Expired,
        Refusal::NotYetValid | Refusal::IssuedAt => TokenRefusal::Premature,
    }
}
