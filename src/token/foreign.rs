//! Tokens of other issuers. Each issuer is bound to its keys, its algorithms and the audiences that its tokens must name.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::Algorithm;
use super::claim_path::ClaimPath;
use super::claims::{is_valid_foreign_subject, is_valid_subject};
use super::compact::{Compact, decode, named_issuer};
use super::dates::Dates;
use super::error::TokenError;
use super::foreign_claims::ForeignClaims;
use super::header::{Header, TokenType};
use super::key_set::KeySet;
use super::remote_keys::RemoteKeys;
use crate::access::{Claim, ClaimValue, Identity, Subjects};

/// What the tokens of an issuer must say, and how they are read.
#[derive(Clone, Debug)]
pub struct TrustSettings {
    /// The only accepted `iss`.
    pub issuer: String,
    /// For whom they must be.
    pub audience: AudienceRule,
    /// Where the subject is; default `sub`.
    pub subject: ClaimPath,
    /// The only accepted algorithms.
    pub algorithms: Vec<Algorithm>,
    /// Where the roles are; default `roles`.
    pub roles_claim: ClaimPath,
    /// Whether its subjects are names of the user list; default: they are its own.
    pub subjects: Subjects,
    /// How far clocks may differ, in whole seconds.
    pub leeway: Duration,
    /// The longest life of a token, in whole seconds.
    pub max_lifetime: Duration,
}

/// For whom the tokens of an issuer must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudienceRule {
    /// The claim that says it; default `aud`. Some issuers write `client_id` alone.
    pub claim: ClaimPath,
    /// One of these must be its value, or one of its values.
    pub one_of: Vec<String>,
}

/// Where the keys of an issuer come from.
#[derive(Clone, Debug)]
pub enum IssuerKeys {
    /// They are configured.
    Fixed(KeySet),
    /// They are fetched.
    Remote(Arc<RemoteKeys>),
}

/// An issuer whose tokens are accepted.
#[derive(Clone, Debug)]
pub struct TrustedIssuer {
    /// What its tokens must say.
    pub settings: TrustSettings,
    /// Its keys.
    pub keys: IssuerKeys,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct TrustedIssuers(Vec<TrustedIssuer>);

/// A valid token of another issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalToken {
    /// Whom it names.
    pub identity: Arc<Identity>,
    /// `exp`, in seconds since 1970, without leeway.
    pub expires_at: u64,
    /// `iat`, in seconds since 1970; `None` where the token does not say.
    pub issued_at: Option<u64>,
    dates: Dates,
    issuer: usize,
    keys: u64,
}

/// Claims that are no facts about the bearer, or have places of their own.
const NOT_FACTS: [&str; 9] = [
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "name",
    "email",
    "email_verified",
];

impl TrustedIssuers {
    /// Issuers of different names.
    pub fn new(issuers: Vec<TrustedIssuer>) -> Self {
        Self(issuers)
    }

    /// Checks a token of one of them against `now`, in seconds since 1970; `None` for a token that names none of them.
    /// What it names is not believed before the keys of that issuer have verified it; but whatever else is wrong with it,
    /// it is that issuer's.
    ///
    /// # Errors
    /// The first thing that is wrong. Where other keys could make the token valid, they are requested in the background.
    pub fn verify(&self, token: &str, now: u64) -> Option<Result<ExternalToken, TokenError>> {
        if self.0.is_empty() {
            return None;
        }
        let compact = Compact::split(token).ok()?;
        let payload = decode(compact.payload).ok()?;
        let (index, issuer) = self.named(&named_issuer(&payload)?)?;
        let verified = issuer.verify(&compact, &payload, now);
        Some(verified.map(|token| ExternalToken {
            issuer: index,
            ..token
        }))
    }

    /// Whether the keys of the issuer that a token names are published somewhere, rather than configured.
    pub fn publishes(&self, token: &str) -> bool {
        let payload = Compact::split(token).and_then(|compact| decode(compact.payload));
        let name = payload.ok().and_then(|payload| named_issuer(&payload));
        let issuer = name.and_then(|name| self.named(&name));
        issuer.is_some_and(|(_, issuer)| matches!(issuer.keys, IssuerKeys::Remote(_)))
    }

    fn named(&self, name: &str) -> Option<(usize, &TrustedIssuer)> {
        let mut issuers = self.0.iter().enumerate();
        issuers.find(|(_, issuer)| issuer.settings.issuer == name)
    }

    /// Whether an issuer of this name is among them.
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|issuer| issuer.settings.issuer == name)
    }

    /// Whether a token that was valid once still is, as far as that depends on the time and on the keys.
    pub fn is_still_valid(&self, token: &ExternalToken, now: u64) -> bool {
        self.0.get(token.issuer).is_some_and(|issuer| {
            let (leeway, longest) = (issuer.settings.leeway, issuer.settings.max_lifetime);
            token.dates.hold(leeway, longest, now)
                && issuer.keys.version() == token.keys
                && issuer.keys.count(now)
        })
    }
}

impl TrustedIssuer {
    fn verify(
        &self,
        compact: &Compact<'_>,
        payload: &[u8],
        now: u64,
    ) -> Result<ExternalToken, TokenError> {
        // before the keys: newer ones only make it verify again
        let keys = self.keys.version();
        self.keys.verify(compact, TokenType::Access, now)?;
        let settings = &self.settings;
        let claims = ForeignClaims::parse(payload)?;
        let dates = claims.dates()?;
        let audience = claims.audience(&settings.audience.claim)?;
        let subject = claims.subject(&settings.subject)?;
        let mut accepted = settings.audience.one_of.iter();
        if !accepted.any(|name| audience.names(name)) {
            return Err(TokenError::Audience);
        }
        if !settings.is_valid_subject(subject) {
            return Err(TokenError::Subject);
        }
        let checks = dates.checks(settings.leeway, settings.max_lifetime, now);
        checks.into_iter().try_for_each(|(_, verdict)| verdict)?;
        Ok(ExternalToken {
            identity: Arc::new(settings.identify(subject, claims.members())),
            expires_at: dates.expires_at,
            issued_at: dates.issued_at,
            dates,
            issuer: 0,
            keys,
        })
    }
}

impl IssuerKeys {
    /// Verifies header and signature, and says by which algorithm.
    pub(super) fn verify(
        &self,
        compact: &Compact<'_>,
        purpose: TokenType,
        now: u64,
    ) -> Result<Algorithm, TokenError> {
        let header = decode(compact.header)?;
        let header = Header::parse(&header)?;
        header.check(purpose)?;
        self.verify_signature(&header, compact, now)?;
        Algorithm::named(header.algorithm()).ok_or(TokenError::Algorithm)
    }

    fn verify_signature(
        &self,
        header: &Header<'_>,
        compact: &Compact<'_>,
        now: u64,
    ) -> Result<(), TokenError> {
        match self {
            Self::Fixed(keys) => keys.verify(header, compact),
            Self::Remote(keys) => {
                let verdict = keys.current(now).verify(header, compact);
                if let Err(error) = &verdict
                    && error.may_pass_with_newer_keys()
                {
                    keys.want();
                }
                verdict
            }
        }
    }

    /// Whether the keys count at `now`, in seconds since 1970.
    fn count(&self, now: u64) -> bool {
        match self {
            Self::Fixed(_) => true,
            Self::Remote(keys) => keys.count(now),
        }
    }

    fn version(&self) -> u64 {
        match self {
            Self::Fixed(_) => 0,
            Self::Remote(keys) => keys.version(),
        }
    }
}

impl TrustSettings {
    /// The names of the user list are stricter than those that issuers choose.
    fn is_valid_subject(&self, subject: &str) -> bool {
        match self.subjects {
            Subjects::Users => is_valid_subject(subject),
            Subjects::Foreign => is_valid_foreign_subject(subject),
        }
    }

    /// The bearer of a token with these claims. `iss` is among the facts, so that rules can ask for it.
    fn identify(&self, subject: &str, members: &Map<String, Value>) -> Identity {
        let text = |name: &str| {
            members
                .get(name)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
        };
        let email = text("email").filter(|_| is_verified(members.get("email_verified")));
        let facts = members
            .iter()
            .filter(|(name, _)| !NOT_FACTS.contains(&name.as_str()));
        Identity {
            subject: subject.into(),
            roles: roles_of(self.roles_claim.find(members)).into(),
            name: text("name").map(Into::into),
            email: email.map(Into::into),
            claims: facts
                .filter_map(|(name, value)| claim(name, value))
                .collect(),
            subjects: self.subjects,
            provider: None,
        }
    }
}

/// Whether `email_verified` lets the address count: anybody may say that an address is theirs. It is a boolean (OpenID
/// Connect Core, section 5.1), which some issuers write as a string; issuers that say nothing of it verify all of them.
fn is_verified(claim: Option<&Value>) -> bool {
    match claim {
        None | Some(Value::Bool(true)) => true,
        Some(Value::String(text)) => text == "true",
        Some(
            Value::Bool(false)
            | Value::Null
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_),
        ) => false,
    }
}

/// The roles of a claim: a list of strings, or one with spaces or commas. Each once.
pub fn roles_of<'v>(claim: Option<&'v Value>) -> Vec<Box<str>> {
    let mut roles: Vec<Box<str>> = Vec::new();
    // an answer of a provider has room for a hundred thousand of them
    let mut known = HashSet::new();
    let mut add = |role: &'v str| {
        if !role.is_empty() && known.insert(role) {
            roles.push(role.into());
        }
    };
    match claim {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).for_each(add),
        Some(Value::String(text)) => text.split([' ', ',']).for_each(&mut add),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => {}
    }
    roles
}

/// A fact that rules can compare: a scalar, or a list of scalars.
fn claim(name: &str, value: &Value) -> Option<Claim> {
    let values: Vec<ClaimValue> = match value {
        Value::Array(items) => items.iter().filter_map(scalar).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            scalar(value).into_iter().collect()
        }
    };
    (!values.is_empty()).then(|| Claim {
        name: name.into(),
        values,
    })
}

fn scalar(value: &Value) -> Option<ClaimValue> {
    match value {
        Value::String(text) => Some(ClaimValue::Text(text.as_str().into())),
        Value::Bool(value) => Some(ClaimValue::Boolean(*value)),
        Value::Number(number) => number.as_i64().map(ClaimValue::Integer),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn roles_are_a_list_or_a_text() {
        for (claim, expected) in [
            (json!(["a", "b", 7, "a", ""]), "a|b"),
            (json!("c d,e"), "c|d|e"),
            (json!({ "y": "z" }), ""),
            (json!(7), ""),
            (json!(null), ""),
        ] {
            assert_eq!(roles_of(Some(&claim)).join("|"), expected, "{claim}");
        }
        assert_eq!(roles_of(None).len(), 0);
    }

    #[test]
    fn an_identity_carries_its_issuer_and_no_address_that_nobody_checked() {
        let settings = TrustSettings {
            issuer: "https://idp".to_owned(),
            audience: AudienceRule {
                claim: ClaimPath::of("aud"),
                one_of: vec!["api".to_owned()],
            },
            subject: ClaimPath::of("sub"),
            algorithms: vec![Algorithm::Rs256],
            roles_claim: ClaimPath::of("groups"),
            subjects: Subjects::Foreign,
            leeway: Duration::ZERO,
            max_lifetime: Duration::MAX,
        };
        let identify = |changes: Value| {
            let mut token = json!({ "iss": "https://idp", "aud": "api", "exp": 1, "name": "", "email": "a@b", "amr": ["x", {}] });
            token
                .as_object_mut()
                .unwrap()
                .extend(changes.as_object().unwrap().clone());
            settings.identify("alice", token.as_object().unwrap())
        };
        let identity = identify(json!({ "tenant": { "id": 1 }, "level": 3, "none": null }));
        let names: Vec<&str> = identity.claims.iter().map(|claim| &*claim.name).collect();
        assert_eq!(names, ["iss", "amr", "level"]);
        assert_eq!(
            (identity.name.as_deref(), identity.email.as_deref()),
            (None, Some("a@b"))
        );
        assert_eq!(identity.subjects, Subjects::Foreign);
        assert!(identify(json!({})).email.is_some(), "no claim");
        for (verified, kept) in [
            (json!(true), true),
            (json!("true"), true),
            (json!(false), false),
            (json!("false"), false),
            (json!("False"), false),
            (json!("True"), false),
            (json!("TRUE"), false),
            (json!("1"), false),
            (json!(""), false),
            (json!(0), false),
            (json!(1), false),
            (json!(null), false),
            (json!([true]), false),
            (json!({ "true": true }), false),
        ] {
            let email = identify(json!({ "email_verified": verified })).email;
            assert_eq!(email.is_some(), kept, "{verified}");
        }
    }
}
