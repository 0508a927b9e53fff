//! The second factors of one person.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::factors::{Misses, RecoveryHash, TotpSecret, secret_in_base32};

/// The random name of a person towards authenticators (WebAuthn level 3, section 5.4.3, `user.id`). It is stable when the person is
/// renamed, and says nothing of the person.
pub type UserHandle = [u8; 16];

/// What one person can prove their identity with besides a password. Times are seconds since 1970.
#[derive(Clone, PartialEq, Eq)]
pub struct FactorRecord {
    /// The name of the person towards authenticators. It is chosen at random with the first state of a record.
    pub user_handle: UserHandle,
    /// The authenticator app that the person has added; one of the user list is not here.
    pub totp: Option<TotpFactor>,
    /// The last step of which a code was used, of any secret of the person: a code of it or of one before is not good again.
    pub last_step: Option<u64>,
    /// The wrong codes of late, from browsers that the person has not signed in with before, and from programs.
    pub misses: Misses,
    /// Those from browsers that the person has signed in with before: who has the password alone keeps nobody out of these.
    pub known_misses: Misses,
    /// What is left of the recovery codes.
    pub recovery_codes: Vec<RecoveryHash>,
    /// Keys that verify their user: they may replace the password.
    pub passkeys: Vec<StoredPasskey>,
    /// Keys that do not: they are good after a password only.
    pub security_keys: Vec<StoredPasskey>,
    /// The state that this one was made from; 0 where nothing was kept.
    pub turn: u64,
}

/// An authenticator app.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TotpFactor {
    /// The secret that it shares with the gateway.
    #[serde(rename = "s", with = "secret_in_base32")]
    pub secret: TotpSecret,
    /// When it was added.
    #[serde(rename = "a")]
    pub added_at: u64,
}

/// A WebAuthn credential.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPasskey {
    /// The credential id, by which its owner is found.
    #[serde(rename = "i", with = "base64url")]
    pub id: Vec<u8>,
    /// What its owner calls it.
    #[serde(rename = "n")]
    pub name: Box<str>,
    /// Its public key, counter and flags, as who checks assertions writes them.
    #[serde(rename = "c", with = "base64url")]
    pub credential: Vec<u8>,
    /// When it was added.
    #[serde(rename = "a")]
    pub added_at: u64,
    /// When it was last used.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<u64>,
}

/// A record as it is sealed, with short names.
#[derive(Serialize, Deserialize)]
struct Written {
    #[serde(rename = "h", with = "base64url")]
    user_handle: Vec<u8>,
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    totp: Option<TotpFactor>,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    last_step: Option<u64>,
    #[serde(rename = "m", default, skip_serializing_if = "Misses::is_empty")]
    misses: Misses,
    #[serde(rename = "w", default, skip_serializing_if = "Misses::is_empty")]
    known_misses: Misses,
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    recovery_codes: Vec<RecoveryHash>,
    #[serde(rename = "p", default, skip_serializing_if = "Vec::is_empty")]
    passkeys: Vec<StoredPasskey>,
    #[serde(rename = "k", default, skip_serializing_if = "Vec::is_empty")]
    security_keys: Vec<StoredPasskey>,
}

impl FactorRecord {
    /// A record without factors, for a person of whom nothing is kept.
    pub fn new(user_handle: UserHandle) -> Self {
        Self {
            user_handle,
            totp: None,
            last_step: None,
            misses: Misses::default(),
            known_misses: Misses::default(),
            recovery_codes: Vec::new(),
            passkeys: Vec::new(),
            security_keys: Vec::new(),
            turn: 0,
        }
    }

    /// Whether it holds something that is asked for after a password. Recovery codes alone are nothing: they stand in for a factor.
    pub fn has_factor(&self) -> bool {
        self.totp.is_some() || !self.passkeys.is_empty() || !self.security_keys.is_empty()
    }

    /// Whether something in it was added before this second: then all of it is of somebody who had the name before.
    pub fn is_older_than(&self, second: u64) -> bool {
        let totp = self.totp.iter().map(|totp| totp.added_at);
        let mut added = totp.chain(self.keys().map(|key| key.added_at));
        added.any(|added_at| added_at < second)
    }

    /// All keys, of either kind.
    pub fn keys(&self) -> impl Iterator<Item = &StoredPasskey> {
        self.passkeys.iter().chain(&self.security_keys)
    }

    /// What is sealed of it: everything but the turn.
    pub(super) fn to_text(&self) -> Zeroizing<Vec<u8>> {
        let written = Written {
            user_handle: self.user_handle.into(),
            totp: self.totp.clone(),
            last_step: self.last_step,
            misses: self.misses.clone(),
            known_misses: self.known_misses.clone(),
            recovery_codes: self.recovery_codes.clone(),
            passkeys: self.passkeys.clone(),
            security_keys: self.security_keys.clone(),
        };
        let text = serde_json::to_vec(&written);
        Zeroizing::new(text.expect("factors have nothing that JSON cannot say"))
    }

    /// Reads what [`Self::to_text`] writes.
    pub(super) fn from_text(text: &[u8], turn: u64) -> Option<Self> {
        let written: Written = serde_json::from_slice(text).ok()?;
        Some(Self {
            user_handle: written.user_handle.try_into().ok()?,
            totp: written.totp,
            last_step: written.last_step,
            misses: written.misses,
            known_misses: written.known_misses,
            recovery_codes: written.recovery_codes,
            passkeys: written.passkeys,
            security_keys: written.security_keys,
            turn,
        })
    }
}

/// Without secrets, and without what would tie keys to their owner elsewhere.
impl fmt::Debug for FactorRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FactorRecord")
            .field("totp", &self.totp.is_some())
            .field("recovery_codes", &self.recovery_codes.len())
            .field("passkeys", &self.passkeys)
            .field("security_keys", &self.security_keys)
            .field("turn", &self.turn)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for StoredPasskey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredPasskey")
            .field("name", &self.name)
            .field("added_at", &self.added_at)
            .finish_non_exhaustive()
    }
}

/// Bytes as base64url (RFC 4648, section 5) without padding.
mod base64url {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&URL_SAFE_NO_PAD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        URL_SAFE_NO_PAD.decode(text).map_err(Error::custom)
    }
}
