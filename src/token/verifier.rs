//! Decides whether a token is valid, and whose it is.

use std::sync::Arc;
use std::time::Duration;

use super::claim_path::ClaimPath;
use super::claimed::ClaimedIssuers;
use super::claims::{Claims, is_valid_subject};
use super::compact::{Compact, decode};
use super::dates::Dates;
use super::error::TokenError;
use super::header::{Header, TokenType};
use super::key_set::KeySet;
use super::provider_claims::ProviderClaims;
use super::session_id::SessionId;
use super::sign_in::SignIn;

/// What a token must say to be accepted.
#[derive(Clone, Debug)]
pub struct VerifierSettings {
    /// The only accepted `iss`.
    pub issuer: String,
    /// Must be `aud`, or one of `aud`.
    pub audience: String,
    /// How far clocks may differ, in whole seconds.
    pub leeway: Duration,
    /// The longest life of a token, from `iat` (from now, without one) to `exp`, in whole seconds.
    pub max_lifetime: Duration,
}

/// Verifies tokens that one of the gateway's own keys has signed.
#[derive(Clone, Debug)]
pub struct Verifier {
    keys: KeySet,
    settings: VerifierSettings,
    roles_claim: ClaimPath,
}

/// The claims of a valid token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedClaims {
    /// `sub`: 1 to 255 visible characters.
    pub subject: Box<str>,
    /// `iat`, in seconds since 1970; not every issuer sets it.
    pub issued_at: Option<u64>,
    /// `exp`, in seconds since 1970, without leeway.
    pub expires_at: u64,
    /// `auth_time`, in seconds since 1970, where the token says which session it belongs to: when the session began.
    pub signed_in_at: Option<u64>,
    /// How and when its holder signed in; unknown in tokens that no sign-in of the gateway has made.
    pub sign_in: SignIn,
    /// The session it belongs to: that of `sid`, or one of its own.
    pub session: SessionId,
    /// The fingerprint of the API key that the token was issued for; its roles count, and it must still hold.
    pub api_key: Option<Box<str>>,
    /// Of somebody for whom a provider vouches: what that said.
    pub provider: Option<Arc<ProviderClaims>>,
    pub(super) dates: Dates,
}

impl VerifiedClaims {
    /// The same under what the provider has said since the token was signed.
    #[must_use]
    pub fn with_provider(&self, said: Arc<ProviderClaims>) -> Self {
        Self {
            provider: Some(said),
            ..self.clone()
        }
    }
}

impl Verifier {
    /// A verifier for tokens of these keys, or of this one.
    pub fn new(keys: impl Into<KeySet>, settings: VerifierSettings) -> Self {
        Self {
            keys: keys.into(),
            settings,
            roles_claim: ClaimPath::of("roles"),
        }
    }

    /// The same, for tokens that carry the roles in this claim; only those that a provider gave are read.
    #[must_use]
    pub fn with_roles_claim(self, roles_claim: ClaimPath) -> Self {
        Self {
            roles_claim,
            ..self
        }
    }

    /// The keys.
    pub fn keys(&self) -> &KeySet {
        &self.keys
    }

    /// Checks a token in compact form (RFC 7515, section 7.1) against `now`, in seconds since 1970.
    ///
    /// # Errors
    /// The first thing that is wrong. Claims are looked at only when the signature holds; of a token that does not even
    /// claim to be the gateway's, that is what is wrong, and not that the gateway's keys have not signed it.
    pub fn verify(&self, token: &str, now: u64) -> Result<VerifiedClaims, TokenError> {
        let (mut claims, payload) = self.verify_payload(token, now)?;
        let said = ProviderClaims::read_bearer(&payload, &self.roles_claim, claims.issued_at)?;
        claims.provider = said.map(Arc::new);
        Ok(claims)
    }

    /// The same, with the whole payload.
    pub(super) fn verify_payload(
        &self,
        token: &str,
        now: u64,
    ) -> Result<(VerifiedClaims, Vec<u8>), TokenError> {
        let compact = self
            .check_signature(token)
            .map_err(|error| self.reason(token, error))?;
        let payload = decode(compact.payload)?;
        let claims = self.check_claims(&compact, &payload, now)?;
        Ok((claims, payload))
    }

    /// The session of a token that one of the keys has signed and that has not expired, whatever else would refuse it:
    /// what refuses it today may accept it tomorrow.
    pub(super) fn session_of(&self, token: &str, now: u64) -> Option<SessionId> {
        let compact = self.check_signature(token).ok()?;
        let payload = decode(compact.payload).ok()?;
        let claims = Claims::parse(&payload).ok()?;
        let end = claims.expires_at.as_ref()?.0;
        let leeway = self.settings.leeway.as_secs();
        (now < end.saturating_add(leeway)).then(|| session_id(&claims, &compact))
    }

    fn check_signature<'t>(&self, token: &'t str) -> Result<Compact<'t>, TokenError> {
        let compact = Compact::split(token)?;
        let header = decode(compact.header)?;
        let header = Header::parse(&header)?;
        header.check(TokenType::Access)?;
        self.keys.verify(&header, &compact)?;
        Ok(compact)
    }

    fn reason(&self, token: &str, error: TokenError) -> TokenError {
        let is_of_keys = matches!(
            error,
            TokenError::KeyId | TokenError::Algorithm | TokenError::Signature
        );
        let is_other = |claimed: ClaimedIssuers| {
            claimed.any(|_| true) && !claimed.contains(&self.settings.issuer)
        };
        if is_of_keys && is_other(ClaimedIssuers::read(token)) {
            TokenError::Issuer
        } else {
            error
        }
    }

    /// Whether a token says that it is the gateway's own. Nothing is verified.
    pub fn is_named_by(&self, token: &str) -> bool {
        ClaimedIssuers::read(token).contains(&self.settings.issuer)
    }

    /// The only accepted `iss`.
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Whether claims that were valid once still are, as far as that depends on the time.
    pub fn is_still_valid(&self, claims: &VerifiedClaims, now: u64) -> bool {
        let settings = &self.settings;
        claims
            .dates
            .hold(settings.leeway, settings.max_lifetime, now)
    }

    fn check_claims(
        &self,
        compact: &Compact<'_>,
        payload: &[u8],
        now: u64,
    ) -> Result<VerifiedClaims, TokenError> {
        let claims = Claims::parse(payload)?;
        self.claim_checks(&claims, now)
            .into_iter()
            .try_for_each(|(_, verdict)| verdict)?;
        let (session, dates) = (session_id(&claims, compact), Dates::of(&claims));
        let (Some(expires_at), Some(subject)) = (claims.expires_at, claims.subject) else {
            return Err(TokenError::Missing);
        };
        let issued_at = claims.issued_at.map(|date| date.0);
        let signed_in_at = claims
            .session
            .as_ref()
            .and(claims.signed_in_at)
            .map(|date| date.0);
        let authenticated_at = claims.signed_in_at.map(|date| date.0);
        let sign_in = SignIn::of_token(authenticated_at, claims.methods.unwrap_or_default());
        Ok(VerifiedClaims {
            api_key: claims.api_key.map(|fingerprint| fingerprint.0.into()),
            subject: subject.0.into(),
            issued_at,
            expires_at: expires_at.0,
            signed_in_at,
            sign_in,
            session,
            provider: None,
            dates,
        })
    }

    /// Every check of the claims with its name and verdict, in the order in which they count.
    pub(super) fn claim_checks(
        &self,
        claims: &Claims<'_>,
        now: u64,
    ) -> [(&'static str, Result<(), TokenError>); 8] {
        let settings = &self.settings;
        let verdict = |holds: bool, refusal| if holds { Ok(()) } else { Err(refusal) };
        let complete = claims.expires_at.is_some()
            && claims.issuer.is_some()
            && claims.audience.is_some()
            && claims.subject.is_some();
        let issuer = claims
            .issuer
            .as_ref()
            .is_some_and(|issuer| issuer.0 == *settings.issuer);
        let audience = claims
            .audience
            .as_ref()
            .is_some_and(|audience| audience.names(&settings.audience));
        let subject = claims
            .subject
            .as_ref()
            .is_some_and(|subject| is_valid_subject(&subject.0));
        let [expiry, start, age, life] =
            Dates::of(claims).checks(settings.leeway, settings.max_lifetime, now);
        [
            ("claims", verdict(complete, TokenError::Missing)),
            ("issuer", verdict(issuer, TokenError::Issuer)),
            ("audience", verdict(audience, TokenError::Audience)),
            ("subject", verdict(subject, TokenError::Subject)),
            expiry,
            start,
            age,
            life,
        ]
    }
}

fn session_id(claims: &Claims<'_>, compact: &Compact<'_>) -> SessionId {
    match &claims.session {
        Some(sid) => SessionId::of_claim(&sid.0),
        // without the signature: more than one of ECDSA holds for the same claims
        None => SessionId::of_token(compact.signed),
    }
}

#[cfg(test)]
mod differential;
#[cfg(test)]
mod tests;
