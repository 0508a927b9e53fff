//! The way back from a provider: what its answer leads the browser to.

use bytes::Bytes;
use http::header::SET_COOKIE;
use http::{Response, StatusCode};

use super::pending::{Attempt, PendingSignIn, attempt_of, key_of};
use super::redemption::{Begun, Refusal};
use super::start::{Departure, is_key};
use super::words::Failure;
use super::{ProviderDenial, ProviderLoginEvent};
use crate::oidc::{AuthorizationResponse, Provider, ProviderError};
use crate::pages::{PassingPage, Theme};
use crate::portal::login::log_safe_name;
use crate::portal::me::PortalCaller;
use crate::portal::page::{SignInReason, pass_on, see_other};
use crate::portal::redirect_loop::RedirectLoopGuard;
use crate::portal::rejection::no_such_endpoint;
use crate::portal::return_path::ReturnPath;
use crate::portal::sign_in::{FormView, TOO_MANY_COOKIES};
use crate::portal::{Portal, PortalContext, PortalReply};
use crate::wire::Intake;

impl Portal {
    /// `GET /auth/callback/{provider}`.
    pub(in crate::portal) async fn come_back(
        &self,
        intake: &Intake,
        context: &PortalContext<'_>,
    ) -> PortalReply {
        let Some((theme, provider)) = self.at_provider(intake, "/callback/") else {
            return no_such_endpoint().into();
        };
        let query = intake.head.uri.query().unwrap_or_default();
        let Ok(answer) = AuthorizationResponse::parse(query) else {
            return self.come_back_empty(theme, provider, intake, context);
        };
        let mut reply = match self.pending(intake, &answer.state, context.now) {
            Some(pending) => {
                self.take_answer(theme, provider, intake, (&answer, &pending), context)
                    .await
            }
            None => self.come_back_lost(theme, provider, intake, &answer, context),
        };
        // its cookie is of no use any more, whatever came of it
        let (cookie, key) = (&self.settings.cookie, key_of(&answer.state));
        let scheme = intake.site.scheme;
        let mut kept = cookie.pending(&intake.cookies, scheme);
        if is_key(key) && kept.any(|(kept, _)| kept == key) {
            let line = cookie.write_pending(scheme, key, "", 0);
            reply.response.headers_mut().append(SET_COOKIE, line);
        }
        reply
    }

    /// The sign-in that an answer belongs to, where this browser has begun it.
    fn pending(&self, intake: &Intake, state: &str, now: u64) -> Option<PendingSignIn> {
        let cookie = &self.settings.cookie;
        let mut kept = cookie.pending(&intake.cookies, intake.site.scheme);
        let (key, value) = kept.find(|(key, _)| *key == key_of(state))?;
        let pending = PendingSignIn::open(self.browsers.sealer(), key, value, now)?;
        (*pending.state == *state).then_some(pending)
    }

    async fn take_answer(
        &self,
        theme: &Theme,
        provider: &Provider,
        intake: &Intake,
        (answer, pending): (&AuthorizationResponse, &PendingSignIn),
        context: &PortalContext<'_>,
    ) -> PortalReply {
        let next = pending.next.as_deref();
        if intake.cookies.has_more() {
            let shown = FormView {
                error: TOO_MANY_COOKIES,
                ..FormView::default()
            };
            let page = self.show_form(theme, StatusCode::BAD_REQUEST, &shown);
            return PortalReply::refused(page, "too many session cookies".to_owned());
        }
        if pending.provider != provider.settings().name.as_str() {
            let failure = Failure {
                detail: Some(format!(
                    "the answer to a sign-in with `{}` has come back for another provider",
                    pending.provider
                )),
                ..Failure::of(ProviderDenial::Invalid)
            };
            return self.fail(theme, provider, failure, next);
        }
        match self
            .redeem(provider, intake, (answer, pending), context.now)
            .await
        {
            Ok(begun) => self.let_in_from(theme, provider, intake, &begun, next, context),
            Err(Refusal::Stale) => self.go_on(next, context).unwrap_or_else(|| {
                let is_first = attempt_of(&pending.state) == Attempt::First;
                let anew = || self.begin_anew(theme, provider, intake, next, context);
                is_first.then(anew).flatten().unwrap_or_else(|| {
                    let failure = Failure::of(ProviderDenial::Refused);
                    self.fail(theme, provider, failure, next)
                })
            }),
            Err(Refusal::Failed(failure)) => self.fail(theme, provider, failure, next),
        }
    }

    fn let_in_from(
        &self,
        theme: &Theme,
        provider: &Provider,
        intake: &Intake,
        begun: &Begun,
        next: Option<&str>,
        context: &PortalContext<'_>,
    ) -> PortalReply {
        let next = next.and_then(|next| ReturnPath::parse(next, self.settings.paths));
        let landing = self.landing(next, &begun.identity, context);
        let response = self.land(theme, &landing);
        let response = self.give_session(intake, &begun.session, response, context.now);
        PortalReply {
            response,
            provider_login: Some(ProviderLoginEvent {
                provider: provider.settings().name.as_str().into(),
                user: log_safe_name(&begun.identity.subject),
                outcome: Ok(()),
                detail: None,
            }),
            ..PortalReply::default()
        }
    }

    /// Sends the browser on. It came from the provider's site: a cookie that is strict would not go with a redirect.
    fn land(&self, theme: &Theme, landing: &str) -> Response<Bytes> {
        let passed = self.settings.cookie.is_strict().then(|| {
            let page = PassingPage {
                heading: "You are signed in",
                text: "",
                address: landing,
            };
            pass_on(theme, &page)
        });
        let redirected = || see_other(landing).expect("a parsed path is a field value");
        passed.flatten().unwrap_or_else(redirected)
    }

    /// Once more to the provider, which may not ask anything this time; `None` where that has happened again and again
    /// within a minute: neither provider nor browser would ever stop.
    fn begin_anew(
        &self,
        theme: &Theme,
        provider: &Provider,
        intake: &Intake,
        next: Option<&str>,
        context: &PortalContext<'_>,
    ) -> Option<PortalReply> {
        let cookie = &self.settings.cookie;
        let marker = cookie.marker(&intake.cookies, intake.site.scheme);
        let guard = RedirectLoopGuard::read(marker, context.now);
        let guard = RedirectLoopGuard::began_anew(guard, context.now)?;
        let departure = Departure {
            provider,
            next,
            attempt: Attempt::Anew,
            reason: SignInReason::default(),
        };
        let mut reply = self.send_away(theme, intake, &departure, context.now);
        let headers = reply.response.headers_mut();
        self.mark(&intake.site, guard, context.now, headers);
        Some(reply)
    }

    /// An answer to a sign-in that this browser has not begun, or not lately, or that is over: somebody went back in the
    /// history, or the cookie was lost.
    fn come_back_lost(
        &self,
        theme: &Theme,
        provider: &Provider,
        intake: &Intake,
        answer: &AuthorizationResponse,
        context: &PortalContext<'_>,
    ) -> PortalReply {
        if let Some(reply) = self.go_on(None, context) {
            return reply;
        }
        if let Err(code) = &answer.code {
            let error = ProviderError::Denied(code.clone());
            return self.fail(theme, provider, error.into(), None);
        }
        let is_first = attempt_of(&answer.state) == Attempt::First;
        let anew = || self.begin_anew(theme, provider, intake, None, context);
        if let Some(reply) = is_first.then(anew).flatten() {
            return reply;
        }
        let (cookie, scheme) = (&self.settings.cookie, intake.site.scheme);
        let sealer = self.browsers.sealer();
        let mut kept = cookie.pending(&intake.cookies, scheme);
        if is_first
            && kept
                .any(|(key, value)| PendingSignIn::open(sealer, key, value, context.now).is_some())
        {
            let failure = Failure {
                detail: Some("it answers with another `state` than it was sent".to_owned()),
                ..Failure::of(ProviderDenial::Invalid)
            };
            return self.fail(theme, provider, failure, None);
        }
        let name = format!("{}-oidc-{}", cookie.name(scheme), key_of(&answer.state));
        let page = self.show_cookie_lost(theme, &name);
        PortalReply::refused(
            page,
            "the cookie of the sign-in did not come back".to_owned(),
        )
    }

    /// Not even an answer: somebody opened the address by hand, or changed it. It says nothing about the provider.
    fn come_back_empty(
        &self,
        theme: &Theme,
        provider: &Provider,
        intake: &Intake,
        context: &PortalContext<'_>,
    ) -> PortalReply {
        let reply = self
            .go_on(None, context)
            .or_else(|| self.begin_anew(theme, provider, intake, None, context));
        reply.unwrap_or_else(|| {
            let failure = Failure::of(ProviderDenial::Invalid);
            let shown = FormView {
                error: &failure.sentence(&provider.settings().title, false),
                ..FormView::default()
            };
            let page = self.show_form(theme, StatusCode::BAD_REQUEST, &shown);
            PortalReply::refused(page, "the query is not an answer of a provider".to_owned())
        })
    }

    /// Whoever is signed in already goes on, to where a sign-in was to lead where that is known.
    fn go_on(&self, next: Option<&str>, context: &PortalContext<'_>) -> Option<PortalReply> {
        let PortalCaller::Known { identity, .. } = context.caller else {
            return None;
        };
        let next = next.and_then(|next| ReturnPath::parse(next, self.settings.paths));
        let landing = self.landing(next, identity, context);
        see_other(&landing).map(PortalReply::from)
    }
}
