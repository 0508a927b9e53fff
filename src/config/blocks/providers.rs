//! `auth.providers`: OpenID providers that people sign in with.

use super::choices::{LOGOUT_MODE, SECRET_METHOD, SUBJECT_CLAIM, USERS_MODE, words};
use super::kinds::{ALGORITHM, CLAIM, DURATION, FILE, NAME, NAMES, TEXTS, URL};
use super::{Block, Key, Kind, List, Map, Rule, Shown};

pub(in crate::config) static PROVIDER: Block = Block {
    name: "provider",
    meaning: "An OpenID provider that people sign in with. Without `endpoints`, its metadata lead to them (OpenID Connect Discovery, RFC 8414).",
    nullable: false,
    rules: &[Rule::NotBoth("client_secret", "client_secret_file"), Rule::NotBoth("private_key", "private_key_file")],
    keys: &[
        Key::new("name", Kind::Pattern(r"^[a-z0-9-]{1,64}$|\$\{"), "What it is called in `/auth/login/NAME`, in logs and in metrics.").required(),
        Key::new("title", NAME, "What stands on its button of the sign-in page; its name by default."),
        Key::new("issuer", URL, "Its `iss`, exactly as it writes it: an `https://` URL; `http://` for this machine only.").required(),
        Key::new("endpoints", Kind::Block(&PROVIDER_ENDPOINTS), "In place of its metadata."),
        Key::new("ca", FILE, "The certificates of the authorities, in PEM, that its servers are verified by, in place of those that the system trusts."),
        Key::new("client_id", NAME, "What it calls the gateway.").required(),
        Key::new("client_secret", Kind::Filled, "The secret that it gave the gateway; rather name a file or a variable. Without a secret and a key the gateway is a public client."),
        Key::new("client_secret_file", FILE, "A file with the secret."),
        Key::new("private_key", Kind::Filled, "The private key in PEM that the gateway authenticates with (`private_key_jwt`); rather name a file or a variable."),
        Key::new("private_key_file", FILE, "The file with the private key."),
        Key::new("kid", NAME, "The name of the private key; made from the key by default."),
        Key::new("algorithms", Kind::List(List::of(&ALGORITHM).filled()),
            "The only signature algorithms of its tokens; by default those of key pairs that its metadata name. Secrets never verify them."),
        Key::new("leeway", DURATION, "How far its clock may differ; by default as in `auth.token`."),
        Key::new("scopes", Kind::List(List::of(&NAME).filled().distinct()), "What is asked for.").default(Shown::List(&["openid", "profile", "email"])),
        Key::new("subject", Kind::Choice(|| words(SUBJECT_CLAIM)),
            "The claim that names a person. `sub` never changes and is never given to another person; an `email` counts where the provider has verified it.")
            .default(Shown::Text("sub")),
        Key::new("roles_claim", CLAIM, "Where the groups are: in the ID token, else in the userinfo.").default(Shown::Text("groups")),
        Key::new("roles", Kind::Map(Map::of(&Kind::List(NAMES))),
            r#"Which roles each group gives; those under `"*"` everybody has, and a group that is not here gives none. Left out, the groups are the roles."#),

        Key::new("allow", Kind::Block(&PROVIDER_ALLOW), ""),
        Key::new("users", Kind::Choice(|| words(USERS_MODE)),
            "`listed`: who signs in must be in the users file, and has the roles that it says. `any`: `user` conditions are about the subject as well; equal subjects of two providers are one user, and a name that the users file has is refused.").default(Shown::Text("any")),
        Key::new("refresh", DURATION, "How often the provider is asked again whether a session holds.").default(Shown::Text("15m")),
        Key::new("logout", Kind::Choice(|| words(LOGOUT_MODE)),
            "What signing out ends: the session here, or the one at the provider as well.").default(Shown::Text("local")),
        Key::new("second_factor", Kind::Block(&PROVIDER_SECOND_FACTOR), ""),
    ],
};

pub(in crate::config) static PROVIDER_SECOND_FACTOR: Block = Block {
    name: "provider_second_factor",
    meaning: "By which of the provider's words a sign-in counts as one with a second factor, for rules that ask for one: one of these is enough. Left out, none does.",
    nullable: false,
    rules: &[Rule::NotEmpty],
    keys: &[
        Key::new("amr", Kind::List(NAMES.filled()), "Authentication methods of its ID tokens (RFC 8176).")
            .examples(&[Shown::List(&["mfa", "otp", "hwk"])]),
        Key::new("acr", Kind::List(NAMES.filled()),
            "Authentication contexts of its ID tokens. Where a rule asks for a second factor they are asked for (`acr_values`), the first one rather than the others.")
            .examples(&[Shown::List(&["phr"])]),
    ],
};

pub(in crate::config) static PROVIDER_ENDPOINTS: Block = Block {
    name: "provider_endpoints",
    meaning: "Where a provider is that has no metadata.",
    nullable: false,
    rules: &[],
    keys: &[
        Key::new("authorization", URL, "Where browsers are sent to sign in.").required(),
        Key::new("token", URL, "Where codes are redeemed.").required(),
        Key::new("userinfo", URL, "Where further claims are."),
        Key::new("jwks", URL, "Its key set.").required(),
        Key::new("end_session", URL, "Where browsers are sent to sign out."),
        Key::new("client_authentication", Kind::Choice(|| words(SECRET_METHOD)),
            "How `client_secret` is sent.").default(Shown::Text("client_secret_basic")),
    ],
};

pub(in crate::config) static PROVIDER_ALLOW: Block = Block {
    name: "provider_allow",
    meaning: "Who may sign in: whoever one of these holds for. Left out, everybody of this issuer may.",
    nullable: false,
    rules: &[Rule::NotEmpty],
    keys: &[
        Key::new("email_domains", Kind::List(TEXTS), "Domains of verified mail addresses, such as `example.com`; `*.example.com` is for those below it."),
        Key::new("groups", Kind::List(NAMES), "Groups, as the provider calls them."),
        Key::new("emails", Kind::List(TEXTS), "Verified mail addresses."),
    ],
};
