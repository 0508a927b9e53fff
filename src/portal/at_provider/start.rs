//! The way to a provider.

use http::header::{RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, StatusCode};

use super::pending::{Attempt, LIFE, PendingSignIn};
use super::words::Failure;
use super::{ProviderDenial, ProviderLoginEvent};
use crate::access::{PathOptions, RequestPath};
use crate::oidc::{AuthorizationRequest, Provider, code_challenge};
use crate::pages::{PageItem, Theme};
use crate::portal::page::{PageQuery, SignInReason, see_other};
use crate::portal::rejection::no_such_endpoint;
use crate::portal::return_path::ReturnPath;
use crate::portal::sign_in::FormView;
use crate::portal::{Portal, PortalContext, PortalReply};
use crate::session::{OnceKey, OnceUse};
use crate::wire::Intake;

/// A browser that is sent to a provider.
pub(super) struct Departure<'a> {
    pub(super) provider: &'a Provider,
    pub(super) next: Option<&'a str>,
    pub(super) attempt: Attempt,
    /// Why.
    pub(super) reason: SignInReason,
}

impl Portal {
    /// `GET /auth/login/{provider}`.
    pub(in crate::portal) fn begin_with_provider(
        &self,
        intake: &Intake,
        context: &PortalContext<'_>,
    ) -> PortalReply {
        let Some((theme, provider)) = self.at_provider(intake, "/login/") else {
            return no_such_endpoint().into();
        };
        let query = PageQuery::read(intake.head.uri.query(), self.settings.paths);
        let departure = Departure {
            provider,
            next: query.next.as_ref().map(ReturnPath::as_str),
            attempt: Attempt::First,
            reason: query.reason,
        };
        self.send_away(theme, intake, &departure, context.now)
    }

    /// The provider that the last segment of a path names, where people sign in here.
    pub(super) fn at_provider(&self, intake: &Intake, before: &str) -> Option<(&Theme, &Provider)> {
        let theme = self.settings.theme.as_deref()?;
        Some((theme, self.provider_below(intake, before)?))
    }

    /// The same, whether or not people sign in here.
    pub(super) fn provider_below(&self, intake: &Intake, before: &str) -> Option<&Provider> {
        let path = RequestPath::parse(intake.head.uri.path(), PathOptions::default()).ok()?;
        let below = path.as_str().strip_prefix(&self.settings.own.prefix)?;
        self.provider(below.strip_prefix(before)?)
    }

    /// Whether the last segment of a path is the name of a provider.
    pub fn is_of_provider(&self, path: &str) -> bool {
        let name = path.rsplit('/').next();
        name.is_some_and(|name| self.provider(name).is_some())
    }

    /// The provider of this name.
    pub(in crate::portal) fn provider(&self, name: &str) -> Option<&Provider> {
        let mut providers = self.settings.providers.iter();
        let found = providers.find(|provider| provider.settings().name.as_str() == name);
        found.map(|provider| &**provider)
    }

    /// Where the sign-in with a provider begins.
    pub(in crate::portal) fn provider_path(
        &self,
        name: &str,
        next: Option<&ReturnPath>,
        reason: SignInReason,
    ) -> String {
        let path = format!("{}/login/{name}", self.settings.own.prefix);
        reason.address(&path, next)
    }

    /// The providers on the sign-in page.
    pub(in crate::portal) fn provider_links(
        &self,
        next: Option<&ReturnPath>,
        reason: SignInReason,
    ) -> Vec<PageItem> {
        let link = |provider: &Provider| {
            let settings = provider.settings();
            let address = self.provider_path(settings.name.as_str(), next, reason);
            PageItem::new([("title", settings.title.clone()), ("address", address)])
        };
        self.settings
            .providers
            .iter()
            .map(|one| link(one))
            .collect()
    }

    /// The one way in, where the sign-in page would hold nothing but that.
    pub(in crate::portal) fn only_provider(&self) -> Option<&Provider> {
        match &*self.settings.providers {
            [provider] if !self.takes_passwords() => Some(provider),
            _ => None,
        }
    }

    /// The provider that has refused to confirm the session of this browser, which has ended by that. `None` where it has
    /// ended otherwise, as by a logout, or where the store is away.
    pub(in crate::portal) async fn provider_that_refused(
        &self,
        intake: &Intake,
        now: u64,
    ) -> Option<&Provider> {
        let cookie = &self.settings.cookie;
        let session = cookie.credential(&intake.cookies, intake.site.scheme)?;
        let session = self.browsers.verify(session.token(), now).ok()?;
        let provider = self.provider(&session.provider?.provider)?;
        let id = session.session;
        if !self.sessions.has_ended(&id) {
            return None;
        }
        let name = provider.settings().name.as_str();
        let key = OnceKey::new(OnceUse::RefusedSession, name, &id.to_string());
        let was_refused = self.sessions.was_used(key).await;
        was_refused.unwrap_or(false).then_some(provider)
    }

    /// Sends a browser to a provider, with a cookie of what its answer is checked with.
    pub(super) fn send_away(
        &self,
        theme: &Theme,
        intake: &Intake,
        departure: &Departure<'_>,
        now: u64,
    ) -> PortalReply {
        let name = departure.provider.settings().name.as_str();
        let callback = format!("{}/callback/{name}", self.settings.own.prefix);
        let Some(redirect_uri) = intake.site.url(&callback) else {
            return no_such_endpoint().into();
        };
        let (next, demand) = (departure.next, departure.reason.demand());
        let pending = PendingSignIn::begin(name, redirect_uri, next, departure.attempt, now);
        let pending = pending.asking(demand);
        let request = AuthorizationRequest {
            redirect_uri: &pending.redirect_uri,
            state: &pending.state,
            nonce: &pending.nonce,
            code_challenge: &code_challenge(&pending.verifier),
            prompt: departure.reason.asks_anew().then_some("login"),
            login_hint: None,
            max_age: pending.max_age,
            acr_values: if demand.second_factor {
                &departure.provider.settings().second_factor.acr
            } else {
                &[]
            },
        };
        let address = match departure.provider.authorization_url(&request) {
            Ok(address) => address,
            Err(error) => {
                return self.fail(theme, departure.provider, error.into(), next);
            }
        };
        let Some(mut response) = see_other(&address) else {
            let failure = Failure::of(ProviderDenial::Away);
            return self.fail(theme, departure.provider, failure, next);
        };
        self.keep(intake, &pending, now, response.headers_mut());
        response.into()
    }

    /// Gives the browser the cookie of a sign-in, and takes away what there is no more room for.
    fn keep(&self, intake: &Intake, pending: &PendingSignIn, now: u64, headers: &mut HeaderMap) {
        let (cookie, scheme) = (&self.settings.cookie, intake.site.scheme);
        let sealer = self.browsers.sealer();
        let kept = cookie.pending(&intake.cookies, scheme);
        for key in PendingSignIn::make_room(sealer, kept, now) {
            if is_key(key) {
                headers.append(SET_COOKIE, cookie.write_pending(scheme, key, "", 0));
            }
        }
        let value = pending.seal(sealer);
        let line = cookie.write_pending(scheme, pending.key(), &value, LIFE);
        headers.append(SET_COOKIE, line);
    }

    /// The sign-in page with what went wrong, and the other ways in.
    pub(super) fn fail(
        &self,
        theme: &Theme,
        provider: &Provider,
        failure: Failure,
        next: Option<&str>,
    ) -> PortalReply {
        let settings = provider.settings();
        let has_others = self.settings.providers.len() > 1 || self.takes_passwords();
        let next = next.and_then(|next| ReturnPath::parse(next, self.settings.paths));
        let shown = FormView {
            next: next.as_ref(),
            error: &failure.sentence(&settings.title, has_others),
            // whoever may not sign in here comes back as somebody else
            reason: if failure.denial == ProviderDenial::NotAllowed {
                SignInReason::Switch
            } else {
                SignInReason::default()
            },
            ..FormView::default()
        };
        let mut response = self.show_form(theme, failure.status(), &shown);
        if response.status() == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, 5.into());
        }
        PortalReply {
            response,
            provider_login: Some(ProviderLoginEvent {
                provider: settings.name.as_str().into(),
                user: failure.user,
                outcome: Err(failure.denial),
                detail: failure.detail,
            }),
            ..PortalReply::default()
        }
    }
}

/// Whether a key of a cookie is one that the gateway has written: what a client made up must not go into an answer.
pub(super) fn is_key(key: &str) -> bool {
    let is_plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
    !key.is_empty() && key.bytes().all(is_plain)
}
