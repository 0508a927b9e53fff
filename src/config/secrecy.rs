//! Where in a file the secrets lie.

use super::shown::{is_reference, looks_secret, names_secret};
use super::span::Span;
use super::yaml::{Entry, Node, Tree, Value};

/// The places of all secrets, those of refused duplicates included.
pub(super) fn secrets_of(tree: &Tree) -> Vec<Span> {
    let mut spans = Vec::new();
    collect(&tree.root, Secrecy::Open, &mut spans);
    tree.dropped.iter().for_each(|entry| collect_entry(entry, Secrecy::Open, &mut spans));
    spans
}

#[derive(Clone, Copy, PartialEq)]
enum Secrecy {
    Open,
    Secret,
}

fn collect(node: &Node, secrecy: Secrecy, spans: &mut Vec<Span>) {
    match &node.value {
        Value::Plain(text) | Value::Quoted(text) => {
            if (secrecy == Secrecy::Secret && !is_reference(text)) || looks_secret(text) {
                spans.push(node.span);
            }
        }
        Value::List(items) => items.iter().for_each(|item| collect(item, secrecy, spans)),
        Value::Map(entries) => entries.iter().for_each(|entry| collect_entry(entry, secrecy, spans)),
        // What was refused was never looked at.
        Value::Broken => spans.push(node.span),
    }
}

fn collect_entry(entry: &Entry, secrecy: Secrecy, spans: &mut Vec<Span>) {
    if secrecy == Secrecy::Secret || looks_secret(&entry.key) {
        spans.push(entry.key_span);
    }
    let secret = secrecy == Secrecy::Secret || names_secret(&entry.key);
    collect(&entry.node, if secret { Secrecy::Secret } else { Secrecy::Open }, spans);
}
