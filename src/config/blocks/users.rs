//! The users file.

use super::kinds::{BOOLEAN, FILE, NAME, NAMES, TEXT};
use super::{Block, Key, Kind, List, Map, Rule, Shown};

pub(in crate::config) static USERS: Block = Block {
    name: "users.yaml",
    meaning: "Who may log in. A change counts within a moment, without a restart.",
    nullable: false,
    rules: &[],
    keys: &[
        Key::new("users", Kind::Map(Map { names: Some(r"^\S{1,255}$"), ..Map::of(&Kind::Block(&USER)).nullable() }),
            "The users, by name: visible characters without spaces. The name is the `sub` of tokens.").required(),
    ],
};

/// What else a user of Authelia's file has (4.39). It is taken, so that the file can be used as it is, and not read.
pub(in crate::config) const AUTHELIA_ATTRIBUTES: [&str; 15] = [
    "given_name", "family_name", "middle_name", "nickname", "gender", "birthdate", "website", "profile",
    "picture", "zoneinfo", "locale", "phone_number", "phone_extension", "address", "extra",
];

const MOMENT: Kind = Kind::Either(&[Kind::Pattern(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ].*Z$|\$\{"), Kind::Natural]);

pub(in crate::config) static USER: Block = Block {
    name: "user",
    meaning: "One user.",
    nullable: true,
    rules: &[Rule::NotBoth("password", "password_file"), Rule::NotBoth("roles", "groups"), Rule::NotBoth("name", "displayname")],
    keys: &[
        Key::new("password", Kind::Pattern(r"^(\{[A-Za-z0-9@._-]+\}|bcrypt\$?)?\$2[aby]\$|^(\{[A-Za-z0-9@._-]+\}|argon2)?\$argon2id\$|\$\{"),
            "A bcrypt hash, from `gatelatch hash`, or an argon2id hash, also as Dovecot, OpenLDAP, Spring and Django write them: `{CRYPT}$2y$…`, `argon2$argon2id$…`. Without one, nobody logs in as this user.")
            .examples(&[Shown::Text("$2b$12$…")]),
        Key::new("password_file", FILE, "A file with the hash; a relative path is relative to this file."),
        Key::new("totp", Kind::Pattern(r"^[A-Za-z2-7 -]{16,}=*$|\$\{"),
            "The secret of an authenticator app, in base32, from `gatelatch user add-totp`. With one, a code of the app is asked for after the password."),
        Key::new("roles", Kind::List(NAMES), "What rules ask for.").default(Shown::List(&[])),
        Key::new("groups", Kind::List(NAMES), "Another name of `roles`."),
        Key::new("name", NAME, "The display name."),
        Key::new("displayname", NAME, "Another name of `name`."),
        Key::new("email", NAME, "The mail address."),
        Key::new("disabled", BOOLEAN, "A disabled user can neither log in nor use a token.").default(Shown::Flag(false)),
        Key::new("api_keys", Kind::List(List::of(&Kind::Block(&API_KEY)).nullable()),
            "Keys of programs that act as this user; `gatelatch user add-key` makes them."),
        Key::new("claims", Kind::Map(Map::of(&Kind::Any).nullable()),
            "Further facts, copied into tokens and compared by `claims` of rules."),
        Key::new("created", MOMENT,
            "Since when the name is this user's, as `gatelatch user add` writes it: sessions, tokens and second factors from before are of somebody else who had the name, and do not count. A time in UTC, or seconds since 1970.")
            .examples(&[Shown::Text("2026-01-01T00:00:00Z")]),
        Key::new("tokens_valid_after", MOMENT,
            "Tokens from before this moment are refused: a time in UTC, or seconds since 1970.")
            .examples(&[Shown::Text("2026-01-01T00:00:00Z")]),
        unread(0), unread(1), unread(2), unread(3), unread(4), unread(5), unread(6), unread(7),
        unread(8), unread(9), unread(10), unread(11), unread(12), unread(13), unread(14),
    ],
};

const fn unread(index: usize) -> Key {
    Key::new(AUTHELIA_ATTRIBUTES[index], Kind::Any, "Of Authelia's file; taken and not read.").unread()
}

pub(in crate::config) static API_KEY: Block = Block {
    name: "api_key",
    meaning: "A key of a program; the file has its hash only.",
    nullable: false,
    rules: &[],
    keys: &[
        Key::new("name", NAME, "What it is called in logs.").required(),
        Key::new("hash", Kind::Pattern(r"^sha256:|\$\{"), "`sha256:` and the hash of the key.").required(),
        Key::new("roles", Kind::List(NAMES), "Its roles, in place of the user's."),
        Key::new("expires", TEXT, "From when on it is refused: a date, or a time in UTC."),
    ],
};
