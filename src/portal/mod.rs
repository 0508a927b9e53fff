//! The gateway's own endpoints: logging in and out, asking for tokens, asking who one is, and with which keys tokens are
//! verified.
//!
//! `endpoint` says which requests are the gateway's, `body` and `fields` read what was sent, `login`, `sign_in`,
//! `refresh`, `logout`, `account` and `me` answer, and `rejection` is the one table from what went wrong to status and text.
//!
//! A request is answered in two steps: [`Portal::receive`] waits for the client, [`Portal::answer`] decides. Between
//! them another snapshot may have come into force, whose portal then decides.

mod account;
mod admit;
mod at_provider;
mod body;
mod body_format;
mod client;
mod client_grant;
mod continuation;
mod denial;
mod device;
mod directory;
mod directory_sessions;
mod docs;
mod endpoint;
mod fields;
mod introspect;
mod keys;
mod login;
mod login_api;
mod logout;
mod me;
mod metadata;
mod multipart;
mod page;
mod passkey;
mod place;
mod recovery;
mod redirect_loop;
mod refresh;
mod refused;
mod rejection;
mod return_path;
mod revoke;
mod second_factor;
mod second_step;
mod settings;
mod shown_factor;
mod sign_in;
mod sign_in_notice;
mod signed_in;
mod visitor;
mod words;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body::Body;

pub use at_provider::{ProviderDenial, ProviderLoginEvent};
pub use body::ReceivedBody;
pub use denial::{LoginDenial, RefreshDenial};
pub use directory_sessions::DirectoryProvider;
pub use docs::Asset;
pub use endpoint::PortalEndpoint;
pub use login::{CheckedPassword, LoginEvent};
pub use me::PortalCaller;
pub use passkey::PasskeyEndpoint;
pub use refresh::SessionEvent;
pub use refused::RefusedRequest;
pub use return_path::ReturnPath;
pub use settings::{AccountChange, AccountEvent, OwnPasswords};
pub use shown_factor::ShownFactor;
pub use visitor::Visitor;

use self::body_format::{BodyFormat, is_browser_form};
use self::docs::Docs;
use self::login_api::LoginApi;
use crate::access::{Identity, PathOptions};
use crate::factors::SecondFactorPolicy;
use crate::ldap::LdapDirectory;
use crate::oidc::Provider;
use crate::pages::Theme;
use crate::session::{AttemptLimits, ClearLockout, Sessions, StoreUnavailable};
use crate::token::{CookieSessions, TokenIssuer};
use crate::users::{Directory, Hasher, PasswordChanges, RegisteredClient};
use crate::webauthn::PasskeySettings;
use crate::wire::{self, Challenges, Intake, OwnPaths, ResourceMetadata, SessionCookie};

/// The settings of the endpoints.
#[derive(Clone, Debug)]
pub struct PortalSettings {
    /// Which requests are the gateway's own.
    pub own: OwnPaths,
    /// The JSON Web Key Set with the public keys. Default: an empty set.
    pub jwks: Bytes,
    /// How many failed logins are too many.
    pub attempts: AttemptLimits,
    /// What comes after a right password; default: who has a second factor is asked for it.
    pub second_factor: SecondFactorPolicy,
    /// How long a refresh token is good, in whole seconds; default 7 d.
    pub refresh_ttl: Duration,
    /// The longest that any token may hold from now, that of a cookie included, with leeway, in whole seconds; default
    /// 24 h and 30 s. For so long it is remembered that a session has ended.
    pub longest_token: Duration,
    /// The pages; `None`: nobody signs in with a browser. Default: the built-in ones.
    pub theme: Option<Arc<Theme>>,
    /// The session cookie.
    pub cookie: Arc<SessionCookie>,
    /// Which paths some service accepts beyond the strict default, so that browsers may come back to them. Default: none.
    pub paths: PathOptions,
    /// The OpenID providers that people may sign in with. Default: none.
    pub providers: Vec<Arc<Provider>>,
    /// The programs that may ask about any token. Default: none.
    pub clients: Vec<RegisteredClient>,
    /// Whether there are public keys that tokens are verified with. Default: no.
    pub has_public_keys: bool,
    /// Whether users of the list may change their own passwords. Default: no.
    pub own_passwords: OwnPasswords,
    /// Whether second factors that people add themselves are there after a restart. Default: no, and they add none.
    pub keeps_factors: bool,
    /// What is said of services as protected resources. Default: nothing.
    pub resource_metadata: Option<ResourceMetadata>,
    /// Passkeys and security keys; `None`: there are none. Default: none.
    pub passkeys: Option<PasskeySettings>,
}

/// The gateway's own endpoints, for one load of the configuration.
#[derive(Debug)]
pub struct Portal {
    settings: PortalSettings,
    directory: Arc<Directory>,
    ldap: Option<Arc<LdapDirectory>>,
    issuer: TokenIssuer,
    hasher: Hasher,
    password_changes: Option<PasswordChanges>,
    sessions: Sessions,
    browsers: Arc<CookieSessions>,
    docs: Docs,
}

/// What the gateway has found out about a request when an endpoint answers it.
pub struct PortalContext<'a> {
    /// Who sent it.
    pub caller: &'a PortalCaller,
    /// Whether this user may open `/` on the host of the request: by the rules, which the portal does not know.
    pub opens_start: &'a dyn Fn(&Arc<Identity>) -> bool,
    /// Whose token or API key a text is, as if it were sent with a request.
    pub identify_token: &'a dyn Fn(&str) -> PortalCaller,
    /// Where the service is mounted that answers at this path of the host.
    pub mount_at: &'a dyn Fn(&str) -> Option<String>,
    /// What a caller without a valid credential is asked for where an endpoint says who that is.
    pub challenges: &'a Challenges,
    /// In seconds since 1970.
    pub now: u64,
}

/// The response, with the events for the log.
#[derive(Debug, Default)]
pub struct PortalReply {
    /// What the client gets. `HEAD` is answered without a body, with the length that `GET` would have; but for refusals
    /// that people see, which are not complete yet.
    pub response: Response<Bytes>,
    /// Set where a password was given, whether it was right or not.
    pub login: Option<LoginEvent>,
    /// Set where somebody came back from a provider, or could not be sent there.
    pub provider_login: Option<ProviderLoginEvent>,
    /// Set where a refresh token was shown, or somebody logged out.
    pub session: Option<SessionEvent>,
    /// Set where somebody changed something of their own account, or could not.
    pub account: Option<AccountEvent>,
    /// Why a browser's form was refused before anything in it counted.
    pub refusal: Option<String>,
}

impl Default for PortalSettings {
    fn default() -> Self {
        Self {
            own: OwnPaths::default(),
            jwks: Bytes::from_static(br#"{"keys":[]}"#),
            attempts: AttemptLimits::default(),
            second_factor: SecondFactorPolicy::default(),
            refresh_ttl: Duration::from_secs(7 * 24 * 3600),
            longest_token: Duration::from_secs(24 * 3600 + 30),
            theme: Some(Arc::new(Theme::builtin("Sign in"))),
            cookie: Arc::default(),
            paths: PathOptions::default(),
            providers: Vec::new(),
            clients: Vec::new(),
            has_public_keys: false,
            own_passwords: OwnPasswords::Off,
            keeps_factors: false,
            resource_metadata: None,
            passkeys: None,
        }
    }
}

impl Portal {
    /// The portal to the users of `directory`.
    pub fn new(
        settings: PortalSettings,
        directory: Arc<Directory>,
        issuer: TokenIssuer,
        hasher: Hasher,
        sessions: Sessions,
        browsers: Arc<CookieSessions>,
    ) -> Self {
        let docs = Docs::new(&settings.own.prefix);
        Self {
            settings,
            directory,
            ldap: None,
            issuer,
            hasher,
            password_changes: None,
            sessions,
            browsers,
            docs,
        }
    }

    /// The same, and people of a directory may log in.
    #[must_use]
    pub fn with_directory(self, ldap: Option<Arc<LdapDirectory>>) -> Self {
        Self { ldap, ..self }
    }

    /// What stands behind the endpoint of forward-auth in a path as it was sent: nothing, or the path that is asked about;
    /// `None` where it is another endpoint.
    pub fn below_verify<'p>(&self, sent: &'p str) -> Option<&'p str> {
        let below = sent
            .strip_prefix(&self.settings.own.prefix)?
            .strip_prefix("/verify")?;
        (below.is_empty() || below.starts_with('/')).then_some(below)
    }

    /// Whether people can sign in here.
    pub fn has_page(&self) -> bool {
        self.settings.theme.is_some()
    }

    /// Whether a request is the form of one of the pages.
    pub fn is_page_form(&self, intake: &Intake) -> bool {
        self.has_page() && is_browser_form(&intake.head.method, &intake.head.headers)
    }

    /// Lifts a lockout, for an operator.
    ///
    /// # Errors
    /// [`StoreUnavailable`]; then it may still be in force.
    pub async fn lift_lockout(&self, lift: ClearLockout<'_>) -> Result<(), StoreUnavailable> {
        self.sessions.lift(lift).await
    }

    /// Which requests it answers.
    pub fn own_paths(&self) -> &OwnPaths {
        &self.settings.own
    }

    /// Which endpoint a request of its own is for. `path` is the parsed path.
    pub fn endpoint(&self, method: &Method, path: &str) -> PortalEndpoint {
        endpoint::find(&self.settings.own, method, path)
    }

    /// Whether pages of other origins may call an endpoint where `cors` allows it: those of programs, and not what
    /// people see.
    pub fn is_open_to_pages(&self, endpoint: PortalEndpoint, head: &Parts) -> bool {
        let is_page = || matches!(head.method, Method::GET | Method::HEAD);
        let is_form = || is_browser_form(&head.method, &head.headers);
        match endpoint {
            PortalEndpoint::Login | PortalEndpoint::Logout => !is_page() && !is_form(),
            PortalEndpoint::Token | PortalEndpoint::Refresh | PortalEndpoint::Me => true,
            PortalEndpoint::Revoke => true,
            // a document for everybody says so itself
            PortalEndpoint::ServerMetadata | PortalEndpoint::ResourceMetadata => false,
            PortalEndpoint::Introspect => false,
            PortalEndpoint::Account
            | PortalEndpoint::Passkey(_)
            | PortalEndpoint::LoginWith
            | PortalEndpoint::Callback
            | PortalEndpoint::Backchannel
            | PortalEndpoint::Keys
            | PortalEndpoint::Docs
            | PortalEndpoint::Asset(_)
            | PortalEndpoint::OpenApi
            | PortalEndpoint::Unknown => false,
        }
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
        let head = &intake.head;
        let form = self.is_page_form(intake);
        let own_site = || intake.site.sends(&head.headers);
        head.method == Method::POST
            && match endpoint {
                PortalEndpoint::Login if form => own_site(),
                PortalEndpoint::Login => LoginApi::Login.format(&head.headers).is_some(),
                PortalEndpoint::Token => LoginApi::Token.format(&head.headers).is_some(),
                PortalEndpoint::Refresh => LoginApi::Refresh.format(&head.headers).is_some(),
                PortalEndpoint::Introspect | PortalEndpoint::Revoke => {
                    LoginApi::Query.format(&head.headers).is_some()
                }
                PortalEndpoint::ServerMetadata | PortalEndpoint::ResourceMetadata => false,
                PortalEndpoint::Backchannel => {
                    BodyFormat::of(&head.headers) == Some(BodyFormat::Form)
                }
                PortalEndpoint::Passkey(_) => {
                    own_site() && BodyFormat::of(&head.headers) == Some(BodyFormat::Json)
                }
                PortalEndpoint::Logout | PortalEndpoint::Account if form => own_site(),
                PortalEndpoint::Logout => !intake.acts_by_cookies() || intake.comes_from_own_page(),
                PortalEndpoint::Me
                | PortalEndpoint::LoginWith
                | PortalEndpoint::Callback
                | PortalEndpoint::Account
                | PortalEndpoint::Keys
                | PortalEndpoint::Docs
                | PortalEndpoint::Asset(_)
                | PortalEndpoint::OpenApi
                | PortalEndpoint::Unknown => false,
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
        let (caller, now) = (context.caller, context.now);
        let (head, client) = (&intake.head, intake.client.accountable_address());
        let mut reply = match Some(endpoint).filter(|endpoint| endpoint.takes(&head.method)) {
            None => match self.sign_out_page(endpoint, head) {
                Some(theme) => self.answer_sign_out(theme, intake, context).into(),
                None => endpoint.refuse_method().into(),
            },
            Some(PortalEndpoint::Login) => self.answer_at_login(intake, body, context).await,
            Some(PortalEndpoint::Token) => {
                self.grant(LoginApi::Token, head, body, client, now).await
            }
            Some(PortalEndpoint::Refresh) => {
                self.grant(LoginApi::Refresh, head, body, client, now).await
            }
            Some(PortalEndpoint::Introspect) => self.introspect(intake, body, context).await,
            Some(PortalEndpoint::Revoke) => self.revoke(intake, body, now).await,
            Some(PortalEndpoint::ServerMetadata | PortalEndpoint::ResourceMetadata)
                if metadata::is_preflight(&head.method) =>
            {
                metadata::preflight().into()
            }
            Some(PortalEndpoint::ServerMetadata) => self.describe_server(intake).into(),
            Some(PortalEndpoint::ResourceMetadata) => {
                self.describe_resource(intake, context.mount_at).into()
            }
            Some(PortalEndpoint::Logout) => self.log_out(intake, body, caller, now).await,
            Some(PortalEndpoint::LoginWith) => self.begin_with_provider(intake, context),
            Some(PortalEndpoint::Callback) => {
                // on the heap: few requests wait for a provider
                Box::pin(self.come_back(intake, context)).await
            }
            Some(PortalEndpoint::Backchannel) => {
                Box::pin(self.end_at_provider(intake, body, now)).await
            }
            Some(PortalEndpoint::Me) => me::answer(caller, context.challenges).into(),
            Some(PortalEndpoint::Passkey(endpoint)) => {
                Box::pin(self.answer_passkey(endpoint, intake, body, context)).await
            }
            Some(PortalEndpoint::Account) => {
                Box::pin(self.answer_account(intake, body, context)).await
            }
            Some(PortalEndpoint::Keys) => keys::answer(&self.settings.jwks).into(),
            Some(PortalEndpoint::Docs) => self.docs.page().into(),
            Some(PortalEndpoint::OpenApi) => self.docs.document().into(),
            Some(PortalEndpoint::Asset(asset)) => asset.answer(&head.headers).into(),
            Some(PortalEndpoint::Unknown) => {
                wire::problem(StatusCode::NOT_FOUND, "No such endpoint").into()
            }
        };
        if !reply.response.headers().contains_key(CACHE_CONTROL) {
            wire::forbid_storing(reply.response.headers_mut());
        }
        // who puts a page in place of a refusal reads it first
        let is_refusal = reply.response.status().as_u16() >= 400;
        let becomes_page = is_refusal && wire::is_seen(&head.method, &head.headers);
        if head.method == Method::HEAD && !becomes_page {
            wire::drop_body(&mut reply.response);
        }
        reply
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
            None if head.method != Method::POST => {
                wire::problem(StatusCode::NOT_FOUND, "No such endpoint").into()
            }
            Some(_) | None => {
                self.grant(
                    LoginApi::Login,
                    head,
                    body,
                    intake.client.accountable_address(),
                    context.now,
                )
                .await
            }
        }
    }
}

impl From<Response<Bytes>> for PortalReply {
    fn from(response: Response<Bytes>) -> Self {
        Self {
            response,
            ..Self::default()
        }
    }
}

impl PortalReply {
    /// To a browser's form; `why` is for the log.
    fn refused(response: Response<Bytes>, why: String) -> Self {
        Self {
            response,
            refusal: Some(why),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests;
