//! What is written in place of a value that cannot be read.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::BOOLEAN;
use crate::config::finding::any_of;
use crate::config::scalar::{Scalar, resolve};
use crate::config::shown::{may_be_secret, names_old_keys, shown};
use crate::config::span::File;
use crate::config::value;
use crate::config::yaml::{Entry, Node, Value};

/// Keys whose lists hold maps: a text in their place may be anything, a secret too.
const LISTS_OF_MAPS: [&str; 4] = ["api_keys", "clients", "tests", "trusted_issuers"];

/// Keys that are written in another form elsewhere: what each expects, and how it looks.
const EXAMPLES: [(&str, &[&str], &str); 9] = [
    (
        "services",
        &["a map"],
        "services: { app: { upstream: http://127.0.0.1:9000, rules: [] } }",
    ),
    (
        "rules",
        &["a list", "a map"],
        "rules: [ { path: /**, allow: authenticated } ]",
    ),
    ("rate", &["a map"], "rate: { requests: 100, per: 1m }"),
    (
        "providers",
        // the list, and each of it
        &["a list", "a map"],
        "providers: [ { name: corp, issuer: https://id.example.com, client_id: gatelatch, client_secret: \"${CLIENT_SECRET}\" } ]",
    ),
    (
        "ldap",
        &["a map"],
        "ldap: { url: ldaps://ldap.example.com, users: { base: \"ou=people,dc=example,dc=com\" } }",
    ),
    ("passkeys", &["a map"], "passkeys: { rp_id: example.com }"),
    // elsewhere it is a word or a truth value, and a map is expected at a provider only
    ("second_factor", &["a map"], "second_factor: { amr: [mfa] }"),
    ("roles", &["a map"], "roles: { the-group: [the-role] }"),
    (
        "users",
        &["a map"],
        "users: { alice: { password: \"$argon2id$…\", roles: [admin] } }",
    ),
];

/// Words of other programs for one of a few.
const SYNONYMS: [(&str, &[&str], &str); 5] = [
    (
        "by",
        &["ip", "client_ip", "client", "remote_addr"],
        "did you mean `address`?",
    ),
    (
        "credentials",
        &["api_key", "api_keys", "key", "x-api-key"],
        "API keys come with `bearer`",
    ),
    (
        "second_factor",
        &["true", "yes", "on", "totp", "otp", "mfa", "2fa"],
        "write `required` to ask everybody, or `optional` to ask who has one",
    ),
    (
        "second_factor",
        &["false", "no", "none", "never"],
        "did you mean `off`?",
    ),
    ("change_password", &["yes", "on"], "did you mean `true`?"),
];

/// What YAML 1.1 and other programs write in place of a truth value.
fn boolean_help(key: &str, text: &str) -> Option<&'static str> {
    match (key, text.to_ascii_lowercase().as_str()) {
        ("proxy_protocol", "yes" | "on" | "v1" | "v2" | "1" | "2" | "auto") => {
            Some("write `true`: both versions are read")
        }
        ("second_factor", "required" | "totp" | "mfa") => Some("write `true`"),
        (_, "yes" | "on" | "y" | "enabled") => Some("did you mean `true`?"),
        (_, "no" | "off" | "n" | "disabled") => Some("did you mean `false`?"),
        _ => None,
    }
}

pub(in crate::config) fn meant(key: &str, word: &str) -> Option<&'static str> {
    let found = SYNONYMS
        .iter()
        .find(|(of, words, _)| *of == key && words.contains(&word));
    found.map(|(.., help)| *help)
}

/// A number is one of seconds elsewhere; of the forms those are shown that the key takes.
pub(super) fn duration_help(entry: &Entry, text: &str, range: &RangeInclusive<Duration>) -> String {
    let is_written = matches!(&entry.node.value, Value::Plain(plain) if **plain == *text);
    let seconds = text.parse().ok().map(Duration::from_secs);
    if let Some(seconds) = seconds.filter(|seconds| is_written && range.contains(seconds)) {
        let (plain, shown) = (format!("{text}s"), value::show_duration(seconds));
        return if plain == shown {
            format!("write the unit: `{plain}`")
        } else {
            format!("write the unit: `{plain}` or `{shown}`")
        };
    }
    let forms = value::DURATION_FORMS.into_iter();
    let taken = forms.filter(|form| value::duration(form).is_some_and(|one| range.contains(&one)));
    let taken: Vec<_> = taken.collect();
    match taken.as_slice() {
        [] => format!("write {}", any_of(value::DURATION_FORMS)),
        taken => format!("write {}", any_of(taken.iter().copied())),
    }
}

/// `{id}` without quotes, which is a map to YAML, with a key and no value.
fn parameter_in_braces(node: &Node) -> Option<&str> {
    let Value::Map(entries) = &node.value else {
        return None;
    };
    let [Entry { key, node, .. }] = entries.as_slice() else {
        return None;
    };
    let is_empty = matches!(&node.value, Value::Plain(text) if text.is_empty());
    let is_open = node.span.file != File::Users && !may_be_secret(key);
    (is_empty && is_open).then_some(key)
}

fn braces_help(entry: &Entry) -> Option<String> {
    let parameter = parameter_in_braces(&entry.node)?;
    Some(if matches!(&*entry.key, "path" | "user") {
        format!(
            "put it in quotes: `\"{{{}}}\"`; braces make a map",
            shown(parameter)
        )
    } else {
        "put it in quotes if it is meant as a string; braces make a map".to_owned()
    })
}

/// What is said where `totp` is empty or a number.
pub(super) const TOTP_HELP: &str = "the secret of an app in base32 stands here, none of its codes: `gatelatch user add-totp NAME` writes one";

/// A number or truth value that was meant as a string needs quotes, a single element needs brackets.
pub(super) fn type_help(entry: &Entry, expected: &str) -> Option<String> {
    if let Some(help) = braces_help(entry) {
        return Some(help);
    }
    let mut examples = EXAMPLES.iter();
    let example = examples.find(|(key, kind, _)| *key == &*entry.key && kind.contains(&expected));
    // `users` of a directory are others, and users may have any name
    let in_users = entry.node.span.file == File::Users;
    let example = example.filter(|(key, ..)| (*key == "users") == in_users);
    if let Some((.., example)) = example {
        return Some(format!("write `{example}`"));
    }
    let Value::Plain(text) = &entry.node.value else {
        return None;
    };
    match (expected, resolve(text)) {
        (_, Scalar::Nothing | Scalar::Boolean(_)) if expected.starts_with("`anyone`") => Some(
            "write `allow: authenticated`, or a condition such as `allow: { roles: [admin] }`"
                .to_owned(),
        ),
        (BOOLEAN, _) => boolean_help(&entry.key, text).map(str::to_owned),
        ("a string", _) if &*entry.key == "totp" => Some(TOTP_HELP.to_owned()),
        ("a string", Scalar::Boolean(_) | Scalar::Integer(_) | Scalar::Real(_)) => {
            Some("put it in quotes if it is meant as a string".to_owned())
        }
        ("a list", Scalar::Text) if text.starts_with('-') => {
            Some("write a blank behind each `-`".to_owned())
        }
        ("a list", Scalar::Text) if names_old_keys(&entry.key) => Some(format!(
            "write `{}: [ {{ algorithm: HS256, secret: ${{VARIABLE}} }} ]`",
            shown(&entry.key)
        )),
        ("a list", Scalar::Text) if LISTS_OF_MAPS.contains(&&*entry.key) => Some(format!(
            "write a list of maps: `{}: [ {{ … }} ]`",
            entry.key
        )),
        // no scope has a blank in it (RFC 6749, section 3.3)
        ("a list", Scalar::Text) if &*entry.key == "scopes" => {
            let separators = |one: char| one.is_ascii_whitespace() || one == ',';
            let scopes: Vec<_> = text
                .split(separators)
                .filter(|one| !one.is_empty())
                .collect();
            Some(format!("write `scopes: [{}]`", shown(&scopes.join(", "))))
        }
        ("a list", Scalar::Text) if !may_be_secret(text) => {
            Some(format!("write `{}: [{}]`", shown(&entry.key), shown(text)))
        }
        (
            _,
            Scalar::Nothing
            | Scalar::Boolean(_)
            | Scalar::Integer(_)
            | Scalar::Real(_)
            | Scalar::Text,
        ) => None,
    }
}
