//! The page after a right password: where a code is typed, and where an app is added first.

use bytes::Bytes;
use http::{Response, StatusCode};

use super::denial::Missing;
use super::fields::{ContinueRequest, FormExtras};
use super::page::show;
use super::return_path::ReturnPath;
use super::second_factor::HalfLogin;
use super::sign_in::SentForm;
use super::{Portal, PortalContext, PortalReply};
use crate::factors::TotpUri;
use crate::pages::{PasskeyScript, PasskeyStep, SecondFactorPage, Theme};
use crate::wire::Intake;

const WRONG: &str = "The code is wrong, or was used before. Wait for the next one.";
const NO_WAY: &str = "This account needs a second factor to sign in, and has none. Please ask the operator of this site for one.";

/// How many characters of a secret stand together where it is shown to be typed.
const GROUP: usize = 4;

impl Portal {
    /// `POST` from the page: a code.
    pub(super) async fn try_second_step(
        &self,
        theme: &Theme,
        intake: &Intake,
        request: &ContinueRequest,
        typed: &FormExtras,
        context: &PortalContext<'_>,
    ) -> PortalReply {
        let form = SentForm {
            theme,
            intake,
            typed,
        };
        let client = intake.client.accountable_address();
        match self.open_continuation(&request.continuation, client, context.now) {
            Ok(opened) => {
                let name = opened.continuation.name.clone();
                let asking = self.asking(intake, &name, context.now);
                let step = self
                    .redeem_continuation(opened, &request.otp, &asking)
                    .await;
                self.finish_sign_in(&form, &name, step, context).await
            }
            // whose it is, nobody knows
            Err(denial) => self.retell_denial(&form, denial).into(),
        }
    }

    /// The page where a code is typed; with the secret of an app that is added with it.
    pub(super) async fn show_second_step(
        &self,
        form: &SentForm<'_>,
        half: &HalfLogin,
    ) -> Response<Bytes> {
        let continuation = &half.continuation;
        let secret = continuation.secret();
        if half.missing == Missing::Enrolment && secret.is_none() {
            return self.refuse(form.theme, StatusCode::FORBIDDEN, NO_WAY, form.typed);
        }
        let (status, error) = match half.missing {
            Missing::RightCode(_) => (StatusCode::UNAUTHORIZED, WRONG),
            Missing::Factor | Missing::Enrolment => (StatusCode::OK, ""),
        };
        let host = form.intake.site.host.to_str().unwrap_or_default();
        let uri = secret.map(|secret| TotpUri::new(host, &continuation.subject, secret));
        let picture = uri.and_then(|uri| uri.to_svg());
        let shown = secret.map(|secret| in_groups(&secret.to_base32()));
        let next = ReturnPath::parse(&form.typed.next, self.settings.paths);
        let sealed = continuation.seal(self.browsers.sealer());
        let subject = &continuation.subject;
        let kinds = match form.typed.offers_keys {
            true => self.kinds_of_keys(&form.intake.site, subject).await,
            false => String::new(),
        };
        let page = SecondFactorPage {
            action: &self.login_path(),
            next: next.as_ref().map_or("", ReturnPath::as_str),
            user: &continuation.name,
            error,
            continuation: &sealed,
            secret: shown.as_deref().unwrap_or_default(),
            picture: picture.as_ref().map_or("", |picture| picture.as_str()),
            restart: &self.sign_in_path(next.as_ref()),
            app: match self.has_app(subject).await {
                true => "app",
                false => "",
            },
            keys: &kinds,
        };
        let shown = form.theme.show(&page);
        if kinds.is_empty() {
            return show(shown, status);
        }
        let script = PasskeyScript {
            action: &self.passkey_path(),
            step: PasskeyStep::SecondFactor {
                continuation: &sealed,
                kinds: &kinds,
            },
            next: page.next,
        };
        show(shown.with_passkeys(&script), status)
    }

    /// Whether somebody has an authenticator app, also where that is not known right now.
    async fn has_app(&self, subject: &str) -> bool {
        let user = self.directory.find(subject);
        if user.is_some_and(|user| user.extras().totp.is_some()) {
            return true;
        }
        let record = self.factors_of(subject).await;
        record.map_or(true, |record| record.totp.is_some())
    }
}

/// As it is typed into an app that has no camera.
fn in_groups(secret: &str) -> String {
    let mut shown = String::with_capacity(secret.len() * 5 / 4);
    for (index, letter) in secret.chars().enumerate() {
        if index > 0 && index.is_multiple_of(GROUP) {
            shown.push(' ');
        }
        shown.push(letter);
    }
    shown
}
