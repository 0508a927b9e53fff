//! Which pages there are, and the values that each of them shows.

use std::sync::Arc;

use minijinja::Value;
use minijinja::value::Object;

use super::account_values::PageItem;

/// One of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    /// The form.
    SignIn,
    /// The form for a code, after the password.
    SecondFactor,
    /// For people who are signed in already, or want to sign out.
    Account,
    /// Somebody's account: sessions, and what can be changed.
    Settings,
    /// An authenticator app is added.
    Enrol,
    /// Recovery codes, shown once.
    Recovery,
    /// For browsers that do not send the session cookie back.
    CookieMissing,
    /// For people whose request is refused.
    Refused,
    /// On the way to another page, which the browser opens by itself.
    Passing,
}

/// The values of the sign-in page.
#[derive(Clone, Copy, Debug, Default)]
pub struct SignInPage<'a> {
    /// Where the form goes.
    pub action: &'a str,
    /// Where the browser goes afterwards: a path; empty where it did not say.
    pub next: &'a str,
    /// The user name that was typed before.
    pub user: &'a str,
    /// What went wrong.
    pub error: &'a str,
    /// What went well.
    pub notice: &'a str,
    /// The providers that people can sign in with.
    pub providers: &'a [ProviderLink],
    /// Not empty where there is a password to sign in with.
    pub password: &'a str,
    /// The page of the account, where somebody adds the second factor that they need and have not; empty elsewhere.
    pub account: &'a str,
}

/// The values of the page for a code.
#[derive(Clone, Copy, Debug, Default)]
pub struct SecondFactorPage<'a> {
    /// Where the form goes.
    pub action: &'a str,
    /// Where the browser goes afterwards: a path; empty where it did not say.
    pub next: &'a str,
    /// The user name that was typed.
    pub user: &'a str,
    /// What went wrong.
    pub error: &'a str,
    /// What stands for the password; it goes back with the code.
    pub continuation: &'a str,
    /// The secret of an app that is to be added; empty where there is one already.
    pub secret: &'a str,
    /// The same as a picture, in SVG that is not escaped; empty where there is none.
    pub picture: &'a str,
    /// Where to begin anew.
    pub restart: &'a str,
    /// Not empty where the person has an authenticator app.
    pub app: &'a str,
    /// Not empty where the person has a passkey or a security key that this site takes.
    pub keys: &'a str,
}

/// A provider on the sign-in page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderLink {
    /// Its name for people.
    pub title: String,
    /// Where the sign-in with it begins.
    pub address: String,
}

/// The values of the page for people who are signed in and go on, or sign out.
#[derive(Clone, Copy, Debug, Default)]
pub struct AccountPage<'a> {
    /// Where the sign-out form goes.
    pub action: &'a str,
    /// Where the browser goes on: a path; empty where there is nothing for this user.
    pub next: &'a str,
    /// Who is signed in.
    pub user: &'a str,
    /// The display name; empty where there is none.
    pub name: &'a str,
    /// What was shown: a password, a token.
    pub method: &'a str,
    /// When the session began; empty where that is not known.
    pub since: &'a str,
    /// When it ends at the latest; empty where it does not.
    pub until: &'a str,
    /// The roles of today, comma-separated.
    pub roles: &'a str,
    /// Where somebody else can sign in.
    pub switch: &'a str,
    /// The page of the account.
    pub settings: &'a str,
    /// Not empty where the person came to sign out.
    pub leaving: &'a str,
}

/// The values of the page about a session cookie that did not come back.
#[derive(Clone, Copy, Debug)]
pub struct CookieMissing<'a> {
    /// The sign-in page.
    pub action: &'a str,
    /// The name of the cookie that was set.
    pub cookie: &'a str,
    /// What became of it.
    pub reason: &'a str,
}

/// The values of the page about a request that is refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct RefusedPage<'a> {
    /// What happened.
    pub heading: &'a str,
    /// The same in a sentence.
    pub text: &'a str,
    /// What programs are told; empty where that says no more.
    pub detail: &'a str,
    /// When to try again; empty where that is not known.
    pub retry: &'a str,
    /// Who is signed in; empty: nobody.
    pub user: &'a str,
    /// The display name; empty where there is none.
    pub name: &'a str,
    /// Where to sign in once more as the same person; empty where that helps nobody.
    pub again: &'a str,
    /// Where to sign in, as somebody else where somebody is signed in; empty where that helps nobody.
    pub sign_in: &'a str,
    /// The status of the answer.
    pub status: &'a str,
    /// The id of the request in the logs.
    pub request_id: &'a str,
}

impl Object for ProviderLink {
    fn get_value(self: &Arc<Self>, part: &Value) -> Option<Value> {
        match part.as_str()? {
            "title" => Some(Value::from(&*self.title)),
            "address" => Some(Value::from(&*self.address)),
            _ => None,
        }
    }
}

/// The values of the page on the way to another one.
#[derive(Clone, Copy, Debug, Default)]
pub struct PassingPage<'a> {
    /// What happened.
    pub heading: &'a str,
    /// What comes next.
    pub text: &'a str,
    /// Where the browser goes.
    pub address: &'a str,
}

/// The value of a placeholder.
#[derive(Clone, Copy, Debug)]
pub(super) enum PageValue<'a> {
    Text(&'a str),
    Providers(&'a [ProviderLink]),
    Items(&'a [PageItem]),
    /// SVG of the gateway's own making, with no text of anybody else in it.
    Picture(&'a str),
}

/// What a page is made of.
pub(super) struct PageSpec {
    /// The file of an own page in the folder `auth.login.templates`.
    pub(super) file: &'static str,
    /// The name of the built-in template; an own one has that of its file.
    pub(super) built_in: &'static str,
    text: &'static str,
    /// What the browser's tab says.
    tab: &'static str,
    /// The names of all values, the title first; in the order in which they are given.
    pub(super) names: &'static [&'static str],
    /// The values that a page cannot do without.
    pub(super) required: &'static [&'static str],
    /// The values that are empty at times.
    pub(super) optional: &'static [&'static str],
    /// The values that are lists of items, and the parts of each item.
    pub(super) lists: &'static [(&'static str, &'static [&'static str])],
}

/// A list of which each element has a `title` and an `address`.
pub(super) const PROVIDERS: &str = "providers";

const SIGN_IN: PageSpec = PageSpec {
    file: "sign_in.html",
    built_in: "built-in/sign_in.html",
    text: include_str!("../../assets/pages/sign_in.html"),
    tab: "{{ title }}",
    names: &[
        "title", "action", "next", "user", "error", "notice", PROVIDERS, "password", "account",
    ],
    required: &["action", "next", "error"],
    optional: &[
        "next", "user", "error", "notice", PROVIDERS, "password", "account",
    ],
    lists: &[],
};

/// The one value that is not escaped.
pub(super) const PICTURE: &str = "picture";

const SECOND_FACTOR: PageSpec = PageSpec {
    file: "second_factor.html",
    built_in: "built-in/second_factor.html",
    text: include_str!("../../assets/pages/second_factor.html"),
    tab: "{% if secret %}Add a second factor{% else %}Second factor{% endif %}",
    names: &[
        "title",
        "action",
        "next",
        "user",
        "error",
        "continuation",
        "secret",
        PICTURE,
        "restart",
        "app",
        "keys",
    ],
    required: &["action", "next", "error", "continuation", "secret"],
    optional: &["next", "error", "secret", PICTURE, "app", "keys"],
    lists: &[],
};

const ACCOUNT: PageSpec = PageSpec {
    file: "account.html",
    built_in: "built-in/account.html",
    text: include_str!("../../assets/pages/account.html"),
    tab: "{% if leaving %}Sign out?{% else %}You are signed in{% endif %}",
    names: &[
        "title", "action", "next", "user", "name", "method", "since", "until", "roles", "switch",
        "settings", "leaving",
    ],
    required: &["action", "user"],
    optional: &["next", "name", "since", "until", "roles", "leaving"],
    lists: &[],
};

const SETTINGS: PageSpec = PageSpec {
    file: "settings.html",
    built_in: "built-in/settings.html",
    text: include_str!("../../assets/pages/settings.html"),
    tab: "Your account",
    names: &[
        "title",
        "action",
        "sign_out",
        "switch",
        "user",
        "name",
        "method",
        "since",
        "until",
        "roles",
        "next",
        "notice",
        "error",
        "changes",
        "confirm",
        "sessions",
        "others",
        "factors_offered",
        "factors",
        "factors_note",
        "codes",
        "codes_left",
        "add_app",
        "password",
        "password_note",
    ],
    required: &["action", "sign_out", "user", "confirm", "error"],
    optional: &[
        "name",
        "since",
        "until",
        "roles",
        "next",
        "notice",
        "error",
        "changes",
        "confirm",
        "sessions",
        "others",
        "factors_offered",
        "factors",
        "factors_note",
        "codes",
        "codes_left",
        "add_app",
        "password",
        "password_note",
    ],
    lists: &[
        ("sessions", &["id", "title", "detail", "current"]),
        ("factors", &["change", "id", "title", "detail"]),
    ],
};

const ENROL: PageSpec = PageSpec {
    file: "enrol.html",
    built_in: "built-in/enrol.html",
    text: include_str!("../../assets/pages/enrol.html"),
    tab: "Add an authenticator app",
    names: &[
        "title", "action", "user", "secret", PICTURE, "uri", "sealed", "error",
    ],
    required: &["action", "secret", "sealed", "error"],
    optional: &[PICTURE, "error"],
    lists: &[],
};

const RECOVERY: PageSpec = PageSpec {
    file: "recovery.html",
    built_in: "built-in/recovery.html",
    text: include_str!("../../assets/pages/recovery.html"),
    tab: "Recovery codes",
    names: &["title", "account", "user", "notice", "codes"],
    required: &["account", "code"],
    optional: &["notice"],
    lists: &[("codes", &["code"])],
};

const COOKIE_MISSING: PageSpec = PageSpec {
    file: "lost.html",
    built_in: "built-in/lost.html",
    text: include_str!("../../assets/pages/lost.html"),
    tab: "{{ title }}",
    names: &["title", "action", "cookie", "reason"],
    required: &["cookie"],
    optional: &[],
    lists: &[],
};

const REFUSED: PageSpec = PageSpec {
    file: "refused.html",
    built_in: "built-in/refused.html",
    text: include_str!("../../assets/pages/refused.html"),
    tab: "{{ heading }}",
    names: &[
        "title",
        "heading",
        "text",
        "detail",
        "retry",
        "user",
        "name",
        "again",
        "sign_in",
        "status",
        "request_id",
    ],
    required: &["heading", "request_id"],
    optional: &["detail", "retry", "user", "name", "again", "sign_in"],
    lists: &[],
};

const PASSING: PageSpec = PageSpec {
    file: "passing.html",
    built_in: "built-in/passing.html",
    text: include_str!("../../assets/pages/passing.html"),
    tab: "{{ heading }}",
    names: &["title", "heading", "text", "address"],
    required: &["address"],
    optional: &["text"],
    lists: &[],
};

impl PageKind {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 9] = [
        Self::SignIn,
        Self::SecondFactor,
        Self::Account,
        Self::Settings,
        Self::Enrol,
        Self::Recovery,
        Self::CookieMissing,
        Self::Refused,
        Self::Passing,
    ];

    /// The file of an own page in the folder `auth.login.templates`.
    pub fn file(self) -> &'static str {
        self.spec().file
    }

    pub(super) fn spec(self) -> &'static PageSpec {
        match self {
            Self::SignIn => &SIGN_IN,
            Self::SecondFactor => &SECOND_FACTOR,
            Self::Account => &ACCOUNT,
            Self::Settings => &SETTINGS,
            Self::Enrol => &ENROL,
            Self::Recovery => &RECOVERY,
            Self::CookieMissing => &COOKIE_MISSING,
            Self::Refused => &REFUSED,
            Self::Passing => &PASSING,
        }
    }
}

impl PageSpec {
    /// The built-in template. All pages share one frame, and one style, which the policy of each names.
    pub(super) fn built_in_text(&self) -> String {
        const STYLE: &str = concat!(
            "<style>",
            include_str!("../../assets/pages/style.css"),
            "</style>"
        );
        include_str!("../../assets/pages/frame.html")
            .replace("<style></style>", STYLE)
            .replace("{{ title }}", self.tab)
            .replace("<article></article>\n", self.text)
    }
}
