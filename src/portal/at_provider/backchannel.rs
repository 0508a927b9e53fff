//! The provider says that a session there has ended (OpenID Connect Back-Channel Logout 1.0).
//!
//! A server sends this, and no browser: neither cookies nor origins matter, and who it is shows in the signature of its token.

use std::borrow::Cow;

use bytes::Bytes;
use http::{Response, StatusCode};
use zeroize::Zeroizing;

use crate::oidc::{LogoutToken, LogoutTokenError, Provider};
use crate::portal::refresh::SessionEvent;
use crate::portal::rejection::no_such_endpoint;
use crate::portal::{Portal, PortalReply, ReceivedBody};
use crate::session::{OnceKey, OnceUse, SessionSelector, StoreUnavailable};
use crate::text::form;
use crate::wire::{self, Intake};

/// Why nothing was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// The body is no form with one token.
    Form,
    /// The token is not what the provider signs for this, or not any more.
    Token(LogoutTokenError),
    /// It came before.
    Replayed,
    /// The store is away. Some sessions may have ended.
    Away,
}

impl Portal {
    /// `POST /auth/backchannel/{provider}`: ends the sessions that a logout token names, at all replicas.
    pub(in crate::portal) async fn end_at_provider(
        &self,
        intake: &Intake,
        body: ReceivedBody,
        now: u64,
    ) -> PortalReply {
        let Some(provider) = self.provider_below(intake, "/backchannel/") else {
            return no_such_endpoint().into();
        };
        let name = provider.settings().name.as_str();
        match self.end_named(provider, body, now).await {
            Ok(ended) => {
                tracing::info!(
                    event = "backchannel_logout",
                    provider = name,
                    ended,
                    "a provider has ended sessions"
                );
                PortalReply {
                    response: Response::new(Bytes::new()),
                    session: Some(SessionEvent::Logout(Ok(()))),
                    ..PortalReply::default()
                }
            }
            Err(refusal) => {
                let reason = refusal.description();
                tracing::warn!(
                    event = "backchannel_logout_refused",
                    provider = name,
                    reason = &*reason,
                    "a logout of a provider has ended nothing"
                );
                let is_away = refusal == Refusal::Away;
                PortalReply {
                    session: is_away.then_some(SessionEvent::Logout(Err(StoreUnavailable))),
                    ..refusal.into_response().into()
                }
            }
        }
    }

    async fn end_named(
        &self,
        provider: &Provider,
        body: ReceivedBody,
        now: u64,
    ) -> Result<usize, Refusal> {
        let token = logout_token(body)?;
        let token = provider
            .verify_logout_token(&token, now)
            .await
            .map_err(Refusal::Token)?;
        let name = provider.settings().name.as_str();
        let key = OnceKey::new(OnceUse::LogoutToken, name, &token.jti);
        if !self.sessions.use_once(key, token.expires_at, now).await? {
            return Err(Refusal::Replayed);
        }
        let mut ended = 0;
        for selector in selectors(name, &token) {
            let times = self.times(now);
            ended += self.sessions.end_selected(&selector, times).await?;
        }
        Ok(ended)
    }
}

/// Which sessions a token names: with a `sid`, those of that session, and those of the user of which no `sid` is known; else all
/// of the user.
fn selectors(provider: &str, token: &LogoutToken) -> Vec<SessionSelector> {
    let of = || provider.into();
    match (&token.sid, &token.sub) {
        (Some(sid), sub) => {
            let without_sid = sub
                .iter()
                .map(|sub| SessionSelector::ProviderSubWithoutSid(of(), sub.clone()));
            let named = SessionSelector::ProviderSid(of(), sid.clone());
            std::iter::once(named).chain(without_sid).collect()
        }
        (None, Some(sub)) => vec![SessionSelector::ProviderSub(of(), sub.clone())],
        (None, None) => Vec::new(),
    }
}

/// The one `logout_token` of a form.
fn logout_token(body: ReceivedBody) -> Result<Zeroizing<String>, Refusal> {
    let body = body.whole().map_err(|_| Refusal::Form)?;
    let mut found = None;
    for pair in form::pairs(&body) {
        let (name, value) = pair.map_err(|_| Refusal::Form)?;
        if *name == "logout_token" && found.replace(value).is_some() {
            return Err(Refusal::Form);
        }
    }
    found.filter(|token| !token.is_empty()).ok_or(Refusal::Form)
}

impl Refusal {
    fn description(self) -> Cow<'static, str> {
        let text = match self {
            Self::Form => "the body must be a form with one `logout_token`",
            Self::Token(error) => return error.to_string().into(),
            Self::Replayed => "the logout token was used before",
            Self::Away => "the gateway cannot reach its state store; try again",
        };
        text.into()
    }

    /// Section 2.8 has one status for everything that is wrong.
    fn into_response(self) -> Response<Bytes> {
        let error = match self {
            Self::Form | Self::Token(_) | Self::Replayed => "invalid_request",
            Self::Away => "temporarily_unavailable",
        };
        let body = serde_json::json!({ "error": error, "error_description": self.description() });
        wire::json(StatusCode::BAD_REQUEST, &body)
    }
}

impl From<StoreUnavailable> for Refusal {
    fn from(_: StoreUnavailable) -> Self {
        Self::Away
    }
}
