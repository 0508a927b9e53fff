//! Which endpoint answers a request, and what is received for it.

use bytes::Bytes;
use http::Method;
use http::header::CACHE_CONTROL;
use http::request::Parts;
use http_body::Body;

use super::body_format::{BodyFormat, is_browser_form};
use super::login_api::LoginApi;
use super::rejection::no_such_endpoint;
use super::{Portal, PortalContext, PortalEndpoint, PortalReply, ReceivedBody};
use super::{keys, me, metadata};
use crate::pages::Theme;
use crate::wire::{self, Intake};

impl Portal {
    /// Whether pages of other origins may call an endpoint where `cors` allows it: those of programs, and not what
    /// people see.
    pub fn is_open_to_pages(&self, endpoint: PortalEndpoint, head: &Parts) -> bool {
        use PortalEndpoint as E;
        let is_page = || matches!(head.method, Method::GET | Method::HEAD);
        let is_form = || is_browser_form(&head.method, &head.headers);
        // a document for everybody says so itself
        matches!(endpoint, E::Token | E::Refresh | E::Me | E::Revoke)
            || matches!(endpoint, E::Login | E::Logout) && !is_page() && !is_form()
    }

    /// Receives the body of a request, up to 64 KiB, for at most 10 s; only where the endpoint looks at it.
    pub async fn receive<B>(
        &self,
        endpoint: PortalEndpoint,
        intake: &Intake,
        body: B,
    ) -> ReceivedBody
    where
        B: Body<Data = Bytes>,
    {
        if self.reads_body(endpoint, intake) {
            ReceivedBody::read(body).await
        } else {
            ReceivedBody::unread()
        }
    }

    /// What is refused by its head is not waited for.
    fn reads_body(&self, endpoint: PortalEndpoint, intake: &Intake) -> bool {
        use PortalEndpoint as E;
        let headers = &intake.head.headers;
        let form = self.is_page_form(intake);
        let own_site = || intake.site.sends(headers);
        let is_for = |api: LoginApi| api.format(headers).is_some();
        let is_in = |format| BodyFormat::of(headers) == Some(format);
        intake.head.method == Method::POST
            && match endpoint {
                E::Login | E::Logout | E::Account if form => own_site(),
                E::Login => is_for(LoginApi::Login),
                E::Token => is_for(LoginApi::Token),
                E::Refresh => is_for(LoginApi::Refresh),
                E::Introspect | E::Revoke => is_for(LoginApi::Query),
                E::Backchannel => is_in(BodyFormat::Form),
                E::Passkey(_) => own_site() && is_in(BodyFormat::Json),
                E::Logout => !intake.acts_by_cookies() || intake.comes_from_own_page(),
                E::ServerMetadata | E::ResourceMetadata | E::Me | E::Account | E::Keys => false,
                E::LoginWith | E::Callback | E::OpenApi | E::Docs | E::Asset(_) => false,
                E::Unknown => false,
            }
    }

    /// Answers a request for one of the endpoints. It waits for the hasher and for the state store, and not for the
    /// client.
    ///
    /// Only [`PortalEndpoint::Me`], [`PortalEndpoint::Logout`] and the pages look at the caller.
    pub async fn answer(
        &self,
        endpoint: PortalEndpoint,
        intake: &Intake,
        body: ReceivedBody,
        context: &PortalContext<'_>,
    ) -> PortalReply {
        let head = &intake.head;
        let mut reply = if endpoint.takes(&head.method) {
            self.answer_at(endpoint, intake, body, context).await
        } else {
            match self.sign_out_page(endpoint, head) {
                Some(theme) => self.answer_sign_out(theme, intake, context).into(),
                None => endpoint.refuse_method().into(),
            }
        };
        complete(&mut reply, head);
        reply
    }

    async fn answer_at(
        &self,
        endpoint: PortalEndpoint,
        intake: &Intake,
        body: ReceivedBody,
        context: &PortalContext<'_>,
    ) -> PortalReply {
        let (caller, now) = (context.caller, context.now);
        let (head, client) = (&intake.head, intake.client.accountable_address());
        use PortalEndpoint as E;
        match endpoint {
            E::Login => self.answer_at_login(intake, body, context).await,
            E::Token => self.grant(LoginApi::Token, head, body, client, now).await,
            E::Refresh => self.grant(LoginApi::Refresh, head, body, client, now).await,
            E::Introspect => self.introspect(intake, body, context).await,
            E::Revoke => self.revoke(intake, body, now).await,
            E::ServerMetadata | E::ResourceMetadata if metadata::is_preflight(&head.method) => {
                metadata::preflight().into()
            }
            E::ServerMetadata => self.describe_server(intake).into(),
            E::ResourceMetadata => self.describe_resource(intake, context.mount_at).into(),
            E::Logout => self.log_out(intake, body, caller, now).await,
            E::LoginWith => self.begin_with_provider(intake, context),
            // on the heap, as all that few requests wait for
            E::Callback => Box::pin(self.come_back(intake, context)).await,
            E::Backchannel => Box::pin(self.end_at_provider(intake, body, now)).await,
            E::Me => me::answer(caller, context.challenges).into(),
            E::Passkey(half) => Box::pin(self.answer_passkey(half, intake, body, context)).await,
            E::Account => Box::pin(self.answer_account(intake, body, context)).await,
            E::Keys => keys::answer(&self.settings.jwks).into(),
            E::Docs => self.docs.page().into(),
            E::OpenApi => self.docs.document().into(),
            E::Asset(asset) => asset.answer(&head.headers).into(),
            E::Unknown => no_such_endpoint().into(),
        }
    }

    /// The page to sign out, for people who open the endpoint: programs that do so would take it for a logout.
    fn sign_out_page(&self, endpoint: PortalEndpoint, head: &Parts) -> Option<&Theme> {
        let opened =
            endpoint == PortalEndpoint::Logout && wire::is_seen(&head.method, &head.headers);
        let theme = self.settings.theme.as_deref();
        theme.filter(|_| opened && matches!(head.method, Method::GET | Method::HEAD))
    }

    /// People get a page and programs a token, unless there is no page.
    async fn answer_at_login(
        &self,
        intake: &Intake,
        body: ReceivedBody,
        context: &PortalContext<'_>,
    ) -> PortalReply {
        let head = &intake.head;
        match self.settings.theme.as_deref() {
            Some(theme) if is_browser_form(&head.method, &head.headers) => {
                self.sign_in(theme, intake, body, context).await
            }
            Some(theme) if head.method != Method::POST => {
                self.show_sign_in(theme, intake, context).await.into()
            }
            None if head.method != Method::POST => no_such_endpoint().into(),
            Some(_) | None => {
                let client = intake.client.accountable_address();
                self.grant(LoginApi::Login, head, body, client, context.now)
                    .await
            }
        }
    }
}

/// What holds for every answer: nobody stores it unless it says so, and `HEAD` gets no body.
fn complete(reply: &mut PortalReply, head: &Parts) {
    if !reply.response.headers().contains_key(CACHE_CONTROL) {
        wire::forbid_storing(reply.response.headers_mut());
    }
    // who puts a page in place of a refusal reads it first
    let is_refusal = reply.response.status().as_u16() >= 400;
    let becomes_page = is_refusal && wire::is_seen(&head.method, &head.headers);
    if head.method == Method::HEAD && !becomes_page {
        wire::drop_body(&mut reply.response);
    }
}
