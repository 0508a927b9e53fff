//! Why some bytes are no key.

use std::fmt;

use crate::token::Algorithm;

/// Why some bytes are no key. `Display` quotes nothing of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// An HMAC secret of so many bytes, fewer than [`SECRET_BYTES`].
    TooShort(Algorithm, usize),
    /// Not one PEM block of a private key.
    NotPem,
    /// Not one PEM block of a public key.
    NotPublicPem,
    /// A private key under a password.
    Encrypted,
    /// A public key where a private one is needed.
    NotPrivate,
    /// A private key where a public one is enough.
    NotPublic,
    /// A certificate where a public key is needed.
    Certificate,
    /// A certificate where a private key is needed.
    CertificateForPrivate,
    /// A key for another algorithm.
    OtherKind(Algorithm),
    /// An RSA modulus of so many bits, outside 2048 to 8192.
    RsaSize(u64),
    /// The numbers of an RSA key do not fit together.
    RsaNumbers,
    /// The point of a public key does not lie on the curve of the algorithm.
    NotOnCurve(Algorithm),
    /// Only one coordinate of a point, which JSON Web Keys have no form for.
    Compressed,
    /// A member of a JSON Web Key that is missing, has another type, or is no unpadded base64url of the right length.
    Member(&'static str),
    /// A coordinate of a JSON Web Key is shorter than its curve's.
    ShortCoordinate(&'static str),
    /// A published JSON Web Key has this member of private keys.
    Published(&'static str),
    /// What the key signs, it does not verify.
    Unproven(Algorithm),
    /// A shared secret where a key pair is needed, or the other way round.
    NotForSecret(Algorithm),
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort(algorithm, bytes) => {
                let plural = if *bytes == 1 { "" } else { "s" };
                write!(
                    f,
                    "a secret of {bytes} byte{plural}; {algorithm} needs at least {SECRET_BYTES}, e.g. from `openssl rand -base64 48`"
                )
            }
            Self::NotPem => f.write_str("not a key in PEM form; make one with `gatelatch key generate`"),
            Self::NotPublicPem => f.write_str(
                "not a public key in PEM form, with `BEGIN PUBLIC KEY` or `BEGIN RSA PUBLIC KEY`; a set of JSON Web Keys belongs to `jwks`",
            ),
            Self::Encrypted => {
                f.write_str("a key under a password; take it off with `openssl pkcs8 -in KEY -out KEY.plain`")
            }
            Self::NotPrivate => f.write_str("a public key; tokens are signed with the private one"),
            Self::NotPublic => f.write_str("a private key; write the public one here: `openssl pkey -in KEY -pubout`"),
            Self::Certificate => {
                f.write_str("a certificate; write its key here: `openssl x509 -in CERTIFICATE -pubkey -noout`")
            }
            Self::CertificateForPrivate => {
                f.write_str("a certificate; write the file of the private key that belongs to it")
            }
            Self::OtherKind(algorithm) => {
                write!(f, "not {}, which {algorithm} needs", algorithm.key_kind())
            }
            Self::RsaSize(bits) => {
                write!(f, "an RSA key of {bits} bits; 2048 to 8192 are accepted")
            }
            Self::RsaNumbers => f.write_str("a damaged RSA key: its numbers do not fit together"),
            Self::NotOnCurve(algorithm) => {
                write!(f, "not {}, which {algorithm} needs: its point is not valid on that curve", algorithm.key_kind())
            }
            Self::Compressed => {
                f.write_str("a compressed point; write it in full: `openssl ec -pubin -in KEY -conv_form uncompressed`")
            }
            Self::Member(name) => write!(f, "`{name}` is missing or malformed (RFC 7517, RFC 7518)"),
            Self::ShortCoordinate(name) => write!(
                f,
                "its `{name}` lacks leading zeros, which RFC 7518, section 6.2.1.2, demands; they are added"
            ),
            Self::Published(name) => write!(
                f,
                "its private part `{name}` is published, so everybody can sign with it (RFC 7517, section 9.3)"
            ),
            Self::Unproven(algorithm) => write!(f, "a damaged key: it does not verify its own {algorithm} signature"),
            Self::NotForSecret(algorithm) => {
                write!(f, "no key for {algorithm}, which needs {}", algorithm.key_kind())
            }
        }
    }
}

impl std::error::Error for KeyError {}

/// The fewest bytes of a shared secret.
pub const SECRET_BYTES: usize = 32;
