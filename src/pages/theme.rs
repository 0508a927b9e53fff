//! Which pages there are, and what each of them is told.

use std::fmt;

use super::template::{Names, Page, Template, TemplateError};

/// The pages of one configuration: the built-in ones, or the operator's own.
#[derive(Clone)]
pub struct Theme {
    title: String,
    sign_in: Template,
    account: Template,
    cookie_missing: Template,
}

/// One of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    /// The form.
    SignIn,
    /// For people who are signed in already.
    Account,
    /// For browsers that do not bring the session back.
    CookieMissing,
}

/// What the sign-in page is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct SignIn<'a> {
    /// Where the form goes.
    pub action: &'a str,
    /// Where the browser goes afterwards: a path.
    pub next: &'a str,
    /// The user name that was typed before.
    pub user: &'a str,
    /// What went wrong.
    pub error: &'a str,
    /// What went well.
    pub notice: &'a str,
}

/// What the page for people who are signed in is told.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// Where the sign-out form goes.
    pub action: &'a str,
    /// Where the browser goes on: a path.
    pub next: &'a str,
    /// Who is signed in.
    pub user: &'a str,
    /// The display name; empty where there is none.
    pub name: &'a str,
}

/// What the page about a lost session is told.
#[derive(Clone, Copy, Debug)]
pub struct CookieMissing<'a> {
    /// The sign-in page.
    pub action: &'a str,
    /// The name of the cookie that was set.
    pub cookie: &'a str,
    /// What became of it.
    pub reason: &'a str,
}

impl PageKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::SignIn, Self::Account, Self::CookieMissing];

    /// The file of an own page in the folder `auth.login.templates`.
    pub fn file(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in.html",
            Self::Account => "account.html",
            Self::CookieMissing => "lost.html",
        }
    }

    fn names(self) -> Names {
        match self {
            Self::SignIn => Names {
                all: &["title", "action", "next", "user", "error", "notice"],
                required: &["action", "next", "error"],
            },
            Self::Account => Names {
                all: &["title", "action", "next", "user", "name"],
                required: &["action", "user"],
            },
            Self::CookieMissing => Names {
                all: &["title", "action", "cookie", "reason"],
                required: &["cookie"],
            },
        }
    }

    fn builtin(self) -> Template {
        let text = match self {
            Self::SignIn => include_str!("../../assets/pages/sign_in.html"),
            Self::Account => include_str!("../../assets/pages/account.html"),
            Self::CookieMissing => include_str!("../../assets/pages/lost.html"),
        };
        // all pages share one frame, and one style, which the policy of each names
        let text = include_str!("../../assets/pages/frame.html")
            .replace(
                "<style></style>",
                concat!(
                    "<style>",
                    include_str!("../../assets/pages/style.css"),
                    "</style>"
                ),
            )
            .replace("<article></article>\n", text);
        Template::parse(&text, self.names()).expect("the built-in pages are tested")
    }
}

impl Theme {
    /// The built-in pages under this title.
    pub fn builtin(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            sign_in: PageKind::SignIn.builtin(),
            account: PageKind::Account.builtin(),
            cookie_missing: PageKind::CookieMissing.builtin(),
        }
    }

    /// Puts an own page in place of a built-in one.
    ///
    /// # Errors
    /// [`TemplateError`] for a template that could not be shown.
    pub fn replace(&mut self, kind: PageKind, text: &str) -> Result<(), TemplateError> {
        let template = Template::parse(text, kind.names())?;
        match kind {
            PageKind::SignIn => self.sign_in = template,
            PageKind::Account => self.account = template,
            PageKind::CookieMissing => self.cookie_missing = template,
        }
        Ok(())
    }

    /// The form.
    pub fn sign_in(&self, with: &SignIn<'_>) -> Page {
        self.sign_in.fill(&[
            &self.title,
            with.action,
            with.next,
            with.user,
            with.error,
            with.notice,
        ])
    }

    /// Who is signed in, and a way out.
    pub fn account(&self, with: &Account<'_>) -> Page {
        self.account
            .fill(&[&self.title, with.action, with.next, with.user, with.name])
    }

    /// Which cookie did not come back.
    pub fn cookie_missing(&self, with: &CookieMissing<'_>) -> Page {
        self.cookie_missing
            .fill(&[&self.title, with.action, with.cookie, with.reason])
    }
}

impl fmt::Debug for Theme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Theme")
            .field("title", &self.title)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_pages_are_whole() {
        let theme = Theme::builtin("<Sign in>");
        let page = theme.sign_in(&SignIn {
            action: "/auth/login",
            next: "/a?b&c",
            user: "r\"",
            ..SignIn::default()
        });
        for expected in [
            "<title>&lt;Sign in&gt;</title>",
            "action=\"/auth/login\"",
            "/a?b&amp;c",
            "value=\"r&quot;\"",
        ] {
            assert!(page.html.contains(expected), "{expected}: {}", page.html);
        }
        for absent in [
            "http:",
            "https:",
            "<script",
            " style=",
            "role=\"alert\"",
            "{{",
        ] {
            assert!(!page.html.contains(absent), "{absent}");
        }
        let account = theme.account(&Account {
            action: "/auth/logout",
            next: "/",
            user: "rita",
            name: "",
        });
        assert!(account.html.contains("rita") && account.html.contains("action=\"/auth/logout\""));
        let missing = theme.cookie_missing(&CookieMissing {
            action: "/auth/login",
            cookie: "__Host-gatelatch",
            reason: "why",
        });
        assert!(missing.html.contains("__Host-gatelatch") && missing.html.contains("why"));
        for page in [page, account, missing] {
            assert!(
                page.policy.to_str().unwrap().contains("style-src 'sha256-"),
                "{:?}",
                page.policy
            );
        }
    }

    #[test]
    fn own_pages_take_the_place_of_built_in_ones() {
        let mut theme = Theme::builtin("T");
        theme
            .replace(PageKind::Account, "{{title}} {{user}} {{action}}")
            .unwrap();
        let page = theme.account(&Account {
            action: "/out",
            next: "/",
            user: "rita",
            name: "",
        });
        assert_eq!(page.html, "T rita /out");
        assert!(theme.replace(PageKind::CookieMissing, "nothing").is_err());
    }
}
