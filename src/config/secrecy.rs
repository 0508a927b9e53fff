//! Where in a file the secrets lie, and what may be one: a value is shown where its key is one of the configuration's
//! that holds no secret, and it has the shape that belongs there. Of a users file nothing else is shown.

use super::blocks::{Block, CREDENTIALS, Kind, TRACING, USERS, root_of};
use super::finding::nearest;
use super::shown::{
    REDACTED, is_random, is_reference, looks_secret, may_be_secret, may_name_secret, names_file,
    shown,
};
use super::span::{File, Span};
use super::yaml::{Entry, Node, Tree, Value};

/// The places of all secrets, those of refused duplicates included.
pub(super) fn secrets_of(tree: &Tree) -> Vec<Span> {
    let mut secrets = SecretPlaces::default();
    secrets.tree(tree);
    secrets.spans
}

/// A key as it may stand inside a message.
pub(super) fn shown_key(entry: &Entry) -> String {
    if is_random(&entry.key) || is_secret_in_braces(entry) {
        REDACTED.to_owned()
    } else {
        shown(&entry.key)
    }
}

/// A key that the block does not have, as it may stand inside a message.
pub(super) fn shown_unknown_key(entry: &Entry, block: &Block) -> String {
    if is_secret_for_key(entry, block) {
        REDACTED.to_owned()
    } else {
        shown_key(entry)
    }
}

/// Whether a key is a secret in braces: `{ SECRET }` is a map to YAML, with a key and no value.
fn is_secret_in_braces(entry: &Entry) -> bool {
    is_empty(&entry.node) && may_be_secret(&entry.key)
}

/// Whether a key is a secret in braces where a block is that holds secrets: there a short word may be one, too.
fn is_secret_for_key(entry: &Entry, block: &Block) -> bool {
    is_secret_in_braces(entry)
        || is_empty(&entry.node)
            && nearest(&entry.key, block.names()).is_none()
            && (entry.key_span.file == File::Users
                || block.holds_secrets()
                || block.has("base64url"))
}

fn is_empty(node: &Node) -> bool {
    matches!(&node.value, Value::Plain(text) if text.is_empty())
}

/// What a value may be, from where it stands.
#[derive(Clone, Copy)]
enum Secrecy {
    /// Under a key of the configuration, whose values are of this kind.
    Known(&'static Kind),
    /// Something else than belongs there, which may be a secret.
    Unknown,
    /// The name of a file, or the secret that belongs into it.
    FileName,
    /// A map of values of which each is a secret.
    Values,
    /// A list of kinds of credentials, under a key of which people think that credentials belong there.
    Credentials,
    Secret,
}

/// The places of secrets while a file is read.
#[derive(Default)]
pub(super) struct SecretPlaces {
    spans: Vec<Span>,
    /// What keys of blocks hold, as far as they were met: every user of a long list has the same few.
    met: Vec<(&'static Block, &'static str, Secrecy)>,
}

impl SecretPlaces {
    /// Adds those of a tree, or of what is left of it.
    pub(super) fn tree(&mut self, tree: &Tree) {
        let root = root_of(tree.root.span.file);
        self.node(&tree.root, Secrecy::Known(root));
        tree.dropped
            .iter()
            .for_each(|entry| self.unknown(entry, None));
    }

    /// Adds those of a user.
    pub(super) fn user(&mut self, entry: &Entry) {
        if let Some(users) = USERS.kind("users") {
            self.entry(entry, Secrecy::Known(users));
        }
    }

    /// All of them, in no order.
    pub(super) fn into_spans(self) -> Vec<Span> {
        self.spans
    }

    fn node(&mut self, node: &Node, secrecy: Secrecy) {
        match &node.value {
            Value::Plain(text) | Value::Quoted(text) => {
                if !text.is_empty() && (is_secret(text, secrecy) || looks_secret(text)) {
                    self.spans.push(node.span);
                }
            }
            Value::List(items) => {
                let inner = match secrecy {
                    Secrecy::Known(kind) => kind.elements().map_or(Secrecy::Secret, Secrecy::Known),
                    Secrecy::Unknown
                    | Secrecy::FileName
                    | Secrecy::Values
                    | Secrecy::Credentials
                    | Secrecy::Secret => secrecy,
                };
                items.iter().for_each(|item| self.node(item, inner));
            }
            Value::Map(entries) => entries.iter().for_each(|entry| self.entry(entry, secrecy)),
            // What was refused was never looked at.
            Value::Broken => self.spans.push(node.span),
        }
    }

    fn entry(&mut self, entry: &Entry, secrecy: Secrecy) {
        let secrecy = match secrecy {
            Secrecy::Known(kind) => match (kind.block(), kind.values()) {
                (Some(block), _) => return self.entry_of(block, entry),
                (None, Some(values)) => return self.named(entry, values),
                (None, None) if kind.is_anything() => Secrecy::Unknown,
                // another shape than what belongs there
                (None, None) => Secrecy::Secret,
            },
            Secrecy::Credentials => Secrecy::Secret,
            Secrecy::Unknown | Secrecy::FileName | Secrecy::Values | Secrecy::Secret => secrecy,
        };
        let covered = match secrecy {
            // how the bytes of a secret are written is none
            Secrecy::Secret => &*entry.key != "base64url",
            Secrecy::Values => is_empty(&entry.node),
            // braces in place of brackets
            Secrecy::FileName => may_be_secret(&entry.key),
            Secrecy::Known(_) | Secrecy::Unknown | Secrecy::Credentials => false,
        };
        if covered || looks_secret(&entry.key) || is_secret_in_braces(entry) {
            self.spans.push(entry.key_span);
        }
        let inner = match (secrecy, by_name(&entry.key)) {
            (Secrecy::Values, Some(Secrecy::FileName)) => Secrecy::FileName,
            (Secrecy::Secret | Secrecy::Values, _) => Secrecy::Secret,
            (_, Some(named)) => named,
            (Secrecy::FileName, None) => Secrecy::FileName,
            (Secrecy::Known(_) | Secrecy::Unknown | Secrecy::Credentials, None) => Secrecy::Unknown,
        };
        self.node(&entry.node, inner);
    }

    /// An entry whose key is a name that the operator chose.
    fn named(&mut self, entry: &Entry, kind: &'static Kind) {
        if looks_secret(&entry.key) || is_secret_in_braces(entry) {
            self.spans.push(entry.key_span);
        }
        // the fields of an answer, say; a service or a user may have such a name
        let secrecy = match kind.takes_scalar().then(|| by_name(&entry.key)) {
            Some(Some(Secrecy::Secret)) => Secrecy::Secret,
            Some(Some(_) | None) | None => Secrecy::Known(kind),
        };
        self.node(&entry.node, secrecy);
    }

    /// An entry of a map with known keys.
    fn entry_of(&mut self, block: &'static Block, entry: &Entry) {
        match self.known(block, entry) {
            Some(secrecy) => self.node(&entry.node, secrecy),
            None => self.unknown(entry, Some(block)),
        }
    }

    /// What the key holds, where it is one of the block's.
    fn known(&mut self, block: &'static Block, entry: &Entry) -> Option<Secrecy> {
        let is_it = |(of, key, _): &&(&'static Block, &'static str, Secrecy)| {
            std::ptr::eq(*of, block) && *key == &*entry.key
        };
        if let Some((.., secrecy)) = self.met.iter().find(is_it) {
            return Some(*secrecy);
        }
        let key = block.names().find(|name| *name == &*entry.key);
        let secrecy = known(block, &entry.key, entry.key_span.file)?;
        self.met.extend(key.map(|key| (block, key, secrecy)));
        Some(secrecy)
    }

    /// An entry whose key is none of the block's, or was given twice.
    fn unknown(&mut self, entry: &Entry, block: Option<&'static Block>) {
        let braces = block.map_or_else(
            || is_secret_in_braces(entry),
            |block| is_secret_for_key(entry, block),
        );
        if braces || looks_secret(&entry.key) {
            self.spans.push(entry.key_span);
        }
        let file = entry.key_span.file;
        let meant = || {
            let block = block?;
            known(
                block,
                block.names().find(|name| is_slip(&entry.key, name))?,
                file,
            )
        };
        let secrecy = match by_name(&entry.key) {
            _ if file == File::Users => Secrecy::Secret,
            Some(named) => named,
            None => meant().unwrap_or(Secrecy::Secret),
        };
        self.node(&entry.node, secrecy);
    }
}

/// Whether a key is another one but for one slip of the pen: what is farther away may mean anything.
pub(super) fn is_slip(key: &str, known: &str) -> bool {
    let folded = key.to_ascii_lowercase().replace('-', "_");
    key.len() <= 64 && strsim::osa_distance(&folded, known) <= 1
}

/// What a key of the block holds.
fn known(block: &Block, key: &str, file: File) -> Option<Secrecy> {
    let kind = block.kind(key)?;
    let is_free = |kind: &Kind| file == File::Users && kind.is_anything();
    Some(if kind.is_secret_of(key) {
        Secrecy::Secret
    } else if (block.name, key) == (TRACING.name, "headers")
        || is_free(kind)
        || kind.values().is_some_and(is_free)
    {
        Secrecy::Values
    } else if key == "credentials" && kind.elements().is_some() {
        Secrecy::Credentials
    } else {
        Secrecy::Known(kind)
    })
}

/// What a key may hold that the configuration does not have, where its name tells.
fn by_name(key: &str) -> Option<Secrecy> {
    if names_file(key) {
        Some(Secrecy::FileName)
    } else {
        may_name_secret(key).then_some(Secrecy::Secret)
    }
}

fn is_secret(text: &str, secrecy: Secrecy) -> bool {
    let secret = match secrecy {
        Secrecy::Known(kind) if kind.is_file() => may_be_secret(text),
        Secrecy::Known(kind) if kind.takes_scalar() => false,
        // one in place of a list of them
        Secrecy::Known(kind) => !kind.elements().is_some_and(Kind::takes_scalar),
        Secrecy::Unknown | Secrecy::FileName => may_be_secret(text),
        Secrecy::Credentials => !CREDENTIALS.iter().any(|(word, _)| is_slip(text, word)),
        Secrecy::Secret | Secrecy::Values => true,
    };
    secret && !is_reference(text)
}
