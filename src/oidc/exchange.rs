//! What is exchanged with a provider beside the browser: codes and refresh tokens for what they stand for.

use std::fmt;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::callback::AuthorizationResponse;
use super::error::ProviderError;
use super::id_token::{ExpectedToken, IdToken, Occasion, check_parties, invalid, malformed};
use super::identity::{PersonClaims, ProviderIdentity, UserinfoNeed};
use super::provider::Provider;
use super::source::KnownProvider;
use super::subject::ProviderSubject;
use super::token_endpoint::{self, DEADLINE, TokenResponse};
use super::userinfo::{self, Userinfo};
use crate::ambient;
use crate::text::form;
use crate::token::{IssuerKeys, SignedClaims, TokenError, TokenType};

/// How long a sign-in or a logout waits for keys that the provider may have exchanged.
const KEY_PATIENCE: Duration = Duration::from_secs(3);

/// How long it waits at a time.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What only the browser that began a sign-in can bring back.
#[derive(Clone, Debug)]
pub struct SignInSecrets {
    /// As it stood in the request.
    pub redirect_uri: String,
    /// The same.
    pub nonce: SecretString,
    /// What the code challenge was made of.
    pub code_verifier: SecretString,
    /// As it stood in the request, in seconds.
    pub max_age: Option<u64>,
}

/// Somebody who has signed in.
pub struct ProviderSignIn {
    /// Who it is here.
    pub identity: ProviderIdentity,
    /// Who it is there.
    pub of: ProviderSubject,
    /// The session there, for back-channel logout.
    pub sid: Option<Box<str>>,
    /// How the person was authenticated (RFC 8176).
    pub amr: Vec<Box<str>>,
    /// How far that is to be trusted.
    pub acr: Option<Box<str>>,
    /// What asks again later.
    pub refresh_token: Option<SecretString>,
    /// For [`Provider::end_session_url`].
    pub id_token: Zeroizing<String>,
}

/// What the provider gave for a refresh token. It says nothing yet: [`Provider::confirm`] does.
pub struct RenewedTokens {
    tokens: TokenResponse,
}

/// Somebody whose session holds.
pub struct ProviderRefresh {
    /// Who it is here now; `None`: the provider says nothing of the person, so that it is who it was.
    pub identity: Option<ProviderIdentity>,
    /// A newer one for [`Provider::end_session_url`].
    pub id_token: Option<Zeroizing<String>>,
}

/// Without the tokens.
impl fmt::Debug for ProviderSignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderSignIn")
            .field("identity", &self.identity)
            .field("of", &self.of)
            .finish_non_exhaustive()
    }
}

/// Without the token.
impl fmt::Debug for ProviderRefresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderRefresh")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

/// The wall clock at the begin of an exchange, and how long that takes.
#[derive(Clone, Copy)]
struct Clock {
    then: u64,
    begun: Instant,
}

impl Clock {
    fn now(self) -> u64 {
        let passed = ambient::now().saturating_duration_since(self.begun);
        self.then.saturating_add(passed.as_secs())
    }
}

impl RenewedTokens {
    /// The refresh token that counts from now on; `None`: the former one. It must be kept before anything else is done: the
    /// provider may take the use of the former one for theft.
    pub fn refresh_token(&self) -> Option<&SecretString> {
        self.tokens.refresh_token.as_ref()
    }
}

impl Provider {
    /// Redeems the code that a browser has brought back, and verifies everything that comes for it: at `now`, in seconds
    /// since 1970, and within ten seconds. It is done on the thread of exchanges; the caller's thread only waits.
    ///
    /// # Errors
    /// [`ProviderError`]; nobody is signed in then.
    pub async fn redeem(
        &self,
        callback: &AuthorizationResponse,
        secrets: &SignInSecrets,
        now: u64,
    ) -> Result<ProviderSignIn, ProviderError> {
        let (provider, callback, secrets) = (self.clone(), callback.clone(), secrets.clone());
        let exchange =
            async move { within(provider.redeem_code(&callback, &secrets, clock(now))).await };
        self.exchanges().run(exchange).await
    }

    /// Redeems a refresh token at `now`, in seconds since 1970, and within ten seconds.
    ///
    /// # Errors
    /// [`ProviderError`]; [`ProviderError::ends_session`] says what that means.
    pub async fn refresh(
        &self,
        refresh_token: &SecretString,
        now: u64,
    ) -> Result<RenewedTokens, ProviderError> {
        let mut form = String::new();
        form::push(&mut form, "grant_type", "refresh_token");
        form::push(&mut form, "refresh_token", refresh_token.expose_secret());
        let known = self.known()?;
        let tokens = within(token_endpoint::request(self, &known, form, now)).await?;
        Ok(RenewedTokens { tokens })
    }

    /// What the renewed tokens of this person say, at `now`, in seconds since 1970, and within ten seconds.
    ///
    /// # Errors
    /// As [`Self::refresh`].
    pub async fn confirm(
        &self,
        renewed: &RenewedTokens,
        of: &ProviderSubject,
        now: u64,
    ) -> Result<ProviderRefresh, ProviderError> {
        within(self.confirm_tokens(&renewed.tokens, of, clock(now))).await
    }

    async fn redeem_code(
        &self,
        callback: &AuthorizationResponse,
        secrets: &SignInSecrets,
        clock: Clock,
    ) -> Result<ProviderSignIn, ProviderError> {
        let (settings, known) = (self.settings(), self.known()?);
        callback.check_issuer(&settings.issuer, known.metadata.always_names_issuer)?;
        let code = callback.code.as_ref();
        let code = code.map_err(|error| ProviderError::Denied(error.clone()))?;
        let mut form = String::new();
        form::push(&mut form, "grant_type", "authorization_code");
        form::push(&mut form, "code", code.expose_secret());
        form::push(&mut form, "redirect_uri", &secrets.redirect_uri);
        form::push(
            &mut form,
            "code_verifier",
            secrets.code_verifier.expose_secret(),
        );
        let tokens = token_endpoint::request(self, &known, form, clock.now()).await?;
        let occasion = Occasion::SignIn {
            nonce: &secrets.nonce,
            max_age: secrets.max_age,
        };
        let token = self.id_token(&known, &tokens, occasion, clock).await?;
        let token =
            token.ok_or_else(|| invalid("there is none; `openid` must be among the scopes"))?;
        let identity = self
            .identify(&known, &tokens, Some(&token), &token.of.sub, clock)
            .await?;
        Ok(ProviderSignIn {
            // without any claim there is no ID token
            identity: identity.ok_or_else(|| invalid("there is none"))?,
            sid: token.text("sid"),
            amr: token.methods(),
            acr: token.text("acr"),
            of: token.of,
            refresh_token: tokens.refresh_token,
            id_token: tokens.id_token.unwrap_or_default(),
        })
    }

    async fn confirm_tokens(
        &self,
        tokens: &TokenResponse,
        of: &ProviderSubject,
        clock: Clock,
    ) -> Result<ProviderRefresh, ProviderError> {
        let known = self.known()?;
        let token = self
            .id_token(&known, tokens, Occasion::Refresh(of), clock)
            .await?;
        let identity = self
            .identify(&known, tokens, token.as_ref(), &of.sub, clock)
            .await?;
        Ok(ProviderRefresh {
            identity,
            id_token: tokens.id_token.clone(),
        })
    }

    /// The ID token, where there is one.
    async fn id_token(
        &self,
        known: &KnownProvider,
        tokens: &TokenResponse,
        occasion: Occasion<'_>,
        clock: Clock,
    ) -> Result<Option<IdToken>, ProviderError> {
        let Some(token) = &tokens.id_token else {
            return Ok(None);
        };
        let claims = self.open(known, token, clock).await?;
        let expected = ExpectedToken {
            settings: self.settings(),
            access_token: tokens.access_token.as_ref(),
            occasion,
        };
        IdToken::check(claims, &expected, clock.now()).map(Some)
    }

    /// Verifies header and signature of a token in an answer; where newer keys may do it, it waits for them a while.
    async fn open(
        &self,
        known: &KnownProvider,
        token: &str,
        clock: Clock,
    ) -> Result<SignedClaims, ProviderError> {
        let keys = IssuerKeys::Remote(known.keys.clone());
        let open = || {
            let outcome = keys.open(token, TokenType::Identity, clock.now());
            if let Err(error) = &outcome
                && error.may_pass_with_newer_keys()
            {
                known.keys.want_for_answer();
            }
            outcome
        };
        let opened = self.open_patiently(open).await;
        let keys_count = known.keys.count(clock.now());
        opened.map_err(
            |error| match error.may_pass_with_newer_keys() && !keys_count {
                true => ProviderError::Unavailable("its keys cannot be had".to_owned()),
                false => malformed(error),
            },
        )
    }

    /// Opens a token, and where newer keys may make it valid, again when there are some: the provider may have exchanged
    /// its keys. The last outcome after [`KEY_PATIENCE`].
    pub(super) async fn open_patiently(
        &self,
        open: impl Fn() -> Result<SignedClaims, TokenError>,
    ) -> Result<SignedClaims, TokenError> {
        // before the first look: no change is missed
        let mut changes = self.key_sources().changes();
        let newer = async {
            loop {
                match open() {
                    Err(error) if error.may_pass_with_newer_keys() => {}
                    outcome => return outcome,
                }
                // looks again of itself, since a fetch may have failed
                if let Ok(Err(_)) = timeout(LOOK_AGAIN, changes.changed()).await {
                    return open();
                }
            }
        };
        match timeout(KEY_PATIENCE, newer).await {
            Ok(opened) => opened,
            Err(_) => open(),
        }
    }

    /// Who it is here, by the ID token and, where that does not say enough, the userinfo of this `sub`; `None` where there
    /// is neither.
    async fn identify(
        &self,
        known: &KnownProvider,
        tokens: &TokenResponse,
        token: Option<&IdToken>,
        sub: &str,
        clock: Clock,
    ) -> Result<Option<ProviderIdentity>, ProviderError> {
        if token.is_none() && tokens.access_token.is_none() {
            return Ok(None);
        }
        let mut claims = PersonClaims {
            id_token: token.map(IdToken::members),
            userinfo: None,
        };
        let need = claims.need(self.settings());
        let userinfo = match need {
            UserinfoNeed::Nothing => None,
            UserinfoNeed::Details | UserinfoNeed::Decisive => {
                match self.userinfo(known, tokens, sub, clock).await {
                    Err(ProviderError::Unavailable(reason)) if need == UserinfoNeed::Details => {
                        let provider = self.settings().name.as_str();
                        tracing::warn!(
                            event = "userinfo_failed",
                            provider,
                            error = reason,
                            "name and mail address stay unknown"
                        );
                        None
                    }
                    outcome => outcome?,
                }
            }
        };
        claims.userinfo = userinfo.as_ref();
        if claims.id_token.is_none() && claims.userinfo.is_none() {
            return Ok(None);
        }
        claims.identify(self.settings(), sub).map(Some)
    }

    /// What the userinfo says of this `sub`; `None` where the provider has no such endpoint.
    async fn userinfo(
        &self,
        known: &KnownProvider,
        tokens: &TokenResponse,
        sub: &str,
        clock: Clock,
    ) -> Result<Option<Map<String, Value>>, ProviderError> {
        let Some(url) = known.metadata.endpoints.userinfo.as_ref() else {
            return Ok(None);
        };
        let access_token = tokens.access_token.as_ref().ok_or_else(|| {
            let reason = "it sends no access token, which its userinfo is requested with";
            ProviderError::Unavailable(reason.to_owned())
        })?;
        let claims = match userinfo::request(self, url, access_token).await? {
            Userinfo::Plain(claims) => claims,
            Userinfo::Signed(token) => {
                let claims = self.open(known, &token, clock).await?;
                check_parties(&claims, self.settings())?;
                claims.members().clone()
            }
        };
        // an access token of somebody else, exchanged on the way, would bring the claims of that person
        if claims.get("sub").and_then(Value::as_str) != Some(sub) {
            let reason = "the userinfo is about another person than the ID token (`sub`)";
            return Err(ProviderError::Invalid(reason.to_owned()));
        }
        Ok(Some(claims))
    }
}

fn clock(then: u64) -> Clock {
    Clock {
        then,
        begun: ambient::now(),
    }
}

/// One deadline over all that is requested.
async fn within<T>(
    exchange: impl Future<Output = Result<T, ProviderError>>,
) -> Result<T, ProviderError> {
    timeout(DEADLINE, exchange).await.unwrap_or_else(|_| {
        let reason = format!("no answer within {DEADLINE:?}");
        Err(ProviderError::Unavailable(reason))
    })
}
