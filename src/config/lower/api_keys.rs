//! `api_keys` of a user: the keys of programs.

use std::collections::HashMap;
use std::sync::Arc;

use super::time::second_or_date;
use super::{label, roles};
use crate::access::Identity;
use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::reader::Reader;
use crate::config::span::Span;
use crate::config::yaml::Entry;
use crate::users::{ApiKey, KeyDigest, NEVER};

/// A key before its user is known.
pub(super) struct Draft {
    name: Box<str>,
    digest: KeyDigest,
    roles: Option<Vec<Box<str>>>,
    expires_at: u64,
}

/// Where each key of the whole list stands: two users with one key, and it would not be certain who sends it.
pub(super) type Seen = HashMap<KeyDigest, Span>;

pub(super) fn api_keys(entry: Entry, seen: &mut Seen, reader: &mut Reader<'_>) -> Vec<Draft> {
    let mut names: Vec<(Box<str>, Span)> = Vec::new();
    let items = reader.list(entry).unwrap_or_default().into_iter();
    let keys: Vec<Draft> = items
        .filter_map(|item| api_key(item, &mut names, seen, reader))
        .collect();
    keys
}

fn api_key(
    item: Entry,
    names: &mut Vec<(Box<str>, Span)>,
    seen: &mut Seen,
    reader: &mut Reader<'_>,
) -> Option<Draft> {
    let mut section = reader.section(item, &blocks::API_KEY)?;
    let span = section.span();
    let name = section
        .require(reader, "name", "ci")
        .and_then(|entry| label(&entry, reader));
    let hash = section.require(reader, "hash", "\"sha256:…\"");
    let digest = hash.and_then(|entry| digest(&entry, seen, reader));
    let roles = section
        .take("roles")
        .map(|entry| self::roles(entry, reader, None));
    let expires_at = section
        .take("expires")
        .map(|entry| second_or_date(&entry, reader));
    section.finish(reader);
    let (name, roles) = (
        name?.into_boxed_str(),
        roles.map_or(Some(None), |roles| roles.map(Some))?,
    );
    if let Some((_, first)) = names.iter().find(|(other, _)| *other == name) {
        let finding = Finding::error(
            Code::InvalidValue,
            span,
            format!("a second key of the name `{name}`"),
        );
        reader.report(
            finding
                .note(*first, "first given here")
                .help("give each key of a user a name of its own"),
        );
        return None;
    }
    names.push((name.clone(), span));
    Some(Draft {
        name,
        digest: digest?,
        roles,
        expires_at: expires_at.unwrap_or(Some(NEVER))?,
    })
}

fn digest(entry: &Entry, seen: &mut Seen, reader: &mut Reader<'_>) -> Option<KeyDigest> {
    let text = reader.text(entry)?;
    let span = entry.node.span;
    let Some(digest) = KeyDigest::parse(&text) else {
        let message = "`hash` expects `sha256:` and 64 hexadecimal digits";
        let help = "make a key with `gatelatch user add-key`, or `printf %s \"$KEY\" | sha256sum`";
        reader.report(Finding::error(Code::InvalidHash, span, message).help(help));
        return None;
    };
    if let Some(first) = seen.insert(digest, span) {
        let finding = Finding::error(Code::InvalidValue, span, "the same key is given twice");
        reader.report(
            finding
                .note(first, "first given here")
                .help("make another with `gatelatch user add-key`"),
        );
        return None;
    }
    Some(digest)
}

impl Draft {
    /// The key of this user: its roles are its own where it has some, else the user's.
    pub(super) fn finish(self, user: &Arc<Identity>) -> ApiKey {
        let identity = match self.roles {
            Some(roles) => Arc::new(Identity {
                roles: roles.into(),
                ..(**user).clone()
            }),
            None => Arc::clone(user),
        };
        ApiKey {
            name: self.name,
            digest: self.digest,
            identity,
            expires_at: self.expires_at,
        }
    }
}
