//! A new key for somebody who is signed in.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::ceremony::Purpose;
use super::rejection::PasskeyRejection;
use super::{Finish, TRIES, read, registered_keys};
use crate::access::Identity;
use crate::portal::account::{AccountChange, AccountEvent, DONE, DONE_KEY, MayChange};
use crate::portal::me::PortalCaller;
use crate::portal::recovery::{FreshCodes, first_codes};
use crate::portal::return_path::ReturnPath;
use crate::portal::{Portal, PortalContext, PortalReply};
use crate::session::{FactorRecord, FactorSwap, StoredPasskey};
use crate::token::{SessionId, SignIn};
use crate::webauthn::{AuthenticatorKind, KeyHolder, RegisteredKey, RelyingParty};
use crate::wire::{self, Intake};

/// The most keys that one person can have, of both kinds together.
const MOST_KEYS: usize = 20;

/// The most characters of a key's name.
const NAME_LENGTH: usize = 64;

#[derive(Deserialize)]
struct Start {
    kind: AuthenticatorKind,
    /// Where the browser goes on.
    #[serde(default)]
    next: String,
}

/// Where the page goes on; with a form that it sends there where something is to be shown once.
#[derive(Serialize)]
struct Added<'a> {
    location: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    form: Option<CodesForm>,
}

/// A form of the account's page.
#[derive(Serialize)]
struct CodesForm {
    change: &'static str,
    sealed: String,
}

/// Who may add a key.
struct KeyOwner<'a> {
    identity: &'a Arc<Identity>,
    session: SessionId,
    sign_in: SignIn,
    /// Where they go on.
    next: Option<ReturnPath>,
}

impl Portal {
    /// `registration/start`.
    pub(super) async fn start_registration(
        &self,
        site: &RelyingParty,
        intake: &Intake,
        body: &[u8],
        context: &PortalContext<'_>,
    ) -> Result<Response<Bytes>, PasskeyRejection> {
        let start: Start = read(body)?;
        let owner = self.key_owner(intake, &start.next, context)?;
        let (identity, subject) = (owner.identity, &owner.identity.subject);
        let record = self.factors_of(subject).await?;
        self.check_shown(&owner, &record, intake, context.now)?;
        let record = self.with_handle(subject, record).await?;
        let keys = registered_keys(&record);
        if keys.len() >= MOST_KEYS {
            return Err(PasskeyRejection::TooMany);
        }
        let holder = KeyHolder {
            handle: record.user_handle,
            name: subject,
            display_name: identity.name.as_deref().unwrap_or(subject),
        };
        let begun = site.start_registration(start.kind, &holder, &keys)?;
        let purpose = Purpose::Registration(subject);
        Ok(self.begun(begun, purpose, intake, context.now))
    }

    /// `registration/finish`.
    pub(super) async fn finish_registration(
        &self,
        site: &RelyingParty,
        intake: &Intake,
        finish: &Finish,
        context: &PortalContext<'_>,
    ) -> Result<PortalReply, PasskeyRejection> {
        let owner = self.key_owner(intake, &finish.next, context)?;
        let subject = &owner.identity.subject;
        let purpose = Purpose::Registration(subject);
        let pending = self.pending_ceremony(purpose, intake, finish, context.now)?;
        let once = pending.once();
        self.spend(once, context.now).await?;
        let key = site.finish_registration(pending.state, &finish.credential());
        let key = key.map_err(PasskeyRejection::NotAdded)?;
        let is_shown =
            |record: &FactorRecord| self.check_shown(&owner, record, intake, context.now);
        let codes = self
            .add_key(subject, (&key, &finish.name), is_shown, context.now)
            .await?;
        let form = (!codes.is_empty()).then(|| CodesForm {
            change: "show_codes",
            sealed: self.seal_codes(&codes, owner.session, context.now),
        });
        let next = owner.next.as_ref();
        let location = &match (&form, next) {
            (Some(_), _) => self.account_at(next),
            (None, Some(next)) => next.as_str().to_owned(),
            (None, None) => format!("{}?{DONE}={DONE_KEY}", self.account_path()),
        };
        Ok(PortalReply {
            response: wire::json(StatusCode::OK, &Added { location, form }),
            account: Some(AccountEvent {
                change: AccountChange::KeyAdded,
                outcome: Ok(()),
            }),
            ..PortalReply::default()
        })
    }

    /// Who may add a key: somebody who has just signed in with this browser.
    fn key_owner<'c>(
        &self,
        intake: &Intake,
        next: &str,
        context: &'c PortalContext<'_>,
    ) -> Result<KeyOwner<'c>, PasskeyRejection> {
        let next = ReturnPath::parse(next, self.settings.paths);
        let PortalCaller::Known { identity, .. } = context.caller else {
            return Err(PasskeyRejection::NotSignedIn);
        };
        match self.may_change(intake, context) {
            MayChange::Yes(session, sign_in) if self.offers_factors(identity) => Ok(KeyOwner {
                identity,
                session,
                sign_in,
                next,
            }),
            MayChange::Yes(..) => Err(PasskeyRejection::NotForYou),
            MayChange::AfterSignIn => {
                let again = self.confirm_account(intake, next.as_ref(), false, context.now);
                Err(PasskeyRejection::SignInAgain(again))
            }
            MayChange::No => Err(PasskeyRejection::NotSignedIn),
        }
    }

    /// Who has a factor shows it before another one is added.
    fn check_shown(
        &self,
        owner: &KeyOwner<'_>,
        record: &FactorRecord,
        intake: &Intake,
        now: u64,
    ) -> Result<(), PasskeyRejection> {
        let shown = self.check_factor_shown(owner.identity, record, owner.sign_in);
        shown.map_err(|_| {
            let again = self.confirm_account(intake, owner.next.as_ref(), true, now);
            PasskeyRejection::SignInAgain(again)
        })
    }

    /// Adds a key, and recovery codes where there are none; gives those.
    async fn add_key(
        &self,
        subject: &str,
        (key, name): (&RegisteredKey, &str),
        is_shown: impl Fn(&FactorRecord) -> Result<(), PasskeyRejection>,
        now: u64,
    ) -> Result<FreshCodes, PasskeyRejection> {
        let sealer = self.browsers.sealer();
        for _ in 0..TRIES {
            let mut record = self.factors_of(subject).await?;
            is_shown(&record)?;
            let (is_full, is_known) = (
                record.keys().count() >= MOST_KEYS,
                record.keys().any(|one| one.id == key.id()),
            );
            if is_known {
                return Err(PasskeyRejection::Taken);
            }
            if is_full {
                return Err(PasskeyRejection::TooMany);
            }
            let keys = match key.kind() {
                AuthenticatorKind::Passkey => &mut record.passkeys,
                AuthenticatorKind::SecurityKey => &mut record.security_keys,
            };
            keys.push(StoredPasskey {
                id: key.id().into(),
                name: key_name(name, key.kind()),
                credential: key.to_stored(),
                added_at: now,
                last_used_at: None,
            });
            let codes = first_codes(&mut record);
            match self.sessions.swap_factors(subject, &record, sealer).await? {
                FactorSwap::Done => return Ok(codes),
                FactorSwap::TakenKey => return Err(PasskeyRejection::Taken),
                FactorSwap::Raced => {}
            }
        }
        Err(PasskeyRejection::Busy)
    }

    /// The record, kept: the handle that a key is told must be the person's from then on.
    async fn with_handle(
        &self,
        subject: &str,
        record: FactorRecord,
    ) -> Result<FactorRecord, PasskeyRejection> {
        let sealer = self.browsers.sealer();
        if record.turn > 0 {
            return Ok(record);
        }
        // of two pages that begin at once one is told the other's
        let swap = self.sessions.swap_factors(subject, &record, sealer).await?;
        debug_assert!(swap != FactorSwap::TakenKey, "it has no key");
        Ok(self.factors_of(subject).await?)
    }
}

/// A name as it can be shown: one line, and not empty.
fn key_name(typed: &str, kind: AuthenticatorKind) -> Box<str> {
    let name: String = typed
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .filter(|character| !character.is_control())
        .take(NAME_LENGTH)
        .collect();
    match (name.trim(), kind) {
        ("", AuthenticatorKind::Passkey) => "Passkey".into(),
        ("", AuthenticatorKind::SecurityKey) => "Security key".into(),
        (name, _) => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_a_name_of_one_line() {
        let kind = AuthenticatorKind::Passkey;
        for (typed, expected) in [
            ("My phone", "My phone"),
            ("  My \n phone\t", "My phone"),
            ("a\u{0}b\u{7f}", "ab"),
            ("", "Passkey"),
            (" \u{1} ", "Passkey"),
        ] {
            assert_eq!(&*key_name(typed, kind), expected, "{typed:?}");
        }
        assert_eq!(
            &*key_name("", AuthenticatorKind::SecurityKey),
            "Security key"
        );
        assert_eq!(key_name(&"é".repeat(100), kind).chars().count(), 64);
    }
}
