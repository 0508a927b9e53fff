//! Tokens for a name and a password.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::PRAGMA;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use zeroize::Zeroizing;

use super::denial::{LoginDenial, Missing};
use super::fields::{ContinueRequest, GrantRequest, LoginRequest, parse};
use super::login_api::LoginApi;
use super::rejection::FormRejection;
use super::second_factor::{Asking, HalfLogin, LoginStep, Proven};
use super::shown_factor::ShownFactor;
use super::signed_in::SignedIn;
use super::{Portal, PortalReply, ReceivedBody};
use crate::access::Identity;
use crate::factors::SecondFactorPolicy;
use crate::session::{DeviceId, LoginAttempt, PasswordResult, ProvidedHolder, RefreshToken, Stamp};
use crate::token::{Holder, IssueError, IssuedToken, LDAP, SessionId, SignIn, is_visible};
use crate::users::{LoginFailure, Password, User, authenticate};
use crate::{ambient, wire};

/// The most characters of a name that go to the log.
const LOGGED_CHARACTERS: usize = 128;

/// For how long a password that comes with each request is remembered where a second factor may be added: what the gateway
/// remembers, other replicas do not hear of.
const REMEMBERED: Duration = Duration::from_secs(300);

/// A login in which a password was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginEvent {
    /// The name as the client sent it, fit for a log: at most 128 characters, then `…`, and what cannot be seen
    /// escaped as in a Rust string.
    pub user: Box<str>,
    /// Whether it got a token.
    pub outcome: Result<(), LoginDenial>,
    /// What was shown besides the password.
    pub second_factor: Option<ShownFactor>,
}

/// RFC 6749, section 5.1.
#[derive(Serialize)]
struct TokenBody<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    refresh_token: &'a str,
}

/// A user name and a password that were checked.
pub struct CheckedPassword {
    /// Whose they are.
    pub identity: Arc<Identity>,
    /// For how long that counts without a further look; `None`: as long as the configuration.
    pub ttl: Option<Duration>,
}

/// New tokens.
pub(super) struct Granted {
    pub(super) issued: IssuedToken,
    pub(super) refresh: Zeroizing<String>,
}

impl Portal {
    /// Reads no header but `Content-Type`, and where clients authenticate `Authorization`: others send one of their own, often
    /// an empty one.
    pub(super) async fn grant(
        &self,
        api: LoginApi,
        head: &Parts,
        body: ReceivedBody,
        client: IpAddr,
        now: u64,
    ) -> PortalReply {
        let mut reply = match read(api, head, body) {
            Ok(GrantRequest::Password(request)) => {
                self.answer_login(api, request, client, now).await
            }
            Ok(GrantRequest::Continue(request)) => {
                self.answer_continuation(api, &request, client, now).await
            }
            Ok(GrantRequest::Client(request)) => self.answer_client(request, &head.headers, now),
            Ok(GrantRequest::Refresh(shown)) => self.answer_refresh(api, shown, client, now).await,
            Err(rejection) => rejection.into_response(api).into(),
        };
        let headers = reply.response.headers_mut();
        headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
        reply
    }

    async fn answer_login(
        &self,
        api: LoginApi,
        request: LoginRequest,
        client: IpAddr,
        now: u64,
    ) -> PortalReply {
        let user = log_safe_name(&request.username);
        // programs have no cookies: their network identifies them
        let asking = Asking {
            client,
            device: None,
            now,
        };
        let step = self.show_password(request, &asking).await;
        self.answer_step(api, user, step, now).await
    }

    /// A code for what stands for a password.
    async fn answer_continuation(
        &self,
        api: LoginApi,
        request: &ContinueRequest,
        client: IpAddr,
        now: u64,
    ) -> PortalReply {
        let asking = Asking {
            client,
            device: None,
            now,
        };
        let opened = match self.open_continuation(&request.continuation, client, now) {
            Ok(opened) => opened,
            Err(denial) => return denial.into_response(api).into(),
        };
        let user = log_safe_name(&opened.continuation.name);
        let step = self
            .redeem_continuation(opened, &request.otp, &asking)
            .await;
        self.answer_step(api, user, step, now).await
    }

    async fn answer_step(
        &self,
        api: LoginApi,
        user: Box<str>,
        step: Result<LoginStep, LoginDenial>,
        now: u64,
    ) -> PortalReply {
        let mut second_factor = None;
        let (response, outcome) = match step {
            Ok(LoginStep::Half(half)) => {
                (self.half_response(api, &half), Err(half.missing.denial()))
            }
            // programs add no app, and are shown no codes
            Ok(LoginStep::Done(holder, shown, _)) => {
                second_factor = shown;
                let sign_in = SignIn::new(now, ShownFactor::methods(shown));
                match self.grant_tokens(&holder, sign_in, now).await {
                    Ok(granted) => (granted_response(&granted), Ok(())),
                    Err(denial) => (denial.into_response(api), Err(denial)),
                }
            }
            Err(denial) => (denial.into_response(api), Err(denial)),
        };
        PortalReply {
            response,
            login: Some(LoginEvent {
                user,
                outcome,
                second_factor,
            }),
            ..PortalReply::default()
        }
    }

    /// The answer to a program that has yet to show a second factor. One that must add it first cannot go on.
    fn half_response(&self, api: LoginApi, half: &HalfLogin) -> Response<Bytes> {
        let goes_on = half.missing != Missing::Enrolment;
        let sealed = half.continuation.seal(self.browsers.sealer());
        let can_add = half.continuation.secret().is_some();
        half.missing
            .into_response(api, Some(&*sealed).filter(|_| goes_on), can_add)
    }

    async fn grant_tokens(
        &self,
        user: &SignedIn,
        sign_in: SignIn,
        now: u64,
    ) -> Result<Granted, LoginDenial> {
        let mut first = RefreshToken::first(ambient::random_bytes(), ambient::random_bytes());
        if let SignedIn::Directory(identity) = user {
            first = first.held_by(ProvidedHolder {
                provider: LDAP.into(),
                subject: identity.subject.clone(),
            });
        }
        let issued = self.issue(user, (first.session(), sign_in), now)?;
        let subject = &user.identity().subject;
        let times = self.times(now);
        self.sessions.open(subject, &first, sign_in, times).await?;
        let stamp = Stamp {
            generation: 1,
            issued_at: now,
        };
        Ok(Granted {
            issued,
            refresh: first.expose(stamp, self.browsers.signer()),
        })
    }

    /// Checks a user name and a password that come with a request, as a login would; says how that is recorded.
    pub async fn check_password(
        &self,
        username: &str,
        password: &str,
        client: IpAddr,
    ) -> (LoginEvent, Result<CheckedPassword, LoginDenial>) {
        let request = LoginRequest {
            username: username.to_owned(),
            password: Password::from(password.to_owned()),
            otp: None,
        };
        let asking = Asking {
            client,
            device: None,
            now: ambient::unix_seconds(),
        };
        // what comes with each request is no place for a code that is good once
        let checked = match self.show_password(request, &asking).await {
            Ok(LoginStep::Done(user, ..)) => Ok(user),
            Ok(LoginStep::Half(half)) => Err(half.missing.denial()),
            Err(denial) => Err(denial),
        };
        let event = LoginEvent {
            user: log_safe_name(username),
            outcome: checked.as_ref().map(drop).map_err(|denial| *denial),
            second_factor: None,
        };
        (event, checked.map(|user| self.remembered(&user)))
    }

    /// Whose password it is, and for how long that is remembered. A reload forgets what the user list says.
    fn remembered(&self, user: &SignedIn) -> CheckedPassword {
        let ttl = match (user, &self.ldap) {
            (SignedIn::Directory(_), Some(ldap)) => Some(ldap.settings().refresh.min(REMEMBERED)),
            // somebody may add a second factor meanwhile
            _ if self.settings.second_factor != SecondFactorPolicy::Off => Some(REMEMBERED),
            (SignedIn::Directory(_), None) | (SignedIn::Listed(_), _) => None,
        };
        CheckedPassword {
            identity: Arc::clone(user.identity()),
            ttl,
        }
    }

    /// An access token of a session that began with this sign-in. One for somebody of the directory says so.
    pub(super) fn issue(
        &self,
        holder: &SignedIn,
        of: (SessionId, SignIn),
        now: u64,
    ) -> Result<IssuedToken, IssueError> {
        let id = ambient::random_bytes();
        match (holder, &self.ldap) {
            (SignedIn::Directory(identity), Some(ldap)) => {
                let holder = provided_holder(identity, of);
                let fingerprint = ldap.fingerprint();
                self.issuer
                    .issue_provided(&holder, (LDAP, &fingerprint), id, now)
            }
            // who signed in by a directory has one
            (SignedIn::Directory(_), None) => Err(IssueError::Signing),
            (SignedIn::Listed(user), _) => self.issuer.issue(&holder_of(user, of), id, now),
        }
    }

    /// Checks the password, and goes on after it.
    pub(super) async fn show_password(
        &self,
        request: LoginRequest,
        asking: &Asking,
    ) -> Result<LoginStep, LoginDenial> {
        let otp = request.otp.clone();
        let proven = self
            .authenticate_password(request, asking.client, asking.device)
            .await?;
        let otp = otp.as_ref().map(|otp| otp.as_str());
        self.after_password(proven, otp, asking).await
    }

    /// Checks the password where the name is known: in the user list, else in the directory. A right one is not recorded yet.
    pub(super) async fn authenticate_password(
        &self,
        request: LoginRequest,
        client: IpAddr,
        device: Option<DeviceId>,
    ) -> Result<Proven, LoginDenial> {
        let Some(ldap) = &self.ldap else {
            return self.authenticate_listed(request, client, device).await;
        };
        if self.directory.find(&request.username).is_none() {
            return self
                .authenticate_in_directory(ldap, request, client, device)
                .await;
        }
        let user = self.authenticate_listed(request, client, device).await;
        if user.is_err() {
            // time must not tell which names are on the list
            tokio::time::sleep(ldap.pace()).await;
        }
        user
    }

    /// Checks the password under the limits for failed attempts.
    async fn authenticate_listed(
        &self,
        request: LoginRequest,
        client: IpAddr,
        device: Option<DeviceId>,
    ) -> Result<Proven, LoginDenial> {
        let LoginRequest {
            username,
            password,
            otp,
        } = request;
        let attempt = LoginAttempt::new(&username, client, device);
        let admitted = self.admit(attempt).await??;
        // who sends both at once does not learn which of them was wrong, by time either
        let hides_match = otp.is_some();
        let (list, hasher) = (&self.directory, &self.hasher);
        let found = match authenticate(list, hasher, &username, password, hides_match).await {
            Err(LoginFailure::Busy) => {
                admitted.was_not_checked();
                return Err(LoginDenial::Busy);
            }
            found => found,
        };
        let failure = match found {
            Ok(user) => {
                return Ok(Proven {
                    user: SignedIn::Listed(user),
                    name: username,
                    attempts: vec![admitted],
                });
            }
            Err(failure) => failure,
        };
        let wrong = PasswordResult::Incorrect;
        let begun = self.record_attempt(admitted, wrong).await?;
        Err(match failure {
            LoginFailure::TooLong => LoginDenial::TooLong(begun),
            LoginFailure::Invalid | LoginFailure::Busy => LoginDenial::Invalid(begun),
        })
    }
}

fn read(api: LoginApi, head: &Parts, body: ReceivedBody) -> Result<GrantRequest, FormRejection> {
    let format = api
        .format(&head.headers)
        .ok_or(FormRejection::ContentType)?;
    parse(api, &format, &body.whole()?)
}

pub(super) fn log_safe_name(name: &str) -> Box<str> {
    let mut safe = String::new();
    let mut characters = name.chars();
    for character in characters.by_ref().take(LOGGED_CHARACTERS) {
        if character == ' ' || (is_visible(character) && character != '\\') {
            safe.push(character);
        } else {
            safe.extend(character.escape_default());
        }
    }
    if characters.next().is_some() {
        safe.push('…');
    }
    safe.into()
}

fn provided_holder(identity: &Identity, (session, sign_in): (SessionId, SignIn)) -> Holder<'_> {
    Holder {
        subject: &identity.subject,
        roles: &identity.roles,
        name: identity.name.as_deref(),
        email: identity.email.as_deref(),
        claims: None,
        session: Some(session),
        sign_in,
    }
}

fn holder_of(user: &User, of: (SessionId, SignIn)) -> Holder<'_> {
    Holder {
        claims: user.extras().claims.as_deref(),
        ..provided_holder(&user.identity, of)
    }
}

pub(super) fn granted_response(granted: &Granted) -> Response<Bytes> {
    let body = TokenBody {
        access_token: &granted.issued.token,
        token_type: "bearer",
        expires_in: granted.issued.expires_in,
        refresh_token: &granted.refresh,
    };
    wire::json(StatusCode::OK, &body)
}

#[cfg(test)]
mod tests {
    use super::log_safe_name;

    #[test]
    fn a_logged_name_is_short_and_visible() {
        for (name, expected) in [
            ("rita@example.com", "rita@example.com"),
            ("Zoë O'Neill", "Zoë O'Neill"),
            ("", ""),
            ("a\nb\r\t", "a\\nb\\r\\t"),
            ("\u{1b}[31m", "\\u{1b}[31m"),
            ("\u{202e}nimda\u{9b}\0", "\\u{202e}nimda\\u{9b}\\u{0}"),
            ("a\\nb", "a\\\\nb"),
        ] {
            assert_eq!(&*log_safe_name(name), expected, "{name:?}");
        }
        assert_eq!(&*log_safe_name(&"é".repeat(128)), "é".repeat(128));
        assert_eq!(&*log_safe_name(&"é".repeat(50_000)), "é".repeat(128) + "…");
    }
}
