//! A user name and a password with each request (RFC 7617). The first time they are checked, which takes as long as bcrypt
//! does: the request waits, and is decided afterwards with what is in force then.

use std::net::IpAddr;

use super::audited;
use super::connection::ClientConnection;
use super::note::note_login;
use super::record::RequestRecord;
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

/// Checks a pair, or waits for whoever does; says why it is refused. Afterwards the snapshot in force is pinned.
pub(super) async fn check_pair(
    worker: &Worker,
    record: &mut RequestRecord,
    pair: &UncheckedPair,
    connection: &ClientConnection,
) -> Option<CredentialError> {
    record.reservation = None;
    let accountable = pair.client.known();
    let accountable = accountable.unwrap_or(connection.peer().address());
    let refused = check(worker, record, pair, accountable).await;
    record.pin_again();
    reserve(record).await;
    refused
}

async fn check(
    worker: &Worker,
    record: &mut RequestRecord,
    pair: &UncheckedPair,
    accountable: IpAddr,
) -> Option<CredentialError> {
    let pinned = record.pinned();
    let passwords = &pinned.snapshot.passwords;
    let guard = match passwords.check(pair.digest) {
        PairCheck::Pending(pending) => return pending.over().await,
        PairCheck::Mine(guard) => guard,
    };
    let BasicCredentials { username, password } = &pair.credentials;
    let (event, checked) = pinned
        .snapshot
        .portal
        .check_password(username, password, accountable)
        .await;
    note(worker, record, event, pair.client).await;
    match checked {
        Ok(CheckedPassword { identity, ttl }) => {
            let until = ttl.map(|ttl| ambient::unix_seconds().saturating_add(ttl.as_secs()));
            guard.verified(identity, pair.client, until.unwrap_or(NEVER));
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
    }
}

fn refusal(denial: LoginDenial) -> CredentialError {
    match denial {
        LoginDenial::Invalid(_) | LoginDenial::TooLong(_) | LoginDenial::Client => {
            CredentialError::Password
        }
        LoginDenial::LockedOut(seconds) => CredentialError::LockedOut(seconds),
        LoginDenial::Busy
        | LoginDenial::Away
        | LoginDenial::DirectoryAway
        | LoginDenial::NoToken(_) => CredentialError::Unchecked,
    }
}

/// Whether the account is held for the client from now on.
fn is_locked_out(denial: LoginDenial) -> bool {
    match denial {
        LoginDenial::LockedOut(_) => true,
        LoginDenial::Invalid(begun) | LoginDenial::TooLong(begun) => {
            begun.scopes().next().is_some()
        }
        LoginDenial::Client
        | LoginDenial::Busy
        | LoginDenial::Away
        | LoginDenial::DirectoryAway
        | LoginDenial::NoToken(_) => false,
    }
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

async fn reserve(record: &mut RequestRecord) {
    if let Some(audit) = record.snapshot().audit.clone() {
        audited::reserve(record, audit).await;
    }
}
