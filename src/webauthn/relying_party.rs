//! One site of the gateway as a relying party: both halves of each ceremony.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey, PasskeyRegistration, RegisterPublicKeyCredential,
    SecurityKey, SecurityKeyAuthentication, SecurityKeyRegistration, Url, Uuid,
};
use webauthn_rs::{Webauthn, WebauthnBuilder};

use super::assertion::{KeyAssertion, check_id};
use super::client_data::{self, Operation};
use super::error::CeremonyError;
use super::key::{AuthenticatorKind, KeyMaterial, KeyUse, RegisteredKey};
use super::rp_id::RpId;

/// A site with keys: one origin, under one RP ID. Several hosts of a domain may share the RP ID, and so the keys.
pub struct RelyingParty {
    webauthn: Webauthn,
    rp_id: RpId,
    origin: String,
}

/// The first half of a ceremony.
pub struct Ceremony {
    /// What the browser passes on to `navigator.credentials`: an object whose `publicKey` is JSON as WebAuthn (section
    /// 5.1.8) defines it. There is no secret in it.
    pub options: Value,
    /// What the second half is checked with.
    pub state: CeremonyState,
}

/// What is kept between the two halves of a ceremony; about 500 bytes, and as many for each security key. Good once:
/// whoever keeps it gives it out to one answer alone, within five minutes.
#[derive(Serialize, Deserialize)]
pub struct CeremonyState(Stage);

#[derive(Serialize, Deserialize)]
enum Stage {
    NewPasskey(PasskeyRegistration),
    NewSecurityKey(SecurityKeyRegistration),
    Passkey(DiscoverableAuthentication),
    /// With the keys as they were when it began.
    SecurityKey(SecurityKeyAuthentication, Vec<SecurityKey>),
}

/// For whom a key is registered.
pub struct KeyHolder<'a> {
    /// By which keys know the person; it says nothing of who that is.
    pub handle: [u8; 16],
    /// The name to sign in with.
    pub name: &'a str,
    /// The name to show.
    pub display_name: &'a str,
}

impl RelyingParty {
    /// The site of this origin, `https://host[:port]` as browsers write it, under this RP ID. `name` is for people.
    ///
    /// # Errors
    /// [`CeremonyError::Site`] where the host is not of that domain, or where there is no TLS, but on `localhost`.
    pub fn new(rp_id: &RpId, name: &str, origin: &str) -> Result<Self, CeremonyError> {
        let url = Url::parse(origin).map_err(|_| CeremonyError::Site)?;
        let host = url.domain().ok_or(CeremonyError::Site)?;
        let is_local = host == "localhost" || host.ends_with(".localhost");
        let is_secure = url.scheme() == "https" || (url.scheme() == "http" && is_local);
        // the URL of an origin has no path, no user and no default port
        let origin = url.origin().ascii_serialization();
        if !is_secure || !rp_id.covers(host) {
            return Err(CeremonyError::Site);
        }
        let webauthn = WebauthnBuilder::new(rp_id.as_str(), &url)?
            .rp_name(name)
            .danger_set_user_presence_only_security_keys(true)
            .build()?;
        Ok(Self {
            webauthn,
            rp_id: rp_id.clone(),
            origin,
        })
    }

    /// Asks for a new key. Those that the person has already, of either kind, are refused by the browser.
    ///
    /// # Errors
    /// [`CeremonyError::Refused`].
    pub fn start_registration(
        &self,
        kind: AuthenticatorKind,
        holder: &KeyHolder<'_>,
        registered: &[RegisteredKey],
    ) -> Result<Ceremony, CeremonyError> {
        let id = Uuid::from_bytes(holder.handle);
        let (name, display_name) = (holder.name, holder.display_name);
        let exclude = Some(self.own(registered).map(|key| key.id().into()).collect());
        let site = &self.webauthn;
        let (asked, stage) = match kind {
            AuthenticatorKind::Passkey => {
                let (asked, state) =
                    site.start_passkey_registration(id, name, display_name, exclude)?;
                (asked, Stage::NewPasskey(state))
            }
            AuthenticatorKind::SecurityKey => {
                let (asked, state) = site.start_securitykey_registration(
                    id,
                    name,
                    display_name,
                    exclude,
                    None,
                    None,
                )?;
                (asked, Stage::NewSecurityKey(state))
            }
        };
        let mut options = to_json(&asked)?;
        if kind == AuthenticatorKind::Passkey {
            // webauthn-rs asks for `discouraged`: such a key may not offer itself to somebody who has typed no name
            options["publicKey"]["authenticatorSelection"]["residentKey"] = "preferred".into();
        }
        Ok(Ceremony {
            options,
            state: CeremonyState(stage),
        })
    }

    /// Verifies the answer to [`RelyingParty::start_registration`]: the JSON of a `PublicKeyCredential`.
    ///
    /// # Errors
    /// [`CeremonyError`]. Whether another person has a key of this id is for the store to say.
    pub fn finish_registration(
        &self,
        state: CeremonyState,
        answer: &[u8],
    ) -> Result<RegisteredKey, CeremonyError> {
        let answer: RegisterPublicKeyCredential = serde_json::from_slice(answer)
            .map_err(|_| CeremonyError::Malformed("no registration of WebAuthn"))?;
        check_id(&answer.id, &answer.raw_id, &answer.type_)?;
        let client_data = &answer.response.client_data_json;
        client_data::check(client_data, Operation::Create, &self.origin)?;
        let material = match state.0 {
            Stage::NewPasskey(state) => {
                let key = self.webauthn.finish_passkey_registration(&answer, &state)?;
                KeyMaterial::Passkey(key)
            }
            Stage::NewSecurityKey(state) => {
                let key = self
                    .webauthn
                    .finish_securitykey_registration(&answer, &state)?;
                KeyMaterial::SecurityKey(key)
            }
            Stage::Passkey(_) | Stage::SecurityKey(..) => return Err(CeremonyError::State),
        };
        let key = RegisteredKey::new(self.rp_id.as_str(), material);
        // the signed id and the one beside it
        if key.id() != answer.raw_id.as_slice() {
            return Err(CeremonyError::Malformed("the two ids of the key differ"));
        }
        Ok(key)
    }

    /// Asks for a passkey of anybody: nobody has to say who they are, and the options tell nothing about anybody.
    ///
    /// # Errors
    /// [`CeremonyError::Refused`].
    pub fn start_sign_in(&self) -> Result<Ceremony, CeremonyError> {
        let (asked, state) = self.webauthn.start_discoverable_authentication()?;
        Ok(Ceremony {
            options: without_mediation(&asked)?,
            state: CeremonyState(Stage::Passkey(state)),
        })
    }

    /// Asks somebody for one of their keys of this kind; `None` where they have none for this site.
    ///
    /// # Errors
    /// [`CeremonyError::Refused`].
    pub fn start_second_factor(
        &self,
        kind: AuthenticatorKind,
        registered: &[RegisteredKey],
    ) -> Result<Option<Ceremony>, CeremonyError> {
        let keys = || self.own(registered);
        let (options, stage) = match kind {
            AuthenticatorKind::Passkey => {
                let passkeys: Vec<&Passkey> = keys().filter_map(passkey).collect();
                if passkeys.is_empty() {
                    return Ok(None);
                }
                let (asked, state) = self.webauthn.start_discoverable_authentication()?;
                let mut options = without_mediation(&asked)?;
                // its own way to ask for certain keys keeps a copy of them, with counters that may be old at the end
                let describe = |key: &&Passkey| serde_json::json!({ "type": "public-key", "id": URL_SAFE_NO_PAD.encode(key.cred_id()) });
                options["publicKey"]["allowCredentials"] = passkeys.iter().map(describe).collect();
                (options, Stage::Passkey(state))
            }
            AuthenticatorKind::SecurityKey => {
                let keys: Vec<SecurityKey> = keys().filter_map(security_key).cloned().collect();
                if keys.is_empty() {
                    return Ok(None);
                }
                let (asked, state) = self.webauthn.start_securitykey_authentication(&keys)?;
                (to_json(&asked)?, Stage::SecurityKey(state, keys))
            }
        };
        Ok(Some(Ceremony {
            options,
            state: CeremonyState(stage),
        }))
    }

    /// Verifies an assertion against the one key that it claims to be of, as it is stored now, of the person with this
    /// handle. Gives what was shown, and the key as it is stored from now on, where that changes: only if the key's
    /// record is still the same then.
    ///
    /// # Errors
    /// [`CeremonyError`]. A counter that did not grow is [`CeremonyError::PossibleClone`]; the key stays as it is.
    pub fn finish_authentication(
        &self,
        state: CeremonyState,
        assertion: &KeyAssertion,
        key: &RegisteredKey,
        handle: [u8; 16],
    ) -> Result<(KeyUse, Option<RegisteredKey>), CeremonyError> {
        let is_of_holder = assertion
            .user_handle()
            .is_none_or(|claimed| claimed == handle);
        let is_here = key.rp_id() == self.rp_id.as_str();
        if key.id() != assertion.key_id() || !is_of_holder || !is_here {
            return Err(CeremonyError::UnknownKey);
        }
        let credential = &assertion.credential;
        let client_data = &credential.response.client_data_json;
        client_data::check(client_data, Operation::Get, &self.origin)?;
        let mut updated = key.clone();
        let (result, changed) = match (state.0, &mut updated.material) {
            (Stage::Passkey(state), KeyMaterial::Passkey(key)) => {
                let site = &self.webauthn;
                let result =
                    site.finish_discoverable_authentication_v2(credential, state, &*key)?;
                let changed = key.update_credential(&result);
                (result, changed)
            }
            (Stage::SecurityKey(state, keys), KeyMaterial::SecurityKey(key)) => {
                let result = self
                    .webauthn
                    .finish_securitykey_authentication(credential, &state)?;
                is_unchanged(key, &keys)?;
                let changed = key.update_credential(&result);
                (result, changed)
            }
            (_, _) => return Err(CeremonyError::UnknownKey),
        };
        let shown = KeyUse {
            kind: key.kind(),
            verified_user: result.user_verified(),
            is_synchronized: result.backup_eligible(),
        };
        Ok((shown, changed.unwrap_or(false).then_some(updated)))
    }

    /// Whether one of these keys is of this kind, and of this site.
    pub fn has_key(&self, kind: AuthenticatorKind, registered: &[RegisteredKey]) -> bool {
        self.own(registered).any(|key| key.kind() == kind)
    }

    fn own<'k>(&self, keys: &'k [RegisteredKey]) -> impl Iterator<Item = &'k RegisteredKey> {
        let rp_id = self.rp_id.clone();
        keys.iter().filter(move |key| key.rp_id() == rp_id.as_str())
    }
}

/// Without the challenge, which is nobody's business before it is spent.
impl fmt::Debug for CeremonyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CeremonyState").finish_non_exhaustive()
    }
}

fn passkey(key: &RegisteredKey) -> Option<&Passkey> {
    match &key.material {
        KeyMaterial::Passkey(key) => Some(key),
        KeyMaterial::SecurityKey(_) => None,
    }
}

fn security_key(key: &RegisteredKey) -> Option<&SecurityKey> {
    match &key.material {
        KeyMaterial::Passkey(_) => None,
        KeyMaterial::SecurityKey(key) => Some(key),
    }
}

/// Checks that a key is among these, as it was: the assertion was verified against that one, with its counter.
fn is_unchanged(key: &SecurityKey, before: &[SecurityKey]) -> Result<(), CeremonyError> {
    let key_now = to_json(key)?;
    for one in before {
        if one.cred_id() == key.cred_id() && to_json(one)? == key_now {
            return Ok(());
        }
    }
    Err(CeremonyError::Changed)
}

/// The page says itself whether the browser may offer keys in the form's field.
fn without_mediation(asked: &impl Serialize) -> Result<Value, CeremonyError> {
    let mut options = to_json(asked)?;
    if let Some(members) = options.as_object_mut() {
        members.remove("mediation");
    }
    Ok(options)
}

fn to_json(value: &impl Serialize) -> Result<Value, CeremonyError> {
    serde_json::to_value(value).map_err(|_| CeremonyError::State)
}
