//! Where in a file the secrets lie.

use std::collections::HashMap;

use super::shown::{is_reference, looks_secret, names_secret, names_token};
use super::span::Span;
use super::yaml::{Entry, Node, Tree, Value};

/// The places of all secrets, those of refused duplicates included.
pub(super) fn secrets_of(tree: &Tree) -> Vec<Span> {
    let mut secrets = SecretPlaces::default();
    secrets.tree(tree);
    secrets.spans
}

#[derive(Clone, Copy, PartialEq)]
enum Secrecy {
    Open,
    /// In `tracing`, where `headers` are for the collector.
    Tracing,
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
                if (secrecy == Secrecy::Secret && !is_reference(text)) || looks_secret(text) {
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
        if secrecy == Secrecy::Secret || looks_secret(&entry.key) {
            self.spans.push(entry.key_span);
        }
        let is_token = names_token(&entry.key) && !matches!(entry.node.value, Value::Map(_));
        let secrecy = match secrecy {
            Secrecy::Secret => secrecy,
            Secrecy::Tracing if &*entry.key == "headers" => Secrecy::Secret,
            Secrecy::Open | Secrecy::Tracing if is_token => Secrecy::Secret,
            Secrecy::Open | Secrecy::Tracing => self.named(&entry.key),
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
        _ => Secrecy::Open,
    }
}
