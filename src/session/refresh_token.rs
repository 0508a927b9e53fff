//! Refresh tokens: opaque, random, and known to the store as a digest only.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::token::{SessionId, TextSigner};

/// How a refresh token begins, so that scanners for leaked secrets know one when they see it.
const PREFIX: &str = "glr_";

const HANDLE: usize = 16;
const SECRET: usize = 32;

/// The bytes of a stamp: two big-endian numbers.
const STAMP: usize = 16;

/// What a client shows to get new tokens. It is never printed.
///
/// Its first 128 bits are the same for all refresh tokens of a session, and only they know them; the session's name is
/// a hash of them. Whoever shows a known handle with an unknown secret therefore once had a token of that session, so
/// spent tokens are recognised for ever without being kept. The other 256 bits are new at every rotation.
///
/// Beside them stands a stamp: which token of its session it is, and since when, signed by the gateway. It counts only
/// where the store has gone back in time, see `family`. Where a provider vouches for the holder, and not the user list,
/// that is signed as well: the provider is asked before the token is spent.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
    handle: Zeroizing<[u8; HANDLE]>,
    secret: Zeroizing<[u8; SECRET]>,
    stamp: Option<Stamp>,
    holder: Option<ProvidedHolder>,
}

/// Whose token it is that the user list does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvidedHolder {
    /// Who vouches for them; without NUL.
    pub provider: Box<str>,
    /// By which name.
    pub subject: Box<str>,
}

/// Which token of its session one is, and when it was made. Only its maker can know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// 1 for the first; each later one of the session has a greater number than all before.
    pub generation: u64,
    /// In seconds since 1970.
    pub issued_at: u64,
}

/// The SHA-256 digest of a refresh token: what a store keeps of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest([u8; 32]);

impl RefreshToken {
    /// The first token of a new session, from random bytes.
    pub fn first(handle: [u8; HANDLE], secret: [u8; SECRET]) -> Self {
        Self {
            handle: handle.into(),
            secret: secret.into(),
            stamp: None,
            holder: None,
        }
    }

    /// The same for somebody for whom a provider vouches.
    #[must_use]
    pub fn held_by(self, holder: ProvidedHolder) -> Self {
        Self {
            holder: Some(holder),
            ..self
        }
    }

    /// For whom a provider vouches, as the gateway has signed it; `None`: a user of the list.
    pub fn holder(&self) -> Option<&ProvidedHolder> {
        self.holder.as_ref()
    }

    /// The next token of the same session, from random bytes.
    pub fn next(&self, secret: [u8; SECRET]) -> Self {
        Self {
            handle: self.handle.clone(),
            secret: secret.into(),
            stamp: None,
            holder: self.holder.clone(),
        }
    }

    /// Whether a text says that it is a refresh token. Nothing is verified.
    pub fn is_claimed_by(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// The session that a text would belong to if it were a refresh token. Nothing is verified.
    pub fn session_of(text: &str, signer: &TextSigner) -> Option<SessionId> {
        Self::parse(text, signer).map(|token| token.session())
    }

    /// Reads a token that a client shows; `None` where it is none of ours. A stamp that no key has signed, such as one
    /// of a key that was taken away, is as good as none, and the token is what it is without.
    pub fn parse(text: &str, signer: &TextSigner) -> Option<Self> {
        let (signed, signature) = match text.split_once('.') {
            Some((signed, signature)) => (signed, Some(signature)),
            None => (text, None),
        };
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(signed.strip_prefix(PREFIX)?).ok()?);
        let (handle, rest) = bytes.split_at_checked(HANDLE)?;
        let (secret, rest) = rest.split_at_checked(SECRET)?;
        let first = Self::first(handle.try_into().ok()?, secret.try_into().ok()?);
        match (rest.split_first_chunk::<STAMP>(), signature) {
            (None, None) if rest.is_empty() => Some(first),
            (Some((stamp, holder)), Some(signature)) => {
                let holder = match holder {
                    [] => None,
                    holder => Some(ProvidedHolder::from_bytes(holder)?),
                };
                if !signer.has_signed(signed, signature) {
                    return Some(first);
                }
                let stamp = Some(Stamp::from_bytes(*stamp));
                Some(Self {
                    stamp,
                    holder,
                    ..first
                })
            }
            _ => None,
        }
    }

    /// The token as the client gets it: 90 visible characters, a dot and a signature. Without the signature, where the key
    /// cannot sign, it has no stamp, and is good as long as the store does not go back in time.
    pub fn expose(&self, stamp: Stamp, signer: &TextSigner) -> Zeroizing<String> {
        let secret = Zeroizing::new([&self.handle[..], &self.secret[..]].concat());
        let encode = |bytes: &[u8], room| {
            let mut text = Zeroizing::new(String::with_capacity(room));
            text.push_str(PREFIX);
            URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
            text
        };
        let holder = self.holder.as_ref().map(ProvidedHolder::to_bytes);
        let holder = holder.unwrap_or_default();
        let stamped = Zeroizing::new([&secret[..], &stamp.to_bytes(), &holder].concat());
        let mut text = encode(&stamped, 2048);
        match signer.sign(&text) {
            Some(signature) => {
                text.push('.');
                text.push_str(&signature);
                text
            }
            None => encode(&secret, 68),
        }
    }

    pub(super) fn stamp(&self) -> Option<Stamp> {
        self.stamp
    }

    /// The session it belongs to.
    pub fn session(&self) -> SessionId {
        let digest = Sha256::new()
            .chain_update(b"session\0")
            .chain_update(*self.handle)
            .finalize();
        let (half, _) = digest.split_at(16);
        SessionId::from_bytes(
            half.try_into()
                .expect("half of a SHA-256 digest has 16 bytes"),
        )
    }

    pub(super) fn digest(&self) -> Digest {
        Digest(
            Sha256::new()
                .chain_update(*self.handle)
                .chain_update(*self.secret)
                .finalize()
                .into(),
        )
    }
}

impl ProvidedHolder {
    fn to_bytes(&self) -> Vec<u8> {
        format!("{}\0{}", self.provider, self.subject).into_bytes()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (provider, subject) = std::str::from_utf8(bytes).ok()?.split_once('\0')?;
        let is_whole = !provider.is_empty() && !subject.is_empty() && !subject.contains('\0');
        is_whole.then(|| Self {
            provider: provider.into(),
            subject: subject.into(),
        })
    }
}

impl Stamp {
    fn to_bytes(self) -> [u8; STAMP] {
        let number = u128::from(self.generation) << 64 | u128::from(self.issued_at);
        number.to_be_bytes()
    }

    fn from_bytes(bytes: [u8; STAMP]) -> Self {
        let number = u128::from_be_bytes(bytes);
        let half = |number: u128| u64::try_from(number & u128::from(u64::MAX)).unwrap_or(0);
        Self {
            generation: half(number >> 64),
            issued_at: half(number),
        }
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RefreshToken(of {})", self.session())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .ok()
            .and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("not a digest"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Key;

    const STAMP: Stamp = Stamp {
        generation: 3,
        issued_at: 1_700_000_000,
    };

    fn signer(secret: &[u8]) -> TextSigner {
        let key = Key::hs256(secret).unwrap();
        TextSigner::new(key.clone(), key)
    }

    #[test]
    fn a_token_is_read_back_and_nothing_else_is() {
        let signer = signer(b"an example secret of at least 32 bytes");
        let token = RefreshToken::first([1; 16], [2; 32]);
        let text = token.expose(STAMP, &signer);
        assert_eq!((text.len(), &text[..8]), (90 + 1 + 43, "glr_AQEB"));
        let stamped = RefreshToken {
            stamp: Some(STAMP),
            ..token.clone()
        };
        assert_eq!(RefreshToken::parse(&text, &signer), Some(stamped));
        let (signed, signature) = text.split_once('.').unwrap();
        // that of an earlier version is one without a stamp
        let former = format!("glr_{}", &signed[4..68]);
        assert_eq!(RefreshToken::parse(&former, &signer), Some(token));
        let long = format!("{}AA", *text);
        let longer = format!("{signed}AA.{signature}");
        for wrong in [
            "",
            "glr_",
            "glr_AQEB",
            ".",
            "glr_.",
            signed,
            &signed[4..],
            &former[..67],
            &format!("{former}."),
            &format!("{former}.{signature}"),
            &longer,
            &text.replace('_', "-"),
        ] {
            assert_eq!(RefreshToken::parse(wrong, &signer), None, "{wrong}");
        }
        assert!(RefreshToken::parse(&long, &signer).unwrap().stamp.is_none());
    }

    #[test]
    fn a_stamp_that_the_gateway_has_not_made_is_as_good_as_none() {
        let (ours, theirs) = (
            signer(b"an example secret of at least 32 bytes"),
            signer(b"another secret of at least thirty-two bytes"),
        );
        let token = RefreshToken::first([1; 16], [2; 32]);
        let text = token.expose(STAMP, &ours);
        assert_eq!(RefreshToken::parse(&text, &theirs), Some(token.clone()));
        // a later generation under the signature of an earlier one
        let later = Stamp {
            generation: 4,
            ..STAMP
        };
        let (signed, _) = text.split_once('.').unwrap();
        let other = token.expose(later, &ours);
        let (_, signature) = other.split_once('.').unwrap();
        let forged = format!("{signed}.{signature}");
        assert_eq!(RefreshToken::parse(&forged, &ours), Some(token));
    }

    #[test]
    fn the_tokens_of_a_session_share_its_name_and_nothing_that_is_printed() {
        let first = RefreshToken::first([1; 16], [2; 32]);
        let next = first.next([3; 32]);
        assert_eq!(first.session(), next.session());
        assert_ne!(
            first.session(),
            RefreshToken::first([4; 16], [2; 32]).session()
        );
        assert_ne!(first.digest(), next.digest());
        assert_eq!(format!("{first:?}"), format!("{next:?}"));
        assert!(!format!("{first:?} {:?}", first.digest()).contains("AQEB"));
    }

    #[test]
    fn whom_a_provider_vouches_for_is_signed() {
        let signer = signer(b"an example secret of at least 32 bytes");
        let holder = ProvidedHolder {
            provider: "ldap".into(),
            subject: "zoë".into(),
        };
        let token = RefreshToken::first([1; HANDLE], [2; SECRET]).held_by(holder.clone());
        let text = token.expose(STAMP, &signer);
        let read = RefreshToken::parse(&text, &signer).unwrap();
        assert_eq!((read.holder(), read.stamp()), (Some(&holder), Some(STAMP)));
        assert_eq!(read.next([3; SECRET]).holder(), Some(&holder));
        // somebody else's name, or none, under the same signature
        let (signed, signature) = text.split_once('.').unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(&signed[PREFIX.len()..]).unwrap();
        let renamed = [&bytes[..bytes.len() - 4], b"root".as_slice()].concat();
        for forged in [&renamed[..], &bytes[..HANDLE + SECRET + super::STAMP]] {
            let forged = format!("{PREFIX}{}.{signature}", URL_SAFE_NO_PAD.encode(forged));
            let read = RefreshToken::parse(&forged, &signer).unwrap();
            assert_eq!((read.holder(), read.stamp()), (None, None));
        }
    }
}
