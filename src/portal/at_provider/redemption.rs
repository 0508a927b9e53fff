//! From the code of a provider to a session: the code is redeemed once, the person admitted, and the session recorded.

use std::sync::Arc;

use secrecy::SecretString;

use super::ProviderDenial;
use super::claims::claims_of;
use super::pending::{LIFE, PendingSignIn};
use super::words::Failure;
use crate::access::Identity;
use crate::ambient;
use crate::identify::{admit_unlisted, identity_of};
use crate::oidc::{
    AuthorizationResponse, LogoutMode, OAuthErrorCode, Provider, ProviderError, ProviderSignIn,
    SignInSecrets, UsersMode,
};
use crate::portal::Portal;
use crate::portal::login::log_safe_name;
use crate::portal::place::place_of;
use crate::session::{BrowserSession, OnceKey, OnceUse, ProviderSession, StoreUnavailable};
use crate::token::{
    AuthenticationMethod, AuthenticationMethods, IssueError, ProviderClaims, SealedFor, SessionId,
    SessionToken, SignIn, is_valid_subject,
};
use crate::wire::Intake;

/// A session that has begun with a provider.
pub(super) struct Begun {
    pub(super) identity: Arc<Identity>,
    pub(super) session: SessionToken,
}

/// Why an answer makes no session.
pub(super) enum Refusal {
    /// The code was used before, or is too old.
    Stale,
    Failed(Failure),
}

impl Portal {
    /// From a code to a session.
    ///
    /// # Errors
    /// [`Refusal`]: nothing has begun then.
    pub(super) async fn redeem(
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
