//! The account's endpoint: the page, and a change that one of its forms asks for.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Response, StatusCode};

use super::enrol::Enrolled;
use super::event::{AccountChange, AccountEvent};
use super::factors::{FactorChange, FactorFailure};
use super::form::{AccountForm, AppForm, PasswordForm};
use super::page::{
    AccountRequest, DONE, DONE_APP, DONE_OTHERS, DONE_PASSWORD, DONE_REMOVED, DONE_SESSION,
    MayChange,
};
use super::password::PasswordFailure;
use crate::access::Identity;
use crate::portal::body_format::{BodyFormat, is_browser_form};
use crate::portal::denial::LoginDenial;
use crate::portal::login::{LoginEvent, log_safe_name};
use crate::portal::login_api::LoginApi;
use crate::portal::me::PortalCaller;
use crate::portal::page::see_other;
use crate::portal::recovery::{APP_ADDED, KEY_ADDED};
use crate::portal::rejection::no_such_endpoint;
use crate::portal::sign_in::{retry_after, words};
use crate::portal::{Portal, PortalContext, PortalReply, ReceivedBody};
use crate::session::StoreUnavailable;
use crate::token::{SessionId, SignIn};
use crate::wire::{self, Intake};

const FOREIGN: &str =
    "This form was not sent by the account page of this site. Please try again here.";
const UNREADABLE: &str = "The form could not be read. Please try again.";
const AWAY: &str = "This is not possible right now. Please try again in a moment.";
const NO_SUCH_SESSION: &str = "There is no such session any more.";
const NO_SUCH_FACTOR: &str = "There is no such second factor any more.";
const NO_FACTORS: &str = "Second factors cannot be added or removed here.";
const NEW_CODES: &str = "The former codes are not good any more.";
const WRONG_CODE: &str = "The code is wrong. Type the one that the app shows now.";
const CODES_GONE: &str = "The recovery codes cannot be shown any more. Please make new ones.";
const TOO_LATE: &str = "That took too long. Please add the app again.";

/// Somebody who may change something.
struct Owner<'a> {
    asked: AccountRequest<'a>,
    identity: &'a Arc<Identity>,
    session: SessionId,
    sign_in: SignIn,
}

impl Portal {
    /// `GET` and `POST /auth/account`.
    pub(in crate::portal) async fn answer_account(
        &self,
        intake: &Intake,
        body: ReceivedBody,
        context: &PortalContext<'_>,
    ) -> PortalReply {
        let Some(theme) = self.settings.theme.as_deref() else {
            return no_such_endpoint().into();
        };
        let asked = AccountRequest {
            theme,
            intake,
            context,
        };
        let head = &intake.head;
        if head.method != Method::POST {
            return self.show_page(asked, (StatusCode::OK, "")).await.into();
        }
        if !is_browser_form(&head.method, &head.headers) {
            let message = "This takes the forms of the account page alone";
            return wire::problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, message).into();
        }
        self.change_account(asked, body).await
    }

    async fn change_account(&self, asked: AccountRequest<'_>, body: ReceivedBody) -> PortalReply {
        let AccountRequest {
            intake, context, ..
        } = asked;
        if let Err(foreign) = intake.site.check_sender(&intake.head.headers) {
            let error = format!("{FOREIGN} {}", foreign.advice());
            let shown = (StatusCode::FORBIDDEN, error.trim_end());
            let page = self.show_page(asked, shown).await;
            return PortalReply::refused(page, format!("cross-origin: {foreign}"));
        }
        let format = BodyFormat::of(&intake.head.headers).unwrap_or(BodyFormat::Form);
        let form = body.whole().ok();
        let form = form.and_then(|bytes| AccountForm::read(&format, &bytes));
        let next = self.next_of(intake);
        let PortalCaller::Known {
            identity, session, ..
        } = context.caller
        else {
            let account = self.account_return(next.as_ref());
            return self.send_back(&self.sign_in_path(account.as_ref()));
        };
        if let (Some(AccountForm::ShowCodes(sealed)), Some(session)) = (&form, session) {
            let Some(codes) = self.open_codes(sealed, *session, context.now) else {
                let shown = (StatusCode::UNPROCESSABLE_ENTITY, CODES_GONE);
                return self.show_page(asked, shown).await.into();
            };
            let after = (KEY_ADDED, &*self.after_factor(intake));
            return self
                .show_codes(asked.theme, &identity.subject, &codes, after)
                .into();
        }
        let (session, sign_in) = match self.may_change(intake, context) {
            MayChange::Yes(session, sign_in) => (session, sign_in),
            MayChange::AfterSignIn => {
                let again = self.confirm_account(intake, next.as_ref(), false, context.now);
                return self.send_back(&again);
            }
            MayChange::No => {
                let shown = (StatusCode::FORBIDDEN, "Sign in with this browser first.");
                return self.show_page(asked, shown).await.into();
            }
        };
        let owner = Owner {
            asked,
            identity,
            session,
            sign_in,
        };
        let Some(form) = form else {
            let shown = (StatusCode::BAD_REQUEST, UNREADABLE);
            return self.show_page(asked, shown).await.into();
        };
        self.carry_out(&owner, form).await
    }

    async fn carry_out(&self, owner: &Owner<'_>, form: AccountForm) -> PortalReply {
        let now = owner.asked.context.now;
        match form {
            AccountForm::EndSession(session) => {
                let ended = self.end_own(owner.identity, session, now).await;
                let change = (AccountChange::SessionEnded, DONE_SESSION);
                self.ended(owner.asked, change, ended).await
            }
            AccountForm::EndOthers => {
                let ended = self.end_others(owner.identity, owner.session, now);
                let ended = ended.await.map(|()| true);
                let change = (AccountChange::OtherSessionsEnded, DONE_OTHERS);
                self.ended(owner.asked, change, ended).await
            }
            AccountForm::BeginApp => self.begin_app(owner).await,
            AccountForm::AddApp(form) => self.add_app(owner, &form).await,
            AccountForm::RemoveApp => self.try_factors(owner, FactorChange::RemoveApp).await,
            AccountForm::RemoveKey(id) => {
                self.try_factors(owner, FactorChange::RemoveKey(&id)).await
            }
            AccountForm::RenewCodes => self.try_factors(owner, FactorChange::RenewCodes).await,
            // of no session, in which they would have been shown before
            AccountForm::ShowCodes(_) => {
                let shown = (StatusCode::BAD_REQUEST, UNREADABLE);
                self.show_page(owner.asked, shown).await.into()
            }
            AccountForm::Password(form) => self.try_password(owner, form).await,
        }
    }

    async fn ended(
        &self,
        asked: AccountRequest<'_>,
        (change, done): (AccountChange, &str),
        ended: Result<bool, StoreUnavailable>,
    ) -> PortalReply {
        let (shown, why) = match ended {
            Ok(true) => {
                let response = self.come_back_done(asked.intake, done);
                return told(response, change, Ok(()));
            }
            Ok(false) => ((StatusCode::NOT_FOUND, NO_SUCH_SESSION), "no_such_session"),
            Err(StoreUnavailable) => ((StatusCode::SERVICE_UNAVAILABLE, AWAY), "state_away"),
        };
        self.refuse_change(asked, change, shown, why).await
    }

    async fn try_password(&self, owner: &Owner<'_>, form: PasswordForm) -> PortalReply {
        let (asked, of) = (owner.asked, (&**owner.identity, owner.sign_in));
        let (intake, now) = (asked.intake, asked.context.now);
        let change = AccountChange::PasswordChanged;
        match self.change_password(of, form, intake, now).await {
            Ok(Some(session)) => {
                let response = self.come_back_done(intake, DONE_PASSWORD);
                let response = self.give_session(intake, &session, response, now);
                told(response, change, Ok(()))
            }
            Ok(None) => {
                let account = self.account_return(self.next_of(intake).as_ref());
                let sign_in = self.sign_in_path(account.as_ref());
                let PortalReply { response, .. } = self.send_back(&sign_in);
                told(response, change, Ok(()))
            }
            Err(PasswordFailure::Told(status, error, why)) => {
                self.refuse_change(asked, change, (status, error), why)
                    .await
            }
            Err(PasswordFailure::Factor(why)) => self.factors_kept(asked, change, &why).await,
            Err(PasswordFailure::Login(denial)) => self.refuse_password(owner, denial).await,
        }
    }

    /// A guess at somebody's password is answered and counted as at the sign-in.
    async fn refuse_password(&self, owner: &Owner<'_>, denial: LoginDenial) -> PortalReply {
        let plain = denial.into_response(LoginApi::Login);
        let error = match plain.status() {
            StatusCode::UNAUTHORIZED => "The current password is wrong.".into(),
            status => words(status, retry_after(&plain)),
        };
        let shown = (plain.status(), &*error);
        PortalReply {
            response: self.show_page(owner.asked, shown).await,
            login: Some(LoginEvent {
                user: log_safe_name(&owner.identity.subject),
                outcome: Err(denial),
                second_factor: None,
            }),
            ..PortalReply::default()
        }
    }

    async fn begin_app(&self, owner: &Owner<'_>) -> PortalReply {
        let allowed = match self.offers_factors(owner.identity) {
            true => self.check_own_factor(owner.identity, owner.sign_in).await,
            false => Err(FactorFailure::NotOffered),
        };
        if let Err(why) = allowed {
            let change = AccountChange::AppAdded;
            return self.factors_kept(owner.asked, change, &why).await;
        }
        let (secret, sealed) = self.fresh_secret(owner.session, owner.asked.context.now);
        let (secret, shown) = ((&secret, &*sealed), (StatusCode::OK, ""));
        self.show_enrolment(owner.asked, owner.identity, secret, shown)
            .into()
    }

    async fn add_app(&self, owner: &Owner<'_>, form: &AppForm) -> PortalReply {
        let (asked, identity) = (owner.asked, owner.identity);
        let change = AccountChange::AppAdded;
        let code = (form.sealed.as_str(), form.otp.as_str());
        let of = (owner.session, owner.sign_in);
        match self.enrol(identity, of, code, asked.context.now).await {
            Ok(Enrolled::Added(codes)) if codes.is_empty() => {
                let response = match self.next_of(asked.intake) {
                    Some(next) => see_other(next.as_str()).expect("a parsed path is a field value"),
                    None => self.come_back_done(asked.intake, DONE_APP),
                };
                told(response, change, Ok(()))
            }
            Ok(Enrolled::Added(codes)) => {
                let after = (APP_ADDED, &*self.after_factor(asked.intake));
                let page = self.show_codes(asked.theme, &identity.subject, &codes, after);
                told(page, change, Ok(()))
            }
            Ok(Enrolled::Wrong(secret)) => {
                let secret = (&secret, form.sealed.as_str());
                let shown = (StatusCode::UNPROCESSABLE_ENTITY, WRONG_CODE);
                let page = self.show_enrolment(asked, identity, secret, shown);
                told(page, change, Err("wrong_code"))
            }
            Ok(Enrolled::TooLate) => {
                let shown = (StatusCode::UNPROCESSABLE_ENTITY, TOO_LATE);
                self.refuse_change(asked, change, shown, "too_late").await
            }
            Err(why) => self.factors_kept(asked, change, &why).await,
        }
    }

    async fn try_factors(&self, owner: &Owner<'_>, change: FactorChange<'_>) -> PortalReply {
        let label = change.label();
        let intake = owner.asked.intake;
        let changed = self.change_factors(owner.identity, owner.sign_in, &change);
        match changed.await {
            Ok(codes) if codes.is_empty() => {
                told(self.come_back_done(intake, DONE_REMOVED), label, Ok(()))
            }
            Ok(codes) => {
                let after = (NEW_CODES, &*self.after_factor(intake));
                let user = &owner.identity.subject;
                let page = self.show_codes(owner.asked.theme, user, &codes, after);
                told(page, label, Ok(()))
            }
            Err(why) => self.factors_kept(owner.asked, label, &why).await,
        }
    }

    /// Somebody's factors are what they were.
    async fn factors_kept(
        &self,
        asked: AccountRequest<'_>,
        change: AccountChange,
        why: &FactorFailure,
    ) -> PortalReply {
        let shown = match why {
            FactorFailure::ShowFactor => {
                let (intake, now) = (asked.intake, asked.context.now);
                let next = self.next_of(intake);
                let address = self.confirm_account(intake, next.as_ref(), true, now);
                let PortalReply { response, .. } = self.send_back(&address);
                return told(response, change, Err(why.label()));
            }
            FactorFailure::NotOffered => (StatusCode::FORBIDDEN, NO_FACTORS),
            FactorFailure::Away | FactorFailure::Busy => (StatusCode::SERVICE_UNAVAILABLE, AWAY),
            FactorFailure::NoSuchFactor => (StatusCode::NOT_FOUND, NO_SUCH_FACTOR),
        };
        self.refuse_change(asked, change, shown, why.label()).await
    }

    /// Where somebody goes on who has added a factor.
    fn after_factor(&self, intake: &Intake) -> String {
        let next = self.next_of(intake);
        next.map_or_else(|| self.account_path(), |next| next.as_str().to_owned())
    }

    fn come_back_done(&self, intake: &Intake, done: &str) -> Response<Bytes> {
        let account = self.account_at(self.next_of(intake).as_ref());
        let sign = if account.contains('?') { '&' } else { '?' };
        let address = format!("{account}{sign}{DONE}={done}");
        see_other(&address).expect("a path of the gateway's own is a field value")
    }

    fn send_back(&self, address: &str) -> PortalReply {
        let response = see_other(address);
        response
            .expect("a path of the gateway's own is a field value")
            .into()
    }

    /// Nothing is changed; the page says why.
    async fn refuse_change(
        &self,
        asked: AccountRequest<'_>,
        change: AccountChange,
        shown: (StatusCode, &str),
        why: &'static str,
    ) -> PortalReply {
        told(self.show_page(asked, shown).await, change, Err(why))
    }

    /// The page, with what is wrong, or the way to sign in.
    async fn show_page(
        &self,
        asked: AccountRequest<'_>,
        shown: (StatusCode, &str),
    ) -> Response<Bytes> {
        let page = self.show_settings(asked, shown).await;
        page.unwrap_or_else(|| self.ask_to_sign_in(asked.intake, asked.context))
    }
}

fn told(
    response: Response<Bytes>,
    change: AccountChange,
    outcome: Result<(), &'static str>,
) -> PortalReply {
    PortalReply {
        response,
        account: Some(AccountEvent { change, outcome }),
        ..PortalReply::default()
    }
}
