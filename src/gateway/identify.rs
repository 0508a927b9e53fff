//! Step 4: whose credential is it? For the gateway's own tokens the user list is the truth at every request.

use std::net::IpAddr;
use std::sync::Arc;

use super::snapshot::Snapshot;
use super::worker::Pinned;
use crate::access::Caller;
use crate::telemetry::metrics::TokenRefusal;
use crate::token::{Refusal, SessionToken, VerifiedClaims};
use crate::users::{Directory, User};
use crate::wire::{Credential, CredentialSource};

/// A caller, with what the rest of the flow says about the credential.
pub(super) struct Identified {
    pub(super) caller: Caller,
    pub(super) credential: Outcome,
    /// The same session for another while, where it is time.
    pub(super) renewal: Option<SessionToken>,
}

/// What became of the credential.
pub(super) enum Outcome {
    /// There was none.
    Absent,
    /// It holds until this second since 1970.
    Holds { expires_at: u64 },
    /// It does not hold.
    Refused(CredentialError),
}

/// Why a credential does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CredentialError {
    /// The token itself is refused.
    Token(Refusal),
    /// Its user is not on the list.
    UserGone,
    /// Its user is disabled.
    UserDisabled,
    /// It is older than its user's `tokens_valid_after`, or does not say how old it is.
    TooOld,
}

/// Looks whether the credential holds now. Never an error: a bad credential is a kind of caller.
pub(super) fn identify(
    pinned: &Pinned,
    credential: Option<&Credential>,
    address: Option<IpAddr>,
    now: u64,
) -> Identified {
    let Some(credential) = credential else {
        return Identified { caller: Caller::anonymous(address), credential: Outcome::Absent, renewal: None };
    };
    let held = match credential.source() {
        CredentialSource::Bearer => holder(pinned, credential.token(), now),
        CredentialSource::Cookie => session_holder(pinned, credential.token(), now),
    };
    match held {
        Ok(Held { user, expires_at, renewal }) => Identified {
            caller: Caller::known(Arc::clone(&user.identity), address),
            credential: Outcome::Holds { expires_at },
            renewal,
        },
        Err(error) => {
            Identified { caller: Caller::rejected(address), credential: Outcome::Refused(error), renewal: None }
        }
    }
}

/// A credential that holds.
struct Held<'p> {
    user: &'p User,
    expires_at: u64,
    renewal: Option<SessionToken>,
}

/// Whose token it is, and until when. A token that was verified a moment ago is not verified again, but its time and
/// its user are looked at every time.
fn holder<'p>(pinned: &'p Pinned, token: &str, now: u64) -> Result<Held<'p>, CredentialError> {
    let Snapshot { verifier, directory, .. } = &*pinned.snapshot;
    let held = |claims: &VerifiedClaims| {
        let user = find_user(directory, &claims.subject, claims.issued_at)?;
        Ok(Held { user, expires_at: claims.expires_at, renewal: None })
    };
    if let Some(claims) = pinned.tokens.borrow().find(token)
        && verifier.still_holds(claims, now)
    {
        return held(claims);
    }
    let claims = verifier.verify(token, now).map_err(CredentialError::Token)?;
    let held = held(&claims)?;
    pinned.tokens.borrow_mut().keep(token, claims);
    Ok(held)
}

/// The same for the session of a browser. It is as old as its sign-in, however often it was renewed.
fn session_holder<'p>(pinned: &'p Pinned, token: &str, now: u64) -> Result<Held<'p>, CredentialError> {
    let Snapshot { sessions, directory, .. } = &*pinned.snapshot;
    let held = |claims: &VerifiedClaims| {
        let user = find_user(directory, &claims.subject, claims.signed_in_at)?;
        Ok(Held { user, expires_at: claims.expires_at, renewal: sessions.renew(claims, now) })
    };
    if let Some(claims) = pinned.sessions.borrow().find(token)
        && sessions.still_holds(claims, now)
    {
        return held(claims);
    }
    let claims = sessions.verify(token, now).map_err(CredentialError::Token)?;
    let held = held(&claims)?;
    pinned.sessions.borrow_mut().keep(token, claims);
    Ok(held)
}

/// `issued_at` is the age that counts for `tokens_valid_after`.
fn find_user<'d>(directory: &'d Directory, subject: &str, issued_at: Option<u64>) -> Result<&'d User, CredentialError> {
    match directory.find(subject) {
        None => Err(CredentialError::UserGone),
        Some(user) if user.disabled => Err(CredentialError::UserDisabled),
        Some(user) if !user.admits(issued_at) => Err(CredentialError::TooOld),
        Some(user) => Ok(user),
    }
}

impl CredentialError {
    /// A short, fixed name for logs.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Token(refusal) => refusal.label(),
            Self::UserGone => "user_gone",
            Self::UserDisabled => "user_disabled",
            Self::TooOld => "too_old",
        }
    }

    /// What the client is told. That a user is gone or disabled is not its business.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Token(refusal) => refusal.description(),
            Self::UserGone | Self::UserDisabled | Self::TooOld => "the token is no longer accepted",
        }
    }

    /// How it is counted.
    pub(super) fn kind(self) -> TokenRefusal {
        match self {
            Self::Token(refusal) => kind_of(refusal),
            Self::UserGone | Self::UserDisabled => TokenRefusal::User,
            Self::TooOld => TokenRefusal::Revoked,
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
