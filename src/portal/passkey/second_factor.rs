//! A key after the password, in place of a code.

use bytes::Bytes;
use http::Response;
use serde::Deserialize;

use super::ceremony::Purpose;
use super::rejection::PasskeyRejection;
use super::{Finish, methods, read, registered_keys};
use crate::portal::second_factor::give_back;
use crate::portal::shown_factor::ShownFactor;
use crate::portal::{Portal, PortalContext, PortalReply};
use crate::session::PasswordResult;
use crate::token::{AuthenticationMethod, SignIn};
use crate::webauthn::{AuthenticatorKind, CeremonyError, KeyAssertion, KeyUse, RelyingParty};
use crate::wire::{Intake, Site};

#[derive(Deserialize)]
struct Start {
    /// What the password was exchanged for.
    continuation: String,
    kind: AuthenticatorKind,
}

impl Portal {
    /// `second-factor/start`.
    pub(super) async fn start_second_factor(
        &self,
        site: &RelyingParty,
        intake: &Intake,
        body: &[u8],
        context: &PortalContext<'_>,
    ) -> Result<Response<Bytes>, PasskeyRejection> {
        let start: Start = read(body)?;
        let (client, now) = (intake.client.accountable_address(), context.now);
        let opened = self.open_continuation(&start.continuation, client, now)?;
        let subject = &opened.continuation.subject;
        let record = self.factors_of(subject).await?;
        let begun = site.start_second_factor(start.kind, &registered_keys(&record))?;
        let begun = begun.ok_or(CeremonyError::UnknownKey)?;
        Ok(self.begun(begun, Purpose::SecondFactor(subject), intake, now))
    }

    /// `second-factor/finish`. What stands for the password is used up by a key that is right, and by no other: nobody guesses
    /// keys, and none of them counts as a failure.
    pub(super) async fn finish_second_factor(
        &self,
        site: &RelyingParty,
        intake: &Intake,
        finish: &Finish,
        context: &PortalContext<'_>,
    ) -> Result<PortalReply, PasskeyRejection> {
        let (client, now) = (intake.client.accountable_address(), context.now);
        let opened = self.open_continuation(&finish.continuation, client, now)?;
        let continuation = &opened.continuation;
        let asking = self.asking(intake, &continuation.name, now);
        let attempts = self.admit_again(continuation, &asking).await?;
        let shown = self.show_key(site, intake, finish, &continuation.subject, now);
        let user = match shown.await {
            Ok(shown) => {
                let still = self.still(continuation, opened.key, opened.until, &asking);
                still.await.map(|user| (user, shown)).map_err(Into::into)
            }
            Err(rejection) => Err(rejection),
        };
        let (user, shown) = match user {
            Ok(user) => user,
            Err(rejection) => {
                give_back(attempts);
                return Err(rejection);
            }
        };
        self.record_attempts(attempts, PasswordResult::Correct)
            .await?;
        let kind = shown.kind;
        let methods = methods(shown)
            .with(AuthenticationMethod::Password)
            .with(AuthenticationMethod::MultipleFactors);
        let sign_in = (SignIn::new(now, methods), ShownFactor::of_key(kind));
        self.let_in_by_key(&user, sign_in, intake, &finish.next, context)
            .await
    }

    async fn show_key(
        &self,
        site: &RelyingParty,
        intake: &Intake,
        finish: &Finish,
        subject: &str,
        now: u64,
    ) -> Result<KeyUse, PasskeyRejection> {
        let purpose = Purpose::SecondFactor(subject);
        let pending = self.pending_ceremony(purpose, intake, finish, now)?;
        let assertion = KeyAssertion::read(&finish.credential())?;
        let record = self.factors_of(subject).await?;
        self.use_key(site, pending, &assertion, (subject, record), now)
            .await
    }

    /// Which kinds of keys somebody can show at this site after the password, as the pages' script takes it; empty where there
    /// are none, or where it is not known.
    pub(in crate::portal) async fn kinds_of_keys(&self, site: &Site, subject: &str) -> String {
        let Some(site) = self.relying_party(site) else {
            return String::new();
        };
        let record = self.factors_of(subject).await;
        let keys = record.map(|record| registered_keys(&record));
        let keys = keys.unwrap_or_default();
        let kinds = [
            (AuthenticatorKind::Passkey, "passkey"),
            (AuthenticatorKind::SecurityKey, "security_key"),
        ];
        let has = |kind: AuthenticatorKind| site.has_key(kind, &keys);
        let found = kinds.iter().filter(|(kind, _)| has(*kind));
        let names: Vec<_> = found.map(|(_, name)| *name).collect();
        names.join(" ")
    }
}
