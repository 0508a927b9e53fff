//! The page of somebody's account.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};

use super::password::PasswordOffer;
use crate::access::AuthenticationDemand;
use crate::pages::{PasskeyScript, PasskeyStep, RenderedPage, SettingsPage, Theme};
use crate::portal::me::PortalCaller;
use crate::portal::page::show;
use crate::portal::recovery::{APP_ADDED, KEY_ADDED};
use crate::portal::return_path::ReturnPath;
use crate::portal::visitor::Visitor;
use crate::portal::{Portal, PortalContext};
use crate::text::form;
use crate::token::{SessionId, SignIn};
use crate::wire::{CredentialSource, Intake};

/// How long after somebody has shown who they are something may be changed, in seconds.
const FRESH: u64 = 5 * 60;

/// Says in the page's query what was done before the browser came back.
pub(in crate::portal) const DONE: &str = "done";

/// What was done.
pub(super) const DONE_SESSION: &str = "session";
pub(super) const DONE_OTHERS: &str = "others";
pub(super) const DONE_PASSWORD: &str = "password";
pub(super) const DONE_APP: &str = "app";
pub(super) const DONE_REMOVED: &str = "removed";
pub(in crate::portal) const DONE_KEY: &str = "key";

/// A request for the page, or for a change that one of its forms asks for.
#[derive(Clone, Copy)]
pub(super) struct AccountRequest<'a> {
    pub(super) theme: &'a Theme,
    pub(super) intake: &'a Intake,
    pub(super) context: &'a PortalContext<'a>,
}

/// Whether somebody may change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::portal) enum MayChange {
    /// In this session, which began with this sign-in.
    Yes(SessionId, SignIn),
    /// Once they have signed in again: the last time is too long ago.
    AfterSignIn,
    /// Not with what they show: no session of a browser.
    No,
}

impl Portal {
    /// Whether the caller has shown just now who they are.
    pub(in crate::portal) fn may_change(
        &self,
        intake: &Intake,
        context: &PortalContext<'_>,
    ) -> MayChange {
        let PortalCaller::Known {
            session: Some(session),
            sign_in: Some(sign_in),
            ..
        } = context.caller
        else {
            return MayChange::No;
        };
        let credential = intake.credential.as_ref();
        let is_cookie = credential.is_some_and(|one| one.source() == CredentialSource::Cookie);
        match sign_in.age(context.now) {
            _ if !is_cookie => MayChange::No,
            Some(..=FRESH) => MayChange::Yes(*session, *sign_in),
            Some(_) | None => MayChange::AfterSignIn,
        }
    }

    /// Where somebody shows again who they are, with a second factor where it must be, and comes back from, to go on to `next`.
    pub(in crate::portal) fn confirm_account(
        &self,
        intake: &Intake,
        next: Option<&ReturnPath>,
        second_factor: bool,
        now: u64,
    ) -> String {
        let demand = AuthenticationDemand {
            second_factor,
            max_age: Some(Duration::from_secs(FRESH)),
        };
        let visitor = Visitor {
            site: &intake.site,
            cookies: &intake.cookies,
            next: self.account_return(next),
        };
        self.step_up_path(&visitor, intake.credential.as_ref(), demand, now)
    }

    /// `None` where nobody is signed in.
    pub(super) async fn show_settings(
        &self,
        asked: AccountRequest<'_>,
        (status, error): (StatusCode, &str),
    ) -> Option<Response<Bytes>> {
        let (intake, context) = (asked.intake, asked.context);
        let PortalCaller::Known {
            identity,
            expires_at,
            session,
            ..
        } = context.caller
        else {
            return None;
        };
        let sessions = self.show_sessions(identity, *session, context.now).await;
        let error = match error {
            "" => sessions.error,
            error => error,
        };
        let factors = self.show_factors(identity, context.now).await;
        let may_change = self.may_change(intake, context);
        let wanted = self.next_of(intake);
        let confirm = (may_change == MayChange::AfterSignIn)
            .then(|| self.confirm_account(intake, wanted.as_ref(), false, context.now));
        let is_free = matches!(may_change, MayChange::Yes(..));
        let (password, password_note) = password_form(&self.offers_password(identity), is_free);
        let (method, times) = self.describe_session(intake, *expires_at, context.now);
        let next = self.onward(wanted.clone(), identity, context);
        let page = SettingsPage {
            action: &self.account_at(wanted.as_ref()),
            sign_out: &format!("{}/logout", self.settings.own.prefix),
            switch: &self.switch_path(wanted.as_ref()),
            user: &identity.subject,
            name: identity.name.as_deref().unwrap_or_default(),
            method: &method,
            since: &times.since,
            until: &times.until,
            roles: &identity.roles.join(", "),
            next: &next,
            notice: if error.is_empty() { notice(intake) } else { "" },
            error,
            changes: flag(is_free),
            confirm: confirm.as_deref().unwrap_or_default(),
            sessions: &sessions.shown,
            others: flag(sessions.has_others),
            factors_offered: flag(factors.is_offered),
            factors: &factors.shown,
            factors_note: factors.note,
            codes: &factors.codes,
            codes_left: flag(factors.has_codes),
            add_app: flag(factors.is_offered && !factors.has_app),
            password,
            password_note,
        };
        let may_add = is_free && factors.is_offered;
        let wanted = wanted.as_ref().map_or("", ReturnPath::as_str);
        let page = self.with_keys(asked.theme.show(&page), (intake, wanted), may_add);
        Some(show(page, status))
    }

    /// The page; where the person may add factors and the site has keys, with the script that adds them.
    fn with_keys(
        &self,
        page: RenderedPage,
        (intake, next): (&Intake, &str),
        may_add: bool,
    ) -> RenderedPage {
        if !may_add || !self.offers_passkeys(&intake.site) {
            return page;
        }
        page.with_passkeys(&PasskeyScript {
            action: &self.passkey_path(),
            step: PasskeyStep::Registration,
            next,
        })
    }
}

/// A value of which only counts whether it is empty.
fn flag(is_set: bool) -> &'static str {
    if is_set { "yes" } else { "" }
}

/// Whether the form is shown, and what stands in its place.
fn password_form(offer: &PasswordOffer, is_free: bool) -> (&'static str, &'static str) {
    match offer {
        PasswordOffer::Form if is_free => ("form", ""),
        PasswordOffer::Form | PasswordOffer::Nothing => ("", ""),
        PasswordOffer::Note(why) => ("", why),
    }
}

/// What was done before.
fn notice(intake: &Intake) -> &'static str {
    let query = intake.head.uri.query().unwrap_or_default();
    let mut pairs = form::pairs(query.as_bytes()).filter_map(Result::ok);
    let done = pairs.find(|(name, _)| **name == DONE);
    match done.as_ref().map(|(_, what)| what.as_str()) {
        Some(DONE_SESSION) => "The session has ended.",
        Some(DONE_OTHERS) => "All other sessions have ended.",
        Some(DONE_APP) => APP_ADDED,
        Some(DONE_KEY) => KEY_ADDED,
        Some(DONE_REMOVED) => "The second factor is removed.",
        Some(DONE_PASSWORD) => "Your password is changed. All your other sessions have ended.",
        _ => "",
    }
}
