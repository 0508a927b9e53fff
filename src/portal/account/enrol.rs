//! An authenticator app is added: its secret is shown, and counts once a code of it was right.
//!
//! Until then nobody keeps it but the page, sealed for its session and for a quarter of an hour.

use bytes::Bytes;
use http::{Response, StatusCode};
use zeroize::Zeroizing;

use super::factors::{FactorFailure, FreshCodes, fresh_codes};
use super::page::AccountRequest;
use crate::access::Identity;
use crate::ambient;
use crate::factors::{CodeMatch, RecoveryCode, TotpCode, TotpSecret, TotpUri};
use crate::pages::{EnrolPage, PageItem, RecoveryPage, Theme};
use crate::portal::Portal;
use crate::portal::page::show;
use crate::session::TotpFactor;
use crate::text::base32;
use crate::token::{Sealed, SealedFor, SessionId, SignIn};

/// How long the page of a secret is good, in seconds.
const LIFE: u64 = 15 * 60;

/// How many characters of a secret stand together where it is typed.
const GROUP: usize = 4;

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
        let sealed = self.seal_secret(&secret, session, now);
        (secret, sealed)
    }

    fn seal_secret(&self, secret: &TotpSecret, session: SessionId, now: u64) -> String {
        let until = now.saturating_add(LIFE).to_be_bytes();
        let text = Zeroizing::new([&until, secret.as_bytes()].concat());
        let sealer = self.browsers.sealer();
        String::from(sealer.seal(SealedFor::Continuation, &context(session), &text))
    }

    /// The secret of a page of this session, and whether it is good still.
    fn open_secret(&self, text: &str, session: SessionId, now: u64) -> Option<TotpSecret> {
        let sealed = Sealed::parse(text)?;
        let sealer = self.browsers.sealer();
        let text = sealer.open(SealedFor::Continuation, &context(session), &sealed)?;
        let (until, secret) = text.split_first_chunk()?;
        let secret = Zeroizing::new(base32::encode(secret));
        let secret = TotpSecret::parse(&secret).ok()?;
        (now < u64::from_be_bytes(*until)).then_some(secret)
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
            let codes = match record.recovery_codes.is_empty() {
                true => fresh_codes(record),
                false => Vec::new(),
            };
            Ok(Enrolled::Added(codes))
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
        let account = self.account_path();
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

    /// New recovery codes, this once.
    pub(super) fn show_codes(
        &self,
        theme: &Theme,
        identity: &Identity,
        codes: &[RecoveryCode],
        notice: &str,
    ) -> Response<Bytes> {
        let item = |code: &RecoveryCode| PageItem::new([("code", code.shown().to_string())]);
        let shown: Vec<_> = codes.iter().map(item).collect();
        let page = RecoveryPage {
            account: &self.account_path(),
            user: &identity.subject,
            notice,
            codes: &shown,
        };
        show(theme.show(&page), StatusCode::OK)
    }
}

/// What a secret is sealed for: the same purpose as a login that is half done, and never taken for one.
fn context(session: SessionId) -> Vec<u8> {
    [b"an app of the account's page\0", &session.as_bytes()[..]].concat()
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
