//! The gateway's own endpoints: logging in and out, asking for tokens, asking who one is, and with which keys tokens are
//! verified.
//!
//! `endpoint` says which requests are the gateway's, `body` and `fields` read what was sent, `answer` leads each to what
//! answers it (`login`, `sign_in`, `refresh`, `logout`, `account`, `me` and others), and `rejection` is the one table from
//! what went wrong to status and text.
//!
//! A request is answered in two steps: [`Portal::receive`] waits for the client, [`Portal::answer`] decides. Between
//! them another snapshot may have come into force, whose portal then decides.

mod account;
mod admit;
mod answer;
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
mod overview;
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

use bytes::Bytes;
use http::{Method, Response};

pub use account::{AccountChange, AccountEvent, OwnPasswords};
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
pub use settings::PortalSettings;
pub use shown_factor::ShownFactor;
pub use visitor::Visitor;

use self::body_format::is_browser_form;
use self::docs::Docs;
use crate::access::Identity;
use crate::ldap::LdapDirectory;
use crate::session::{ClearLockout, Sessions, StoreUnavailable};
use crate::token::{CookieSessions, TokenIssuer};
use crate::users::{Directory, Hasher, PasswordChanges};
use crate::wire::{Challenges, Intake, OwnPaths};

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
