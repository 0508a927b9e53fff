//! The way back from a provider: from its answer to a session.

use std::sync::Arc;

use bytes::Bytes;
use http::header::SET_COOKIE;
use http::{Response, StatusCode};
use secrecy::SecretString;

use super::claims::claims_of;
use super::pending::{Attempt, LIFE, PendingSignIn, attempt_of, key_of};
use super::start::{Departure, is_key};
use super::words::Failure;
use super::{ProviderDenial, ProviderLoginEvent};
use crate::access::Identity;
use crate::ambient;
use crate::identify::{admit_unlisted, identity_of};
use crate::oidc::{
    AuthorizationResponse, LogoutMode, OAuthErrorCode, Provider, ProviderError, ProviderSignIn,
    SignInSecrets, UsersMode,
};
use crate::pages::{PassingPage, Theme};
use crate::portal::login::log_safe_name;
use crate::portal::me::PortalCaller;
use crate::portal::page::{SignInReason, pass_on, see_other};
use crate::portal::place::place_of;
use crate::portal::redirect_loop::RedirectLoopGuard;
use crate::portal::rejection::no_such_endpoint;
use crate::portal::return_path::ReturnPath;
use crate::portal::sign_in::{FormView, TOO_MANY_COOKIES};
use crate::portal::{Portal, PortalContext, PortalReply};
use crate::session::{BrowserSession, OnceKey, OnceUse, ProviderSession, StoreUnavailable};
use crate::token::{
    AuthenticationMethod, AuthenticationMethods, IssueError, ProviderClaims, SealedFor, SessionId,
    SessionToken, SignIn, is_valid_subject,
};
use crate::wire::Intake;

/// A session that has begun with a provider.
struct Begun {
    identity: Arc<Identity>,
    session: SessionToken,
}

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

    /// From a code to a session.
    async fn redeem(
        &self,
        provider: &Provider,
        intake: &Intake,
        (answer, pending): (&AuthorizationResponse, &PendingSignIn),
        now: u64,
    ) -> Result<Begun, Refusal> {
        // whoever shows an answer once more has it from somewhere else than the provider
        let key = OnceKey::new(
            OnceUse::SignInState,
            &provider.settings().issuer,
            &pending.state,
        );
        match self
            .sessions
            .use_once(key, now.saturating_add(LIFE), now)
            .await
        {
            Ok(true) => {}
            Ok(false) => return Err(Refusal::Stale),
            Err(StoreUnavailable) => {
                return Err(Refusal::Failed(Failure::of(ProviderDenial::StateAway)));
            }
        }
        let secrets = SignInSecrets {
            redirect_uri: pending.redirect_uri.clone(),
            nonce: SecretString::from(&*pending.nonce),
            code_verifier: SecretString::from(&*pending.verifier),
            max_age: pending.max_age,
        };
        let signed_in = provider.redeem(answer, &secrets, now).await;
        let is_spent = |error: &ProviderError| {
            matches!(error, ProviderError::Refused(OAuthErrorCode::InvalidGrant))
        };
        let signed_in = signed_in.map_err(|error| {
            if is_spent(&error) {
                Refusal::Stale
            } else {
                Refusal::Failed(error.into())
            }
        })?;
        // the provider has taken its time
        let now = ambient::unix_seconds();
        let begun = self.begin_session_of(provider, intake, &signed_in, now);
        begun.await.map_err(|failure| {
            Refusal::Failed(Failure {
                user: log_safe_name(&signed_in.identity.subject),
                ..failure
            })
        })
    }

    async fn begin_session_of(
        &self,
        provider: &Provider,
        intake: &Intake,
        signed_in: &ProviderSignIn,
        now: u64,
    ) -> Result<Begun, Failure> {
        let said = claims_of(provider, signed_in, now);
        let subject = &*signed_in.identity.subject;
        let identity = self.admit_from(provider, subject, &said, now)?;
        let id = SessionId::from_bytes(ambient::random_bytes());
        let session = self
            .browsers
            .begin_with_provider(
                subject,
                id,
                &said,
                sign_in_of(provider, signed_in, now),
                now,
            )
            .map_err(|error| match error {
                IssueError::TooLarge(length) => Failure {
                    detail: Some(format!(
                        "the session would have {length} bytes, with {} roles",
                        said.roles.len()
                    )),
                    ..Failure::of(ProviderDenial::TooLarge)
                },
                IssueError::Signing => Failure::of(ProviderDenial::NoToken),
            })?;
        if session.roles_left_out > 0 {
            tracing::warn!(
                event = "roles_left_out",
                provider = provider.settings().name.as_str(),
                user = &*log_safe_name(subject),
                left_out = session.roles_left_out,
                "not all roles fit into the cookie: only those are there that some rule names"
            );
        }
        let away = |_: StoreUnavailable| Failure::of(ProviderDenial::StateAway);
        self.end_replaced(intake, now).await.map_err(away)?;
        // one that nobody could list, end or renew does not begin
        let record = self.record_of(provider, signed_in, (id, &said), intake, now);
        self.sessions
            .begin_browser(id, record, self.times(now))
            .await
            .map_err(away)?;
        Ok(Begun { identity, session })
    }

    /// What the store keeps of a session: its tokens are sealed.
    fn record_of(
        &self,
        provider: &Provider,
        signed_in: &ProviderSignIn,
        (id, said): (SessionId, &ProviderClaims),
        intake: &Intake,
        now: u64,
    ) -> BrowserSession {
        let sealer = self.browsers.sealer();
        let seal =
            |token: &str| sealer.seal(SealedFor::ProviderTokens, id.as_bytes(), token.as_bytes());
        let leaves = provider.settings().logout == LogoutMode::Provider;
        let record = BrowserSession::begun(
            &signed_in.identity.subject,
            now,
            self.browsers.latest_end(now),
        );
        let mut record = record
            .at_place(place_of(intake))
            .at_provider(ProviderSession {
                name: said.provider.clone(),
                fingerprint: said.fingerprint.clone(),
                sub: signed_in.of.sub.clone(),
                sid: signed_in.sid.clone(),
                auth_time: signed_in.of.auth_time,
                refresh_token: None,
                id_token: leaves.then(|| seal(&signed_in.id_token)),
                roles: said.roles.clone(),
                display_name: said.name.clone(),
                email: said.email.clone(),
                checked_at: now,
                turn: 0,
            });
        if let Some(token) = &signed_in.refresh_token {
            record.seal_refresh_token(id, sealer, token);
        }
        record
    }

    /// Whom the session is for, where the user list has nothing against it.
    fn admit_from(
        &self,
        provider: &Provider,
        subject: &str,
        said: &ProviderClaims,
        now: u64,
    ) -> Result<Arc<Identity>, Failure> {
        let refuse = |reason: &str| Failure {
            detail: Some(reason.to_owned()),
            ..Failure::of(ProviderDenial::NotAllowed)
        };
        if !is_valid_subject(subject) {
            return Err(refuse(
                "its name is no name of a user: 1 to 255 visible characters",
            ));
        }
        match provider.settings().users {
            UsersMode::Listed => {
                let user = self.directory.find(subject);
                let user = user.ok_or_else(|| refuse("nobody of this name is on the user list"))?;
                user.admit(Some(now))
                    .map_err(|refusal| refuse(&refusal.to_string()))?;
                Ok(Arc::clone(&user.identity))
            }
            UsersMode::Any => {
                let admitted = admit_unlisted(&self.directory, identity_of(subject, said));
                admitted
                    .map(Arc::new)
                    .map_err(|refusal| refuse(&refusal.to_string()))
            }
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

/// Why an answer makes no session.
enum Refusal {
    /// The code was used before, or is too old.
    Stale,
    Failed(Failure),
}

/// When and how the provider says that the person was authenticated. That more than one factor was shown counts where the
/// configuration says by which word.
fn sign_in_of(provider: &Provider, signed_in: &ProviderSignIn, now: u64) -> SignIn {
    let methods = AuthenticationMethods::from_names(signed_in.amr.iter().map(|name| &**name));
    let second_factor = &provider.settings().second_factor;
    let is_shown = second_factor.is_shown_by(&signed_in.amr, signed_in.acr.as_deref());
    SignIn {
        at: signed_in.of.auth_time.map(|at| at.min(now)),
        methods: if is_shown {
            methods.with(AuthenticationMethod::MultipleFactors)
        } else {
            methods.without(AuthenticationMethod::MultipleFactors)
        },
    }
}
