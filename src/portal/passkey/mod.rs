//! Passkeys and security keys: what the pages' script asks for, in JSON, from the pages of this very site alone.
//!
//! Each ceremony has two halves: `start` gives the options for the browser and the sealed state of the ceremony, `finish`
//! takes both back with the key's answer. `ceremony` seals and opens, `rejection` says to people what went wrong.

mod ceremony;
mod registration;
mod rejection;
mod second_factor;
mod sign_in;

use bytes::Bytes;
use http::header::SET_COOKIE;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::ceremony::{BINDING_LIFE, Binding, PendingCeremony, Purpose};
use self::rejection::PasskeyRejection;
use super::body_format::BodyFormat;
use super::login::log_safe_name;
use super::rejection::FormRejection;
use super::{Portal, PortalContext, PortalReply, ReceivedBody};
use crate::session::{FactorRecord, FactorSwap, OnceKey, StoredPasskey};
use crate::token::{AuthenticationMethod, AuthenticationMethods, Sealed};
use crate::webauthn::{
    Ceremony, CeremonyError, KeyAssertion, KeyUse, RegisteredKey, RelyingParty, RpId,
};
use crate::wire::{self, Intake, Site};

/// Half of a ceremony.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasskeyEndpoint {
    /// `sign-in/start`: the options to sign in without a name and a password.
    StartSignIn,
    /// `sign-in/finish`: the session.
    FinishSignIn,
    /// `second-factor/start`: the options for a key after the password.
    StartSecondFactor,
    /// `second-factor/finish`: the session.
    FinishSecondFactor,
    /// `registration/start`: the options for a new key.
    StartRegistration,
    /// `registration/finish`: the key is added.
    FinishRegistration,
}

/// What the first half of a ceremony answers.
#[derive(Serialize)]
struct Started<'a> {
    /// To be sent back with the key's answer.
    ceremony: Sealed,
    #[serde(rename = "publicKey")]
    public_key: &'a Value,
}

/// Where the page goes on.
#[derive(Serialize)]
struct Destination<'a> {
    location: &'a str,
}

/// What every second half is sent.
#[derive(Deserialize)]
struct Finish {
    ceremony: Sealed,
    credential: Value,
    /// Where the browser goes afterwards.
    #[serde(default)]
    next: String,
    /// What the password was exchanged for, before a second factor.
    #[serde(default)]
    continuation: String,
    /// What its owner calls a new key.
    #[serde(default)]
    name: String,
}

impl Finish {
    /// The key's answer, as it is parsed by who knows what it is.
    fn credential(&self) -> Vec<u8> {
        serde_json::to_vec(&self.credential).expect("JSON is JSON")
    }
}

impl PasskeyEndpoint {
    /// The endpoint of this name below `{prefix}/passkey/`.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "sign-in/start" => Self::StartSignIn,
            "sign-in/finish" => Self::FinishSignIn,
            "second-factor/start" => Self::StartSecondFactor,
            "second-factor/finish" => Self::FinishSecondFactor,
            "registration/start" => Self::StartRegistration,
            "registration/finish" => Self::FinishRegistration,
            _ => return None,
        })
    }

    /// Whether it begins a session.
    pub(super) fn signs_in(self) -> bool {
        match self {
            Self::FinishSignIn | Self::FinishSecondFactor => true,
            Self::StartSignIn | Self::StartSecondFactor => false,
            Self::StartRegistration | Self::FinishRegistration => false,
        }
    }
}

/// How often somebody's factors are read anew that others change at the same time.
const TRIES: usize = 8;

impl Portal {
    /// `POST {prefix}/passkey/…`.
    pub(super) async fn answer_passkey(
        &self,
        endpoint: PasskeyEndpoint,
        intake: &Intake,
        body: ReceivedBody,
        context: &PortalContext<'_>,
    ) -> PortalReply {
        let half = self.half_of_ceremony(endpoint, intake, body, context);
        half.await.unwrap_or_else(|rejection| {
            let refusal = rejection.reason();
            PortalReply {
                response: rejection.into_response(),
                refusal,
                ..PortalReply::default()
            }
        })
    }

    async fn half_of_ceremony(
        &self,
        endpoint: PasskeyEndpoint,
        intake: &Intake,
        body: ReceivedBody,
        context: &PortalContext<'_>,
    ) -> Result<PortalReply, PasskeyRejection> {
        let site = self.relying_party(&intake.site);
        let site = &site.ok_or(PasskeyRejection::NotOffered)?;
        let headers = &intake.head.headers;
        let sender = intake.site.check_sender(headers);
        sender.map_err(|foreign| PasskeyRejection::Foreign(foreign.to_string()))?;
        if BodyFormat::of(headers) != Some(BodyFormat::Json) {
            return Err(FormRejection::ContentType.into());
        }
        let body = body.whole()?;
        use PasskeyEndpoint as E;
        match endpoint {
            E::StartSignIn => {
                let begun = site.start_sign_in()?;
                Ok(self
                    .begun(begun, Purpose::SignIn, intake, context.now)
                    .into())
            }
            E::FinishSignIn => {
                let finish = read(&body)?;
                self.finish_passkey_sign_in(site, intake, &finish, context)
                    .await
            }
            E::StartSecondFactor => {
                let answer = self.start_second_factor(site, intake, &body, context);
                Ok(answer.await?.into())
            }
            E::FinishSecondFactor => {
                let finish = read(&body)?;
                self.finish_second_factor(site, intake, &finish, context)
                    .await
            }
            E::StartRegistration => {
                let answer = self.start_registration(site, intake, &body, context);
                Ok(answer.await?.into())
            }
            E::FinishRegistration => {
                let finish = read(&body)?;
                self.finish_registration(site, intake, &finish, context)
                    .await
            }
        }
    }

    /// The site as a relying party; `None` where there are no keys: they are not configured, there are no pages, or the site
    /// is not one of the domain, over TLS.
    fn relying_party(&self, site: &Site) -> Option<RelyingParty> {
        let settings = self.settings.passkeys.as_ref()?;
        self.settings.theme.as_ref()?;
        let of_host = || RpId::of_host(site.host.to_str().ok()?);
        let id = settings.rp_id.clone().or_else(of_host)?;
        RelyingParty::new(&id, id.as_str(), &site.url("")?).ok()
    }

    /// Whether people can sign in with keys at this site.
    pub(super) fn offers_passkeys(&self, site: &Site) -> bool {
        self.relying_party(site).is_some()
    }

    /// Where the script finds the endpoints.
    pub(super) fn passkey_path(&self) -> String {
        format!("{}/passkey", self.settings.own.prefix)
    }

    /// The answer to the first half of a ceremony, which ties it to the browser.
    fn begun(
        &self,
        ceremony: Ceremony,
        purpose: Purpose<'_>,
        intake: &Intake,
        now: u64,
    ) -> Response<Bytes> {
        let (cookie, scheme) = (&self.settings.cookie, intake.site.scheme);
        let binding = Binding::read(cookie.ceremony(&intake.cookies, scheme));
        let binding = binding.unwrap_or_else(Binding::new);
        let pending = PendingCeremony::begin(ceremony.state, now);
        let started = Started {
            ceremony: pending.seal(self.browsers.sealer(), purpose, &binding),
            public_key: &ceremony.options["publicKey"],
        };
        let mut response = wire::json(StatusCode::OK, &started);
        let line = cookie.write_ceremony(scheme, binding.as_str(), BINDING_LIFE);
        response.headers_mut().append(SET_COOKIE, line);
        response
    }

    /// The ceremony that a second half belongs to.
    fn pending_ceremony(
        &self,
        purpose: Purpose<'_>,
        intake: &Intake,
        finish: &Finish,
        now: u64,
    ) -> Result<PendingCeremony, PasskeyRejection> {
        let cookie = &self.settings.cookie;
        let binding = Binding::read(cookie.ceremony(&intake.cookies, intake.site.scheme));
        let binding = binding.ok_or(PasskeyRejection::Expired)?;
        let sealer = self.browsers.sealer();
        let opened = PendingCeremony::open(sealer, purpose, &binding, &finish.ceremony, now);
        opened.ok_or(PasskeyRejection::Expired)
    }

    /// Ends a ceremony, at all replicas. Only an answer of a key that somebody has ends one: nobody fills the store who knows
    /// none.
    async fn spend(&self, (key, until): (OnceKey, u64), now: u64) -> Result<(), PasskeyRejection> {
        let is_first = self.sessions.use_once(key, until, now).await?;
        is_first.then_some(()).ok_or(PasskeyRejection::Expired)
    }

    /// Ends the ceremony, verifies an assertion against the key of this person that it names, and stores the key's counter and
    /// its last use, if the key is still as it was verified.
    async fn use_key(
        &self,
        site: &RelyingParty,
        pending: PendingCeremony,
        assertion: &KeyAssertion,
        (subject, mut record): (&str, FactorRecord),
        now: u64,
    ) -> Result<KeyUse, PasskeyRejection> {
        let once = pending.once();
        let id = assertion.key_id();
        let stored = record.keys().find(|key| key.id == id).cloned();
        let stored = stored.ok_or(CeremonyError::UnknownKey)?;
        let key = RegisteredKey::from_stored(&stored.credential);
        let key = key.ok_or(CeremonyError::UnknownKey)?;
        // before anything is verified: who shows an answer once more has no copy of the key
        self.spend(once, now).await?;
        let verified =
            site.finish_authentication(pending.state, assertion, &key, record.user_handle);
        let (shown, changed) = verified.inspect_err(|error| {
            if *error == CeremonyError::PossibleClone {
                report_copy(subject, &stored.name);
            }
        })?;
        let sealer = self.browsers.sealer();
        for _ in 0..TRIES {
            let kept = stored_key(&mut record, id).ok_or(CeremonyError::Changed)?;
            if kept.credential != stored.credential {
                return Err(CeremonyError::Changed.into());
            }
            kept.last_used_at = Some(now);
            if let Some(changed) = &changed {
                kept.credential = changed.to_stored();
            }
            match self.sessions.swap_factors(subject, &record, sealer).await? {
                FactorSwap::Done => return Ok(shown),
                FactorSwap::Raced | FactorSwap::TakenKey => {
                    record = self.factors_of(subject).await?;
                }
            }
        }
        Err(PasskeyRejection::Busy)
    }
}

/// How somebody is authenticated by a key (RFC 8176, section 2). One that verified its user is two factors by itself.
fn methods(shown: KeyUse) -> AuthenticationMethods {
    let kept_by = match shown.is_synchronized {
        true => AuthenticationMethod::SoftwareKey,
        false => AuthenticationMethod::HardwareKey,
    };
    let methods = AuthenticationMethods::of(&[kept_by, AuthenticationMethod::UserPresence]);
    match shown.verified_user {
        true => methods.with(AuthenticationMethod::MultipleFactors),
        false => methods,
    }
}

/// All keys of a person that can be read.
fn registered_keys(record: &FactorRecord) -> Vec<RegisteredKey> {
    let keys = record.keys();
    keys.filter_map(|key| RegisteredKey::from_stored(&key.credential))
        .collect()
}

fn stored_key<'r>(record: &'r mut FactorRecord, id: &[u8]) -> Option<&'r mut StoredPasskey> {
    let keys = record.passkeys.iter_mut().chain(&mut record.security_keys);
    keys.into_iter().find(|key| key.id == id)
}

fn report_copy(subject: &str, name: &str) {
    tracing::warn!(
        event = "key_possibly_copied",
        user = &*log_safe_name(subject),
        key = name,
        "the signature counter of a key did not grow: the key may have been copied, or one of two sign-ins at once was late"
    );
}

fn read<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, PasskeyRejection> {
    serde_json::from_slice(body).map_err(|_| FormRejection::MalformedJson.into())
}
