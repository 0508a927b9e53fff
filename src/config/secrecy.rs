//! Where in a file the secrets lie.

use std::collections::HashMap;

use super::shown::{
    REDACTED, is_random, is_reference, looks_secret, may_be_secret, names_file, names_old_keys,
    names_secret, names_token, shown,
};
use super::span::Span;
use super::yaml::{Entry, Node, Tree, Value};

/// The places of all secrets, those of refused duplicates included.
pub(super) fn secrets_of(tree: &Tree) -> Vec<Span> {
    let mut secrets = SecretPlaces::default();
    secrets.tree(tree);
    secrets.spans
}

/// Whether a scalar, or one of a list, may be a secret that stands where something else belongs.
pub(super) fn may_hold_secret(node: &Node) -> bool {
    match &node.value {
        Value::Plain(text) | Value::Quoted(text) => may_be_secret(text),
        Value::List(items) => items.iter().any(may_hold_secret),
        Value::Map(_) | Value::Broken => false,
    }
}

/// Whether a key is a secret in braces: `{ SECRET }` is a map to YAML, with a key and no value.
pub(super) fn is_secret_in_braces(entry: &Entry) -> bool {
    let empty = matches!(&entry.node.value, Value::Plain(text) if text.is_empty());
    may_be_secret(&entry.key) && empty
}

/// A key as it may stand inside a message.
pub(super) fn shown_key(entry: &Entry) -> String {
    if is_random(&entry.key) || is_secret_in_braces(entry) {
        REDACTED.to_owned()
    } else {
        shown(&entry.key)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Secrecy {
    Open,
    /// In `tracing`, where `headers` are for the collector.
    Tracing,
    /// Of a list of keys, where a scalar is a secret without its name.
    OldKeys,
    /// Of a key that names a file, where a secret may stand that belongs into it.
    FileName,
    Secret,
}

/// The places of secrets while a file is read.
#[derive(Default)]
pub(super) struct SecretPlaces {
    spans: Vec<Span>,
    /// A file has few keys, each of them very often, and judging one takes a while.
    names: HashMap<Box<str>, Secrecy>,
}

impl SecretPlaces {
    /// Adds those of a tree, or of what is left of it.
    pub(super) fn tree(&mut self, tree: &Tree) {
        self.node(&tree.root, Secrecy::Open);
        tree.dropped
            .iter()
            .for_each(|entry| self.entry(entry, Secrecy::Open));
    }

    /// Adds those of an entry whose key is a name that occurs once.
    pub(super) fn named_entry(&mut self, entry: &Entry) {
        if looks_secret(&entry.key) {
            self.spans.push(entry.key_span);
        }
        self.node(&entry.node, judge(&entry.key));
    }

    /// All of them, in no order.
    pub(super) fn into_spans(self) -> Vec<Span> {
        self.spans
    }

    fn node(&mut self, node: &Node, secrecy: Secrecy) {
        match &node.value {
            Value::Plain(text) | Value::Quoted(text) => {
                let secret = match secrecy {
                    Secrecy::Open | Secrecy::Tracing => false,
                    Secrecy::OldKeys | Secrecy::Secret => !is_reference(text),
                    Secrecy::FileName => may_be_secret(text) && !is_reference(text),
                };
                if secret || looks_secret(text) {
                    self.spans.push(node.span);
                }
            }
            Value::List(items) => items.iter().for_each(|item| self.node(item, secrecy)),
            Value::Map(entries) => entries.iter().for_each(|entry| self.entry(entry, secrecy)),
            // What was refused was never looked at.
            Value::Broken => self.spans.push(node.span),
        }
    }

    fn entry(&mut self, entry: &Entry, secrecy: Secrecy) {
        let secret = match secrecy {
            Secrecy::Open | Secrecy::Tracing => false,
            // braces in place of brackets
            Secrecy::OldKeys | Secrecy::FileName => may_be_secret(&entry.key),
            // how the bytes of a secret are written is none
            Secrecy::Secret => &*entry.key != "base64url",
        };
        if secret || looks_secret(&entry.key) || is_secret_in_braces(entry) {
            self.spans.push(entry.key_span);
        }
        let is_token = names_token(&entry.key) && !matches!(entry.node.value, Value::Map(_));
        let secrecy = match secrecy {
            Secrecy::Secret => secrecy,
            Secrecy::Tracing if &*entry.key == "headers" => Secrecy::Secret,
            Secrecy::Open | Secrecy::Tracing | Secrecy::OldKeys | Secrecy::FileName if is_token => {
                Secrecy::Secret
            }
            Secrecy::Open | Secrecy::Tracing => self.named(&entry.key),
            Secrecy::OldKeys | Secrecy::FileName => match self.named(&entry.key) {
                Secrecy::Open => Secrecy::FileName,
                named @ (Secrecy::Tracing
                | Secrecy::OldKeys
                | Secrecy::FileName
                | Secrecy::Secret) => named,
            },
        };
        self.node(&entry.node, secrecy);
    }

    fn named(&mut self, key: &str) -> Secrecy {
        if let Some(known) = self.names.get(key) {
            return *known;
        }
        let secrecy = judge(key);
        self.names.insert(key.into(), secrecy);
        secrecy
    }
}

fn judge(key: &str) -> Secrecy {
    match key {
        _ if names_secret(key) => Secrecy::Secret,
        "tracing" => Secrecy::Tracing,
        _ if names_old_keys(key) => Secrecy::OldKeys,
        _ if names_file(key) => Secrecy::FileName,
        _ => Secrecy::Open,
    }
}
