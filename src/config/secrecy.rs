//! Where in a file the secrets lie.

use std::collections::HashMap;

use super::shown::{is_reference, looks_secret, names_secret, names_token};
use super::span::Span;
use super::yaml::{Entry, Node, Tree, Value};

/// The places of all secrets, those of refused duplicates included.
pub(super) fn secrets_of(tree: &Tree) -> Vec<Span> {
    let mut walk = Walk { spans: Vec::new(), names: HashMap::new() };
    walk.node(&tree.root, Secrecy::Open);
    tree.dropped.iter().for_each(|entry| walk.entry(entry, Secrecy::Open));
    walk.spans
}

#[derive(Clone, Copy, PartialEq)]
enum Secrecy {
    Open,
    Secret,
}

struct Walk<'a> {
    spans: Vec<Span>,
    /// A users file has few keys, each of them very often, and judging one takes a while.
    names: HashMap<&'a str, Secrecy>,
}

impl<'a> Walk<'a> {
    fn node(&mut self, node: &'a Node, secrecy: Secrecy) {
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

    fn entry(&mut self, entry: &'a Entry, secrecy: Secrecy) {
        if secrecy == Secrecy::Secret || looks_secret(&entry.key) {
            self.spans.push(entry.key_span);
        }
        let is_token = names_token(&entry.key) && !matches!(entry.node.value, Value::Map(_));
        let is_secret = secrecy == Secrecy::Secret || is_token;
        let secrecy = if is_secret { Secrecy::Secret } else { self.named(&entry.key) };
        self.node(&entry.node, secrecy);
    }

    fn named(&mut self, key: &'a str) -> Secrecy {
        let judge = || if names_secret(key) { Secrecy::Secret } else { Secrecy::Open };
        *self.names.entry(key).or_insert_with(judge)
    }
}
