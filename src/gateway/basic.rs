//! A user name and a password with each request (RFC 7617). The first time they are checked, which takes as long as bcrypt
//! does: the request waits, and is decided afterwards with what is in force then.

use std::net::IpAddr;

use super::audited;
use super::connection::ClientConnection;
use super::note::note_login;
use super::record::RequestRecord;
use super::snapshot::Snapshot;
use super::unchecked::UncheckedPair;
use super::worker::Worker;
use crate::access::ClientAddress;
use crate::ambient;
use crate::identify::{CredentialError, PairCheck};
use crate::portal::{CheckedPassword, LoginDenial, LoginEvent, PortalReply};
use crate::users::NEVER;
use crate::wire::BasicCredentials;

/// How often a request is decided anew because the configuration was exchanged while its password was checked.
pub(super) const TRIES: usize = 3;

/// The result of a check.
pub(super) struct PairVerdict {
    /// Why the pair is refused, if it is.
    pub(super) refused: Option<CredentialError>,
    /// What is to be recorded of it; `None` for those who waited for the check of an equal pair.
    pub(super) login: Option<LoginEvent>,
}

/// Checks a pair, or waits for whoever does; says why it is refused. Afterwards the snapshot in force is pinned.
pub(super) async fn check_pair(
    worker: &Worker,
    record: &mut RequestRecord,
    pair: &UncheckedPair,
    connection: &ClientConnection,
) -> Option<CredentialError> {
    record.reservation = None;
    let pinned = record.pinned();
    let peer = connection.peer().address();
    let PairVerdict { refused, login } = check(&pinned.snapshot, pair, peer).await;
    if let Some(event) = login {
        note(worker, record, event, pair.client).await;
    }
    record.pin_again();
    reserve(record).await;
    refused
}

/// Checks a pair, or waits for whoever does. Failed attempts count for `peer` where the client's address is not known.
pub(super) async fn check(snapshot: &Snapshot, pair: &UncheckedPair, peer: IpAddr) -> PairVerdict {
    let passwords = &snapshot.passwords;
    let guard = match passwords.check(pair.digest) {
        PairCheck::Pending(pending) => {
            let refused = pending.over().await;
            return PairVerdict {
                refused,
                login: None,
            };
        }
        PairCheck::Mine(guard) => guard,
    };
    let BasicCredentials { username, password } = &pair.credentials;
    let accountable = pair.client.known().unwrap_or(peer);
    let portal = &snapshot.portal;
    let (event, checked) = portal.check_password(username, password, accountable).await;
    let refused = match checked {
        Ok(CheckedPassword { identity, ttl }) => {
            let until = ttl.map(|ttl| ambient::unix_seconds().saturating_add(ttl.as_secs()));
            guard.verified(identity, username, pair.client, until.unwrap_or(NEVER));
            None
        }
        Err(denial) => {
            let why = refusal(denial);
            if is_locked_out(denial) {
                passwords.forget(username, pair.client);
            }
            guard.refused(why);
            Some(why)
        }
    };
    PairVerdict {
        refused,
        login: Some(event),
    }
}

fn refusal(denial: LoginDenial) -> CredentialError {
    match denial {
        LoginDenial::Invalid(_)
        | LoginDenial::TooLong(_)
        | LoginDenial::WrongCode(_)
        | LoginDenial::Continuation
        | LoginDenial::Client => CredentialError::Password,
        LoginDenial::SecondFactor | LoginDenial::NoFactor => CredentialError::SecondFactor,
        LoginDenial::LockedOut(seconds) => CredentialError::LockedOut(seconds),
        LoginDenial::Busy
        | LoginDenial::Away
        | LoginDenial::DirectoryAway
        | LoginDenial::Unreadable
        | LoginDenial::NoToken(_) => CredentialError::Unchecked,
    }
}

/// Whether the account is held for the client from now on.
fn is_locked_out(denial: LoginDenial) -> bool {
    let begun = denial.begun().unwrap_or_default();
    matches!(denial, LoginDenial::LockedOut(_)) || begun.scopes().next().is_some()
}

/// Counts, logs and records it like any other login.
async fn note(
    worker: &Worker,
    record: &mut RequestRecord,
    event: LoginEvent,
    client: ClientAddress,
) {
    note_login(worker, &event, client);
    reserve(record).await;
    let reply = PortalReply {
        login: Some(event),
        ..PortalReply::default()
    };
    audited::portal(record, &reply);
    record.reservation = None;
}

/// Takes a place in the audit stream, where that is on.
pub(super) async fn reserve(record: &mut RequestRecord) {
    if let Some(audit) = record.snapshot().audit.clone() {
        audited::reserve(record, audit).await;
    }
}
