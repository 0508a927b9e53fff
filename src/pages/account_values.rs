//! The values of the pages of somebody's account.

use std::sync::Arc;

use minijinja::Value;
use minijinja::value::Object;

/// The values of the page of somebody's account.
#[derive(Clone, Copy, Debug, Default)]
pub struct SettingsPage<'a> {
    /// Where its forms go.
    pub action: &'a str,
    /// Where the sign-out form goes.
    pub sign_out: &'a str,
    /// Where somebody else can sign in.
    pub switch: &'a str,
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
    /// Where the browser goes on: a path; empty where there is nothing for this user.
    pub next: &'a str,
    /// What went well.
    pub notice: &'a str,
    /// What went wrong.
    pub error: &'a str,
    /// Not empty where something may be changed now.
    pub changes: &'a str,
    /// Where to sign in again before something may be changed; empty where that is not needed, or does not help.
    pub confirm: &'a str,
    /// The user's sessions: of each `id`, `title`, `detail`, and `current`, which is empty but for this one: what it is in, this browser or this program.
    pub sessions: &'a [PageItem],
    /// Not empty where there are sessions beside this one.
    pub others: &'a str,
    /// Not empty where the user may have second factors here.
    pub factors_offered: &'a str,
    /// The second factors: of each `change` and `id`, which remove it, `title` and `detail`.
    pub factors: &'a [PageItem],
    /// Why the second factors are not shown; empty where nothing is to be said.
    pub factors_note: &'a str,
    /// How many recovery codes are left; empty where there is no factor.
    pub codes: &'a str,
    /// Not empty where there are recovery codes.
    pub codes_left: &'a str,
    /// Not empty where an authenticator app may be added.
    pub add_app: &'a str,
    /// Not empty where the form for another password is to be shown.
    pub password: &'a str,
    /// Why the password cannot be changed here; empty where nothing is to be said.
    pub password_note: &'a str,
}

/// The values of the page where an authenticator app is added.
#[derive(Clone, Copy, Debug, Default)]
pub struct EnrolPage<'a> {
    /// Where the form goes, and the page of the account.
    pub action: &'a str,
    /// Whose app it is.
    pub user: &'a str,
    /// The secret, as it is typed.
    pub secret: &'a str,
    /// The same as a picture, in SVG that is not escaped; empty where there is none.
    pub picture: &'a str,
    /// The same as an address that an app of this device opens.
    pub uri: &'a str,
    /// The same sealed; it goes back with the code.
    pub sealed: &'a str,
    /// What went wrong.
    pub error: &'a str,
}

/// The values of the page with recovery codes.
#[derive(Clone, Copy, Debug, Default)]
pub struct RecoveryPage<'a> {
    /// Where the person goes on: the page of the account, or what asked for the factor that was added.
    pub account: &'a str,
    /// Whose they are.
    pub user: &'a str,
    /// What was done.
    pub notice: &'a str,
    /// The codes: of each the `code`.
    pub codes: &'a [PageItem],
}

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
