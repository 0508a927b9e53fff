//! Tokens of other issuers. Each issuer is bound to its keys, its algorithms and the audiences that its tokens must name.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::Algorithm;
use super::claims::{Claims, is_valid_subject};
use super::compact::{Compact, decode};
use super::dates::Dates;
use super::error::TokenError;
use super::header::Header;
use super::key_set::KeySet;
use super::remote_keys::RemoteKeys;
use crate::access::{Claim, ClaimValue, Identity, Subjects};

/// What the tokens of an issuer must say, and how they are read.
#[derive(Clone, Debug)]
pub struct TrustSettings {
    /// The only accepted `iss`.
    pub issuer: String,
    /// One of these must be `aud`, or one of `aud`.
    pub audience: Vec<String>,
    /// The only accepted algorithms.
    pub algorithms: Vec<Algorithm>,
    /// Where the roles are: the name of a claim, or the names of nested ones with dots between them. Default `roles`.
    pub roles_claim: String,
    /// Whether its subjects are names of the user list; default: they are its own.
    pub subjects: Subjects,
    /// How far clocks may differ, in whole seconds.
    pub leeway: Duration,
    /// The longest life of a token, in whole seconds.
    pub max_lifetime: Duration,
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
    /// What it names is not believed before the keys of that issuer have verified it.
    ///
    /// # Errors
    /// The first thing that is wrong. An unknown key is refused, and asked for in the background.
    pub fn verify(&self, token: &str, now: u64) -> Option<Result<ExternalToken, TokenError>> {
        if self.0.is_empty() {
            return None;
        }
        let compact = Compact::split(token).ok()?;
        let payload = decode(compact.payload).ok()?;
        let claims = Claims::parse(&payload).ok()?;
        let name = claims.issuer.as_ref()?;
        let (index, issuer) = self
            .0
            .iter()
            .enumerate()
            .find(|(_, issuer)| issuer.settings.issuer == name.0)?;
        Some(
            issuer
                .verify(&compact, &payload, &claims, now)
                .map(|token| ExternalToken {
                    issuer: index,
                    ..token
                }),
        )
    }

    /// Whether an issuer of this name is among them.
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|issuer| issuer.settings.issuer == name)
    }

    /// Whether a token that was valid once still is, as far as that depends on the time and on the keys.
    pub fn is_still_valid(&self, token: &ExternalToken, now: u64) -> bool {
        self.0.get(token.issuer).is_some_and(|issuer| {
            let end = token
                .expires_at
                .saturating_add(issuer.settings.leeway.as_secs());
            now < end && issuer.keys.version() == token.keys && issuer.keys.count(now)
        })
    }
}

impl TrustedIssuer {
    fn verify(
        &self,
        compact: &Compact<'_>,
        payload: &[u8],
        claims: &Claims<'_>,
        now: u64,
    ) -> Result<ExternalToken, TokenError> {
        let header = decode(compact.header)?;
        let header = Header::parse(&header)?;
        header.check()?;
        // before the keys: newer ones only make it verify again
        let keys = self.keys.version();
        self.keys.verify(&header, compact, now)?;
        let (Some(expires_at), Some(audience), Some(subject)) =
            (&claims.expires_at, &claims.audience, &claims.subject)
        else {
            return Err(TokenError::Missing);
        };
        let settings = &self.settings;
        if !settings.audience.iter().any(|name| audience.names(name)) {
            return Err(TokenError::Audience);
        }
        if !is_valid_subject(&subject.0) {
            return Err(TokenError::Subject);
        }
        let dates = Dates::of(claims).checks(settings.leeway, settings.max_lifetime, now);
        dates.into_iter().try_for_each(|(_, verdict)| verdict)?;
        let members: Map<String, Value> =
            serde_json::from_slice(payload).map_err(|_| TokenError::Claims)?;
        let identity = Arc::new(settings.identify(&subject.0, &members));
        Ok(ExternalToken {
            identity,
            expires_at: expires_at.0,
            issued_at: claims.issued_at.map(|date| date.0),
            issuer: 0,
            keys,
        })
    }
}

impl IssuerKeys {
    fn verify(
        &self,
        header: &Header<'_>,
        compact: &Compact<'_>,
        now: u64,
    ) -> Result<(), TokenError> {
        match self {
            Self::Fixed(keys) => keys.verify(header, compact),
            Self::Remote(keys) => {
                let verdict = keys.current(now).verify(header, compact);
                if verdict == Err(TokenError::KeyId) {
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
            roles: roles(members, &self.roles_claim),
            name: text("name").map(Into::into),
            email: email.map(Into::into),
            claims: facts
                .filter_map(|(name, value)| claim(name, value))
                .collect(),
            subjects: self.subjects,
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

/// The roles of a claim of this very name, else of nested ones: a list of strings, or one with spaces or commas. Each once.
fn roles(members: &Map<String, Value>, name: &str) -> Vec<Box<str>> {
    let nested = || {
        let mut names = name.split('.');
        let first = members.get(names.next()?)?;
        names.try_fold(first, |value, name| value.get(name))
    };
    let mut roles: Vec<Box<str>> = Vec::new();
    let mut add = |role: &str| {
        if !role.is_empty() && !roles.iter().any(|known| **known == *role) {
            roles.push(role.into());
        }
    };
    match members.get(name).or_else(nested) {
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
    fn roles_are_found_under_literal_and_nested_names() {
        let token = json!({
            "realm_access": { "roles": ["a", "b", 7, "a", ""] }, "https://ns/roles": "c d,e", "deep.er": "literal",
            "deep": { "er": "nested" }, "number": 7, "realm": { "x": { "y": "z" } }
        });
        let roles = |name: &str| roles(token.as_object().unwrap(), name).join("|");
        for (name, expected) in [
            ("realm_access.roles", "a|b"),
            ("https://ns/roles", "c|d|e"),
            ("deep.er", "literal"),
            ("realm.x.y", "z"),
            ("realm.x", ""),
            ("realm_access", ""),
            ("realm_access.roles.0", ""),
            ("number", ""),
            ("number.x", ""),
            ("none", ""),
            (".", ""),
        ] {
            assert_eq!(roles(name), expected, "{name}");
        }
    }

    #[test]
    fn an_identity_carries_its_issuer_and_no_address_that_nobody_checked() {
        let settings = TrustSettings {
            issuer: "https://idp".to_owned(),
            audience: vec!["api".to_owned()],
            algorithms: vec![Algorithm::Rs256],
            roles_claim: "groups".to_owned(),
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
