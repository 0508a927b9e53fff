//! Signing in with a browser: the page, its form, and the session cookie.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, SET_COOKIE};
use http::{Response, StatusCode};

use super::body_format::BodyFormat;
use super::denial::LoginDenial;
use super::directory_sessions::{provider_claims, provider_session};
use super::fields::{FormExtras, GrantRequest, LoginRequest, extras, parse_page_form};
use super::login::{LoginEvent, log_safe_name};
use super::login_api::LoginApi;
use super::overview::AccountView;
use super::page::{PageQuery, SignInReason, see_other, show};
use super::place::place_of;
use super::recovery::APP_ADDED;
use super::redirect_loop::RedirectLoopGuard;
use super::rejection::FormRejection;
use super::return_path::ReturnPath;
use super::second_factor::{Asking, LoginStep};
use super::shown_factor::ShownFactor;
use super::signed_in::SignedIn;
use super::{Portal, PortalContext, PortalReply, ReceivedBody};
use crate::ambient;
use crate::factors::RecoveryCode;
use crate::pages::{DurationInWords, PasskeyScript, PasskeyStep, SignInPage, Theme};
use crate::session::BrowserSession;
use crate::token::{LDAP, SessionId, SessionToken, SignIn};
use crate::wire::Intake;

/// The most characters of a typed name that are shown again.
const SHOWN_CHARACTERS: usize = 255;

const FOREIGN: &str =
    "This form was not sent by the sign-in page of this site. Please try again here.";
pub(super) const TOO_MANY_COOKIES: &str = "Your browser sent too many cookies of this site, and not every session that they hold could \
                                be ended. Delete the cookies of this site, then sign in.";

const TOO_LATE: &str = "That took too long, or was sent twice. Please sign in again.";
const WRONG_CODE: &str = "The user name, the password or the code is wrong.";

/// A form of the page as it was sent.
pub(super) struct SentForm<'a> {
    pub(super) theme: &'a Theme,
    pub(super) intake: &'a Intake,
    pub(super) typed: &'a FormExtras,
}

/// Somebody who has signed in on the page.
struct Entry<'a> {
    user: &'a SignedIn,
    sign_in: SignIn,
    /// Those of an app that was added by that, to be shown this once.
    codes: &'a [RecoveryCode],
}

/// What the sign-in page shows.
#[derive(Clone, Copy, Default)]
pub(super) struct FormView<'a> {
    pub(super) next: Option<&'a ReturnPath>,
    pub(super) user: &'a str,
    pub(super) error: &'a str,
    pub(super) notice: &'a str,
    /// Where the second factor is added that is missing; empty elsewhere.
    pub(super) account: &'a str,
    /// Why somebody signs in.
    pub(super) reason: SignInReason,
    /// The form is shown, whether there are passwords or not.
    pub(super) is_local: bool,
    /// People can sign in with keys here.
    pub(super) offers_keys: bool,
}

impl Portal {
    /// `GET`: the form, or who is signed in already. Browsers go straight on to the provider where there is no other way in,
    /// and where that has refused to confirm their session: it may know the person still, or ask.
    pub(super) async fn show_sign_in(
        &self,
        theme: &Theme,
        intake: &Intake,
        context: &PortalContext<'_>,
    ) -> Response<Bytes> {
        let query = PageQuery::read(intake.head.uri.query(), self.settings.paths);
        if !query.reason.asks_anew()
            && let Some(page) = self.show_account(theme, intake, context, AccountView::Account)
        {
            return page;
        }
        let provider = match self.only_provider() {
            _ if query.stays() => None,
            Some(provider) => Some(provider),
            None => self.provider_that_refused(intake, context.now).await,
        };
        if let Some(provider) = provider {
            let name = provider.settings().name.as_str();
            let address = self.provider_path(name, query.next.as_ref(), query.reason);
            return see_other(&address).expect("a path of the gateway's own is a field value");
        }
        let notice = self.sign_in_notice(&query, context).await;
        let shown = FormView {
            next: query.next.as_ref(),
            notice: &notice.text,
            account: &notice.account,
            user: &notice.user,
            reason: query.reason,
            is_local: query.local,
            offers_keys: self.offers_passkeys(&intake.site),
            ..FormView::default()
        };
        self.show_form(theme, StatusCode::OK, &shown)
    }

    /// The page, with the ways in that there are.
    pub(super) fn show_form(
        &self,
        theme: &Theme,
        status: StatusCode,
        shown: &FormView<'_>,
    ) -> Response<Bytes> {
        let providers = self.provider_links(shown.next, shown.reason);
        let has_form = providers.is_empty() || shown.is_local || self.takes_passwords();
        let form = SignInPage {
            action: &self.login_path(),
            next: shown.next.map_or("", ReturnPath::as_str),
            user: shown.user,
            error: shown.error,
            notice: shown.notice,
            providers: &providers,
            account: shown.account,
            password: if has_form { "password" } else { "" },
        };
        let page = theme.show(&form);
        if !(has_form && shown.offers_keys) {
            return show(page, status);
        }
        let script = PasskeyScript {
            action: &self.passkey_path(),
            step: PasskeyStep::SignIn,
            next: form.next,
        };
        show(page.with_passkeys(&script), status)
    }

    /// Whether anybody can sign in with a password.
    pub(super) fn takes_passwords(&self) -> bool {
        self.ldap.is_some() || self.directory.has_passwords()
    }

    /// `POST` from the page's form.
    pub(super) async fn sign_in(
        &self,
        theme: &Theme,
        intake: &Intake,
        body: ReceivedBody,
        context: &PortalContext<'_>,
    ) -> PortalReply {
        let nothing = FormExtras {
            offers_keys: self.offers_passkeys(&intake.site),
            ..FormExtras::default()
        };
        if let Err(foreign) = intake.site.check_sender(&intake.head.headers) {
            let error = format!(
                "{FOREIGN} What was compared: {foreign}. {}",
                foreign.advice()
            );
            let page = self.refuse(theme, StatusCode::FORBIDDEN, error.trim_end(), &nothing);
            return PortalReply::refused(page, format!("cross-origin: {foreign}"));
        }
        if intake.cookies.has_more() {
            let page = self.refuse(theme, StatusCode::BAD_REQUEST, TOO_MANY_COOKIES, &nothing);
            return PortalReply::refused(page, "too many session cookies".to_owned());
        }
        let bytes = match body.whole() {
            Ok(bytes) => bytes,
            Err(rejection) => {
                let plain = rejection.into_response(LoginApi::Login);
                return self.retell(theme, plain, &nothing).into();
            }
        };
        let format = BodyFormat::of(&intake.head.headers).unwrap_or(BodyFormat::Form);
        let typed = FormExtras {
            offers_keys: nothing.offers_keys,
            ..extras(&format, &bytes)
        };
        match parse_page_form(&format, &bytes) {
            Ok(GrantRequest::Password(request)) => {
                self.try_sign_in(theme, intake, request, &typed, context)
                    .await
            }
            Ok(GrantRequest::Continue(request)) => {
                self.try_second_step(theme, intake, &request, &typed, context)
                    .await
            }
            Ok(GrantRequest::Refresh(_) | GrantRequest::Client(_)) => {
                let rejection = FormRejection::GrantType;
                self.retell(theme, rejection.into_response(LoginApi::Login), &typed)
                    .into()
            }
            Err(rejection) => self
                .retell(theme, rejection.into_response(LoginApi::Login), &typed)
                .into(),
        }
    }

    async fn try_sign_in(
        &self,
        theme: &Theme,
        intake: &Intake,
        request: LoginRequest,
        typed: &FormExtras,
        context: &PortalContext<'_>,
    ) -> PortalReply {
        let name = request.username.clone();
        let asking = self.asking(intake, &name, context.now);
        let step = self.show_password(request, &asking).await;
        let form = SentForm {
            theme,
            intake,
            typed,
        };
        self.finish_sign_in(&form, &name, step, context).await
    }

    /// Who sends a form for this name.
    pub(super) fn asking(&self, intake: &Intake, name: &str, now: u64) -> Asking {
        Asking {
            client: intake.client.accountable_address(),
            device: self.known_device(intake, name, now),
            now,
        }
    }

    /// Begins the session, or says what is missing.
    pub(super) async fn finish_sign_in(
        &self,
        form: &SentForm<'_>,
        name: &str,
        step: Result<LoginStep, LoginDenial>,
        context: &PortalContext<'_>,
    ) -> PortalReply {
        let mut second_factor = None;
        let (response, outcome) = match step {
            Ok(LoginStep::Done(user, shown, codes)) => {
                second_factor = shown;
                let sign_in = SignIn::new(context.now, ShownFactor::methods(shown));
                let entry = Entry {
                    user: &user,
                    sign_in,
                    codes: &codes,
                };
                match self.let_in(form, name, &entry, context).await {
                    Ok(response) => (response, Ok(())),
                    Err(denial) => (self.retell_denial(form, denial), Err(denial)),
                }
            }
            Ok(LoginStep::Half(half)) => {
                let page = self.show_second_step(form, &half).await;
                (page, Err(half.missing.denial()))
            }
            Err(denial) => (self.retell_denial(form, denial), Err(denial)),
        };
        PortalReply {
            response,
            login: Some(LoginEvent {
                user: log_safe_name(name),
                outcome,
                second_factor,
            }),
            ..PortalReply::default()
        }
    }

    /// Begins a session in place of those that the browser has.
    pub(super) async fn begin_session(
        &self,
        user: &SignedIn,
        sign_in: SignIn,
        intake: &Intake,
        now: u64,
    ) -> Result<SessionToken, LoginDenial> {
        let id = SessionId::from_bytes(ambient::random_bytes());
        let subject = &user.identity().subject;
        let (session, provider) = match (user, &self.ldap) {
            (SignedIn::Directory(identity), Some(ldap)) => {
                let said = provider_claims(ldap, identity, now);
                let session = self
                    .browsers
                    .begin_with_provider(subject, id, &said, sign_in, now)?;
                let recorded = provider_session(&said, subject);
                (session, Some(recorded))
            }
            (_, _) => (self.browsers.begin(subject, id, sign_in, now)?, None),
        };
        self.end_replaced(intake, now).await?;
        // one that nobody could list or end does not begin
        let record = BrowserSession::begun(subject, now, self.browsers.latest_end(now));
        let mut record = record.at_place(place_of(intake));
        record.provider = provider;
        // where a provider has a refresh token stands a word that says nothing: it is renewed all the same
        record.seal_refresh_token(id, self.browsers.sealer(), &LDAP.into());
        self.sessions
            .begin_browser(id, record, self.times(now))
            .await?;
        Ok(session)
    }

    async fn let_in(
        &self,
        form: &SentForm<'_>,
        name: &str,
        entry: &Entry<'_>,
        context: &PortalContext<'_>,
    ) -> Result<Response<Bytes>, LoginDenial> {
        let (intake, now) = (form.intake, context.now);
        let Entry {
            user,
            sign_in,
            codes,
        } = *entry;
        let session = self.begin_session(user, sign_in, intake, now).await?;
        let next = ReturnPath::parse(&form.typed.next, self.settings.paths);
        let landing = self.landing(next, user.identity(), context);
        let response = match codes {
            [] => see_other(&landing).expect("a parsed path is a field value"),
            codes => {
                let subject = &user.identity().subject;
                self.show_codes(form.theme, subject, codes, (APP_ADDED, &landing))
            }
        };
        let mut response = self.give_session(intake, &session, response, now);
        // names compare byte for byte: the user has the typed one
        self.remember_device(intake, name, now, response.headers_mut());
        Ok(response)
    }

    /// Adds a new session to an answer.
    pub(super) fn give_session(
        &self,
        intake: &Intake,
        session: &SessionToken,
        mut response: Response<Bytes>,
        now: u64,
    ) -> Response<Bytes> {
        let (cookie, scheme) = (&self.settings.cookie, intake.site.scheme);
        let line = cookie.write(scheme, &session.value, session.max_age);
        response.headers_mut().append(SET_COOKIE, line);
        for line in cookie.clear_others(&intake.cookies, scheme) {
            response.headers_mut().append(SET_COOKIE, line);
        }
        let marker = cookie.marker(&intake.cookies, scheme);
        let guard = RedirectLoopGuard::signed_in(RedirectLoopGuard::read(marker, now), now);
        self.mark(&intake.site, guard, now, response.headers_mut());
        response
    }

    pub(super) fn retell_denial(
        &self,
        form: &SentForm<'_>,
        denial: LoginDenial,
    ) -> Response<Bytes> {
        let plain = denial.into_response(LoginApi::Login);
        let said = match denial {
            LoginDenial::Continuation => TOO_LATE.into(),
            LoginDenial::WrongCode(_) => WRONG_CODE.into(),
            LoginDenial::Invalid(_)
            | LoginDenial::TooLong(_)
            | LoginDenial::Client
            | LoginDenial::Busy
            | LoginDenial::LockedOut(_)
            | LoginDenial::Away
            | LoginDenial::DirectoryAway
            | LoginDenial::SecondFactor
            | LoginDenial::NoFactor
            | LoginDenial::Unreadable
            | LoginDenial::NoToken(_) => words(plain.status(), retry_after(&plain)),
        };
        self.retell_as(form.theme, plain, &said, form.typed)
    }

    /// An answer for programs as a page for people.
    fn retell(&self, theme: &Theme, plain: Response<Bytes>, typed: &FormExtras) -> Response<Bytes> {
        let error = words(plain.status(), retry_after(&plain));
        self.retell_as(theme, plain, &error, typed)
    }

    /// A page with the status and the fields of an answer for programs, and the form once more.
    fn retell_as(
        &self,
        theme: &Theme,
        plain: Response<Bytes>,
        error: &str,
        typed: &FormExtras,
    ) -> Response<Bytes> {
        let mut page = self.refuse(theme, plain.status(), error, typed);
        for (name, value) in plain.headers() {
            if *name != CONTENT_TYPE {
                page.headers_mut().append(name.clone(), value.clone());
            }
        }
        page
    }

    pub(super) fn refuse(
        &self,
        theme: &Theme,
        status: StatusCode,
        error: &str,
        typed: &FormExtras,
    ) -> Response<Bytes> {
        let next = ReturnPath::parse(&typed.next, self.settings.paths);
        let user: String = typed.username.chars().take(SHOWN_CHARACTERS).collect();
        let shown = FormView {
            next: next.as_ref(),
            user: &user,
            error,
            // whoever sent the form had one
            is_local: true,
            offers_keys: typed.offers_keys,
            ..FormView::default()
        };
        self.show_form(theme, status, &shown)
    }
}

/// After how many seconds an answer asks to try again.
pub(super) fn retry_after(response: &Response<Bytes>) -> Option<u64> {
    let value = response.headers().get(RETRY_AFTER)?;
    value.to_str().ok()?.parse().ok()
}

/// The message for people where programs get an error.
pub(super) fn words(status: StatusCode, retry_after: Option<u64>) -> Cow<'static, str> {
    let again = DurationInWords(retry_after.unwrap_or_default().max(1));
    match status {
        StatusCode::UNAUTHORIZED => "The user name or the password is wrong.".into(),
        StatusCode::TOO_MANY_REQUESTS => {
            format!("Too many attempts have failed. Please try again in {again}.").into()
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            format!("Signing in is not possible right now. Please try again in {again}.").into()
        }
        StatusCode::UNPROCESSABLE_ENTITY => "Please fill in both fields.".into(),
        StatusCode::BAD_REQUEST | StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE => {
            "The form could not be read. Please try again.".into()
        }
        _ => {
            "Signing in does not work at the moment. Please tell the operator of this site.".into()
        }
    }
}
