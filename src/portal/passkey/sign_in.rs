//! Signing in without a name and a password.

use std::sync::Arc;

use http::StatusCode;

use super::ceremony::Purpose;
use super::rejection::PasskeyRejection;
use super::{Destination, Finish, methods};
use crate::ldap::LdapFailure;
use crate::portal::denial::LoginDenial;
use crate::portal::login::{LoginEvent, log_safe_name};
use crate::portal::return_path::ReturnPath;
use crate::portal::shown_factor::ShownFactor;
use crate::portal::signed_in::SignedIn;
use crate::portal::{Portal, PortalContext, PortalReply};
use crate::token::SignIn;
use crate::webauthn::{CeremonyError, KeyAssertion, RelyingParty};
use crate::wire::{self, Intake};

impl Portal {
    /// `sign-in/finish`. Whose key it is says the key; that it is that person's, the store.
    pub(super) async fn finish_passkey_sign_in(
        &self,
        site: &RelyingParty,
        intake: &Intake,
        finish: &Finish,
        context: &PortalContext<'_>,
    ) -> Result<PortalReply, PasskeyRejection> {
        let now = context.now;
        let pending = self.pending_ceremony(Purpose::SignIn, intake, finish, now)?;
        let assertion = KeyAssertion::read(&finish.credential())?;
        let handle = assertion.user_handle().ok_or(CeremonyError::UnknownKey)?;
        let sealer = self.browsers.sealer();
        let found = self.sessions.find_handle(&handle, sealer).await?;
        let (subject, _) = found.ok_or(CeremonyError::UnknownKey)?;
        let record = self.factors_of(&subject).await?;
        if record.user_handle != handle {
            // of somebody who had the name before
            return Err(CeremonyError::UnknownKey.into());
        }
        let user = self.still_signs_in(&subject, now).await?;
        let shown = self
            .use_key(site, pending, &assertion, (&subject, record), now)
            .await?;
        let sign_in = SignIn::new(now, methods(shown));
        let sign_in = (sign_in, ShownFactor::of_key(shown.kind));
        self.let_in_by_key(&user, sign_in, intake, &finish.next, context)
            .await
    }

    /// Somebody who could sign in with a password, too: who is not meant to sign in has none.
    async fn still_signs_in(&self, subject: &str, now: u64) -> Result<SignedIn, PasskeyRejection> {
        let Some(user) = self.directory.find(subject) else {
            return match self.look_up(subject).await {
                Ok(identity) => Ok(SignedIn::Directory(identity)),
                Err(LdapFailure::Refused) => Err(PasskeyRejection::Unknown),
                Err(LdapFailure::Busy | LdapFailure::Unavailable(_)) => Err(PasskeyRejection::Away),
            };
        };
        let may = user.password.is_some() && user.admit(Some(now)).is_ok();
        may.then(|| SignedIn::Listed(Arc::clone(user)))
            .ok_or(PasskeyRejection::Unknown)
    }

    /// Begins a session, and says where the page goes on.
    pub(super) async fn let_in_by_key(
        &self,
        user: &SignedIn,
        (sign_in, shown): (SignIn, ShownFactor),
        intake: &Intake,
        next: &str,
        context: &PortalContext<'_>,
    ) -> Result<PortalReply, PasskeyRejection> {
        let now = context.now;
        let session = self.begin_session(user, sign_in, intake, now).await?;
        let next = ReturnPath::parse(next, self.settings.paths);
        let location = &self.landing(next, user.identity(), context);
        let response = wire::json(StatusCode::OK, &Destination { location });
        let mut response = self.give_session(intake, &session, response, now);
        let subject = &user.identity().subject;
        self.remember_device(intake, subject, now, response.headers_mut());
        Ok(PortalReply {
            response,
            login: Some(LoginEvent {
                user: log_safe_name(subject),
                outcome: Ok(()),
                second_factor: Some(shown),
            }),
            ..PortalReply::default()
        })
    }
}

impl From<LoginDenial> for PasskeyRejection {
    fn from(denial: LoginDenial) -> Self {
        match denial {
            LoginDenial::Continuation => Self::Expired,
            LoginDenial::LockedOut(seconds) => Self::LockedOut(seconds),
            LoginDenial::NoToken(_) => Self::NoSession,
            LoginDenial::Busy
            | LoginDenial::Away
            | LoginDenial::DirectoryAway
            | LoginDenial::Unreadable => Self::Away,
            LoginDenial::Invalid(_)
            | LoginDenial::TooLong(_)
            | LoginDenial::WrongCode(_)
            | LoginDenial::Client
            | LoginDenial::SecondFactor
            | LoginDenial::NoFactor => Self::Unknown,
        }
    }
}
