//! The signature algorithms (RFC 7518, section 3.1; RFC 8037, section 3.1; RFC 9864, section 2.2).

use std::fmt;

/// A signature algorithm. Every key is bound to exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256, and a salt as long as the hash.
    Ps256,
    /// RSASSA-PSS with SHA-384, and a salt as long as the hash.
    Ps384,
    /// RSASSA-PSS with SHA-512, and a salt as long as the hash.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// Ed25519 under the name of RFC 9864.
    Ed25519,
    /// Ed25519 under its older name (RFC 8037), which RFC 9864 deprecates. The signatures are the same: a key that is
    /// bound to one of the two names verifies tokens that carry either.
    EdDsa,
}

/// The kind of key that an algorithm needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyKind {
    Secret,
    Rsa,
    P256,
    P384,
    P521,
    Ed25519,
}

impl Algorithm {
    /// All of them, in the order in which messages list them.
    pub const ALL: [Self; 14] = [
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::Ed25519,
        Self::EdDsa,
    ];

    /// As `alg` spells it; case counts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::Ed25519 => "Ed25519",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm that `alg` names so.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
    }

    /// Whether two names stand for the same signature: equal ones, and the two of Ed25519.
    pub fn is_same_signature(self, other: Self) -> bool {
        self == other || (self.kind() == KeyKind::Ed25519 && other.kind() == KeyKind::Ed25519)
    }

    /// Whether an `alg` stands for this signature: its own name, or the other one of Ed25519.
    pub(super) fn is_named(self, alg: &str) -> bool {
        alg == self.name()
            || (self.kind() == KeyKind::Ed25519
                && [Self::Ed25519, Self::EdDsa]
                    .iter()
                    .any(|other| alg == other.name()))
    }

    /// Whether signer and verifier share one secret.
    pub fn is_symmetric(self) -> bool {
        self.kind() == KeyKind::Secret
    }

    /// Whether it is RSASSA-PSS, which some RSA keys are restricted to.
    pub(super) fn is_pss(self) -> bool {
        matches!(self, Self::Ps256 | Self::Ps384 | Self::Ps512)
    }

    /// The length of the HMAC's output: the fewest bytes that its secret should have (RFC 7518, section 3.2).
    pub fn hash_bytes(self) -> Option<usize> {
        match self {
            Self::Hs256 => Some(32),
            Self::Hs384 => Some(48),
            Self::Hs512 => Some(64),
            Self::Rs256
            | Self::Rs384
            | Self::Rs512
            | Self::Ps256
            | Self::Ps384
            | Self::Ps512
            | Self::Es256
            | Self::Es384
            | Self::Es512
            | Self::Ed25519
            | Self::EdDsa => None,
        }
    }

    pub(super) fn kind(self) -> KeyKind {
        match self {
            Self::Hs256 | Self::Hs384 | Self::Hs512 => KeyKind::Secret,
            Self::Rs256 | Self::Rs384 | Self::Rs512 | Self::Ps256 | Self::Ps384 | Self::Ps512 => {
                KeyKind::Rsa
            }
            Self::Es256 => KeyKind::P256,
            Self::Es384 => KeyKind::P384,
            Self::Es512 => KeyKind::P521,
            Self::Ed25519 | Self::EdDsa => KeyKind::Ed25519,
        }
    }

    /// What kind of private key it signs with, in words.
    pub fn key_kind(self) -> &'static str {
        match self.kind() {
            KeyKind::Secret => "a shared secret",
            KeyKind::Rsa => "an RSA key",
            KeyKind::P256 => "a P-256 key",
            KeyKind::P384 => "a P-384 key",
            KeyKind::P521 => "a P-521 key",
            KeyKind::Ed25519 => "an Ed25519 key",
        }
    }

    /// Whether jsonwebtoken has it under this very name, and writes it into headers.
    pub(super) fn is_library_name(self) -> bool {
        !matches!(self, Self::Es512 | Self::Ed25519)
    }

    /// What jsonwebtoken signs and verifies with; `None` for ES512, which it does not have.
    pub(super) fn in_library(self) -> Option<jsonwebtoken::Algorithm> {
        use jsonwebtoken::Algorithm as Library;
        match self {
            Self::Hs256 => Some(Library::HS256),
            Self::Hs384 => Some(Library::HS384),
            Self::Hs512 => Some(Library::HS512),
            Self::Rs256 => Some(Library::RS256),
            Self::Rs384 => Some(Library::RS384),
            Self::Rs512 => Some(Library::RS512),
            Self::Ps256 => Some(Library::PS256),
            Self::Ps384 => Some(Library::PS384),
            Self::Ps512 => Some(Library::PS512),
            Self::Es256 => Some(Library::ES256),
            Self::Es384 => Some(Library::ES384),
            Self::Es512 => None,
            Self::Ed25519 | Self::EdDsa => Some(Library::EdDSA),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_finds_its_algorithm_and_only_ed25519_has_two() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::named(algorithm.name()), Some(algorithm));
            let names: Vec<&str> = Algorithm::ALL
                .into_iter()
                .filter(|other| algorithm.is_named(other.name()))
                .map(Algorithm::name)
                .collect();
            let expected = if algorithm.kind() == KeyKind::Ed25519 {
                vec!["Ed25519", "EdDSA"]
            } else {
                vec![algorithm.name()]
            };
            assert_eq!(names, expected);
            for other in Algorithm::ALL {
                let same = algorithm.is_same_signature(other);
                assert_eq!(
                    same,
                    algorithm.is_named(other.name()),
                    "{algorithm} {other}"
                );
            }
        }
        for unknown in [
            "", "none", "hs256", "ed25519", "ED25519", "eddsa", "Ed448", "ES256K",
        ] {
            assert_eq!(Algorithm::named(unknown), None, "{unknown}");
            assert!(
                Algorithm::ALL
                    .iter()
                    .all(|algorithm| !algorithm.is_named(unknown))
            );
        }
    }

    /// The library is asked for the algorithm of the same name, and for no other.
    #[test]
    fn an_algorithm_is_the_librarys_of_the_same_name() {
        for algorithm in Algorithm::ALL {
            let library = algorithm.in_library().map(|library| format!("{library:?}"));
            let expected = match algorithm.name() {
                "ES512" => None,
                "Ed25519" => Some("EdDSA"),
                other => Some(other),
            };
            assert_eq!(library.as_deref(), expected);
        }
    }
}
