//! `auth.ldap` and what lies in it.

use super::kinds::{BOOLEAN, DURATION, FILE, NAMES};
use super::{Block, Key, Kind, List, Map, Rule, Shown};

const ATTRIBUTE: Kind = Kind::Pattern(r"^([A-Za-z]|[0-9]+\.)[A-Za-z0-9._;-]*$|\$\{");

pub(in crate::config) static LDAP: Block = Block {
    name: "ldap",
    meaning: "An LDAP directory whose people may sign in with their passwords. Names of the users file come first.",
    nullable: true,
    rules: &[Rule::NotBoth("bind_password", "bind_password_file"), Rule::WithOneOf("bind_dn", &["bind_password", "bind_password_file"])],
    keys: &[
        Key::new("url", Kind::Pattern(r"^[lL][dD][aA][pP][sS]?://|\$\{"),
            "Where it is: `ldaps://host`, or `ldap://host` with `starttls`. In the clear it may be on this very machine only.").required()
            .examples(&[Shown::Text("ldaps://ldap.example.com")]),
        Key::new("starttls", BOOLEAN, "Whether TLS is begun on `ldap://`; without it nothing is sent.").default(Shown::Flag(false)),
        Key::new("ca", FILE, "The certificates of the authorities, in PEM, that its certificate is verified by, in place of those that the system trusts."),
        Key::new("bind_dn", Kind::Filled, "Who searches; without it the search is anonymous.")
            .examples(&[Shown::Text("cn=gatelatch,ou=services,dc=example,dc=com")]),
        Key::new("bind_password", Kind::Filled, "The password of `bind_dn`; rather name a file or a variable."),
        Key::new("bind_password_file", FILE, "A file with the password of `bind_dn`."),
        Key::new("users", Kind::Block(&LDAP_USERS), "").required(),
        Key::new("groups", Kind::Block(&LDAP_GROUPS), ""),
        Key::new("roles", Kind::Map(Map { names: Some("^.+$"), ..Map::of(&Kind::List(List { filled: true, ..NAMES })) }),
            "The roles that a group is worth: by its name in any case, by its distinguished name, or `\"*\"` for everybody. Left out: the names of the groups are the roles."),
        Key::new("refresh", DURATION, "How often somebody who is signed in with a browser is looked up again.").default(Shown::Text("15m")),
        Key::new("timeout", DURATION, "For everything that one login asks of it, the connection included.").default(Shown::Text("5s")),
    ],
};

pub(in crate::config) static LDAP_USERS: Block = Block {
    name: "ldap_users",
    meaning: "Where people are in the directory, and which attributes say who they are.",
    nullable: false,
    rules: &[],
    keys: &[
        Key::new("base", Kind::Filled, "They lie at or below this entry.").required()
            .examples(&[Shown::Text("ou=people,dc=example,dc=com")]),
        Key::new("filter", Kind::Filled,
            "Finds the one entry of a name (RFC 4515); `{username}` is what was typed, put in as a value. Whom it no longer finds is signed out.")
            .default(Shown::Text("(uid={username})")),
        Key::new("subject", ATTRIBUTE, "The attribute that holds the name that rules and services see; one value.").default(Shown::Text("uid")),
        Key::new("name", ATTRIBUTE, "The attribute that holds the display name.").default(Shown::Text("cn")),
        Key::new("email", ATTRIBUTE, "The attribute that holds the mail address.").default(Shown::Text("mail")),
    ],
};

pub(in crate::config) static LDAP_GROUPS: Block = Block {
    name: "ldap_groups",
    meaning: "How the groups of a user are found, those included that these are in: by a search (`base`, `filter`), or in an `attribute` of the user.",
    nullable: false,
    rules: &[Rule::NotBoth("attribute", "filter"), Rule::OneOf(&["attribute", "base"])],
    keys: &[
        Key::new("base", Kind::Filled, "Groups lie at or below this entry. With `attribute`: only such groups count.")
            .examples(&[Shown::Text("ou=groups,dc=example,dc=com")]),
        Key::new("filter", Kind::Filled,
            "Finds the groups that have `{dn}` as a member, the distinguished name of the user or of such a group; `{username}` is the subject. `(member={dn})` where nothing is written."),
        Key::new("attribute", ATTRIBUTE, "The attribute of the user that holds the groups, such as `memberOf`."),
        Key::new("name", ATTRIBUTE, "The attribute of a group that holds its name.").default(Shown::Text("cn")),
    ],
};
