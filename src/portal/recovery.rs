//! Recovery codes: made with the first factor of a person, or anew, and shown once.

use bytes::Bytes;
use http::{Response, StatusCode};
use zeroize::Zeroizing;

use super::Portal;
use super::page::show;
use crate::ambient;
use crate::factors::RecoveryCode;
use crate::pages::{PageItem, RecoveryPage, Theme};
use crate::session::FactorRecord;

/// What is said when somebody has added a factor.
pub(super) const APP_ADDED: &str =
    "Your authenticator app is added. From now on it is asked for when you sign in.";
pub(super) const KEY_ADDED: &str =
    "The key is added. From now on it is asked for when you sign in.";

/// New codes, to be shown this once; empty where there are none.
pub(super) type FreshCodes = Vec<RecoveryCode>;

/// Gives a record that has none its codes, with the first factor.
pub(super) fn first_codes(record: &mut FactorRecord) -> FreshCodes {
    match record.recovery_codes.is_empty() {
        true => fresh_codes(record),
        false => Vec::new(),
    }
}

/// Gives a record new codes in place of those that it has.
pub(super) fn fresh_codes(record: &mut FactorRecord) -> FreshCodes {
    let codes = RecoveryCode::fresh(&Zeroizing::new(ambient::random_bytes()));
    let hashes = codes.iter().map(|code| code.hash(&record.user_handle));
    record.recovery_codes = hashes.collect();
    codes
}

impl Portal {
    /// New recovery codes, this once, after what `notice` says; `next` is where the person goes on.
    pub(super) fn show_codes(
        &self,
        theme: &Theme,
        user: &str,
        codes: &[RecoveryCode],
        (notice, next): (&str, &str),
    ) -> Response<Bytes> {
        let item = |code: &RecoveryCode| PageItem::new([("code", code.shown().to_string())]);
        let shown: Vec<_> = codes.iter().map(item).collect();
        let page = RecoveryPage {
            account: next,
            user,
            notice,
            codes: &shown,
        };
        show(theme.show(&page), StatusCode::OK)
    }
}
