//! What a file says, without how it is written.

use crate::config::scalar::{Scalar, resolve};
use crate::config::span::{File, Span};
use crate::config::yaml::{Entry, Node, Value};

/// A value to be written.
#[derive(Clone, Debug)]
pub(super) enum Fresh {
    Text(String),
    /// A variable.
    Reference(String),
    True,
    False,
    List(Vec<Fresh>),
    Map(Vec<(&'static str, Fresh)>),
}

impl Fresh {
    pub(super) fn texts(texts: &[String]) -> Self {
        Self::List(texts.iter().cloned().map(Self::Text).collect())
    }

    /// A map of those that are there.
    pub(super) fn map<const N: usize>(fields: [(&'static str, Option<Self>); N]) -> Self {
        Self::Map(
            fields
                .into_iter()
                .filter_map(|(key, value)| Some((key, value?)))
                .collect(),
        )
    }

    /// As it will be read.
    pub(super) fn to_node(&self) -> Node {
        let value = match self {
            Self::Text(text) => Value::Quoted(literal(text).into()),
            Self::Reference(text) => Value::Quoted(text.as_str().into()),
            Self::True => Value::Plain("true".into()),
            Self::False => Value::Plain("false".into()),
            Self::List(items) => Value::List(items.iter().map(Self::to_node).collect()),
            Self::Map(fields) => Value::Map(
                fields
                    .iter()
                    .map(|(key, value)| entry(key, value.to_node()))
                    .collect(),
            ),
        };
        Node {
            span: nowhere(),
            value,
        }
    }
}

/// A text that stands for itself, with what would be a variable taken literally.
pub(super) fn literal(text: &str) -> String {
    if text.contains("${") || text.contains("$$") {
        text.replace('$', "$$")
    } else {
        text.to_owned()
    }
}

pub(super) fn entry(key: &str, node: Node) -> Entry {
    Entry {
        key: key.into(),
        key_span: nowhere(),
        node,
    }
}

/// Places are not compared.
fn nowhere() -> Span {
    Span::at(File::Users, 1, 1)
}

/// Whether two trees say the same.
pub(super) fn same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Value::List(one), Value::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Map(one), Value::Map(other)) => {
            let equal = |(one, other): (&Entry, &Entry)| {
                one.key == other.key && same(&one.node, &other.node)
            };
            one.len() == other.len() && one.iter().zip(other).all(equal)
        }
        _ => match (meaning(one), meaning(other)) {
            (Some(one), Some(other)) => one == other,
            _ => false,
        },
    }
}

/// What a scalar, or nothing, says: `a` and `"a"` are the same.
fn meaning(node: &Node) -> Option<(Scalar, &str)> {
    match &node.value {
        Value::Plain(text) => match resolve(text) {
            // `~` and nothing at all
            Scalar::Nothing => Some((Scalar::Nothing, "")),
            scalar @ (Scalar::Boolean(_) | Scalar::Integer(_) | Scalar::Real(_) | Scalar::Text) => {
                Some((scalar, text))
            }
        },
        Value::Quoted(text) => Some((Scalar::Text, text)),
        // the reader takes a map without entries for one
        Value::Map(entries) if entries.is_empty() => Some((Scalar::Nothing, "")),
        Value::List(_) | Value::Map(_) | Value::Broken => None,
    }
}

pub(super) fn is_nothing(node: &Node) -> bool {
    meaning(node).is_some_and(|(scalar, _)| scalar == Scalar::Nothing)
}

/// Whether a variable decides what the value is.
pub(super) fn names_variable(node: &Node) -> bool {
    matches!(&node.value, Value::Plain(text) | Value::Quoted(text) if text.replace("$$", "").contains("${"))
}

/// The member of a map.
pub(super) fn member<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    find_entry(node, key).map(|entry| &entry.node)
}

pub(super) fn find_entry<'n>(node: &'n Node, key: &str) -> Option<&'n Entry> {
    let Value::Map(entries) = &node.value else {
        return None;
    };
    entries.iter().find(|entry| &*entry.key == key)
}

/// The node that a path of keys, or of places in a list, leads to.
pub(super) fn find<'n>(root: &'n Node, path: &[impl AsRef<str>]) -> Option<&'n Node> {
    path.iter().try_fold(root, |node, key| match &node.value {
        Value::List(items) => items.get(key.as_ref().parse::<usize>().ok()?),
        Value::Plain(_) | Value::Quoted(_) | Value::Map(_) | Value::Broken => {
            member(node, key.as_ref())
        }
    })
}

pub(super) fn find_mut<'n>(root: &'n mut Node, path: &[Box<str>]) -> Option<&'n mut Node> {
    path.iter()
        .try_fold(root, |node, key| match &mut node.value {
            Value::Map(entries) => entries
                .iter_mut()
                .find(|entry| entry.key == *key)
                .map(|entry| &mut entry.node),
            Value::List(items) => items.get_mut(key.parse::<usize>().ok()?),
            Value::Plain(_) | Value::Quoted(_) | Value::Broken => None,
        })
}
