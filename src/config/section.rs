//! A map with the keys of a block, which are taken one by one; what is left is unknown.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::blocks::{self, Block, Key};
use super::code::Code;
use super::finding::{Finding, any_of, did_you_mean, nearest};
use super::reader::Reader;
use super::secrecy::{shown_key, shown_unknown_key};
use super::span::{File, Span};
use super::yaml::{Entry, Value};

/// The keys of one map that are not read yet.
#[derive(Debug)]
pub(super) struct Section {
    span: Span,
    entries: Vec<Entry>,
    block: &'static Block,
    /// Keys that were taken or withheld; of debug builds.
    seen: Vec<&'static str>,
    withheld: Option<&'static str>,
}

impl Reader<'_> {
    /// A map with the keys of a block.
    pub(super) fn section(&mut self, entry: Entry, block: &'static Block) -> Option<Section> {
        let span = entry.key_span;
        let entries = self.map_or_help(entry, |entry| Some(block_help(entry, block)))?;
        Some(Section::new(span, entries, block))
    }
}

impl Section {
    /// `span` is where a missing key is reported.
    pub(super) fn new(span: Span, entries: Vec<Entry>, block: &'static Block) -> Self {
        Self {
            span,
            entries,
            block,
            seen: Vec::new(),
            withheld: None,
        }
    }

    /// Where the map stands.
    pub(super) fn span(&self) -> Span {
        self.span
    }

    /// The value of a key, if it is given.
    ///
    /// # Panics
    /// In debug builds, where the block does not declare the key.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Entry> {
        self.see(key);
        let index = self.entries.iter().position(|entry| &*entry.key == key)?;
        Some(self.entries.remove(index))
    }

    /// Makes a key of the block unknown, because of what another one says.
    pub(super) fn withhold(&mut self, key: &'static str) {
        self.see(key);
        self.withheld = Some(key);
    }

    fn see(&mut self, key: &'static str) {
        let name = self.block.name;
        debug_assert!(self.block.has(key), "`{name}` does not declare `{key}`");
        if cfg!(debug_assertions) {
            self.seen.push(key);
        }
    }

    /// One of a few words, if it is given.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        choices: &[(&'static str, T)],
        reader: &mut Reader<'_>,
    ) -> Option<T> {
        reader.choice(&self.take(key)?, choices)
    }

    /// `true` or `false`, if it is given.
    pub(super) fn boolean(&mut self, key: &'static str, reader: &mut Reader<'_>) -> Option<bool> {
        reader.boolean(&self.take(key)?)
    }

    /// Overwrites a default with the whole number that is given, whose range the block declares.
    pub(super) fn integer<T: TryFrom<u64>>(
        &mut self,
        key: &'static str,
        field: &mut T,
        reader: &mut Reader<'_>,
    ) {
        let range = self.block.range(key);
        let given = self.take(key).zip(range);
        let given = given.and_then(|(entry, range)| reader.integer(&entry, range));
        if let Some(given) = given.and_then(|number| T::try_from(number).ok()) {
            *field = given;
        }
    }

    /// Overwrites a default with the duration that is given, and says where it is.
    pub(super) fn duration(
        &mut self,
        key: &'static str,
        field: &mut Duration,
        range: RangeInclusive<Duration>,
        reader: &mut Reader<'_>,
    ) -> Option<Span> {
        let entry = self.take(key)?;
        if let Some(given) = reader.duration(&entry, range) {
            *field = given;
        }
        Some(entry.node.span)
    }

    /// The value of a key that must be given.
    pub(super) fn require(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        example: &str,
    ) -> Option<Entry> {
        let entry = self.take(key);
        if entry.is_none() {
            let finding =
                Finding::error(Code::MissingKey, self.span, format!("`{key}` is missing"));
            // what was meant is another message's, and no value is made up for it
            let help = match self.slip_of(key) {
                Some(slip) => format!(
                    "`{}` may be meant as `{key}`",
                    shown_unknown_key(slip, self.block)
                ),
                None => format!("write `{key}: {example}`"),
            };
            reader.report(finding.help(help));
        }
        entry
    }

    /// What is given and may be meant as this key.
    fn slip_of(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| {
            let written = glued_key(&entry.key).unwrap_or(&entry.key);
            !self.block.has(written) && nearest(written, self.block.names()) == Some(key)
                || glued_key(&entry.key) == Some(key)
        })
    }

    /// Where the value of a key stands that has not been taken.
    pub(super) fn place_of(&self, key: &str) -> Option<Span> {
        let entry = self.entries.iter().find(|entry| &*entry.key == key)?;
        Some(entry.node.span)
    }

    /// Those of the keys that are given and have not been taken.
    pub(super) fn left(&self) -> &[Entry] {
        &self.entries
    }

    /// The value of a key that has two names, of which one may be given.
    pub(super) fn either(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        alias: &'static str,
    ) -> Option<Entry> {
        match (self.take(key), self.take(alias)) {
            (Some(first), Some(second)) => {
                let (first, second) = if first.key_span <= second.key_span {
                    (first, second)
                } else {
                    (second, first)
                };
                let message = format!("`{}` is given as well as `{}`", second.key, first.key);
                let finding = Finding::error(Code::TwoSpellings, second.key_span, message)
                    .note(first.key_span, "first given here")
                    .help("take one of them away");
                reader.report(finding);
                Some(first)
            }
            (first, second) => first.or(second),
        }
    }

    /// Reports what is left.
    ///
    /// # Panics
    /// In debug builds, where the block declares a key that was not taken.
    pub(super) fn finish(self, reader: &mut Reader<'_>) {
        let is_read = |key: &Key| self.seen.contains(&key.name);
        debug_assert!(
            self.block.keys.iter().all(is_read),
            "`{}` declares more keys than are read: {:?}",
            self.block.name,
            self.seen
        );
        if self.entries.is_empty() {
            return;
        }
        let names = self.block.names();
        let known: Vec<_> = names.filter(|key| self.withheld != Some(*key)).collect();
        for entry in &self.entries {
            let glued = glued_key(&entry.key).filter(|key| known.contains(key));
            let help = glued
                .map(|key| format!("write a blank behind the colon: `{key}: …`"))
                .or_else(|| did_you_mean(&entry.key, known.iter().copied()))
                .or_else(|| elsewhere(entry, self.block, &known))
                .unwrap_or_else(|| known_here(&known));
            let message = format!("unknown key `{}`", shown_unknown_key(entry, self.block));
            reader.report(Finding::error(Code::UnknownKey, entry.key_span, message).help(help));
        }
    }
}

/// The key of `key:value`, which YAML takes for one word.
fn glued_key(word: &str) -> Option<&str> {
    word.split_once(':').map(|(key, _)| key)
}

/// Where a key belongs that another block has; more places than a few are no help. In a block that neither holds the present
/// one nor lies in it, the same name may mean something else.
fn elsewhere(entry: &Entry, block: &'static Block, known: &[&'static str]) -> Option<String> {
    let is_map = matches!(entry.node.value, Value::Map(_));
    if std::ptr::eq(block, &blocks::USERS) && is_map {
        return Some("indent it under `users`, if it is a user".to_owned());
    }
    // many blocks have these, and of them one is meant here
    match (block.name, &*entry.key) {
        ("auth", "second_factor") => return Some("it belongs under `auth.login`".to_owned()),
        ("rule", "second_factor") => {
            return Some("it belongs under `allow`: `allow: { second_factor: true }`".to_owned());
        }
        ("rule", "max_age") => {
            return Some("it belongs under `allow`: `allow: { max_age: 15m }`".to_owned());
        }
        _ => {}
    }
    let paths = match entry.key_span.file {
        File::Config if !block.has(&entry.key) => blocks::GATEWAY.paths_to(&entry.key),
        File::Config | File::Users | File::Tests | File::Environment => Vec::new(),
    };
    // providers and directories have keys of their own for what rules and users call the same
    let near = [blocks::PROVIDER.name, blocks::LDAP.name];
    let is_near =
        block.name == blocks::AUTH.name || near.iter().any(|name| block.name.starts_with(name));
    let own = ["auth.providers[]", "auth.ldap"];
    let paths: Vec<_> = paths
        .into_iter()
        .filter(|path| is_near || !own.iter().any(|own| path.starts_with(own)))
        .collect();
    if !(1..=3).contains(&paths.len()) {
        return None;
    }
    let own = blocks::GATEWAY.paths_of(block);
    let is_near = |path: &String| {
        own.is_empty()
            || own
                .iter()
                .any(|own| path.starts_with(own) || own.starts_with(path))
    };
    let places = any_of(paths.iter().map(String::as_str));
    Some(if paths.iter().any(is_near) {
        format!("it belongs under {places}")
    } else {
        format!("{}; {places} has a key of this name", known_here(known))
    })
}

/// What is written in place of something else than the map of a block.
fn block_help(entry: &Entry, block: &'static Block) -> String {
    let example = match block.name {
        "admin" => "{ listen: off }",
        "cors" => "{ origins: [\"https://app.example.com\"] }",
        "openapi" => "{ path: /openapi.json }",
        "service" => "{ upstream: http://127.0.0.1:9000, rules: [] }",
        "user" => "{ password: \"$argon2id$…\", roles: [admin] }",
        _ => {
            let names: Vec<_> = block.names().collect();
            return format!("write a map of these keys: {}", listed(&names));
        }
    };
    format!("write `{}: {example}`", shown_key(entry))
}

fn known_here(known: &[&'static str]) -> String {
    format!("known here: {}", listed(known))
}

fn listed(keys: &[&'static str]) -> String {
    keys.iter()
        .map(|key| format!("`{key}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
