//! The cryptography that jsonwebtoken uses.

use std::fmt;
use std::ptr;

use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use jsonwebtoken::crypto::{self, CryptoProvider};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Value, json};

/// Why tokens cannot be verified in this process, whatever the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CryptographyError {
    /// Something else has chosen another cryptography for jsonwebtoken.
    Other,
    /// It does not tell a good signature of this algorithm from a bad one.
    SelfTest(&'static str),
}

/// Makes AWS-LC the cryptography of jsonwebtoken and tries it with two signatures of RFCs. Called first in the process:
/// where two crates choose a provider by their features, jsonwebtoken has none, and panics with the first token.
///
/// # Errors
/// [`CryptographyError`]; the process must end then.
pub fn install_provider() -> Result<(), CryptographyError> {
    // an error says that one was installed before, perhaps this one
    let _ = DEFAULT_PROVIDER.install_default();
    match CryptoProvider::try_get_default() {
        Some(provider) if ptr::eq(provider, &raw const DEFAULT_PROVIDER) => {}
        Some(_) | None => return Err(CryptographyError::Other),
    }
    // RFC 7515, appendix A.1; RFC 8037, appendix A.4
    let secret = json!({
        "kty": "oct",
        "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
    });
    let public = json!({
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    });
    self_test(
        Algorithm::HS256,
        secret,
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    )
    .ok_or(CryptographyError::SelfTest("HS256"))?;
    self_test(
        Algorithm::EdDSA,
        public,
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    )
    .ok_or(CryptographyError::SelfTest("EdDSA"))
}

fn self_test(algorithm: Algorithm, key: Value, message: &str, signature: &str) -> Option<()> {
    let jwk: Jwk = serde_json::from_value(key).ok()?;
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    let verifies = |message: &[u8]| crypto::verify(signature, message, &key, algorithm).ok();
    let good = verifies(message.as_bytes())?;
    let bad = verifies(&message.as_bytes()[1..])?;
    (good && !bad).then_some(())
}

impl fmt::Display for CryptographyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other => f.write_str("the cryptography of tokens is not the one of this build"),
            Self::SelfTest(algorithm) => {
                write!(
                    f,
                    "the cryptography of tokens fails its self-test with {algorithm}"
                )
            }
        }
    }
}

impl std::error::Error for CryptographyError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_provider_is_installed_once_and_found_again() {
        assert_eq!(install_provider(), Ok(()));
        assert_eq!(install_provider(), Ok(()));
    }

    #[test]
    fn a_signature_that_is_wrong_fails_the_self_test() {
        let key = json!({ "kty": "oct", "k": "c2VjcmV0" });
        assert_eq!(
            self_test(Algorithm::HS256, key.clone(), "a.b", "AAAA"),
            None
        );
        assert_eq!(self_test(Algorithm::EdDSA, key, "a.b", "AAAA"), None);
    }
}
