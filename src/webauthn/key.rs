//! A key that somebody has registered.

use serde::{Deserialize, Serialize};
use webauthn_rs::prelude::{Passkey, SecurityKey};

/// What a key may be used for. It is decided when the key is registered, and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthenticatorKind {
    /// It verifies its user each time, by a PIN or a finger, and may replace the password.
    Passkey,
    /// It shows that somebody touched it: a second factor, never the first. Keys of U2F are of this kind.
    SecurityKey,
}

/// A registered key, as it is stored: what webauthn-rs knows of it, and the RP ID that it is bound to.
#[derive(Clone, Serialize, Deserialize)]
pub struct RegisteredKey {
    rp_id: String,
    pub(super) material: KeyMaterial,
}

/// The two kinds are types of their own, so that a function for the one cannot be given the other.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KeyMaterial {
    Passkey(Passkey),
    SecurityKey(SecurityKey),
}

/// What an assertion showed that was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// Which kind of key it was.
    pub kind: AuthenticatorKind,
    /// The key verified its user.
    pub verified_user: bool,
    /// The private key may leave the device it was made on, as those that are synchronized do.
    pub is_synchronized: bool,
}

impl RegisteredKey {
    pub(super) fn new(rp_id: &str, material: KeyMaterial) -> Self {
        Self {
            rp_id: rp_id.to_owned(),
            material,
        }
    }

    /// Reads a stored key; `None` where it is none.
    pub fn from_stored(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// The key as it is stored: JSON, about 400 bytes. It holds no secret.
    pub fn to_stored(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts, numbers and bytes are JSON")
    }

    /// Its id, which is unique among all keys, by chance.
    pub fn id(&self) -> &[u8] {
        match &self.material {
            KeyMaterial::Passkey(key) => key.cred_id(),
            KeyMaterial::SecurityKey(key) => key.cred_id(),
        }
    }

    /// What it may be used for.
    pub fn kind(&self) -> AuthenticatorKind {
        match &self.material {
            KeyMaterial::Passkey(_) => AuthenticatorKind::Passkey,
            KeyMaterial::SecurityKey(_) => AuthenticatorKind::SecurityKey,
        }
    }

    /// The domain that it is bound to: no site of another one can use it.
    pub fn rp_id(&self) -> &str {
        &self.rp_id
    }
}
