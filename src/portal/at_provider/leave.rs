//! The end of the session at the provider, after that of the session here (OpenID Connect RP-Initiated Logout 1.0).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::Response;
use zeroize::Zeroizing;

use crate::ambient;
use crate::oidc::{LogoutMode, Provider};
use crate::pages::{PassingPage, Theme};
use crate::portal::Portal;
use crate::portal::page::pass_on;
use crate::token::{SealedFor, SessionId};
use crate::wire::Intake;

impl Portal {
    /// The provider that this browser's session began with, where signing out ends the session there too.
    pub(in crate::portal) fn provider_to_leave(
        &self,
        intake: &Intake,
        now: u64,
    ) -> Option<(&Provider, SessionId)> {
        let cookie = &self.settings.cookie;
        let session = cookie.credential(&intake.cookies, intake.site.scheme)?;
        let session = self.browsers.verify(session.token(), now).ok()?;
        let provider = self.provider(&session.provider?.provider)?;
        let leaves = provider.settings().logout == LogoutMode::Provider;
        leaves.then_some((provider, session.session))
    }

    /// The ID token of the sign-in, which tells the provider whose session to end; `None` where it was not kept, or cannot be
    /// had now.
    pub(in crate::portal) async fn id_token(
        &self,
        session: SessionId,
    ) -> Option<Zeroizing<String>> {
        let record = self.sessions.find_browser(session).await.ok()??;
        let sealed = record.provider?.id_token?;
        let sealer = self.browsers.sealer();
        let opened = sealer.open(SealedFor::ProviderTokens, session.as_bytes(), &sealed)?;
        let text = std::str::from_utf8(&opened).ok()?;
        Some(Zeroizing::new(text.to_owned()))
    }

    /// Sends a browser that is signed out here on to the provider, which sends it back; `None` where that has no place to
    /// sign out. It is no redirect: to a form, browsers follow none that leads to another site.
    pub(in crate::portal) fn leave_provider(
        &self,
        theme: &Theme,
        provider: &Provider,
        id_token: Option<&str>,
        intake: &Intake,
    ) -> Option<Response<Bytes>> {
        let back = format!("{}/logout", self.settings.own.prefix);
        let back = intake.site.url(&back)?;
        let state = URL_SAFE_NO_PAD.encode(ambient::random_bytes::<16>());
        let address = provider.end_session_url(id_token, &back, &state)?;
        let page = PassingPage {
            heading: "You are signed out here",
            text: &format!("{} signs you out as well.", provider.settings().title),
            address: &address,
        };
        pass_on(theme, &page)
    }
}
