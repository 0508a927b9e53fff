//! What a key seals with: a secret of its own, derived from the material that signs, so that nothing more is configured.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};

/// The label of the derivation. Neither a signature nor a token is made with what comes of it.
const LABEL: &[u8] = b"gatelatch: sealing key 1";

/// The name of a sealing key, which stands in clear before what it has sealed.
pub(in crate::token) type SealingKeyId = [u8; 8];

/// Derives one encryption key for each message (HKDF-SHA256, RFC 5869).
#[derive(Clone)]
pub(in crate::token) struct SealingKey {
    id: SealingKeyId,
    secret: Arc<Prk>,
}

impl SealingKey {
    /// The sealing key of a shared secret or of a private key.
    pub(super) fn derive(material: &[u8]) -> Self {
        let secret = Salt::new(HKDF_SHA256, LABEL).extract(material);
        let mut id = SealingKeyId::default();
        secret
            .expand(&[b"id"], Length(id.len()))
            .and_then(|name| name.fill(&mut id))
            .expect("HKDF-SHA256 gives 8 bytes");
        Self {
            id,
            secret: Arc::new(secret),
        }
    }

    pub(in crate::token) fn id(&self) -> SealingKeyId {
        self.id
    }

    /// The key of one message. Under one key for all, chance would repeat a nonce of 96 bits after some billions of messages
    /// (NIST SP 800-38D, section 8.3), and anybody can have messages sealed.
    pub(in crate::token) fn of_message(&self, salt: &[u8]) -> LessSafeKey {
        let info: [&[u8]; 2] = [b"message", salt];
        let key = self.secret.expand(&info, &AES_256_GCM);
        LessSafeKey::new(UnboundKey::from(key.expect("HKDF-SHA256 gives 32 bytes")))
    }
}

/// A number of bytes, as the derivation asks for it.
struct Length(usize);

impl aws_lc_rs::hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey")
    }
}
