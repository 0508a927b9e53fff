//! Which pages there are, and what each is made of.

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

/// What a page is made of.
pub(super) struct PageSpec {
    /// The file of an own page in the folder `auth.login.templates`.
    pub(super) file: &'static str,
    /// The name of the built-in template; an own one has that of its file.
    pub(super) built_in: &'static str,
    /// The built-in one, without the frame.
    pub(super) text: &'static str,
    /// What the browser's tab says.
    pub(super) tab: &'static str,
    /// The names of all values, the title first; in the order in which they are given.
    pub(super) names: &'static [&'static str],
    /// The values that a page cannot do without.
    pub(super) required: &'static [&'static str],
    /// The values that are empty at times.
    pub(super) optional: &'static [&'static str],
    /// The values that are lists of items, and the parts of each item.
    pub(super) lists: &'static [(&'static str, &'static [&'static str])],
}

/// The one value that is not escaped.
pub(super) const PICTURE: &str = "picture";

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
