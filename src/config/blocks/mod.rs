//! The blocks of both files as data: which keys each has, what is written there, by default and what for. From them
//! come the keys that a [`Section`](super::section::Section) takes, the JSON Schemas, and through those the reference.

// one line a key
#[rustfmt::skip]
mod auth;
mod choices;
mod kinds;
#[rustfmt::skip]
mod ldap;
#[rustfmt::skip]
mod providers;
#[rustfmt::skip]
mod proxy;
#[rustfmt::skip]
mod rules;
mod schema;
#[rustfmt::skip]
mod server;
#[rustfmt::skip]
mod services;
mod shape;
#[rustfmt::skip]
mod users;

use std::ops::RangeInclusive;

pub(super) use self::auth::{
    AUTH, CLIENT, ISSUER, ISSUER_AUDIENCE, LOGIN, PASSKEYS, PREVIOUS_KEY, RESOURCE_METADATA,
    SECRET_OCTETS, SESSION, TOKEN,
};
pub(super) use self::choices::{
    ALLOW_WORDS, AT_START, AUTHORIZATION, BALANCE, CACHE, CHANGE_PASSWORD, COUNTED_BY, CREDENTIALS,
    FORWARDED, HOST, LEEWAYS, LIFETIMES, LOG_FORMATS, LOG_LEVELS, LOGOUT_MODE, MAX_PREVIOUS_KEYS,
    MODES, PROXIED_TLS, PROXY_MODE, REFRESHES, SAME_SITE, SECOND_FACTOR, SECRET_METHOD, SECURE,
    SUBJECT_CLAIM, TRUST_CONTEXT, USERS_MODE, VERDICTS, VERIFY,
};
pub(super) use self::ldap::{LDAP, LDAP_GROUPS, LDAP_USERS};
pub(super) use self::providers::{
    PROVIDER, PROVIDER_ALLOW, PROVIDER_ENDPOINTS, PROVIDER_SECOND_FACTOR,
};
pub(super) use self::proxy::{UPSTREAM, UPSTREAM_HEALTH, UPSTREAM_TIMEOUTS, UPSTREAM_TLS};
pub(super) use self::rules::{CONDITION, RATE, RULE, TEST, TEST_CALLER, TESTS_FILE};
pub use self::schema::{gateway_schema, users_schema};
pub(super) use self::server::{
    ADMIN, GATEWAY, LOG, PROXY_PROTOCOL, SERVER, SERVER_LIMITS, SERVER_TIMEOUTS, SERVER_TLS, STATE,
    TRACING,
};
pub(super) use self::services::{CORS, IDENTITY, OPENAPI, PATHS, SERVICE, SERVICE_LIMITS};
pub(super) use self::shape::root_of;
pub(super) use self::users::{API_KEY, AUTHELIA_ATTRIBUTES, USER, USERS};

/// A map with known keys.
#[derive(Debug)]
pub(super) struct Block {
    /// The name of its definition in the schema.
    pub(super) name: &'static str,
    pub(super) meaning: &'static str,
    /// In the order in which messages and the reference list them.
    pub(super) keys: &'static [Key],
    /// Whether nothing at all may be written in its place.
    pub(super) nullable: bool,
    pub(super) rules: &'static [Rule],
}

/// What keys of a block ask of each other.
#[derive(Debug)]
pub(super) enum Rule {
    /// Two spellings of one thing, of which one may be given.
    NotBoth(&'static str, &'static str),
    /// Each only beside the other.
    Together(&'static str, &'static str),
    /// The first only beside one of the others, and these only beside the first.
    WithOneOf(&'static str, &'static [&'static str]),
    /// At least one key.
    NotEmpty,
    /// At least one of these.
    OneOf(&'static [&'static str]),
    /// Where `key` has one of these values, one of the others must be given.
    Needs {
        key: &'static str,
        values: fn() -> Vec<&'static str>,
        one_of: &'static [&'static str],
    },
}

/// A key of a block.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    kind: Kind,
    /// Empty where the kind says it.
    meaning: &'static str,
    required: bool,
    /// Taken without being read, and not proposed.
    unread: bool,
    default: Option<Shown>,
    examples: &'static [Shown],
}

/// A value as it may be written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shown {
    Nothing,
    Flag(bool),
    Number(u64),
    Text(&'static str),
    List(&'static [&'static str]),
    /// `None` is `null`.
    Map(&'static [(&'static str, Option<&'static str>)]),
}

/// What may be written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Any,
    /// Scalars of these types of JSON Schema.
    Scalar(&'static [&'static str]),
    /// A text that holds something.
    Filled,
    /// One of up to 255 bytes.
    Short,
    /// A text of this form.
    Pattern(&'static str),
    /// Exactly this.
    Only(Shown),
    /// One of a few words, or a variable.
    Choice(fn() -> Vec<&'static str>),
    /// A whole number that is not negative.
    Natural,
    /// A number from 0 to 1, or a variable.
    Share,
    /// A whole number from one to another, or a variable.
    Integer(u64, u64),
    /// One of these kinds.
    Either(&'static [Kind]),
    List(List),
    Map(Map),
    Block(&'static Block),
    /// A kind with a name of its own in the schema.
    Named(&'static Named),
}

/// A kind that many keys have.
#[derive(Debug)]
pub(super) struct Named {
    name: &'static str,
    meaning: &'static str,
    kind: Kind,
    examples: &'static [Shown],
}

/// A list of values of one kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    of: &'static Kind,
    filled: bool,
    distinct: bool,
    nullable: bool,
    most: Option<usize>,
}

/// A map whose keys the operator chooses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Map {
    of: &'static Kind,
    names: Option<&'static str>,
    filled: bool,
    nullable: bool,
}

impl Block {
    /// Whether the block has this key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|known| known.name == key)
    }

    /// The range of a whole number.
    pub(super) fn range(&self, key: &str) -> Option<RangeInclusive<u64>> {
        let key = self.keys.iter().find(|known| known.name == key)?;
        let range = key.kind.range();
        debug_assert!(range.is_some(), "`{}` has no range", key.name);
        range
    }
}

impl Kind {
    fn range(&self) -> Option<RangeInclusive<u64>> {
        match *self {
            Self::Integer(low, high) => Some(low..=high),
            Self::Either(kinds) => kinds.iter().find_map(Self::range),
            Self::Any
            | Self::Scalar(_)
            | Self::Filled
            | Self::Short
            | Self::Pattern(_)
            | Self::Only(_)
            | Self::Choice(_)
            | Self::Natural
            | Self::Share
            | Self::List(_)
            | Self::Map(_)
            | Self::Block(_)
            | Self::Named(_) => None,
        }
    }
}

impl Key {
    const fn new(name: &'static str, kind: Kind, meaning: &'static str) -> Self {
        Self {
            name,
            kind,
            meaning,
            required: false,
            unread: false,
            default: None,
            examples: &[],
        }
    }

    const fn required(self) -> Self {
        Self {
            required: true,
            ..self
        }
    }

    const fn unread(self) -> Self {
        Self {
            unread: true,
            ..self
        }
    }

    const fn default(self, default: Shown) -> Self {
        Self {
            default: Some(default),
            ..self
        }
    }

    const fn examples(self, examples: &'static [Shown]) -> Self {
        Self { examples, ..self }
    }
}

impl List {
    const fn of(of: &'static Kind) -> Self {
        Self {
            of,
            filled: false,
            distinct: false,
            nullable: false,
            most: None,
        }
    }

    const fn filled(self) -> Self {
        Self {
            filled: true,
            ..self
        }
    }

    const fn distinct(self) -> Self {
        Self {
            distinct: true,
            ..self
        }
    }

    const fn nullable(self) -> Self {
        Self {
            nullable: true,
            ..self
        }
    }
}

impl Map {
    const fn of(of: &'static Kind) -> Self {
        Self {
            of,
            names: None,
            filled: false,
            nullable: false,
        }
    }

    const fn filled(self) -> Self {
        Self {
            filled: true,
            ..self
        }
    }

    const fn nullable(self) -> Self {
        Self {
            nullable: true,
            ..self
        }
    }
}
