//! Encryption of what the gateway gives away for a while and wants back unread and unchanged: the cookie of a sign-in that
//! is under way, and the refresh tokens of providers in the state store.
//!
//! What is sealed reads: one byte for the format, eight for the name of the key, a random salt of 16 bytes, the ciphertext of
//! AES-256-GCM and its tag. The format and the key's name are authenticated, and so are the use and
//! whatever the user binds it to.

use std::fmt;

use aws_lc_rs::aead::{Aad, Nonce};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::key::{Key, SealingKey};
use super::key_set::KeySet;
use crate::ambient;

/// The first byte: there is one format.
const FORMAT: u8 = 1;

const ID: usize = 8;
const SALT: usize = 16;
/// What comes before the ciphertext.
const HEAD: usize = 1 + ID + SALT;

/// The salt gives each message a key of its own, which is used with one nonce.
const NONCE: [u8; 12] = [0; 12];

/// Seals with the gateway's key, and opens what any key has sealed whose secret part is still configured: shared secrets of
/// `auth.token.previous`, but not its public keys.
#[derive(Clone, Debug)]
pub struct Sealer {
    current: SealingKey,
    others: Vec<SealingKey>,
}

/// What something is sealed for. What is sealed for one use is not opened for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealedFor {
    /// The cookie of a sign-in at a provider that is under way.
    PendingSignIn,
    /// The tokens of a provider in the state store.
    ProviderTokens,
    /// The second factors of a person in the state store.
    SecondFactors,
    /// What a right password gives who has yet to show a second factor.
    Continuation,
    /// The state of a passkey's ceremony, while the page waits for the key.
    Ceremony,
}

/// Ciphertext. It is written as base64url (RFC 4648, section 5), without padding.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sealed(Box<[u8]>);

impl Sealer {
    /// Seals with `key`, and opens what it or one of `keys` has sealed.
    pub fn new(key: &Key, keys: &KeySet) -> Self {
        let others = keys.keys().iter().filter_map(|key| key.sealing().cloned());
        let current = key.sealing().clone();
        Self {
            others: others.filter(|other| other.id() != current.id()).collect(),
            current,
        }
    }

    /// Seals as this one does, and opens what `former` could as well; `None` where both seal with one key. What was sealed with a key
    /// pair is opened by its private key alone, which is not there any more where the pair has become one of `previous`.
    #[must_use]
    pub fn succeeding(&self, former: &Self) -> Option<Self> {
        if self.current.id() == former.current.id() {
            return None;
        }
        let mut both = self.clone();
        let formers = std::iter::once(&former.current).chain(&former.others);
        both.others.extend(formers.cloned());
        Some(both)
    }

    /// Encrypts a message for one use, bound to what `context` names, such as the session it belongs to.
    pub fn seal(&self, purpose: SealedFor, context: &[u8], message: &[u8]) -> Sealed {
        let salt = ambient::random_bytes::<SALT>();
        let mut sealed = vec![FORMAT];
        for part in [&self.current.id()[..], &salt, message] {
            sealed.extend_from_slice(part);
        }
        let (head, text) = sealed.split_at_mut(HEAD);
        let associated = Aad::from(associated(head, purpose, context));
        let tag = self
            .current
            .of_message(&salt)
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(NONCE), associated, text)
            .expect("AES-GCM seals any message of less than 64 GiB");
        sealed.extend_from_slice(tag.as_ref());
        Sealed(sealed.into())
    }

    /// Whether the gateway's key has sealed it, and not one before.
    pub fn is_current(&self, sealed: &Sealed) -> bool {
        let id = sealed.0.get(1..=ID);
        id.is_some_and(|id| *id == self.current.id())
    }

    /// The message, where one of the keys has sealed it for this use and this context.
    pub fn open(
        &self,
        purpose: SealedFor,
        context: &[u8],
        sealed: &Sealed,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let (head, text) = sealed.0.split_at_checked(HEAD)?;
        let (&[format], rest) = head.split_first_chunk::<1>()?;
        let (id, rest) = rest.split_first_chunk::<ID>()?;
        let mut keys = std::iter::once(&self.current).chain(&self.others);
        let key = keys.find(|key| key.id() == *id && format == FORMAT)?;
        let associated = Aad::from(associated(head, purpose, context));
        let nonce = Nonce::assume_unique_for_key(NONCE);
        let mut text = Zeroizing::new(text.to_vec());
        let length = key
            .of_message(rest)
            .open_in_place(nonce, associated, &mut text)
            .ok()?
            .len();
        text.truncate(length);
        Some(text)
    }
}

/// The associated data. The use has a length of its own, so that no use and context read as others.
fn associated(head: &[u8], purpose: SealedFor, context: &[u8]) -> Vec<u8> {
    let purpose = match purpose {
        SealedFor::PendingSignIn => "pending sign-in",
        SealedFor::ProviderTokens => "provider tokens",
        SealedFor::SecondFactors => "second factors",
        SealedFor::Continuation => "continuation",
        SealedFor::Ceremony => "passkey ceremony",
    };
    [head, purpose.as_bytes(), &[0], context].concat()
}

impl Sealed {
    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(Self(bytes.into()))
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What has these bytes.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Display for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(&self.0))
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

impl From<Sealed> for String {
    fn from(sealed: Sealed) -> Self {
        sealed.to_string()
    }
}

impl TryFrom<String> for Sealed {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("no base64url")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Algorithm::{self, Ed25519, Es256, Es512, Hs256, Hs512, Rs256};
    use crate::token::SealedFor::{PendingSignIn, ProviderTokens};

    const MESSAGE: &[u8] = b"a refresh token";

    fn secret(algorithm: Algorithm, number: u8) -> Key {
        Key::from_secret(algorithm, &[number; 64], None).unwrap()
    }

    fn sealer(key: Key) -> Sealer {
        Sealer::new(&key, &key.clone().into())
    }

    fn opens(sealer: &Sealer, sealed: &Sealed) -> bool {
        let opened = sealer.open(ProviderTokens, b"session", sealed);
        opened.is_some_and(|opened| *opened == MESSAGE)
    }

    #[test]
    fn a_key_of_every_kind_opens_what_it_has_sealed_and_no_other_key_does() {
        let pair = |algorithm| {
            let pem = crate::token::generate(algorithm).unwrap();
            move || Key::from_pem(algorithm, &pem, None).unwrap()
        };
        let (ed, p256, p521, rsa) = (pair(Ed25519), pair(Es256), pair(Es512), pair(Rs256));
        let load = || {
            let keys = [
                secret(Hs256, 1),
                secret(Hs256, 2),
                ed(),
                p256(),
                p521(),
                rsa(),
            ];
            keys.map(sealer)
        };
        // a restart derives the same
        let (before, after) = (load(), load());
        for (sealing, one) in before.iter().enumerate() {
            let sealed = one.seal(ProviderTokens, b"session", MESSAGE);
            let read_back = Sealed::parse(&sealed.to_string()).unwrap();
            assert_eq!(read_back, sealed);
            for (opening, other) in after.iter().enumerate() {
                assert_eq!(
                    opens(other, &read_back),
                    sealing == opening,
                    "{sealing} {opening}"
                );
            }
        }
        // the secret seals, whatever it signs
        let sealed = sealer(secret(Hs256, 1)).seal(ProviderTokens, b"session", MESSAGE);
        assert!(opens(&sealer(secret(Hs512, 1)), &sealed));
    }

    #[test]
    fn a_secret_that_is_still_configured_opens_and_one_that_was_taken_away_does_not() {
        let (old, new) = (secret(Hs256, 1), secret(Hs256, 2));
        let sealed = sealer(old.clone()).seal(ProviderTokens, b"session", MESSAGE);
        let both = KeySet::new(vec![new.verifying().clone(), old.verifying().clone()]);
        let rotated = Sealer::new(&new, &both);
        assert!(opens(&rotated, &sealed));
        assert!(!opens(&sealer(new.clone()), &sealed));
        // and it seals no more
        let sealed = rotated.seal(ProviderTokens, b"session", MESSAGE);
        assert!(opens(&sealer(new), &sealed) && !opens(&sealer(old), &sealed));
    }

    #[test]
    fn nothing_is_opened_for_another_use_or_context_or_after_a_change() {
        let sealer = sealer(secret(Hs256, 1));
        let sealed = sealer.seal(ProviderTokens, b"session", MESSAGE);
        assert!(opens(&sealer, &sealed));
        assert_eq!(sealer.open(PendingSignIn, b"session", &sealed), None);
        assert_eq!(sealer.open(ProviderTokens, b"sessiom", &sealed), None);
        assert_eq!(sealer.open(ProviderTokens, b"", &sealed), None);
        for index in 0..sealed.0.len() {
            for bit in 0..8 {
                let mut changed = sealed.clone();
                changed.0[index] ^= 1 << bit;
                assert_eq!(
                    sealer.open(ProviderTokens, b"session", &changed),
                    None,
                    "{index}"
                );
            }
            let cut = Sealed(sealed.0[..index].into());
            assert_eq!(
                sealer.open(ProviderTokens, b"session", &cut),
                None,
                "{index}"
            );
        }
    }

    #[test]
    fn the_same_message_is_sealed_differently_each_time_and_an_empty_one_too() {
        let sealer = sealer(secret(Hs256, 1));
        let seal = || sealer.seal(PendingSignIn, b"", b"");
        let (first, second) = (seal(), seal());
        assert_ne!(first.0[1 + ID..], second.0[1 + ID..]);
        assert_eq!(first.0.len(), HEAD + 16);
        let opened = sealer.open(PendingSignIn, b"", &first).unwrap();
        assert!(opened.is_empty());
    }

    #[test]
    fn text_that_is_no_ciphertext_is_refused_and_nothing_is_printed() {
        let sealer = sealer(secret(Hs256, 1));
        let sealed = sealer.seal(PendingSignIn, b"", MESSAGE);
        for text in ["=", "a", "+/+/", " ", "\u{e9}", &format!("{sealed}=")] {
            assert_eq!(Sealed::parse(text), None, "{text}");
            let json = serde_json::to_string(text).unwrap();
            assert!(serde_json::from_str::<Sealed>(&json).is_err());
        }
        let json = serde_json::to_string(&sealed).unwrap();
        assert_eq!(json, format!("\"{sealed}\""));
        assert_eq!(serde_json::from_str::<Sealed>(&json).unwrap(), sealed);
        let id = crate::text::hex::encode(&sealer.current.id());
        let printed = format!("{sealer:?} {sealed:?}");
        assert!(
            !printed.contains(&id) && !printed.contains(&sealed.to_string()),
            "{printed}"
        );
    }
}
