//! What may stand under a key, as far as it decides what of a value may be shown.

use std::slice;

use super::kinds::{FILE, NAME};
use super::{Block, GATEWAY, Kind, List, TEST, TESTS_FILE, USERS};
use crate::config::shown::{names_secret, names_token};
use crate::config::span::File;

static CONFIGURATION: Kind = Kind::Block(&GATEWAY);
static USER_LIST: Kind = Kind::Block(&USERS);
static TEST_LIST: Kind = Kind::Either(&[
    Kind::List(List::of(&Kind::Block(&TEST))),
    Kind::Block(&TESTS_FILE),
]);

/// What a file holds.
pub(in crate::config) fn root_of(file: File) -> &'static Kind {
    match file {
        File::Config | File::Environment => &CONFIGURATION,
        File::Users => &USER_LIST,
        File::Tests => &TEST_LIST,
    }
}

impl Block {
    /// The kind of a key's value.
    pub(in crate::config) fn kind(&self, key: &str) -> Option<&'static Kind> {
        let known = self.keys.iter().find(|known| known.name == key)?;
        Some(&known.kind)
    }

    /// The keys that are read, in the order in which messages list them.
    pub(in crate::config) fn names(&self) -> impl Iterator<Item = &'static str> {
        let read = self.keys.iter().filter(|key| !key.unread);
        read.map(|key| key.name)
    }

    /// The paths to the blocks in this one that have this key, such as `services.NAME`.
    pub(in crate::config) fn paths_to(&self, key: &str) -> Vec<String> {
        self.paths_where(&|block| block.has(key))
    }

    /// Where this block lies in this one.
    pub(in crate::config) fn paths_of(&self, wanted: &Block) -> Vec<String> {
        self.paths_where(&|block| std::ptr::eq(block, wanted))
    }

    fn paths_where(&self, is_wanted: &dyn Fn(&Block) -> bool) -> Vec<String> {
        let mut found = Vec::new();
        for own in self.keys {
            let (name, kind) = (own.name, &own.kind);
            let below = kind.values().or_else(|| kind.elements());
            let below = below.and_then(Kind::block);
            let within = [
                (name.to_owned(), kind.block()),
                (format!("{name}.NAME"), below),
            ];
            for (path, block) in within {
                let path = match kind.elements() {
                    Some(_) if path.ends_with(".NAME") => format!("{name}[]"),
                    Some(_) | None => path,
                };
                let Some(block) = block else { continue };
                if is_wanted(block) {
                    found.push(path.clone());
                }
                let inner = block.paths_where(is_wanted).into_iter();
                found.extend(inner.map(|rest| format!("{path}.{rest}")));
            }
        }
        found
    }

    /// Whether the block, or a block in it, has this key.
    pub(in crate::config) fn declares(&self, key: &str) -> bool {
        self.keys
            .iter()
            .any(|known| known.name == key || known.kind.declares(key))
    }

    /// Whether a key of the block, or of a block in it, holds a secret.
    pub(in crate::config) fn holds_secrets(&self) -> bool {
        self.keys
            .iter()
            .any(|key| key.kind.is_secret_of(key.name) || key.kind.holds_secrets())
    }
}

impl Kind {
    /// Whether a value of this kind is a secret where it stands under a key of this name.
    pub(in crate::config) fn is_secret_of(&self, key: &str) -> bool {
        (names_secret(key) || names_token(key)) && self.takes_text()
    }

    /// Whether it is the name of a file.
    pub(in crate::config) fn is_file(&self) -> bool {
        self.name().is_some() && self.name() == FILE.name()
    }

    /// Whether anything at all may stand there.
    pub(in crate::config) fn is_anything(&self) -> bool {
        matches!(self, Self::Any)
    }

    /// Whether one value without a list or a map around it may stand there.
    pub(in crate::config) fn takes_scalar(&self) -> bool {
        match self.alternatives() {
            [] => !matches!(self, Self::List(_) | Self::Map(_) | Self::Block(_)),
            kinds => kinds.iter().any(Self::takes_scalar),
        }
    }

    /// The kind of a list's elements.
    pub(in crate::config) fn elements(&self) -> Option<&'static Kind> {
        if let Self::List(list) = self {
            return Some(list.of);
        }
        self.alternatives().iter().find_map(Self::elements)
    }

    /// The kind of the values in a map whose keys the operator chooses.
    pub(in crate::config) fn values(&self) -> Option<&'static Kind> {
        if let Self::Map(map) = self {
            return Some(map.of);
        }
        self.alternatives().iter().find_map(Self::values)
    }

    /// The map with known keys.
    pub(in crate::config) fn block(&self) -> Option<&'static Block> {
        if let Self::Block(block) = self {
            return Some(block);
        }
        self.alternatives().iter().find_map(Self::block)
    }

    /// Whether some block in it has a key that holds a secret.
    pub(in crate::config) fn holds_secrets(&self) -> bool {
        self.block().is_some_and(Block::holds_secrets)
            || self.within().is_some_and(Self::holds_secrets)
    }

    fn declares(&self, key: &str) -> bool {
        self.block().is_some_and(|block| block.declares(key))
            || self.within().is_some_and(|kind| kind.declares(key))
    }

    fn within(&self) -> Option<&'static Self> {
        self.elements().or_else(|| self.values())
    }

    /// Whether any text may stand there, and not only a number, a word of a few or the name of a file.
    fn takes_text(&self) -> bool {
        match self {
            Self::Filled | Self::Short | Self::Pattern(_) => true,
            Self::Scalar(types) => types.contains(&"string"),
            Self::Either(kinds) => kinds.iter().any(Self::takes_text),
            Self::Named(_) => self.name() == NAME.name(),
            Self::Any
            | Self::Only(_)
            | Self::Choice(_)
            | Self::Natural
            | Self::Share
            | Self::Integer(..)
            | Self::List(_)
            | Self::Map(_)
            | Self::Block(_) => false,
        }
    }

    /// The kinds of which it is one.
    fn alternatives(&self) -> &'static [Self] {
        if let Self::Either(kinds) = self {
            return kinds;
        }
        if let Self::Named(named) = self {
            return slice::from_ref(&named.kind);
        }
        &[]
    }

    fn name(&self) -> Option<&'static str> {
        if let Self::Named(named) = self {
            return Some(named.name);
        }
        None
    }
}
