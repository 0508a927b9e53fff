//! `auth` and what lies in it.

use super::choices::{key_pair_algorithms, MAX_PREVIOUS_KEYS, SAME_SITE, SECOND_FACTOR, VERIFY, words};
use super::kinds::{ABSOLUTE_PATH, ALGORITHM, BOOLEAN, CLAIM, CREDENTIALS, DURATION, FILE, NAME, TEXTS, URL};
use super::{Block, Key, Kind, LDAP, List, Rule, Shown};

pub(in crate::config) static AUTH: Block = Block {
    name: "auth",
    meaning: "The gateway's own endpoints and tokens.",
    nullable: true,
    rules: &[],
    keys: &[
        Key::new("path", Kind::Pattern(r"^(/[A-Za-z0-9._~-]+)+$|\$\{"),
            "The prefix of the gateway's own endpoints. They come before every rule and are never forwarded.")
            .default(Shown::Text("/auth")),
        Key::new("users_file", FILE, "Who may log in.").default(Shown::Text("users.yaml")),
        Key::new("token_paths", Kind::List(List::of(&ABSOLUTE_PATH).distinct()),
            "More exact paths that answer like `POST /auth/login`, such as `/token`.").default(Shown::List(&[])),
        Key::new("token", Kind::Block(&TOKEN), ""),
        Key::new("login", Kind::Block(&LOGIN), ""),
        Key::new("passkeys", Kind::Block(&PASSKEYS), ""),
        Key::new("session", Kind::Block(&SESSION), ""),
        Key::new("credentials", CREDENTIALS,
            "Which credentials identify callers: `bearer` tokens and API keys, the session `cookie`, and HTTP `basic` with a user's password or API key. One of another kind is the service's own affair.")
            .default(Shown::List(&["bearer", "cookie"])),
        Key::new("ldap", Kind::Block(&LDAP), ""),
        Key::new("verify", Kind::Choice(|| words(VERIFY)),
            "Which headers of a proxy count that asks at `/auth/verify`, where it sends both kinds."),
        Key::new("cors", Kind::Block(&super::CORS),
            "Which pages of other origins may log in, refresh, log out and ask who they are, on every host. Those that a service allows may on its hosts."),
        Key::new("providers", Kind::List(List::of(&Kind::Block(&super::PROVIDER)).nullable()),
            "OpenID providers that people sign in with."),
        Key::new("clients", Kind::List(List::of(&Kind::Block(&CLIENT)).nullable()),
            "Programs that may ask about any token at `introspect`, and that authenticate themselves at `revoke`."),
        Key::new("resource_metadata", Kind::Block(&RESOURCE_METADATA), ""),
        Key::new("trusted_issuers", Kind::List(List::of(&Kind::Block(&ISSUER)).nullable()),
            "Whose tokens are accepted beside the gateway's own."),
    ],
};

pub(in crate::config) static CLIENT: Block = Block {
    name: "client",
    meaning: "A program that is no user, and its secret.",
    nullable: false,
    rules: &[Rule::NotBoth("secret", "secret_file"), Rule::NotBoth("secret", "secret_hash"), Rule::NotBoth("secret_file", "secret_hash")],
    keys: &[
        Key::new("id", NAME, "`client_id`.").required(),
        Key::new("secret_hash", Kind::Pattern(r"^sha256:|\$\{"),
            "`sha256:` and the hash of its secret: `printf %s \"$SECRET\" | sha256sum`. The secret must be random."),
        Key::new("secret", Kind::Filled, "The secret itself, of at least 32 bytes; rather give its hash, name a file or a variable.")
            .examples(&[Shown::Text("${API_SECRET}")]),
        Key::new("secret_file", FILE, "A file with the secret."),
    ],
};

pub(in crate::config) static RESOURCE_METADATA: Block = Block {
    name: "resource_metadata",
    meaning: "Tells clients such as those of MCP where to get tokens (RFC 9728): every 401 of a service names a document, and that names the authorization servers.",
    nullable: true,
    rules: &[],
    keys: &[
        Key::new("authorization_servers", Kind::List(List::of(&URL).distinct()),
            "The issuers of the tokens that services take; by default those of `trusted_issuers` and `providers`.")
            .examples(&[Shown::List(&["https://idp.example.com"])]),
        Key::new("scopes", Kind::List(TEXTS), "The scopes that clients may ask them for."),
    ],
};

pub(in crate::config) static TOKEN: Block = Block {
    name: "token",
    meaning: "How tokens are made and checked.",
    nullable: true,
    rules: &[Rule::NotBoth("secret", "secret_file"), Rule::Needs { key: "algorithm", values: key_pair_algorithms, one_of: &["private_key", "private_key_file"] }],
    keys: &[
        Key::new("algorithm", ALGORITHM, "The signature algorithm.").default(Shown::Text("HS256")),
        Key::new("kid", NAME, "The name of the key in the header of tokens; made from the key by default."),
        Key::new("private_key", Kind::Filled, "The private key in PEM, for algorithms other than HS*; rather name a file or a variable."),
        Key::new("private_key_file", FILE, "The file with the private key, in PEM, for algorithms other than HS*."),
        Key::new("previous", Kind::List(List { most: Some(MAX_PREVIOUS_KEYS), ..List::of(&Kind::Block(&PREVIOUS_KEY)).nullable() }),
            "Older keys whose tokens are still good."),
        Key::new("refresh_ttl", DURATION, "How long a refresh token is good; each is good once.").default(Shown::Text("7d")),
        Key::new("secret", SECRET,
            "At least 32 bytes; without one, tokens end with the process. Make one with `openssl rand -base64 48`.")
            .examples(&[Shown::Text("${GATELATCH_SECRET}")]),
        Key::new("secret_file", FILE,
            "A file with the secret: a text, of which one newline at its end is no part, bytes that are no UTF-8, or a JSON Web Key of the kind `oct`."),
        Key::new("issuer", NAME, "`iss`.").default(Shown::Text("gatelatch")),
        Key::new("audience", NAME, "`aud`.").default(Shown::Text("gatelatch")),
        Key::new("access_ttl", DURATION, "How long a new token is valid.").default(Shown::Text("30m")),
        Key::new("max_lifetime", DURATION, "The longest life of any token that is accepted.").default(Shown::Text("24h")),
        Key::new("leeway", DURATION, "How far clocks may differ.").default(Shown::Text("30s")),
        Key::new("roles_claim", CLAIM, "The claim that new tokens carry the roles in.").default(Shown::Text("roles")),
    ],
};

const SECRET: Kind = Kind::Either(&[Kind::Filled, Kind::Block(&SECRET_OCTETS)]);

pub(in crate::config) static SECRET_OCTETS: Block = Block {
    name: "secret_octets",
    meaning: "A secret of bytes that are no text.",
    nullable: false,
    rules: &[],
    keys: &[
        Key::new("base64url", Kind::Filled, "The bytes in base64url, as `k` of a JSON Web Key (RFC 7518, section 6.4.1).").required(),
    ],
};

pub(in crate::config) static LOGIN: Block = Block {
    name: "login",
    meaning: "Logging in: the sign-in page, and how often a password may be wrong.",
    nullable: true,
    rules: &[],
    keys: &[
        Key::new("page", BOOLEAN, "Whether there is a sign-in page.").default(Shown::Flag(true)),
        Key::new("title", Kind::Filled, "Its title.").default(Shown::Text("Sign in")),
        Key::new("templates", FILE, "A folder with pages of one's own."),
        Key::new("attempts", Kind::Integer(1, 1000),
            "So many failures of one account from one network within `window` hold both.").default(Shown::Number(5)),
        Key::new("second_factor", Kind::Choice(|| words(SECOND_FACTOR)),
            "What comes after a right password: nothing (`off`), a code of who has a second factor (`optional`), or of everybody (`required`: who has none adds one first).")
            .default(Shown::Text("optional")),
        Key::new("window", DURATION, "Within this time.").default(Shown::Text("2m")),
        Key::new("lockout", DURATION, "For so long after the last failure.").default(Shown::Text("5m")),
        Key::new("change_password", Kind::Either(&[BOOLEAN, Kind::Only(Shown::Text("shared"))]),
            "Whether people of the user list may change their own password at `/auth/account`: it is written into the users file. `shared`: with `state: redis://…` too, as all gateways read one file.")
            .default(Shown::Flag(false)),
    ],
};

pub(in crate::config) static PASSKEYS: Block = Block {
    name: "passkeys",
    meaning: "Passkeys and security keys (WebAuthn), which people add at `{auth.path}/account` and sign in with. Browsers have them over TLS, and on `localhost`. They are kept in `state`, which must be a file or a Redis.",
    nullable: true,
    rules: &[],
    keys: &[
        Key::new("rp_id", Kind::Filled,
            "The domain that keys are bound to: keys of `example.com` are good on that host and on all below it. Whoever changes it makes all keys useless. By default each host has keys of its own.")
            .examples(&[Shown::Text("example.com")]),
    ],
};

pub(in crate::config) static SESSION: Block = Block {
    name: "session",
    meaning: "The session cookie of browsers.",
    nullable: true,
    rules: &[],
    keys: &[
        Key::new("cookie", Kind::Filled, "Its name, without a prefix.").default(Shown::Text("gatelatch")),
        Key::new("former_cookies", Kind::List(TEXTS),
            "Names that it once had. Cookies of these names hold a session for nobody, services neither get nor set them, and signing in or out takes them away.")
            .default(Shown::List(&[])),
        Key::new("max_age", DURATION, "How long after signing in a session ends, however busy it is.").default(Shown::Text("12h")),
        Key::new("secure", Kind::Either(&[Kind::Only(Shown::Text("auto")), BOOLEAN]),
            "Whether it is sent over TLS only; `auto`: where the browser came over TLS.").default(Shown::Text("auto")),
        Key::new("same_site", Kind::Choice(|| words(SAME_SITE)), "Which requests of other sites carry it.").default(Shown::Text("lax")),
        Key::new("domain", Kind::Scalar(&["string", "null"]),
            "The domain whose hosts share it; the host alone by default.").default(Shown::Nothing),
    ],
};

pub(in crate::config) static PREVIOUS_KEY: Block = Block {
    name: "previous_key",
    meaning: "An older key: a secret, or a public key.",
    nullable: false,
    rules: &[],
    keys: &[
        Key::new("kid", NAME, "The name of the key in the header of tokens."),
        Key::new("algorithm", ALGORITHM, "The signature algorithm of its tokens.").required(),
        Key::new("secret", SECRET, "The secret, for HS*; rather name a file or a variable."),
        Key::new("secret_file", FILE, "The file with the secret, for HS*: a text, bytes, or a JSON Web Key."),
        Key::new("public_key", Kind::Filled, "The public key, in PEM."),
        Key::new("public_key_file", FILE, "The file with the public key, in PEM."),
    ],
};

const AUDIENCES: Kind = Kind::List(List::of(&Kind::Filled).filled());

pub(in crate::config) static ISSUER_AUDIENCE: Block = Block {
    name: "issuer_audience",
    meaning: "Which claim says for whom a token is.",
    nullable: false,
    rules: &[],
    keys: &[
        Key::new("claim", CLAIM, "The claim.").default(Shown::Text("aud")),
        Key::new("one_of", Kind::Either(&[Kind::Filled, AUDIENCES]), "Its value, or one of its values, must be one of these.").required(),
    ],
};

pub(in crate::config) static ISSUER: Block = Block {
    name: "issuer",
    meaning: "Another issuer of tokens, and its keys: `jwks`, one public key, or one secret. Without any of these, `issuer` is a URL, and its metadata lead to the keys (OpenID Connect Discovery, RFC 8414).",
    nullable: false,
    rules: &[],
    keys: &[
        Key::new("issuer", Kind::Filled, "`iss`.").required(),
        Key::new("audience", Kind::Either(&[Kind::Filled, AUDIENCES, Kind::Block(&ISSUER_AUDIENCE)]),
            "For whom its tokens must be: one of these, in `aud` or in another claim.").required(),
        Key::new("subject", CLAIM, "The claim that names whom a token is about.").default(Shown::Text("sub")),
        Key::new("algorithms", Kind::List(List::of(&ALGORITHM).filled()), "The signature algorithms of its keys.").required(),
        Key::new("jwks", Kind::Filled,
            "Its key set: a URL, or a file. While the URL does not answer, the former keys count for one day longer than they would have been kept."),
        Key::new("ca", FILE, "The certificates of the authorities, in PEM, that the servers of its metadata and keys are verified by, in place of those that the system trusts."),
        Key::new("kid", NAME, "The name of the key in the header of tokens."),
        Key::new("public_key", Kind::Filled, "The public key, in PEM."),
        Key::new("public_key_file", FILE, "The file with the public key, in PEM."),
        Key::new("secret", SECRET, "The secret, for HS*; rather name a file or a variable."),
        Key::new("secret_file", FILE, "The file with the secret, for HS*: a text, bytes, or a JSON Web Key."),
        Key::new("roles_claim", CLAIM, "Where its tokens have the roles.").default(Shown::Text("roles")),
        Key::new("max_lifetime", DURATION, "The longest life of its tokens; by default that of `auth.token`."),
        Key::new("leeway", DURATION, "How far its clock may differ; by default as in `auth.token`."),
        Key::new("users", BOOLEAN,
            "Whether its subjects are the users of the users file: `user` conditions are about them, and `disabled` and `tokens_valid_after` apply to their tokens. Roles are those of the token. A name that the users file does not have is let in as well, unless it is a user's in other case; to keep somebody out, set `disabled` and keep the entry.")
            .default(Shown::Flag(false)),
    ],
};
