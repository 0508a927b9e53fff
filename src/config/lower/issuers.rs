//! `auth.trusted_issuers`: whose tokens are accepted beside the gateway's own.

use std::time::Duration;

use super::claim_path::claim_path;
use super::issuer_keys::WrittenKeys;
use super::keys::algorithm;
use super::{distinct, label};
use crate::access::Subjects;
use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::reader::Reader;
use crate::config::section::Section;
use crate::config::settings::{Issuer, Token};
use crate::config::span::Span;
use crate::config::yaml::{Entry, Value};
use crate::token::{Algorithm, AudienceRule, ClaimPath, TrustSettings};

/// All of them; `None` where one is refused. Without the gateway's own settings the rest is checked all the same.
pub(super) fn issuers(
    entry: Entry,
    own: Option<&Token>,
    reader: &mut Reader<'_>,
) -> Option<Vec<Issuer>> {
    let mut names: Vec<(String, Span)> = Vec::new();
    let items = reader.list(entry)?;
    let issuers: Vec<_> = items
        .into_iter()
        .map(|item| issuer(item, own, &mut names, reader))
        .collect();
    issuers.into_iter().collect()
}

fn issuer(
    item: Entry,
    own: Option<&Token>,
    names: &mut Vec<(String, Span)>,
    reader: &mut Reader<'_>,
) -> Option<Issuer> {
    let mut section = reader.section(item, &blocks::ISSUER)?;
    let span = section.span();
    let name = section.require(reader, "issuer", "https://idp.example.com/");
    let name = name.and_then(|entry| {
        issuer_name(&entry, own, names, reader).map(|name| (name, entry.node.span))
    });
    let audience = section
        .require(reader, "audience", "[api]")
        .and_then(|entry| audience(entry, reader));
    let subject = claim(&mut section, "subject", "sub", reader);
    let algorithms = section
        .require(reader, "algorithms", "[RS256]")
        .and_then(|entry| algorithms(entry, reader));
    let roles_claim = claim(&mut section, "roles_claim", "roles", reader);
    let users = section.take("users").map(|entry| reader.boolean(&entry));
    let (max_lifetime, leeway) = lifetimes(&mut section, own, reader);
    let source = WrittenKeys::take(&mut section, name.as_ref(), algorithms.as_deref(), reader);
    section.finish(reader);
    let name = name.map(|(name, _)| name);
    let algorithms = algorithms?;
    let keys = source.read(&algorithms, span, reader);
    let settings = TrustSettings {
        issuer: name?,
        audience: audience?,
        subject: subject?,
        algorithms,
        roles_claim: roles_claim?,
        subjects: if users.unwrap_or(Some(false))? {
            Subjects::Users
        } else {
            Subjects::Foreign
        },
        leeway: leeway?,
        max_lifetime: max_lifetime?,
    };
    Some(Issuer {
        settings,
        keys: keys?,
    })
}

fn claim(
    section: &mut Section,
    key: &'static str,
    default: &str,
    reader: &mut Reader<'_>,
) -> Option<ClaimPath> {
    match section.take(key) {
        Some(entry) => claim_path(&entry, reader),
        None => Some(ClaimPath::of(default)),
    }
}

/// `max_lifetime` and `leeway`, each `None` where the gateway's own are refused.
fn lifetimes(
    section: &mut Section,
    own: Option<&Token>,
    reader: &mut Reader<'_>,
) -> (Option<Duration>, Option<Duration>) {
    let mut given = |key, own, range| {
        let mut value = Duration::ZERO;
        match section.duration(key, &mut value, range, reader) {
            Some(_) => Some(value),
            None => own,
        }
    };
    (
        given(
            "max_lifetime",
            own.map(|own| own.max_lifetime),
            blocks::LIFETIMES,
        ),
        given("leeway", own.map(|own| own.leeway), blocks::LEEWAYS),
    )
}

/// Every issuer once, and none that is the gateway itself.
fn issuer_name(
    entry: &Entry,
    own: Option<&Token>,
    names: &mut Vec<(String, Span)>,
    reader: &mut Reader<'_>,
) -> Option<String> {
    let name = label(entry, reader)?;
    let span = entry.node.span;
    if own.is_some_and(|own| own.issuer == name) {
        let finding = Finding::error(
            Code::InvalidValue,
            span,
            format!("`{name}` is the gateway's own `issuer`"),
        );
        reader.report(finding.help("its old keys belong to `auth.token.previous`"));
        return None;
    }
    if let Some((_, first)) = names.iter().find(|(other, _)| *other == name) {
        let finding = Finding::error(
            Code::InvalidValue,
            span,
            format!("the issuer `{name}` is given twice"),
        );
        reader.report(
            finding
                .note(*first, "first given here")
                .help("take one of them away"),
        );
        return None;
    }
    names.push((name.clone(), span));
    Some(name)
}

/// One name, or a list of them, in `aud` or in the claim that is named.
fn audience(entry: Entry, reader: &mut Reader<'_>) -> Option<AudienceRule> {
    if !matches!(entry.node.value, Value::Map(_)) {
        let one_of = names(entry, reader)?;
        return Some(AudienceRule {
            claim: ClaimPath::of("aud"),
            one_of,
        });
    }
    let mut section = reader.section(entry, &blocks::ISSUER_AUDIENCE)?;
    let claim = claim(&mut section, "claim", "aud", reader);
    let one_of = section
        .require(reader, "one_of", "[api]")
        .and_then(|entry| names(entry, reader));
    section.finish(reader);
    Some(AudienceRule {
        claim: claim?,
        one_of: one_of?,
    })
}

fn names(entry: Entry, reader: &mut Reader<'_>) -> Option<Vec<String>> {
    if !matches!(entry.node.value, Value::List(_)) {
        return label(&entry, reader).map(|name| vec![name]);
    }
    let why = "without an audience, tokens for every other service of the issuer would be accepted";
    let items = reader.filled_list(entry, why)?;
    distinct(&items, reader, label)
}

/// Shared secrets and key pairs do not mix: a token must not choose between them.
fn algorithms(entry: Entry, reader: &mut Reader<'_>) -> Option<Vec<Algorithm>> {
    let span = entry.node.span;
    let help = "write the algorithms that the issuer signs with, such as `[RS256]`";
    let items = reader.filled_list(entry, help)?;
    let mut algorithms: Vec<Algorithm> = Vec::new();
    // the two names of Ed25519 are one algorithm, and one key
    for algorithm in distinct(&items, reader, algorithm)? {
        let mut known = algorithms.iter();
        if !known.any(|other| other.is_same_signature(algorithm)) {
            algorithms.push(algorithm);
        }
    }
    let symmetric = algorithms.iter().filter(|one| one.is_symmetric());
    let symmetric = symmetric.count();
    if symmetric != 0 && symmetric != algorithms.len() {
        let message = "algorithms with shared secrets and with key pairs for one issuer";
        let help = "write only those that the issuer signs with, such as `[RS256]`";
        reader.report(Finding::error(Code::InvalidValue, span, message).help(help));
        return None;
    }
    Some(algorithms)
}
