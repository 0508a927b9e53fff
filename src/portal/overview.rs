//! The page for people who are signed in, and where a sign-in leads.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode};

use crate::access::Identity;
use crate::pages::{AccountPage, DurationInWords, Theme};
use crate::portal::me::PortalCaller;
use crate::portal::page::{PageQuery, SignInReason, see_other, show};
use crate::portal::return_path::ReturnPath;
use crate::portal::visitor::Visitor;
use crate::portal::words::{ago, time_in_words};
use crate::portal::{Portal, PortalContext};
use crate::token::{AuthenticationMethod, SignIn};
use crate::users::NEVER;
use crate::wire::{self, CredentialSource, Intake};

/// Which page somebody who is signed in asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AccountView {
    /// The account, or the sign-in page.
    Account,
    /// The one to sign out.
    SignOut,
}

/// What a session says about itself on its page.
#[derive(Default)]
pub(super) struct SessionTimes {
    pub(super) since: String,
    pub(super) until: String,
}

impl Portal {
    pub(super) fn account_path(&self) -> String {
        format!("{}/account", self.settings.own.prefix)
    }

    /// The account's page, from where somebody goes on to what they wanted.
    pub(super) fn account_at(&self, next: Option<&ReturnPath>) -> String {
        SignInReason::default().address(&self.account_path(), next)
    }

    /// The way back to there.
    pub(super) fn account_return(&self, next: Option<&ReturnPath>) -> Option<ReturnPath> {
        let read = |address: &str| ReturnPath::parse(address, self.settings.paths);
        // what is too long with another way behind it goes without
        read(&self.account_at(next)).or_else(|| read(&self.account_path()))
    }

    /// What somebody on the account's page wanted.
    pub(super) fn next_of(&self, intake: &Intake) -> Option<ReturnPath> {
        PageQuery::read(intake.head.uri.query(), self.settings.paths).next
    }

    /// Where a browser goes on that has signed in: where it wanted to go, else to `/`, else to the account's page.
    pub(super) fn landing(
        &self,
        next: Option<ReturnPath>,
        identity: &Arc<Identity>,
        context: &PortalContext<'_>,
    ) -> String {
        match next {
            Some(next) => next.as_str().to_owned(),
            None if (context.opens_start)(identity) => "/".to_owned(),
            None => self.account_path(),
        }
    }

    /// The same for a link; empty where that is the account's page, which leads nowhere.
    pub(super) fn onward(
        &self,
        next: Option<ReturnPath>,
        identity: &Arc<Identity>,
        context: &PortalContext<'_>,
    ) -> String {
        let landing = self.landing(next, identity, context);
        match landing == self.account_path() {
            true => String::new(),
            false => landing,
        }
    }

    /// `GET /auth/logout`: it changes nothing.
    pub(super) fn answer_sign_out(
        &self,
        theme: &Theme,
        intake: &Intake,
        context: &PortalContext<'_>,
    ) -> Response<Bytes> {
        let page = self.show_account(theme, intake, context, AccountView::SignOut);
        page.or_else(|| see_other(&self.signed_out_path()))
            .unwrap_or_else(|| Response::new(Bytes::new()))
    }

    /// People are sent to the sign-in page and back; programs get what is wrong with their credential.
    pub(super) fn ask_to_sign_in(
        &self,
        intake: &Intake,
        context: &PortalContext<'_>,
    ) -> Response<Bytes> {
        let head = &intake.head;
        let sent = wire::is_navigation(&head.method, &head.headers).then(|| {
            let visitor = Visitor {
                site: &intake.site,
                cookies: &intake.cookies,
                next: self.account_return(self.next_of(intake).as_ref()),
            };
            let address = self.sign_in_path(visitor.next.as_ref());
            self.send_to_sign_in(&visitor, &address, context.now)
        });
        sent.flatten().unwrap_or_else(|| match context.caller {
            PortalCaller::Rejected(why) => context.challenges.invalid_token(why),
            PortalCaller::Anonymous | PortalCaller::Known { .. } => {
                context.challenges.not_authenticated()
            }
        })
    }

    /// `None` where nobody is signed in.
    pub(super) fn show_account(
        &self,
        theme: &Theme,
        intake: &Intake,
        context: &PortalContext<'_>,
        view: AccountView,
    ) -> Option<Response<Bytes>> {
        let PortalCaller::Known {
            identity,
            expires_at,
            ..
        } = context.caller
        else {
            return None;
        };
        let next = self.next_of(intake);
        let switch = self.switch_path(next.as_ref());
        let next = self.onward(next, identity, context);
        let (method, times) = self.describe_session(intake, *expires_at, context.now);
        let account = AccountPage {
            action: &format!("{}/logout", self.settings.own.prefix),
            next: &next,
            user: &identity.subject,
            name: identity.name.as_deref().unwrap_or_default(),
            method: &method,
            since: &times.since,
            until: &times.until,
            roles: &identity.roles.join(", "),
            switch: &switch,
            settings: &self.account_path(),
            leaving: match view {
                AccountView::Account => "",
                AccountView::SignOut => "leaving",
            },
        };
        Some(show(theme.show(&account), StatusCode::OK))
    }

    /// How the caller was identified, since when and until when.
    pub(super) fn describe_session(
        &self,
        intake: &Intake,
        expires_at: u64,
        now: u64,
    ) -> (String, SessionTimes) {
        let credential = intake.credential.as_ref();
        let (method, since, until) = match credential.map(|credential| credential.source()) {
            Some(CredentialSource::ApiKey) => ("an API key".to_owned(), None, Some(expires_at)),
            Some(CredentialSource::Basic) => (
                "a user name and password with each request".to_owned(),
                None,
                None,
            ),
            Some(CredentialSource::Cookie) => {
                let token = credential.map(|credential| credential.token());
                let session = token.and_then(|token| self.browsers.verify(token, now).ok());
                let span = session
                    .as_ref()
                    .and_then(|session| self.browsers.span(session));
                let (since, until) = span.unzip();
                let sign_in = session.as_ref().map(|session| session.sign_in);
                let sign_in = sign_in.unwrap_or_default();
                let said = session.and_then(|session| session.provider);
                let with = match said.and_then(|said| self.provider(&said.provider)) {
                    Some(provider) => &provider.settings().title,
                    None => shown_here(sign_in),
                };
                (format!("{with}, in this browser"), since, until)
            }
            Some(CredentialSource::Bearer) | None => ("a token".to_owned(), None, Some(expires_at)),
        };
        let since = since.map(|since| format!("{}, {}", time_in_words(since), ago(since, now)));
        let until = until.filter(|until| *until < NEVER).map(|until| {
            let left = DurationInWords(until.saturating_sub(now));
            format!("{}, in {left} at the latest", time_in_words(until))
        });
        let times = SessionTimes {
            since: since.unwrap_or_default(),
            until: until.unwrap_or_default(),
        };
        (method, times)
    }
}

/// What somebody has shown who did not come from a provider.
fn shown_here(sign_in: SignIn) -> &'static str {
    let has = |method| sign_in.methods.contains(method);
    match has(AuthenticationMethod::Password) {
        true if sign_in.has_second_factor() => "a password and a second factor",
        false if has(AuthenticationMethod::UserPresence) => "a passkey",
        // of sessions from before the methods were kept nothing is known
        true | false => "a password",
    }
}
