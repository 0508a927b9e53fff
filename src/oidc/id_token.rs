//! What an ID token must say (OpenID Connect Core 1.0, sections 3.1.3.7 and 12.2). Its signature was verified before.

use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::error::ProviderError;
use super::settings::ProviderSettings;
use super::subject::{ProviderSubject, is_acceptable};
use crate::token::{SignedClaims, TokenError};

/// How old an ID token, or a logout token, may be when it comes: both are made for the request that they come with. In
/// seconds, the leeway apart.
pub(super) const FRESH: u64 = 600;

/// The most bytes of a claim that is kept as it is.
const LONGEST_TEXT: usize = 512;

/// The most elements of `amr`, and the most bytes of each: they are registered words (RFC 8176).
const MOST_METHODS: usize = 16;
const LONGEST_METHOD: usize = 64;

/// An ID token that is to be believed.
pub(super) struct IdToken {
    claims: SignedClaims,
    pub(super) of: ProviderSubject,
}

/// What an ID token is held against.
pub(super) struct ExpectedToken<'a> {
    pub(super) settings: &'a ProviderSettings,
    /// What it came with.
    pub(super) access_token: Option<&'a SecretString>,
    pub(super) occasion: Occasion<'a>,
}

/// When an ID token comes.
pub(super) enum Occasion<'a> {
    /// With a code, for this nonce; the person may have signed in so many seconds ago.
    SignIn {
        nonce: &'a SecretString,
        max_age: Option<u64>,
    },
    /// With a refresh of what this was said of.
    Refresh(&'a ProviderSubject),
}

impl IdToken {
    /// Believes the claims, or says why not; `now` in seconds since 1970.
    pub(super) fn check(
        claims: SignedClaims,
        expected: &ExpectedToken<'_>,
        now: u64,
    ) -> Result<Self, ProviderError> {
        let settings = expected.settings;
        check_parties(&claims, settings)?;
        check_dates(&claims, settings.leeway, now)?;
        let of = ProviderSubject {
            issuer: settings.issuer.as_str().into(),
            sub: subject(&claims)?.into(),
            auth_time: claims.date("auth_time").map_err(malformed)?,
        };
        if let Some(token) = expected.access_token {
            let matches = claims.is_hash_of("at_hash", token.expose_secret());
            if matches.map_err(malformed)? == Some(false) {
                return Err(invalid("`at_hash` is not that of the access token"));
            }
        }
        match expected.occasion {
            Occasion::SignIn { nonce, max_age } => {
                check_nonce(&claims, nonce)?;
                check_age(&of, max_age, settings.leeway, now)?;
            }
            Occasion::Refresh(former) => check_same(&of, former)?,
        }
        Ok(Self { claims, of })
    }

    /// All claims.
    pub(super) fn members(&self) -> &Map<String, Value> {
        self.claims.members()
    }

    /// A claim that is a text, where it is one.
    pub(super) fn text(&self, claim: &str) -> Option<Box<str>> {
        let text = self.members().get(claim).and_then(Value::as_str);
        let fits = |text: &&str| (1..=LONGEST_TEXT).contains(&text.len());
        text.filter(fits).map(Into::into)
    }

    /// `amr`: what the person has shown.
    pub(super) fn methods(&self) -> Vec<Box<str>> {
        let list = self.members().get("amr").and_then(Value::as_array);
        let texts = list.into_iter().flatten().filter_map(Value::as_str);
        let fitting = texts.filter(|text| text.len() <= LONGEST_METHOD);
        fitting.take(MOST_METHODS).map(Into::into).collect()
    }
}

/// `iss`, `aud` and `azp`: from whom, and for whom.
pub(super) fn check_parties(
    claims: &SignedClaims,
    settings: &ProviderSettings,
) -> Result<(), ProviderError> {
    let client = settings.client.id.as_str();
    if claims.text("iss").map_err(malformed)? != Some(settings.issuer.as_str()) {
        return Err(invalid("`iss` is not the issuer"));
    }
    let audiences = claims.audiences().map_err(malformed)?;
    if !audiences.contains(&client) {
        return Err(invalid("`aud` does not name this client"));
    }
    match claims.text("azp").map_err(malformed)? {
        Some(azp) if azp == client => Ok(()),
        Some(_) => Err(invalid("`azp` names another client")),
        None if audiences.len() == 1 => Ok(()),
        None => Err(invalid(
            "`aud` names several parties, and `azp` none of them",
        )),
    }
}

/// `exp`, `nbf` and `iat`, which must be there and must be recent.
fn check_dates(claims: &SignedClaims, leeway: Duration, now: u64) -> Result<(), ProviderError> {
    let date = |name| claims.date(name).map_err(malformed);
    let issued_at = date("iat")?.ok_or_else(|| invalid("`iat` is missing"))?;
    if let Err(error) = claims.check_dates(leeway, now) {
        let apart = now.abs_diff(issued_at);
        return Err(if error == TokenError::Expired {
            invalid(&format!(
                "it has expired; by this clock it was issued {apart} s ago"
            ))
        } else if error == TokenError::IssuedAt && issued_at > now {
            invalid(&format!(
                "it was issued {apart} s in the future: one of the clocks is wrong"
            ))
        } else {
            malformed(error)
        });
    }
    if issued_at.saturating_add(FRESH + leeway.as_secs()) < now {
        return Err(invalid(&format!(
            "it was issued {} s ago: it is an old one, or one of the clocks is wrong",
            now - issued_at
        )));
    }
    Ok(())
}

fn subject(claims: &SignedClaims) -> Result<&str, ProviderError> {
    let sub = claims.text("sub").map_err(malformed)?;
    sub.filter(|sub| is_acceptable(sub)).ok_or_else(|| {
        invalid("`sub` is missing, empty, too long or has characters that cannot be seen")
    })
}

fn check_nonce(claims: &SignedClaims, nonce: &SecretString) -> Result<(), ProviderError> {
    let claimed = claims.text("nonce").map_err(malformed)?.unwrap_or("");
    verify_slices_are_equal(claimed.as_bytes(), nonce.expose_secret().as_bytes())
        .map_err(|_| invalid("`nonce` is not that of this sign-in"))
}

/// Where a recent sign-in was asked for, the token must say when it was.
fn check_age(
    of: &ProviderSubject,
    max_age: Option<u64>,
    leeway: Duration,
    now: u64,
) -> Result<(), ProviderError> {
    let Some(max_age) = max_age else {
        return Ok(());
    };
    let latest = |signed_in: u64| {
        signed_in
            .saturating_add(max_age)
            .saturating_add(leeway.as_secs())
    };
    match of.auth_time {
        Some(signed_in) if now <= latest(signed_in) => Ok(()),
        Some(_) => Err(invalid("`auth_time` is longer ago than was asked for")),
        None => Err(invalid("`auth_time` is missing, which was asked for")),
    }
}

/// A refresh says the same of the same person.
fn check_same(of: &ProviderSubject, former: &ProviderSubject) -> Result<(), ProviderError> {
    if of.issuer != former.issuer || of.sub != former.sub {
        return Err(invalid("it is about another person than the first one"));
    }
    match (of.auth_time, former.auth_time) {
        (Some(now), Some(then)) if now != then => {
            Err(invalid("`auth_time` is not that of the first one"))
        }
        (_, _) => Ok(()),
    }
}

pub(super) fn invalid(reason: &str) -> ProviderError {
    ProviderError::Invalid(format!("ID token: {reason}"))
}

pub(super) fn malformed(error: TokenError) -> ProviderError {
    if error == TokenError::Type {
        return invalid("its `typ` says that it is something else");
    }
    invalid(error.description())
}
