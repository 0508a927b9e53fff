//! Browsers on their way to the sign-in page, and those that come back from it without their session.

use bytes::Bytes;
use http::header::SET_COOKIE;
use http::{HeaderMap, Response, StatusCode};

use super::Portal;
use super::page::{SIGNED_OUT, SignInReason, see_other, show};
use super::redirect_loop::RedirectLoopGuard;
use super::return_path::ReturnPath;
use crate::access::AuthenticationDemand;
use crate::oidc::Provider;
use crate::pages::{CookieMissing, Theme};
use crate::wire::{Credential, CredentialSource, GatewayCookies, Scheme, Site};

const LOST: &str = "Your browser did not send it back. Cookies may be blocked, or the address may be of another host, or \
                    of http instead of https. Allow cookies for this site and open it by its usual address.";
const REFUSED: &str = "Your browser sent it back, and it was not accepted. Delete the cookies of this site. If that does \
                       not help, tell its operator: several gateways with different keys may answer under this address.";

/// A browser that has to sign in.
#[derive(Clone, Debug)]
pub struct Visitor<'a> {
    /// The requested origin.
    pub site: &'a Site,
    /// The gateway's cookies that it brought.
    pub cookies: &'a GatewayCookies,
    /// Where it wants to go; `None` where there is no safe way back.
    pub next: Option<ReturnPath>,
}

impl Portal {
    /// The sign-in page's path, from where the browser comes back.
    pub fn sign_in_path(&self, next: Option<&ReturnPath>) -> String {
        self.sign_in_path_for(next, AuthenticationDemand::default())
    }

    /// The same, from where it comes back with a sign-in that meets this demand, where it can.
    pub fn sign_in_path_for(
        &self,
        next: Option<&ReturnPath>,
        demand: AuthenticationDemand,
    ) -> String {
        SignInReason::Ordinary(demand).address(&self.login_path(), next)
    }

    /// The path of the form for somebody else than who is signed in.
    pub(super) fn switch_path(&self, next: Option<&ReturnPath>) -> String {
        SignInReason::Switch.address(&self.login_path(), next)
    }

    /// Where whoever is signed in signs in once more, to meet this demand: at the provider of the session, where it has
    /// one, else on the sign-in page. Who has just signed in, and does not meet it, decides there how to go on: a provider
    /// that asks nothing would send the browser back at once, again and again. `session` is the browser's credential.
    pub fn step_up_path(
        &self,
        visitor: &Visitor<'_>,
        session: Option<&Credential>,
        demand: AuthenticationDemand,
        now: u64,
    ) -> String {
        let next = visitor.next.as_ref();
        let reason = SignInReason::StepUp(demand);
        let is_new = self.has_just_signed_in(visitor.cookies, visitor.site.scheme, now);
        let provider = session.filter(|_| !is_new);
        match provider.and_then(|session| self.provider_of(session, now)) {
            Some(provider) => self.provider_path(provider.settings().name.as_str(), next, reason),
            None => reason.address(&self.login_path(), next),
        }
    }

    /// The provider that the session of a browser began with.
    fn provider_of(&self, session: &Credential, now: u64) -> Option<&Provider> {
        if session.source() != CredentialSource::Cookie {
            return None;
        }
        let session = self.browsers.verify(session.token(), now).ok()?;
        self.provider(&session.provider?.provider)
    }

    /// Whether a browser has signed in within the last minute, as far as it says.
    pub(super) fn has_just_signed_in(
        &self,
        cookies: &GatewayCookies,
        scheme: Scheme,
        now: u64,
    ) -> bool {
        let marker = self.settings.cookie.marker(cookies, scheme);
        RedirectLoopGuard::read(marker, now).is_some()
    }

    /// The sign-in page's path, for a browser that has just been signed out.
    pub(super) fn signed_out_path(&self) -> String {
        format!("{}/login?{SIGNED_OUT}", self.settings.own.prefix)
    }

    /// Where programs log in.
    pub fn login_path(&self) -> String {
        format!("{}/login", self.settings.own.prefix)
    }

    /// Sends a browser to the sign-in page, at this address. One that comes back again and again without the session
    /// that it was given is told so instead. `None` where there is no sign-in page.
    pub fn send_to_sign_in(
        &self,
        visitor: &Visitor<'_>,
        address: &str,
        now: u64,
    ) -> Option<Response<Bytes>> {
        let theme = self.settings.theme.as_deref()?;
        let guard = RedirectLoopGuard::read(
            self.settings
                .cookie
                .marker(visitor.cookies, visitor.site.scheme),
            now,
        );
        let counted = guard.map(RedirectLoopGuard::came_back);
        if counted == Some(None) {
            return Some(self.show_cookie_missing(theme, visitor));
        }
        let mut response = see_other(address)?;
        if let Some(guard) = counted.flatten() {
            self.mark(visitor.site, guard, now, response.headers_mut());
        }
        Some(response)
    }

    /// Where the provider of a session is asked once more who the person is; `None` where it is not configured.
    pub fn confirm_path(
        &self,
        session: &str,
        next: Option<&ReturnPath>,
        now: u64,
    ) -> Option<String> {
        let session = self.browsers.verify(session, now).ok()?;
        let name = &session.provider?.provider;
        self.provider(name)?;
        Some(self.provider_path(name, next, SignInReason::default()))
    }

    /// Sends a browser that has a session to where it is confirmed, at this address. It does not count as one that comes
    /// back without a session. `None` where there are no pages.
    pub fn send_to_confirm(&self, address: &str) -> Option<Response<Bytes>> {
        self.settings.theme.as_ref()?;
        see_other(address)
    }

    fn show_cookie_missing(&self, theme: &Theme, visitor: &Visitor<'_>) -> Response<Bytes> {
        let cookie = &self.settings.cookie;
        let came_back = cookie
            .credential(visitor.cookies, visitor.site.scheme)
            .is_some();
        let reason = if came_back { REFUSED } else { LOST };
        let action = self.sign_in_path(visitor.next.as_ref());
        let page = theme.show(&CookieMissing {
            action: &action,
            cookie: cookie.name(visitor.site.scheme),
            reason,
        });
        let mut response = show(page, StatusCode::UNAUTHORIZED);
        response
            .headers_mut()
            .append(SET_COOKIE, cookie.mark(visitor.site.scheme, "", 0));
        response
    }

    /// The cookie of a sign-in with a provider did not come back from there.
    pub(super) fn show_cookie_lost(&self, theme: &Theme, cookie: &str) -> Response<Bytes> {
        let page = theme.show(&CookieMissing {
            action: &self.sign_in_path(None),
            cookie,
            reason: LOST,
        });
        show(page, StatusCode::UNAUTHORIZED)
    }

    pub(super) fn mark(
        &self,
        site: &Site,
        guard: RedirectLoopGuard,
        now: u64,
        headers: &mut HeaderMap,
    ) {
        let (value, seconds) = guard.written(now);
        let line = self.settings.cookie.mark(site.scheme, &value, seconds);
        headers.append(SET_COOKIE, line);
    }
}
