//! Tokens of an OpenID provider that are no access tokens: ID tokens, signed userinfo and logout tokens. The signature is
//! verified as that of any other token of an issuer; what the claims must say, the relying party decides.

use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::Algorithm;
use super::compact::{Compact, decode};
use super::error::TokenError;
use super::foreign::IssuerKeys;
use super::foreign_claims::{ForeignClaims, second};
use super::header::TokenType;

/// The claims of a token whose signature was verified, and nothing else of it.
pub struct SignedClaims {
    claims: ForeignClaims,
    algorithm: Algorithm,
}

impl IssuerKeys {
    /// Verifies the header and the signature of a token that is for this purpose, at `now`, in seconds since 1970. Where
    /// other keys could make it valid, they are requested in the background.
    ///
    /// # Errors
    /// The first thing that is wrong with them, and [`TokenError::Claims`] for anything but one object whose members are
    /// unique.
    pub fn open(
        &self,
        token: &str,
        purpose: TokenType,
        now: u64,
    ) -> Result<SignedClaims, TokenError> {
        let compact = Compact::split(token)?;
        let algorithm = self.verify(&compact, purpose, now)?;
        let claims = ForeignClaims::parse(&decode(compact.payload)?)?;
        Ok(SignedClaims { claims, algorithm })
    }
}

impl SignedClaims {
    /// All of them, each once.
    pub fn members(&self) -> &Map<String, Value> {
        self.claims.members()
    }

    /// A claim that is a text; `None` where it is absent.
    ///
    /// # Errors
    /// [`TokenError::Claims`] where it is anything else.
    pub fn text(&self, claim: &str) -> Result<Option<&str>, TokenError> {
        let value = self.members().get(claim);
        value
            .map(|value| value.as_str().ok_or(TokenError::Claims))
            .transpose()
    }

    /// A claim that is a date, in seconds since 1970; `None` where it is absent.
    ///
    /// # Errors
    /// [`TokenError::Claims`] where it is anything else.
    pub fn date(&self, claim: &str) -> Result<Option<u64>, TokenError> {
        self.members().get(claim).map(second).transpose()
    }

    /// `aud`: one text, or a list of them.
    ///
    /// # Errors
    /// [`TokenError::Missing`] where it is absent, and [`TokenError::Claims`] where it is anything else.
    pub fn audiences(&self) -> Result<Vec<&str>, TokenError> {
        let aud = self.members().get("aud").ok_or(TokenError::Missing)?;
        let names = match aud.as_array() {
            Some(items) => items.iter().map(Value::as_str).collect(),
            None => aud.as_str().map(|one| vec![one]),
        };
        names.ok_or(TokenError::Claims)
    }

    /// Checks `exp`, which must be there, `nbf` and `iat` against `now`, in seconds since 1970.
    ///
    /// # Errors
    /// The first date that does not hold.
    pub fn check_dates(&self, leeway: Duration, now: u64) -> Result<(), TokenError> {
        let checks = self.claims.dates()?.checks(leeway, Duration::MAX, now);
        checks.into_iter().try_for_each(|(_, verdict)| verdict)
    }

    /// Whether the claim is the hash of a text as OpenID Connect Core 1.0, section 3.1.3.6, makes it: the left half, by
    /// the hash function of the token's algorithm. `None` where the claim is absent.
    ///
    /// # Errors
    /// [`TokenError::Claims`] where the claim is no text.
    pub fn is_hash_of(&self, claim: &str, text: &str) -> Result<Option<bool>, TokenError> {
        let hash = digest::digest(hash_of(self.algorithm), text.as_bytes());
        let half = &hash.as_ref()[..hash.as_ref().len() / 2];
        let expected = URL_SAFE_NO_PAD.encode(half);
        // some issuers pad it
        let claimed = self.text(claim)?;
        Ok(claimed.map(|claimed| claimed.trim_end_matches('=') == expected))
    }
}

/// The hash function of an algorithm; Ed25519 is made of SHA-512 (RFC 8032, section 5.1).
fn hash_of(algorithm: Algorithm) -> &'static digest::Algorithm {
    match algorithm {
        Algorithm::Hs256 | Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Es256 => {
            &digest::SHA256
        }
        Algorithm::Hs384 | Algorithm::Rs384 | Algorithm::Ps384 | Algorithm::Es384 => {
            &digest::SHA384
        }
        Algorithm::Hs512
        | Algorithm::Rs512
        | Algorithm::Ps512
        | Algorithm::Es512
        | Algorithm::Ed25519
        | Algorithm::EdDsa => &digest::SHA512,
    }
}
