//! Somebody's second factors: which there are, and their end.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::event::AccountChange;
use crate::access::Identity;
use crate::factors::{RECOVERY_CODES, SecondFactorPolicy};
use crate::pages::PageItem;
use crate::portal::Portal;
use crate::portal::recovery::{FreshCodes, fresh_codes};
use crate::portal::words::ago;
use crate::session::{FactorError, FactorRecord, FactorSwap, StoredPasskey};
use crate::token::{LDAP, SignIn};

/// How often a change is tried where others change the same factors at the same moment.
const TRIES: usize = 8;

/// What the page shows of them.
#[derive(Default)]
pub(super) struct OwnFactors {
    /// Whether there is anything to show or to add.
    pub(super) is_offered: bool,
    pub(super) shown: Vec<PageItem>,
    pub(super) has_app: bool,
    /// How many recovery codes are left; empty where there is no factor that they stand in for.
    pub(super) codes: String,
    /// Whether there are any.
    pub(super) has_codes: bool,
    /// Why nothing is shown; empty where nothing is to be said.
    pub(super) note: &'static str,
}

/// A change of what somebody has.
pub(super) enum FactorChange<'a> {
    RemoveApp,
    /// A passkey or a security key of this id.
    RemoveKey(&'a [u8]),
    RenewCodes,
}

/// Why somebody's factors are what they were.
pub(in crate::portal) enum FactorFailure {
    /// Nothing is kept of factors here, or not for this person.
    NotOffered,
    /// The store is away, or cannot read what it has.
    Away,
    /// Others change them all the time.
    Busy,
    /// There is no such factor.
    NoSuchFactor,
    /// Who has a factor shows it before it is changed.
    ShowFactor,
}

const NO_CODES: &str =
    "You have none. Make some: they let you sign in when your app or key is lost.";
const UNREADABLE: &str =
    "Your second factors cannot be read right now. Please try again in a moment.";

impl FactorChange<'_> {
    pub(super) fn label(&self) -> AccountChange {
        match self {
            Self::RemoveApp => AccountChange::AppRemoved,
            Self::RemoveKey(_) => AccountChange::KeyRemoved,
            Self::RenewCodes => AccountChange::CodesRenewed,
        }
    }

    /// Makes the change in a record; `None` where there is nothing to change.
    fn make(&self, record: &mut FactorRecord) -> Option<FreshCodes> {
        match self {
            Self::RemoveApp => drop(record.totp.take()?),
            Self::RemoveKey(id) => {
                let before = record.keys().count();
                record.passkeys.retain(|key| key.id != *id);
                record.security_keys.retain(|key| key.id != *id);
                if record.keys().count() == before {
                    return None;
                }
            }
            Self::RenewCodes => return record.has_factor().then(|| fresh_codes(record)),
        }
        if !record.has_factor() {
            // they stand in for nothing any more
            record.recovery_codes.clear();
        }
        Some(Vec::new())
    }
}

/// How many codes are left; empty where there is no factor that they stand in for.
fn describe_codes(record: &FactorRecord) -> String {
    match record.recovery_codes.len() {
        _ if !record.has_factor() => String::new(),
        0 => NO_CODES.to_owned(),
        left => format!("{left} of {RECOVERY_CODES} left"),
    }
}

impl Portal {
    /// Whether somebody may have second factors of their own here: those who give a password here, where what is kept is there
    /// after a restart.
    pub(in crate::portal) fn offers_factors(&self, identity: &Identity) -> bool {
        let user = self.directory.find(&identity.subject);
        let has_password = match user {
            Some(user) => user.password.is_some(),
            None => identity.provider.as_deref() == Some(LDAP),
        };
        let is_asked = self.settings.second_factor != SecondFactorPolicy::Off;
        is_asked && self.settings.keeps_factors && has_password
    }

    pub(super) async fn show_factors(&self, identity: &Identity, now: u64) -> OwnFactors {
        if !self.offers_factors(identity) {
            return OwnFactors::default();
        }
        let Ok(record) = self.factors_of(&identity.subject).await else {
            return OwnFactors {
                note: UNREADABLE,
                ..OwnFactors::default()
            };
        };
        let is_listed = self.has_listed_app(identity);
        let listed = is_listed.then(|| {
            let detail = "kept by the operator, who can remove it".to_owned();
            item(("", String::new()), "Authenticator app", detail)
        });
        let app = record.totp.as_ref().map(|app| {
            let added = format!("added {}", ago(app.added_at, now));
            item(("remove_app", String::new()), "Authenticator app", added)
        });
        let key = |key: &StoredPasskey| {
            let id = URL_SAFE_NO_PAD.encode(&key.id);
            let used = key
                .last_used_at
                .map(|used| format!(" · last used {}", ago(used, now)));
            let detail = format!(
                "added {}{}",
                ago(key.added_at, now),
                used.unwrap_or_default()
            );
            item(("remove_key", id), &key.name, detail)
        };
        OwnFactors {
            is_offered: true,
            has_app: is_listed || app.is_some(),
            shown: listed
                .into_iter()
                .chain(app)
                .chain(record.keys().map(key))
                .collect(),
            codes: describe_codes(&record),
            has_codes: !record.recovery_codes.is_empty(),
            note: "",
        }
    }

    /// Whether the user list has an app of this person.
    pub(in crate::portal) fn has_listed_app(&self, identity: &Identity) -> bool {
        let user = self.directory.find(&identity.subject);
        user.is_some_and(|user| user.extras().totp.is_some())
    }

    /// Whether this sign-in is enough to change the factors of a record.
    pub(in crate::portal) fn check_factor_shown(
        &self,
        identity: &Identity,
        record: &FactorRecord,
        sign_in: SignIn,
    ) -> Result<(), FactorFailure> {
        let has_factor = record.has_factor() || self.has_listed_app(identity);
        if has_factor && !sign_in.has_second_factor() {
            return Err(FactorFailure::ShowFactor);
        }
        Ok(())
    }

    /// Whether this sign-in is enough to change what somebody signs in with: a second factor is shown first where there is one,
    /// and where people are asked for it.
    ///
    /// # Errors
    /// [`FactorFailure::ShowFactor`]; [`FactorFailure::Away`] where the factors cannot be read.
    pub(super) async fn check_own_factor(
        &self,
        identity: &Identity,
        sign_in: SignIn,
    ) -> Result<(), FactorFailure> {
        if self.settings.second_factor == SecondFactorPolicy::Off {
            return Ok(());
        }
        let found = self.factors_of(&identity.subject).await;
        let record = found.map_err(|_: FactorError| FactorFailure::Away)?;
        self.check_factor_shown(identity, &record, sign_in)
    }

    /// Changes somebody's factors.
    pub(super) async fn change_factors(
        &self,
        identity: &Identity,
        sign_in: SignIn,
        change: &FactorChange<'_>,
    ) -> Result<FreshCodes, FactorFailure> {
        self.replace_factors(identity, |record| {
            self.check_factor_shown(identity, record, sign_in)?;
            change.make(record).ok_or(FactorFailure::NoSuchFactor)
        })
        .await
    }

    /// Makes a change to the record that is there when it is written.
    pub(super) async fn replace_factors<T>(
        &self,
        identity: &Identity,
        change: impl Fn(&mut FactorRecord) -> Result<T, FactorFailure>,
    ) -> Result<T, FactorFailure> {
        if !self.offers_factors(identity) {
            return Err(FactorFailure::NotOffered);
        }
        let (subject, sealer) = (&identity.subject, self.browsers.sealer());
        for _ in 0..TRIES {
            let found = self.factors_of(subject).await;
            let mut record = found.map_err(|_: FactorError| FactorFailure::Away)?;
            let made = change(&mut record)?;
            let swapped = self.sessions.swap_factors(subject, &record, sealer).await;
            match swapped.map_err(|_| FactorFailure::Away)? {
                FactorSwap::Done => return Ok(made),
                FactorSwap::Raced | FactorSwap::TakenKey => {}
            }
        }
        Err(FactorFailure::Busy)
    }
}

impl FactorFailure {
    /// Its name in the log.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::NotOffered => "off",
            Self::Away => "state_away",
            Self::Busy => "changed_meanwhile",
            Self::NoSuchFactor => "no_such_factor",
            Self::ShowFactor => "second_factor_required",
        }
    }
}

fn item((change, id): (&str, String), title: &str, detail: String) -> PageItem {
    PageItem::new([
        ("change", change.to_owned()),
        ("id", id),
        ("title", title.to_owned()),
        ("detail", detail),
    ])
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::factors::{RecoveryCode, TotpSecret};
    use crate::portal::recovery::first_codes;
    use crate::session::TotpFactor;

    fn record() -> FactorRecord {
        let mut record = FactorRecord::new([7; 16]);
        record.totp = Some(TotpFactor {
            secret: TotpSecret::fresh(&Zeroizing::new([7; 20])),
            added_at: 1,
        });
        let key = |id: u8| StoredPasskey {
            id: vec![id],
            name: "key".into(),
            credential: Vec::new(),
            added_at: 1,
            last_used_at: None,
        };
        record.passkeys.push(key(1));
        record.security_keys.push(key(2));
        record
    }

    #[test]
    fn the_codes_go_with_the_last_factor() {
        let mut record = record();
        assert_eq!(describe_codes(&record), NO_CODES);
        let codes = first_codes(&mut record);
        assert_eq!((codes.len(), record.recovery_codes.len()), (10, 10));
        assert_eq!(describe_codes(&record), "10 of 10 left");
        assert!(first_codes(&mut record).is_empty(), "there are some");
        let again = FactorChange::RenewCodes.make(&mut record).unwrap();
        let hash = |code: &RecoveryCode| code.hash(&record.user_handle);
        assert!(
            again
                .iter()
                .all(|code| record.recovery_codes.contains(&hash(code)))
        );
        assert!(
            !codes
                .iter()
                .any(|code| record.recovery_codes.contains(&hash(code)))
        );
        for change in [
            FactorChange::RemoveKey(&[2]),
            FactorChange::RemoveApp,
            FactorChange::RemoveKey(&[1]),
        ] {
            assert_eq!(record.recovery_codes.len(), 10);
            assert!(change.make(&mut record).unwrap().is_empty());
            assert!(change.make(&mut record).is_none(), "it is gone");
        }
        assert!(record.recovery_codes.is_empty());
        assert_eq!(describe_codes(&record), "");
        assert!(FactorChange::RenewCodes.make(&mut record).is_none());
    }
}
