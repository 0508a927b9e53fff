//! `allow`: what a rule asks of the caller.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::server::network;
use super::{distinct, label, roles};
use crate::access::{
    AuthenticationDemand, ClaimMatch, ClaimValue, Condition, Expected, Requirement, RoleMatch,
    UserMatch,
};
use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::{Finding, any_of, did_you_mean, nearest};
use crate::config::reader::Reader;
use crate::config::scalar::Scalar;
use crate::config::section::Section;
use crate::config::shown::shown;
use crate::config::span::Span;
use crate::config::yaml::{Entry, Value};

const EXPECTED: &str = "`anyone`, `authenticated`, `nobody`, a condition or a list of conditions";
const EMPTY: &str = "write a condition such as `roles: [admin]`, or `allow: nobody`";

/// What `max_age` may be. A shorter one could not be kept while a browser is on its way back.
const MAX_AGE: RangeInclusive<Duration> =
    Duration::from_secs(5)..=Duration::from_secs(365 * 24 * 3600);

/// The parameters of the rule's pattern; `None` where the pattern itself was refused.
type Parameters<'a> = Option<&'a [&'a str]>;

/// What to write for an `allow` that is missing: the condition whose key is beside it, and never more than it admits.
pub(super) fn meant_by(beside: &[Entry]) -> &'static str {
    const DENIALS: [&str; 6] = ["deny", "denied", "block", "forbid", "reject", "refuse"];
    const ROLES: [&str; 3] = ["role", "group", "groups"];
    let keys = || {
        let foreign = beside.iter().filter(|entry| !blocks::RULE.has(&entry.key));
        foreign.map(|entry| entry.key.to_ascii_lowercase())
    };
    if keys().any(|key| DENIALS.contains(&key.as_str())) {
        return "nobody";
    }
    let condition = keys().find_map(|key| {
        let is_role = ROLES.contains(&key.as_str()).then_some("roles");
        let exact = || blocks::CONDITION.names().find(|name| *name == key);
        is_role
            .or_else(exact)
            .or_else(|| nearest(&key, blocks::CONDITION.names()))
    });
    match condition {
        None => "authenticated",
        Some("all_roles") => "{ all_roles: [admin, auditor] }",
        Some("user") => "{ user: alice }",
        Some("users") => "{ users: [alice] }",
        Some("networks") => "{ networks: [10.0.0.0/8] }",
        Some("claims") => "{ claims: { department: finance } }",
        Some("second_factor") => "{ second_factor: true }",
        Some("max_age") => "{ max_age: 15m }",
        Some(_) => "{ roles: [admin] }",
    }
}

/// A word, a condition, or a list of conditions.
pub(super) fn allow(
    entry: Entry,
    parameters: Parameters<'_>,
    reader: &mut Reader<'_>,
) -> Option<Requirement> {
    match &entry.node.value {
        Value::Map(_) => condition(entry, parameters, reader)
            .map(|condition| Requirement::AnyOf(vec![condition])),
        Value::List(_) => {
            let items = reader.filled_list(entry, EMPTY)?;
            let conditions: Vec<_> = items
                .into_iter()
                .map(|item| alternative(item, parameters, reader))
                .collect();
            conditions
                .into_iter()
                .collect::<Option<_>>()
                .map(Requirement::AnyOf)
        }
        Value::Plain(_) | Value::Quoted(_) => word(&entry, reader),
        Value::Broken => None,
    }
}

fn word(entry: &Entry, reader: &mut Reader<'_>) -> Option<Requirement> {
    let (scalar, text) = reader.scalar(entry, EXPECTED)?;
    match (scalar, text.as_str()) {
        (_, "anyone") => Some(Requirement::Anyone),
        (_, "authenticated") => Some(Requirement::Authenticated),
        (_, "nobody") => Some(Requirement::Nobody),
        (Scalar::Text, _) => {
            let meant = match text.as_str() {
                "public" | "all" | "everyone" | "everybody" | "anonymous" | "any" => {
                    Some("did you mean `anyone`?")
                }
                "none" | "deny" | "no" => Some("did you mean `nobody`?"),
                "user" | "users" | "login" | "private" | "protected" => {
                    Some("did you mean `authenticated`?")
                }
                "second_factor" => Some("write `allow: { second_factor: true }`"),
                "max_age" => Some("write `allow: { max_age: 15m }`"),
                _ => None,
            };
            let help = meant
                .map(str::to_owned)
                .or_else(|| did_you_mean(&text, blocks::ALLOW_WORDS));
            let help = help.unwrap_or_else(|| match text.starts_with('-') {
                true => "for a list, write a blank behind each `-`".to_owned(),
                false => format!("for a role, write `allow: {{ roles: [{}] }}`", shown(&text)),
            });
            reader.invalid(entry, EXPECTED, help);
            None
        }
        (Scalar::Nothing | Scalar::Boolean(_) | Scalar::Integer(_) | Scalar::Real(_), _) => {
            reader.wrong_type(entry, EXPECTED);
            None
        }
    }
}

/// An element of a list; a word there would make the other elements pointless.
fn alternative(
    entry: Entry,
    parameters: Parameters<'_>,
    reader: &mut Reader<'_>,
) -> Option<Condition> {
    if matches!(entry.node.value, Value::Map(_) | Value::Broken) {
        return condition(entry, parameters, reader);
    }
    let message = format!(
        "a list of `allow` holds conditions, not {}",
        reader.written(&entry)
    );
    let finding = Finding::error(Code::WrongType, entry.node.span, message);
    reader.report(finding.help(format!(
        "write `{{ roles: [admin] }}`, or {} without a list",
        any_of(blocks::ALLOW_WORDS)
    )));
    None
}

fn condition(
    entry: Entry,
    parameters: Parameters<'_>,
    reader: &mut Reader<'_>,
) -> Option<Condition> {
    let span = entry.node.span;
    let entries = reader.map(entry)?;
    if entries.is_empty() {
        reader.report(
            Finding::error(Code::EmptyValue, span, "`allow` holds an empty condition").help(EMPTY),
        );
        return None;
    }
    let mut section = Section::new(span, entries, &blocks::CONDITION);
    let one_of = section
        .take("roles")
        .map(|entry| required_roles(entry, reader).map(RoleMatch::OneOf));
    let all = section
        .take("all_roles")
        .map(|entry| required_roles(entry, reader).map(RoleMatch::All));
    let user = section
        .either(reader, "user", "users")
        .map(|entry| user(entry, parameters, reader));
    let networks = section
        .take("networks")
        .map(|entry| networks(entry, reader));
    let claims = section
        .take("claims")
        .map(|entry| claims(entry, parameters, reader));
    let sign_in = sign_in(&mut section, reader);
    section.finish(reader);
    // Collecting first would drop a part that was refused, and the condition would admit more than is written.
    let roles = [one_of, all]
        .into_iter()
        .flatten()
        .collect::<Option<Vec<_>>>()?;
    Some(Condition {
        roles,
        user: match user {
            Some(user) => Some(user?),
            None => None,
        },
        networks: networks.unwrap_or(Some(Vec::new()))?,
        claims: claims.unwrap_or(Some(Vec::new()))?,
        sign_in: sign_in?,
    })
}

/// `second_factor` and `max_age`; `None` where one of them was refused.
fn sign_in(section: &mut Section, reader: &mut Reader<'_>) -> Option<AuthenticationDemand> {
    let second_factor = section
        .take("second_factor")
        .map(|entry| second_factor(&entry, reader));
    let max_age = section
        .take("max_age")
        .map(|entry| reader.duration(&entry, MAX_AGE));
    Some(AuthenticationDemand {
        second_factor: match second_factor {
            Some(given) => given?,
            None => false,
        },
        max_age: match max_age {
            Some(given) => Some(given?),
            None => None,
        },
    })
}

/// `true`: to ask for nothing, the key is left out, and a condition that asks for nothing holds for no one.
fn second_factor(entry: &Entry, reader: &mut Reader<'_>) -> Option<bool> {
    if reader.boolean(entry)? {
        return Some(true);
    }
    let help = "leave it out where a password is enough".to_owned();
    reader.invalid(entry, "`true`", help);
    None
}

fn required_roles(entry: Entry, reader: &mut Reader<'_>) -> Option<Vec<Box<str>>> {
    let span = entry.node.span;
    let roles = roles(
        entry,
        reader,
        Some("no role would do; write `allow: nobody` for that"),
    )?;
    if let Some(role) = roles.iter().find(|role| role.contains(['{', '}'])) {
        let message = format!(
            "`{}` is not a role: path parameters are compared with `user` or `claims`",
            shown(role)
        );
        reader.report(Finding::error(Code::PartialParameter, span, message));
        return None;
    }
    Some(roles)
}

fn user(entry: Entry, parameters: Parameters<'_>, reader: &mut Reader<'_>) -> Option<UserMatch> {
    if &*entry.key == "users" {
        let items =
            reader.filled_list(entry, "no user would do; write `allow: nobody` for that")?;
        return distinct(&items, reader, listed_user).map(UserMatch::OneOf);
    }
    refuse_flow_map(&entry, reader)?;
    let text = label(&entry, reader)?;
    Some(
        match parameter(&text, entry.node.span, parameters, reader)? {
            Some(name) => UserMatch::Parameter(name),
            None => UserMatch::OneOf(vec![text.into()]),
        },
    )
}

fn listed_user(entry: &Entry, reader: &mut Reader<'_>) -> Option<Box<str>> {
    let text = label(entry, reader)?;
    if text.contains(['{', '}']) {
        let message = "a path parameter cannot stand in a list of users";
        let finding = Finding::error(Code::PartialParameter, entry.node.span, message);
        reader.report(finding.help(format!(
            "write `user: \"{}\"`, in a condition of its own",
            shown(&text)
        )));
        return None;
    }
    Some(text.into())
}

/// `user: {id}` without quotes is a map to YAML.
fn refuse_flow_map(entry: &Entry, reader: &mut Reader<'_>) -> Option<()> {
    let Value::Map(entries) = &entry.node.value else {
        return Some(());
    };
    let help = match entries.first() {
        Some(first) => format!("quote it: `{}: \"{{{}}}\"`", entry.key, shown(&first.key)),
        None => format!("write `{}: alice`", entry.key),
    };
    let message = format!(
        "`{}` expects a string; without quotes, braces are a map",
        entry.key
    );
    reader.report(Finding::error(Code::WrongType, entry.node.span, message).help(help));
    None
}

/// `Some(Some(name))` for `{name}`, `Some(None)` for a text without braces.
fn parameter(
    text: &str,
    span: Span,
    known: Parameters<'_>,
    reader: &mut Reader<'_>,
) -> Option<Option<Box<str>>> {
    if !text.contains(['{', '}']) {
        return Some(None);
    }
    let name = text
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    let Some(name) = name.filter(|name| !name.contains(['{', '}']) && !name.is_empty()) else {
        let message = format!(
            "a path parameter must be the whole value, not a part of `{}`",
            shown(text)
        );
        let finding = Finding::error(Code::PartialParameter, span, message);
        reader.report(finding.help("write `\"{name}\"` alone; texts are not put together"));
        return None;
    };
    let Some(known) = known else {
        return Some(Some(name.into()));
    };
    if !known.contains(&name) {
        let help = did_you_mean(name, known.iter().copied()).unwrap_or_else(|| match known {
            [] => format!("write `{{{name}}}` as a segment of `path`"),
            _ => format!("the path has {}", any_of(known.iter().copied())),
        });
        let message = format!("the path has no parameter `{}`", shown(name));
        reader.report(Finding::error(Code::UnknownParameter, span, message).help(help));
        return None;
    }
    Some(Some(name.into()))
}

fn networks(entry: Entry, reader: &mut Reader<'_>) -> Option<Vec<ipnet::IpNet>> {
    let items = reader.filled_list(entry, "write at least one, such as `10.0.0.0/8`")?;
    distinct(&items, reader, network)
}

fn claims(
    entry: Entry,
    parameters: Parameters<'_>,
    reader: &mut Reader<'_>,
) -> Option<Vec<ClaimMatch>> {
    let span = entry.key_span;
    let entries = reader.map(entry)?;
    if entries.is_empty() {
        let finding = Finding::error(Code::EmptyValue, span, "`claims` is empty");
        reader.report(finding.help("write a claim and its value, such as `tenant: acme`"));
        return None;
    }
    let claims: Vec<_> = entries
        .iter()
        .map(|entry| claim(entry, parameters, reader))
        .collect();
    claims.into_iter().collect()
}

fn claim(entry: &Entry, parameters: Parameters<'_>, reader: &mut Reader<'_>) -> Option<ClaimMatch> {
    const EXPECTED: &str = "a string, a whole number, `true` or `false`";
    refuse_flow_map(entry, reader)?;
    let (scalar, text) = reader.scalar(entry, EXPECTED)?;
    let value = match scalar {
        Scalar::Text => match parameter(&text, entry.node.span, parameters, reader)? {
            Some(name) => Some(Expected::Parameter(name)),
            None => Some(Expected::Value(ClaimValue::Text(text.into()))),
        },
        Scalar::Boolean(value) => Some(Expected::Value(ClaimValue::Boolean(value))),
        Scalar::Integer(number) => {
            let number = i64::try_from(number).ok();
            number.map(|number| Expected::Value(ClaimValue::Integer(number)))
        }
        Scalar::Nothing | Scalar::Real(_) => None,
    };
    if value.is_none() {
        reader.wrong_type(entry, EXPECTED);
    }
    value.map(|expected| ClaimMatch {
        name: entry.key.clone(),
        expected,
    })
}
