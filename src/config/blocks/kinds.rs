//! Kinds of values that many keys have.

use super::choices::{MODES, algorithms, words};
use super::{Kind, List, Named, Shown};

pub(super) const TEXT: Kind = Kind::Scalar(&["string"]);
pub(super) const VARIABLE: Kind = Kind::Named(&Named {
    name: "variable",
    meaning: "A value from the environment, such as `${PORT}` or `${PORT:-8080}`.",
    kind: Kind::Pattern(r"\$\{"),
    examples: &[],
});
pub(super) const BOOLEAN: Kind = Kind::Named(&Named {
    name: "boolean",
    meaning: "",
    kind: Kind::Either(&[Kind::Scalar(&["boolean"]), VARIABLE]),
    examples: &[],
});
pub(super) const DURATION: Kind = Kind::Named(&Named {
    name: "duration",
    meaning: "A whole number and one unit: `500ms`, `10s`, `15m`, `8h` or `7d`.",
    kind: Kind::Pattern(r"^[0-9]+(ms|s|m|h|d)$|\$\{"),
    examples: &[],
});
pub(super) const SIZE: Kind = Kind::Named(&Named {
    name: "size",
    meaning: "Bytes, or a whole number and one unit: `16KiB`, `10MiB` or `1GiB`.",
    kind: Kind::Either(&[Kind::Natural, Kind::Pattern(r"^[0-9]+(KiB|MiB|GiB)?$|\$\{")]),
    examples: &[],
});
pub(super) const NETWORK: Kind = Kind::Named(&Named {
    name: "network",
    meaning: "A network such as `10.0.0.0/8` or `fd00::/8`, or a single address.",
    kind: TEXT,
    examples: &[],
});
pub(super) const PATH: Kind = Kind::Named(&Named {
    name: "path",
    meaning: "A path pattern, matched segment by segment: literals, `*` or `{name}` for one segment, `/**` at the end for any number of segments.",
    kind: ABSOLUTE_PATH,
    examples: &[],
});
pub(super) const FILE: Kind = Kind::Named(&Named {
    name: "file",
    meaning: "A file; a relative path is relative to the file that names it.",
    kind: Kind::Filled,
    examples: &[],
});
pub(super) const NAME: Kind = Kind::Named(&Named {
    name: "name",
    meaning: "A short text without spaces around it.",
    kind: Kind::Short,
    examples: &[],
});
pub(super) const CLAIM: Kind = Kind::Named(&Named {
    name: "claim",
    meaning: "A claim of tokens, or a path of names with dots between them, such as `realm_access.roles`. A name that holds dots is written in quotes: `resource_access.\"my.client\".roles`.",
    kind: Kind::Short,
    examples: &[],
});
pub(super) const LINTS: Kind = Kind::Named(&Named {
    name: "lints",
    meaning: "Warnings of `check` that were thought about here, by name, such as `method-fall-through`.",
    kind: Kind::List(List::of(&Kind::Pattern("^[a-z0-9-]+$"))),
    examples: &[],
});
pub(super) const MODE: Kind = Kind::Named(&Named {
    name: "mode",
    meaning: "`report`: what rules deny is logged, counted and forwarded all the same.",
    kind: Kind::Choice(|| words(MODES)),
    examples: &[],
});
pub(super) const ALGORITHM: Kind = Kind::Named(&Named {
    name: "algorithm",
    meaning: "The signature algorithm.",
    kind: Kind::Choice(algorithms),
    examples: &[],
});
pub(super) const ORIGIN: Kind = Kind::Named(&Named {
    name: "origin",
    meaning: "A server: `http://host:port`, `https://host:port`, `h2c://host:port` or `unix:/path`.",
    kind: Kind::Pattern(r"^(http|https|h2c)://|^unix:|\$\{"),
    examples: &[Shown::Text("http://127.0.0.1:9000")],
});

/// Kinds of credentials.
pub(super) const CREDENTIALS: Kind = Kind::List(
    List::of(&Kind::Choice(|| words(super::choices::CREDENTIALS)))
        .filled()
        .distinct(),
);
pub(super) const URL: Kind = Kind::Named(&Named {
    name: "url",
    meaning: "An absolute URL: `https://`, or `http://` on this machine.",
    kind: Kind::Pattern(r"^https?://|\$\{"),
    examples: &[Shown::Text("https://idp.example.com")],
});

pub(super) const ABSOLUTE_PATH: Kind = Kind::Pattern(r"^/|\$\{");
pub(super) const METHOD: Kind = Kind::Pattern(r"^[A-Z]|\$\{");
/// Texts, each once.
pub(super) const TEXTS: List = List::of(&Kind::Filled).distinct();
pub(super) const NAMES: List = List::of(&NAME).distinct();
pub(super) const METHODS: Kind = Kind::List(List::of(&METHOD).filled().distinct());
