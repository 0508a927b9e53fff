//! Rules, and the `tests` of them.

use super::choices::{ALLOW_WORDS, COUNTED_BY, VERDICTS, words};
use super::kinds::{
    BOOLEAN, DURATION, LINTS, METHODS, MODE, NAME, NAMES, NETWORK, PATH, TEXT, VARIABLE,
};
use super::{Block, Key, Kind, List, Map, Rule, Shown};

pub(in crate::config) static RULE: Block = Block {
    name: "rule",
    meaning: "Who may send which requests.",
    nullable: false,
    rules: &[],
    keys: &[
        Key::new("path", PATH, "").required(),
        Key::new("methods", METHODS,
            "The methods it covers; all by default. `GET` covers `HEAD`.")
            .examples(&[Shown::List(&["GET"]), Shown::List(&["POST", "PUT"])]),
        Key::new("name", NAME, "The name in logs, metrics and messages; by default the methods and the path."),
        Key::new("allow", Kind::Either(&[Kind::Choice(|| ALLOW_WORDS.to_vec()), Kind::Block(&CONDITION), Kind::List(List::of(&Kind::Block(&CONDITION)).filled())]),
            "Whom a rule lets in: everybody, those who are known, no one, or those for whom a condition of the list holds.").required(),
        Key::new("mode", MODE, "").default(Shown::Text("enforce")),
        Key::new("rate", Kind::Block(&RATE), ""),
        Key::new("allow_lints", LINTS, ""),
    ],
};

pub(in crate::config) static RATE: Block = Block {
    name: "rate",
    meaning: "How many requests a caller may send: a bucket of `requests` and `burst`, which fills with `requests` in `per`. More get 429. A rule's rate and its service's both count.",
    nullable: false,
    rules: &[],
    keys: &[
        Key::new("requests", Kind::Integer(1, 1_000_000), "How many come back in `per`.").required(),
        Key::new("per", DURATION, "In which time, from `1s` to `1d`.").required().examples(&[Shown::Text("1m")]),
        Key::new("burst", Kind::Integer(0, 1_000_000), "How many more may come at once after a pause.").default(Shown::Number(0)),
        Key::new("by", Kind::Choice(|| words(COUNTED_BY)),
            "Whose requests share a bucket: a user's (without an identity, an address's), an address's (of IPv6, a /64's), or all.")
            .default(Shown::Text("user")),
    ],
};

pub(in crate::config) static CONDITION: Block = Block {
    name: "condition",
    meaning: "All of its entries must hold.",
    nullable: false,
    rules: &[Rule::NotBoth("user", "users"), Rule::NotEmpty],
    keys: &[
        Key::new("roles", Kind::List(NAMES.filled()), "The caller has one of these."),
        Key::new("all_roles", Kind::List(NAMES.filled()), "The caller has all of these."),
        Key::new("user", NAME, r#"The caller is this user, or the one that a segment of the path names: `"{id}"`."#),
        Key::new("users", Kind::List(NAMES.filled()), "The caller is one of these."),
        Key::new("networks", Kind::List(List::of(&NETWORK).filled()),
            "The client's address lies in one of these. Alone it asks for no identity."),
        Key::new("claims", Kind::Map(Map::of(&Kind::Scalar(&["string", "integer", "boolean"])).filled()),
            r#"Each claim of the caller has this value, or the one that a segment of the path names: `"{tenant}"`."#),
        Key::new("second_factor", Kind::Either(&[Kind::Only(Shown::Flag(true)), VARIABLE]),
            "The caller has shown a second factor when signing in. Who has not is asked to (RFC 9470).")
            .examples(&[Shown::Flag(true)]),
        Key::new("max_age", DURATION,
            "The caller has signed in at most so long ago. Who has not is asked to sign in again (RFC 9470).")
            .examples(&[Shown::Text("15m")]),
    ],
};

pub(in crate::config) static TEST: Block = Block {
    name: "test",
    meaning: "A request and what must become of it.",
    nullable: false,
    rules: &[],
    keys: &[
        Key::new("name", NAME, "What it is called in reports."),
        Key::new("request", Kind::Pattern(r"^[A-Z]+ |\$\{"),
            "A method and a path, or a whole URL.")
            .required().examples(&[Shown::Text("POST /jobs"), Shown::Text("GET https://jobs.example.com/jobs")]),
        Key::new("destination", Kind::Filled,
            "WebDAV's `Destination` of a `COPY` or `MOVE`: a path, or a whole URL where the request is one. Both must be allowed.")
            .examples(&[Shown::Text("/dav/b")]),
        Key::new("as", Kind::Either(&[NAME, Kind::Block(&TEST_CALLER)]),
            "Who asks: a user of the users file, or somebody with these traits; nobody who is known by default."),
        Key::new("expect", Kind::Choice(|| words(VERDICTS)), "What the gateway decides.").required(),
    ],
};

pub(in crate::config) static TEST_CALLER: Block = Block {
    name: "test_caller",
    meaning: "Somebody with these traits; what is left out of a listed user is as in the users file.",
    nullable: false,
    rules: &[],
    keys: &[
        Key::new("user", NAME, "The name; of a listed user, or of anybody."),
        Key::new("roles", Kind::List(NAMES), "The roles."),
        Key::new("claims", Kind::Map(Map::of(&Kind::Any)), "The claims, for rules that ask for `claims`."),
        Key::new("address", TEXT, "The client's IP address."),
        Key::new("second_factor", BOOLEAN, "Whether a second factor was shown at the sign-in; by default none was."),
        Key::new("age", DURATION, "How long ago the sign-in was; by default it is new.").examples(&[Shown::Text("20m")]),
    ],
};

/// A file of `tests` for `gatelatch test`, which has no schema of its own.
pub(in crate::config) static TESTS_FILE: Block = Block {
    name: "tests.yaml",
    meaning: "Cases that are run in place of those of the configuration.",
    nullable: false,
    rules: &[],
    keys: &[
        Key::new("tests", Kind::List(List::of(&Kind::Block(&TEST))), "The cases.").required(),
    ],
};
