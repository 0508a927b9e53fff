//! Recovery codes of a key, which the pages' script adds and shows no codes: its answer has them sealed, and the script sends
//! them to the account's page as a form, whose answer is the page.

use zeroize::Zeroizing;

use super::enrol::SealedInPage;
use crate::factors::RecoveryCode;
use crate::portal::Portal;
use crate::token::SessionId;

impl Portal {
    /// Codes for who has this session, to be shown with the next request.
    pub(in crate::portal) fn seal_codes(
        &self,
        codes: &[RecoveryCode],
        session: SessionId,
        now: u64,
    ) -> String {
        let mut text = Zeroizing::new(String::with_capacity(codes.len() * 20));
        for code in codes {
            text.push_str(&code.shown());
            text.push('\n');
        }
        self.seal_in_page(SealedInPage::Codes, text.as_bytes(), session, now)
    }

    /// The codes of this session; `None` where they are of another one, or too old.
    pub(super) fn open_codes(
        &self,
        sealed: &str,
        session: SessionId,
        now: u64,
    ) -> Option<Vec<RecoveryCode>> {
        let text = self.open_in_page(SealedInPage::Codes, sealed, session, now)?;
        let text = std::str::from_utf8(&text).ok()?;
        text.lines().map(RecoveryCode::parse).collect()
    }
}
