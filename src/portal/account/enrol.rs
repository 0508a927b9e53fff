//! An authenticator app is added: its secret is shown, and counts once a code of it was right.
//!
//! Until then nobody keeps it but the page, sealed for its session and for a quarter of an hour.

use bytes::Bytes;
use http::{Response, StatusCode};
use zeroize::Zeroizing;

use super::factors::FactorFailure;
use super::page::AccountRequest;
use crate::access::Identity;
use crate::ambient;
use crate::factors::{CodeMatch, TotpCode, TotpSecret, TotpUri};
use crate::pages::EnrolPage;
use crate::portal::Portal;
use crate::portal::page::show;
use crate::portal::recovery::{FreshCodes, first_codes};
use crate::session::TotpFactor;
use crate::text::base32;
use crate::token::{Sealed, SealedFor, SessionId, SignIn};

/// How long such a page is good, in seconds.
const LIFE: u64 = 15 * 60;

/// How many characters of a secret stand together where it is typed.
const GROUP: usize = 4;

/// What a page of the account brings back that nobody keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SealedInPage {
    /// The secret of an app that is to be added.
    App,
    /// Recovery codes that are to be shown.
    Codes,
}

/// What became of the first code of an app.
pub(super) enum Enrolled {
    /// The app counts. The codes are new where there were none.
    Added(FreshCodes),
    /// It was wrong; the secret is good still.
    Wrong(TotpSecret),
    /// The page of the secret is too old, or another session's.
    TooLate,
}

impl Portal {
    /// A fresh secret, for this session.
    pub(super) fn fresh_secret(&self, session: SessionId, now: u64) -> (TotpSecret, String) {
        let secret = TotpSecret::fresh(&Zeroizing::new(ambient::random_bytes()));
        let sealed = self.seal_in_page(SealedInPage::App, secret.as_bytes(), session, now);
        (secret, sealed)
    }

    /// Seals what a page of this session brings back.
    pub(super) fn seal_in_page(
        &self,
        what: SealedInPage,
        text: &[u8],
        session: SessionId,
        now: u64,
    ) -> String {
        let until = now.saturating_add(LIFE).to_be_bytes();
        let text = Zeroizing::new([&until, text].concat());
        let sealer = self.browsers.sealer();
        String::from(sealer.seal(SealedFor::Continuation, &what.context(session), &text))
    }

    /// What a page of this session has brought back, if it is good still.
    pub(super) fn open_in_page(
        &self,
        what: SealedInPage,
        text: &str,
        session: SessionId,
        now: u64,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let sealed = Sealed::parse(text)?;
        let sealer = self.browsers.sealer();
        let text = sealer.open(SealedFor::Continuation, &what.context(session), &sealed)?;
        let (until, text) = text.split_first_chunk()?;
        let is_good = now < u64::from_be_bytes(*until);
        is_good.then(|| Zeroizing::new(text.to_vec()))
    }

    /// The secret of a page of this session, if it is good still.
    fn open_secret(&self, text: &str, session: SessionId, now: u64) -> Option<TotpSecret> {
        let secret = self.open_in_page(SealedInPage::App, text, session, now)?;
        TotpSecret::parse(&Zeroizing::new(base32::encode(&secret))).ok()
    }

    /// Adds the app of a page, if the code is one of it.
    pub(super) async fn enrol(
        &self,
        identity: &Identity,
        (session, sign_in): (SessionId, SignIn),
        (sealed, otp): (&str, &str),
        now: u64,
    ) -> Result<Enrolled, FactorFailure> {
        let Some(secret) = self.open_secret(sealed, session, now) else {
            return Ok(Enrolled::TooLate);
        };
        let code = TotpCode::parse(otp);
        self.replace_factors(identity, |record| {
            self.check_factor_shown(identity, record, sign_in)?;
            let step = match code.as_ref().map(|code| secret.look_at(code, now, None)) {
                Some(CodeMatch::Fresh(step)) => step,
                Some(CodeMatch::Used | CodeMatch::Wrong) | None => {
                    return Ok(Enrolled::Wrong(secret.clone()));
                }
            };
            record.totp = Some(TotpFactor {
                secret: secret.clone(),
                added_at: now,
            });
            record.last_step = record.last_step.max(Some(step));
            Ok(Enrolled::Added(first_codes(record)))
        })
        .await
    }

    /// The page of a secret.
    pub(super) fn show_enrolment(
        &self,
        asked: AccountRequest<'_>,
        identity: &Identity,
        secret: (&TotpSecret, &str),
        (status, error): (StatusCode, &str),
    ) -> Response<Bytes> {
        let (secret, sealed) = secret;
        let host = asked.intake.site.host.to_str().unwrap_or_default();
        let uri = TotpUri::new(host, &identity.subject, secret);
        let picture = uri.to_svg();
        let account = self.account_at(self.next_of(asked.intake).as_ref());
        let page = EnrolPage {
            action: &account,
            user: &identity.subject,
            secret: &in_groups(&secret.to_base32()),
            picture: picture.as_ref().map_or("", |picture| picture.as_str()),
            uri: uri.as_str(),
            sealed,
            error,
        };
        show(asked.theme.show(&page), status)
    }
}

impl SealedInPage {
    /// What it is sealed for: the same purpose as a login that is half done, and never taken for one.
    fn context(self, session: SessionId) -> Vec<u8> {
        let what: &[u8] = match self {
            Self::App => b"an app of the account's page\0",
            Self::Codes => b"recovery codes of the account's page\0",
        };
        [what, &session.as_bytes()[..]].concat()
    }
}

/// As it is typed into an app that has no camera.
fn in_groups(secret: &str) -> Zeroizing<String> {
    let mut shown = Zeroizing::new(String::with_capacity(secret.len() * 2));
    for (index, letter) in secret.chars().enumerate() {
        if index > 0 && index % GROUP == 0 {
            shown.push(' ');
        }
        shown.push(letter);
    }
    shown
}
