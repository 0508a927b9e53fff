//! A service, but for its `upstream` and its rules.

use super::choices::{AUTHORIZATION, CACHE, words};
use super::kinds::{ABSOLUTE_PATH, BOOLEAN, CREDENTIALS, DURATION, LINTS, METHODS, MODE, NAME, ORIGIN, SIZE, TEXTS};
use super::proxy::UPSTREAM;
use super::rules::{RATE, RULE};
use super::{Block, Key, Kind, List, Map, Shown};

pub(in crate::config) static SERVICE: Block = Block {
    name: "service",
    meaning: "One service: where it is, and who may do what.",
    nullable: false,
    rules: &[],
    keys: &[
        Key::new("hosts", Kind::List(TEXTS.filled()),
            "The hosts it answers for, such as `jobs.example.com` or `*.example.com`; any by default."),
        Key::new("path", ABSOLUTE_PATH,
            "Where it is mounted: a literal path. The longest match over host, then path, wins.").default(Shown::Text("/")),
        Key::new("strip_path", BOOLEAN, "Whether the mount is taken off before forwarding.").default(Shown::Flag(false)),
        Key::new("upstream", Kind::Either(&[ORIGIN, Kind::Block(&UPSTREAM)]),
            "Where requests go: one server, or the block in full.").required(),
        Key::new("rules", Kind::List(List::of(&Kind::Block(&RULE))),
            "Who may do what. The most specific rule that covers a request decides, whatever the order; what no rule covers is refused."),
        Key::new("mode", MODE, "").default(Shown::Text("enforce")),
        Key::new("case_insensitive", BOOLEAN, "Whether `/Jobs` and `/jobs` are the same path to the service.").default(Shown::Flag(false)),
        Key::new("paths", Kind::Block(&PATHS), ""),
        Key::new("identity", Kind::Block(&IDENTITY), ""),
        Key::new("limits", Kind::Block(&SERVICE_LIMITS), ""),
        Key::new("rate", Kind::Block(&RATE), ""),
        Key::new("cors", Kind::Block(&CORS), ""),
        Key::new("response_headers", Kind::Map(Map::of(&Kind::Scalar(&["string", "number", "boolean", "null"])).nullable()),
            "Headers of every answer on the service's paths: a value sets one, nothing takes it out.")
            .examples(&[Shown::Map(&[("Strict-Transport-Security", Some("max-age=31536000")), ("Server", None)])]),
        Key::new("rewrite_location", BOOLEAN,
            "Whether `Location` and `Content-Location` that name the service's own address, or a path without the mount that `strip_path` takes off, are written as clients have to ask.")
            .default(Shown::Flag(true)),
        Key::new("cache", Kind::Choice(|| words(CACHE)),
            "Answers to one caller: marked `Cache-Control: private` where a shared cache could hand them to others, or passed as they are.")
            .default(Shown::Text("private")),
        Key::new("credentials", CREDENTIALS, "Which credentials identify its callers; by default those of `auth.credentials`."),
        Key::new("login_redirect", BOOLEAN,
            "Whether a browser without a valid credential is sent to the sign-in page.").default(Shown::Flag(true)),
        Key::new("openapi", Kind::Block(&OPENAPI), ""),
        Key::new("allow_lints", LINTS, ""),
    ],
};

pub(in crate::config) static PATHS: Block = Block {
    name: "paths",
    meaning: "What paths may hold beyond the strict default; each of these gives up a guarantee.",
    nullable: true,
    rules: &[],
    keys: &[
        Key::new("allow_encoded_slash", BOOLEAN, "`%2F` inside a segment.").default(Shown::Flag(false)),
        Key::new("allow_encoded_reserved", BOOLEAN, "`%5C`, `%23`, `%3F` and `%3B` inside a segment.").default(Shown::Flag(false)),
        Key::new("allow_semicolon", BOOLEAN, "A raw `;`.").default(Shown::Flag(false)),
        Key::new("merge_slashes", BOOLEAN, "`//` is read, and forwarded, as `/`.").default(Shown::Flag(false)),
    ],
};

pub(in crate::config) static IDENTITY: Block = Block {
    name: "identity",
    meaning: "What the service is told about the caller.",
    nullable: true,
    rules: &[],
    keys: &[
        Key::new("headers", Kind::Map(Map::of(&NAME)),
            "The headers it gets, each with what it carries: `sub`, `roles`, `name`, `email`, or the name of a claim.")
            .default(Shown::Map(&[("Remote-User", Some("sub")), ("Remote-Groups", Some("roles")), ("Remote-Name", Some("name")), ("Remote-Email", Some("email"))])),
        Key::new("separator", Kind::Filled, "What stands between two roles.").default(Shown::Text(",")),
        Key::new("authorization", Kind::Choice(|| words(AUTHORIZATION)),
            "What becomes of the credential that the gateway used.").default(Shown::Text("remove")),
        Key::new("pass", Kind::List(TEXTS), "Identity headers of other proxies that clients may send.").default(Shown::List(&[])),
    ],
};

pub(in crate::config) static SERVICE_LIMITS: Block = Block {
    name: "service_limits",
    meaning: "Limits of this service.",
    nullable: true,
    rules: &[],
    keys: &[
        Key::new("body", SIZE, "Bytes of a request's body; the smaller of this and the server's counts."),
    ],
};

pub(in crate::config) static CORS: Block = Block {
    name: "cors",
    meaning: "Which pages of other origins may call; preflights are answered before authentication.",
    nullable: false,
    rules: &[],
    keys: &[
        Key::new("origins", Kind::Either(&[Kind::Filled, Kind::List(List::of(&Kind::Pattern(r"^https?://|\$\{")).filled().distinct())]),
            r#"Their origins, such as `https://app.example.com`; `"*"` is everybody's."#)
            .required().examples(&[Shown::List(&["https://app.example.com"])]),
        Key::new("methods", METHODS,
            "The methods a page may use.").default(Shown::List(&["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])),
        Key::new("headers", Kind::List(TEXTS), "The headers a page may send; whatever it asks for by default."),
        Key::new("expose", Kind::List(TEXTS), "Further headers of an answer that a page may read.").default(Shown::List(&[])),
        Key::new("credentials", BOOLEAN,
            "Whether the browser may send cookies along; never with every origin.").default(Shown::Flag(false)),
        Key::new("max_age", DURATION, "How long a browser may remember the answer to a preflight.").default(Shown::Text("10m")),
    ],
};

pub(in crate::config) static OPENAPI: Block = Block {
    name: "openapi",
    meaning: "The service's OpenAPI document, served with what the rules ask and with the Authorize button.",
    nullable: false,
    rules: &[],
    keys: &[
        Key::new("path", ABSOLUTE_PATH, "Where the service has it.").required().examples(&[Shown::Text("/openapi.json")]),
    ],
};
