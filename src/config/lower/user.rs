//! One user of `users.yaml`.

use std::sync::Arc;

use serde_json::{Map, Number, Value as Json};

use super::auth::REGISTERED;
use super::time::second;
use super::{api_keys, label, roles};
use crate::access::{Claim, ClaimValue, Identity, Subjects};
use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::reader::Reader;
use crate::config::scalar::Scalar;
use crate::config::section::Section;
use crate::config::shown::shown;
use crate::config::span::Span;
use crate::config::yaml::{Entry, Node, Value};
use crate::factors::TotpSecret;
use crate::token::ClaimPath;
use crate::users::{PasswordHash, User, UserExtras, is_user_name};

/// What is collected of all users together.
pub(super) trait UserNotes {
    /// The password hash of a user, and where it stands.
    fn hash(&mut self, user: &str, span: Span, hash: &PasswordHash);

    /// One list for all users with the same roles.
    fn role_set(&mut self, roles: Vec<Box<str>>) -> Arc<[Box<str>]>;

    /// An attribute that is taken and not read.
    fn unread(&mut self, attribute: &'static str, span: Span);
}

/// `None` where something was reported that leaves no user. `keys` and `notes` collect what is known of all users
/// together.
pub(super) fn user(
    entry: Entry,
    roles_claim: &ClaimPath,
    keys: &mut api_keys::Seen,
    notes: &mut dyn UserNotes,
    reader: &mut Reader<'_>,
) -> Option<User> {
    let subject = subject(&entry, reader);
    let mut section = reader.section(entry, &blocks::USER)?;
    let name = subject.as_deref().unwrap_or("NAME");
    let password = password(&mut section, name, notes, reader);
    let totp = totp_secret(section.take("totp"), name, reader);
    let roles = section
        .either(reader, "roles", "groups")
        .and_then(|entry| roles(entry, reader, None));
    let name = section
        .either(reader, "name", "displayname")
        .and_then(|entry| label(&entry, reader));
    let email = section
        .take("email")
        .and_then(|entry| label(&entry, reader));
    let disabled = section.boolean("disabled", reader).unwrap_or(false);
    let claims = section
        .take("claims")
        .and_then(|entry| claims(entry, roles_claim, reader))
        .unwrap_or_default();
    let tokens_valid_after = moment(section.take("tokens_valid_after"), reader);
    let created = moment(section.take("created"), reader);
    let api_keys = section.take("api_keys");
    let api_keys = api_keys.map(|entry| api_keys::api_keys(entry, keys, reader));
    for attribute in blocks::AUTHELIA_ATTRIBUTES {
        if let Some(entry) = section.take(attribute) {
            notes.unread(attribute, entry.key_span);
        }
    }
    section.finish(reader);
    let identity = Identity {
        subject: subject?,
        roles: notes.role_set(roles.unwrap_or_default()),
        name: name.map(Into::into),
        email: email.map(Into::into),
        claims: comparable(&claims),
        subjects: Subjects::Users,
        provider: None,
    };
    let identity = Arc::new(identity);
    let api_keys = api_keys.unwrap_or_default().into_iter();
    let api_keys = api_keys.map(|key| key.finish(&identity)).collect();
    let extras = UserExtras {
        totp,
        disabled,
        // tokens from before are of whoever had the name
        tokens_valid_after: tokens_valid_after.max(created),
        created,
        claims: (!claims.is_empty()).then(|| Box::new(claims)),
        api_keys,
    };
    Some(User::new(identity, password, extras))
}

fn moment(entry: Option<Entry>, reader: &mut Reader<'_>) -> Option<u64> {
    entry.and_then(|entry| second(&entry, reader))
}

fn subject(entry: &Entry, reader: &mut Reader<'_>) -> Option<Box<str>> {
    if is_user_name(&entry.key) {
        return Some(entry.key.clone());
    }
    let message = format!("`{}` is not a user name", shown(&entry.key));
    let finding = Finding::error(Code::InvalidValue, entry.key_span, message);
    reader.report(finding.help("write visible characters without spaces, at most 255 bytes"));
    None
}

fn password(
    section: &mut Section,
    user: &str,
    notes: &mut dyn UserNotes,
    reader: &mut Reader<'_>,
) -> Option<PasswordHash> {
    let (inline, file) = (section.take("password"), section.take("password_file"));
    let (span, text) = reader.secret(inline, file)?;
    match PasswordHash::parse(&text) {
        Ok(hash) => {
            notes.hash(user, span, &hash);
            Some(hash)
        }
        Err(error) => {
            let user = shown(user);
            let message = format!("`password` of `{user}` is {error}");
            let finding = Finding::error(Code::InvalidHash, span, message);
            let renew = format!("gatelatch user set-password {user}");
            reader.report(finding.help(error.remedy(&renew)));
            None
        }
    }
}

fn totp_secret(entry: Option<Entry>, user: &str, reader: &mut Reader<'_>) -> Option<TotpSecret> {
    let (span, text) = reader.secret(entry, None)?;
    let secret = TotpSecret::parse(&text);
    if let Err(error) = secret {
        let user = shown(user);
        let message = format!("`totp` of `{user}` is not the secret of an authenticator app");
        let finding = Finding::error(Code::InvalidSecret, span, message).conceal(span);
        let address = text.trim_start().get(..8);
        let is_address = address.is_some_and(|scheme| scheme.eq_ignore_ascii_case("otpauth:"));
        reader.report(finding.help(if is_address {
            format!("`gatelatch user add-totp {user} --import` takes such an address")
        } else {
            format!("{error}; `gatelatch user add-totp {user}` makes another")
        }));
    }
    secret.ok()
}

/// What a claim is for already, where the gateway knows it.
fn own_meaning(name: &str, roles_claim: &ClaimPath) -> Option<&'static str> {
    match name {
        _ if REGISTERED.contains(&name) => Some("is filled by the gateway; take it away"),
        _ if name == roles_claim.written_claim() => {
            Some("carries the roles; write `roles:` of the user instead")
        }
        "name" | "email" => Some("has a key of its own beside `claims`; write it there"),
        _ => None,
    }
}

fn claims(
    entry: Entry,
    roles_claim: &ClaimPath,
    reader: &mut Reader<'_>,
) -> Option<Map<String, Json>> {
    let mut claims = Map::new();
    for entry in reader.map(entry)? {
        if let Some(own) = own_meaning(&entry.key, roles_claim) {
            let message = format!("the claim `{}` cannot be set here", shown(&entry.key));
            let finding = Finding::error(Code::InvalidValue, entry.key_span, message);
            reader.report(finding.help(format!("it {own}")));
        } else if let Some(value) = json(&entry, reader) {
            claims.insert(entry.key.into_string(), value);
        }
    }
    Some(claims)
}

/// Claims as rules compare them.
pub(super) fn user_claims(
    entry: Entry,
    roles_claim: &ClaimPath,
    reader: &mut Reader<'_>,
) -> Option<Vec<Claim>> {
    claims(entry, roles_claim, reader).map(|claims| comparable(&claims))
}

/// A value as a token carries it; the tree's depth is bounded, so this recursion is.
fn json(entry: &Entry, reader: &mut Reader<'_>) -> Option<Json> {
    match &entry.node.value {
        Value::Plain(_) | Value::Quoted(_) => json_scalar(entry, reader),
        Value::List(items) => items
            .iter()
            .map(|node| json_node(&entry.key, node, reader))
            .collect(),
        Value::Map(entries) => {
            let member = |entry: &Entry, reader: &mut Reader<'_>| {
                Some((entry.key.to_string(), json(entry, reader)?))
            };
            entries
                .iter()
                .map(|entry| member(entry, reader))
                .collect::<Option<_>>()
                .map(Json::Object)
        }
        Value::Broken => None,
    }
}

fn json_node(key: &str, node: &Node, reader: &mut Reader<'_>) -> Option<Json> {
    match &node.value {
        Value::List(items) => items
            .iter()
            .map(|node| json_node(key, node, reader))
            .collect(),
        Value::Map(entries) => {
            let members = entries
                .iter()
                .map(|entry| Some((entry.key.to_string(), json(entry, reader)?)));
            members.collect::<Option<_>>().map(Json::Object)
        }
        Value::Plain(text) => json_scalar(&element(key, node, Value::Plain(text.clone())), reader),
        Value::Quoted(text) => {
            json_scalar(&element(key, node, Value::Quoted(text.clone())), reader)
        }
        Value::Broken => None,
    }
}

fn element(key: &str, node: &Node, value: Value) -> Entry {
    Entry {
        key: key.into(),
        key_span: node.span,
        node: Node {
            span: node.span,
            value,
        },
    }
}

fn json_scalar(entry: &Entry, reader: &mut Reader<'_>) -> Option<Json> {
    let (scalar, text) = reader.scalar(entry, "a value")?;
    let value = match scalar {
        Scalar::Nothing => Some(Json::Null),
        Scalar::Boolean(value) => Some(Json::Bool(value)),
        Scalar::Integer(number) => Number::from_i128(number).map(Json::Number),
        Scalar::Real(number) => Number::from_f64(number).map(Json::Number),
        Scalar::Text => Some(Json::String(text)),
    };
    if value.is_none() {
        reader.invalid(
            entry,
            "a value that JSON can carry",
            "write a finite number, or put it in quotes".to_owned(),
        );
    }
    value
}

/// What `claims:` conditions compare: scalars, and lists of scalars.
fn comparable(claims: &Map<String, Json>) -> Vec<Claim> {
    let claim = |(name, value): (&String, &Json)| {
        let values: Vec<_> = match value {
            Json::Array(items) => items.iter().filter_map(claim_value).collect(),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Object(_) => {
                claim_value(value).into_iter().collect()
            }
        };
        (!values.is_empty()).then(|| Claim {
            name: name.as_str().into(),
            values,
        })
    };
    claims.iter().filter_map(claim).collect()
}

fn claim_value(value: &Json) -> Option<ClaimValue> {
    match value {
        Json::String(text) => Some(ClaimValue::Text(text.as_str().into())),
        Json::Bool(value) => Some(ClaimValue::Boolean(*value)),
        Json::Number(number) => number.as_i64().map(ClaimValue::Integer),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}
