//! The pages: of each its template, and the values that it shows.

use std::sync::Arc;

use minijinja::Value;
use minijinja::value::Object;

use super::kind::{PageKind, PageSpec};

/// What the gateway gives to a page.
pub trait PageValues {
    /// Which page it is.
    const KIND: PageKind;

    /// The values in the order of the page's names, without the title.
    fn values(&self) -> Vec<PageValue<'_>>;
}

/// The value of a placeholder.
#[derive(Clone, Copy, Debug)]
pub enum PageValue<'a> {
    /// Escaped where it is shown.
    Text(&'a str),
    /// A list, of which each element has parts.
    Items(&'a [PageItem]),
    /// SVG of the gateway's own making, with no text of anybody else in it: the one value that is not escaped.
    Picture(&'a str),
}

type Text<'a> = &'a str;
type Picture<'a> = &'a str;
type Items<'a> = &'a [PageItem];

/// One of several things on a page: its parts and their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageItem(Vec<(&'static str, String)>);

impl PageItem {
    /// With these parts, which are those that the page's description names.
    pub fn new(parts: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        Self(parts.into_iter().collect())
    }
}

impl Object for PageItem {
    fn get_value(self: &Arc<Self>, part: &Value) -> Option<Value> {
        let name = part.as_str()?;
        let found = self.0.iter().find(|(part, _)| *part == name);
        found.map(|(_, value)| Value::from(&**value))
    }
}

/// Declares the values of a page once: the type that is filled, the names that a template may use, and the samples that an
/// own template is tried with. `or empty`: at times there is none.
macro_rules! page {
    (
        $(#[$doc:meta])*
        $page:ident: $kind:ident, $file:literal, tab $tab:literal, requires $required:tt;
        $(
            $(#[$what:meta])*
            $name:ident: $value:ident $(of $parts:tt)? $(or $empty:ident)?,
        )+
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default)]
        pub struct $page<'a> {
            $($(#[$what])* pub $name: $value<'a>,)+
        }

        impl $page<'_> {
            const SPEC: PageSpec = PageSpec {
                file: $file,
                built_in: concat!("built-in/", $file),
                text: include_str!(concat!("../../assets/pages/", $file)),
                tab: $tab,
                names: &["title", $(stringify!($name)),+],
                required: &$required,
                optional: &[$($(page!(@name $name $empty),)?)+],
                lists: &[$($((stringify!($name), &$parts),)?)+],
            };
        }

        impl PageValues for $page<'_> {
            const KIND: PageKind = PageKind::$kind;

            fn values(&self) -> Vec<PageValue<'_>> {
                vec![$(PageValue::$value(self.$name)),+]
            }
        }
    };
    (@name $name:ident empty) => { stringify!($name) };
}

page! {
    /// The values of the sign-in page.
    SignInPage: SignIn, "sign_in.html", tab "{{ title }}", requires ["action", "next", "error"];

    /// Where the form goes.
    action: Text,
    /// Where the browser goes afterwards: a path; empty where it did not say.
    next: Text or empty,
    /// The user name that was typed before.
    user: Text or empty,
    /// What went wrong.
    error: Text or empty,
    /// What went well.
    notice: Text or empty,
    /// The providers that people can sign in with.
    providers: Items of ["title", "address"] or empty,
    /// Not empty where there is a password to sign in with.
    password: Text or empty,
    /// The page of the account, where somebody adds the second factor that they need and have not; empty elsewhere.
    account: Text or empty,
}

page! {
    /// The values of the page for a code.
    SecondFactorPage: SecondFactor, "second_factor.html", tab "{% if secret %}Add a second factor{% else %}Second factor{% endif %}", requires ["action", "next", "error", "continuation", "secret"];

    /// Where the form goes.
    action: Text,
    /// Where the browser goes afterwards: a path; empty where it did not say.
    next: Text or empty,
    /// The user name that was typed.
    user: Text,
    /// What went wrong.
    error: Text or empty,
    /// What stands for the password; it goes back with the code.
    continuation: Text,
    /// The secret of an app that is to be added; empty where there is one already.
    secret: Text or empty,
    /// The same as a picture, in SVG that is not escaped; empty where there is none.
    picture: Picture or empty,
    /// Where to begin anew.
    restart: Text,
    /// Not empty where the person has an authenticator app.
    app: Text or empty,
    /// Not empty where the person has a passkey or a security key that this site takes.
    keys: Text or empty,
}

page! {
    /// The values of the page for people who are signed in and go on, or sign out.
    AccountPage: Account, "account.html", tab "{% if leaving %}Sign out?{% else %}You are signed in{% endif %}", requires ["action", "user"];

    /// Where the sign-out form goes.
    action: Text,
    /// Where the browser goes on: a path; empty where there is nothing for this user.
    next: Text or empty,
    /// Who is signed in.
    user: Text,
    /// The display name; empty where there is none.
    name: Text or empty,
    /// What was shown: a password, a token.
    method: Text,
    /// When the session began; empty where that is not known.
    since: Text or empty,
    /// When it ends at the latest; empty where it does not.
    until: Text or empty,
    /// The roles of today, comma-separated.
    roles: Text or empty,
    /// Where somebody else can sign in.
    switch: Text,
    /// The page of the account.
    settings: Text,
    /// Not empty where the person came to sign out.
    leaving: Text or empty,
}

page! {
    /// The values of the page of somebody's account.
    SettingsPage: Settings, "settings.html", tab "Your account", requires ["action", "sign_out", "user", "confirm", "error"];

    /// Where its forms go.
    action: Text,
    /// Where the sign-out form goes.
    sign_out: Text,
    /// Where somebody else can sign in.
    switch: Text,
    /// Who is signed in.
    user: Text,
    /// The display name; empty where there is none.
    name: Text or empty,
    /// What was shown: a password, a token.
    method: Text,
    /// When the session began; empty where that is not known.
    since: Text or empty,
    /// When it ends at the latest; empty where it does not.
    until: Text or empty,
    /// The roles of today, comma-separated.
    roles: Text or empty,
    /// Where the browser goes on: a path; empty where there is nothing for this user.
    next: Text or empty,
    /// What went well.
    notice: Text or empty,
    /// What went wrong.
    error: Text or empty,
    /// Not empty where something may be changed now.
    changes: Text or empty,
    /// Where to sign in again before something may be changed; empty where that is not needed, or does not help.
    confirm: Text or empty,
    /// The user's sessions: of each `id`, `title`, `detail`, and `current`, which is empty but for this one: what it is in, this browser or this program.
    sessions: Items of ["id", "title", "detail", "current"] or empty,
    /// Not empty where there are sessions beside this one.
    others: Text or empty,
    /// Not empty where the user may have second factors here.
    factors_offered: Text or empty,
    /// The second factors: of each `change` and `id`, which remove it, `title` and `detail`.
    factors: Items of ["change", "id", "title", "detail"] or empty,
    /// Why the second factors are not shown; empty where nothing is to be said.
    factors_note: Text or empty,
    /// How many recovery codes are left; empty where there is no factor.
    codes: Text or empty,
    /// Not empty where there are recovery codes.
    codes_left: Text or empty,
    /// Not empty where an authenticator app may be added.
    add_app: Text or empty,
    /// Not empty where the form for another password is to be shown.
    password: Text or empty,
    /// Why the password cannot be changed here; empty where nothing is to be said.
    password_note: Text or empty,
}

page! {
    /// The values of the page where an authenticator app is added.
    EnrolPage: Enrol, "enrol.html", tab "Add an authenticator app", requires ["action", "secret", "sealed", "error"];

    /// Where the form goes, and the page of the account.
    action: Text,
    /// Whose app it is.
    user: Text,
    /// The secret, as it is typed.
    secret: Text,
    /// The same as a picture, in SVG that is not escaped; empty where there is none.
    picture: Picture or empty,
    /// The same as an address that an app of this device opens.
    uri: Text,
    /// The same sealed; it goes back with the code.
    sealed: Text,
    /// What went wrong.
    error: Text or empty,
}

page! {
    /// The values of the page with recovery codes.
    RecoveryPage: Recovery, "recovery.html", tab "Recovery codes", requires ["account", "code"];

    /// Where the person goes on: the page of the account, or what asked for the factor that was added.
    account: Text,
    /// Whose they are.
    user: Text,
    /// What was done.
    notice: Text or empty,
    /// The codes: of each the `code`.
    codes: Items of ["code"],
}

page! {
    /// The values of the page about a session cookie that did not come back.
    CookieMissing: CookieMissing, "lost.html", tab "{{ title }}", requires ["cookie"];

    /// The sign-in page.
    action: Text,
    /// The name of the cookie that was set.
    cookie: Text,
    /// What became of it.
    reason: Text,
}

page! {
    /// The values of the page about a request that is refused.
    RefusedPage: Refused, "refused.html", tab "{{ heading }}", requires ["heading", "request_id"];

    /// What happened.
    heading: Text,
    /// The same in a sentence.
    text: Text,
    /// What programs are told; empty where that says no more.
    detail: Text or empty,
    /// When to try again; empty where that is not known.
    retry: Text or empty,
    /// Who is signed in; empty: nobody.
    user: Text or empty,
    /// The display name; empty where there is none.
    name: Text or empty,
    /// Where to sign in once more as the same person; empty where that helps nobody.
    again: Text or empty,
    /// Where to sign in, as somebody else where somebody is signed in; empty where that helps nobody.
    sign_in: Text or empty,
    /// The status of the answer.
    status: Text,
    /// The id of the request in the logs.
    request_id: Text,
}

page! {
    /// The values of the page on the way to another one.
    PassingPage: Passing, "passing.html", tab "{{ heading }}", requires ["address"];

    /// What happened.
    heading: Text,
    /// What comes next.
    text: Text or empty,
    /// Where the browser goes.
    address: Text,
}

impl PageKind {
    /// The file of an own page in the folder `auth.login.templates`.
    pub fn file(self) -> &'static str {
        self.spec().file
    }

    pub(super) fn spec(self) -> &'static PageSpec {
        match self {
            Self::SignIn => &SignInPage::SPEC,
            Self::SecondFactor => &SecondFactorPage::SPEC,
            Self::Account => &AccountPage::SPEC,
            Self::Settings => &SettingsPage::SPEC,
            Self::Enrol => &EnrolPage::SPEC,
            Self::Recovery => &RecoveryPage::SPEC,
            Self::CookieMissing => &CookieMissing::SPEC,
            Self::Refused => &RefusedPage::SPEC,
            Self::Passing => &PassingPage::SPEC,
        }
    }
}
