//! Which pages there are, and the values that each of them shows.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use sha2::{Digest, Sha256};

use super::error::{Fault, TemplateError};
use super::source::TemplateSource;

/// Steps of work that a page may take, and 64 bytes of it each: a hundred times what the built-in ones need.
const FUEL: u64 = 50_000;

/// Nothing may be loaded, and no script runs.
const POLICY: &str = "default-src 'none'; style-src";
const REST_OF_POLICY: &str = "; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The pages of one configuration: the built-in ones, or the operator's own.
#[derive(Clone)]
pub struct Theme {
    title: String,
    templates: Environment<'static>,
    sign_in: Choice,
    account: Choice,
    cookie_missing: Choice,
}

/// The policies of a page's templates.
#[derive(Clone)]
struct Choice {
    built_in: HeaderValue,
    own: Option<HeaderValue>,
}

/// A page, and the `Content-Security-Policy` it is shown under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedPage {
    /// The whole document.
    pub html: String,
    /// What the browser may load and do: the page's own styles, and sending its form to where it came from.
    pub policy: HeaderValue,
}

/// One of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    /// The form.
    SignIn,
    /// For people who are signed in already.
    Account,
    /// For browsers that do not send the session cookie back.
    CookieMissing,
}

/// The values of the sign-in page.
#[derive(Clone, Copy, Debug, Default)]
pub struct SignInPage<'a> {
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

/// The values of the page for people who are signed in.
#[derive(Clone, Copy, Debug)]
pub struct AccountPage<'a> {
    /// Where the sign-out form goes.
    pub action: &'a str,
    /// Where the browser goes on: a path.
    pub next: &'a str,
    /// Who is signed in.
    pub user: &'a str,
    /// The display name; empty where there is none.
    pub name: &'a str,
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

    /// The name of the built-in template; an own one has that of its file.
    fn built_in(self) -> &'static str {
        match self {
            Self::SignIn => "built-in/sign_in.html",
            Self::Account => "built-in/account.html",
            Self::CookieMissing => "built-in/lost.html",
        }
    }

    /// The names of all values, the title first; in the order in which they are given.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::SignIn => &["title", "action", "next", "user", "error", "notice"],
            Self::Account => &["title", "action", "next", "user", "name"],
            Self::CookieMissing => &["title", "action", "cookie", "reason"],
        }
    }

    /// The values that a page cannot do without.
    fn required(self) -> &'static [&'static str] {
        match self {
            Self::SignIn => &["action", "next", "error"],
            Self::Account => &["action", "user"],
            Self::CookieMissing => &["cookie"],
        }
    }

    /// The values that are empty at times.
    fn optional(self) -> &'static [&'static str] {
        match self {
            Self::SignIn => &["user", "error", "notice"],
            Self::Account => &["name"],
            Self::CookieMissing => &[],
        }
    }

    fn built_in_text(self) -> String {
        let text = match self {
            Self::SignIn => include_str!("../../assets/pages/sign_in.html"),
            Self::Account => include_str!("../../assets/pages/account.html"),
            Self::CookieMissing => include_str!("../../assets/pages/lost.html"),
        };
        // all pages share one frame, and one style, which the policy of each names
        include_str!("../../assets/pages/frame.html")
            .replace(
                "<style></style>",
                concat!(
                    "<style>",
                    include_str!("../../assets/pages/style.css"),
                    "</style>"
                ),
            )
            .replace("<article></article>\n", text)
    }
}

impl Theme {
    /// The built-in pages under this title.
    pub fn builtin(title: &str) -> Self {
        let mut templates = environment();
        let mut built_in = |kind: PageKind| Choice {
            built_in: add(&mut templates, kind, kind.built_in(), &kind.built_in_text())
                .expect("the built-in pages are tested"),
            own: None,
        };
        Self {
            title: title.to_owned(),
            sign_in: built_in(PageKind::SignIn),
            account: built_in(PageKind::Account),
            cookie_missing: built_in(PageKind::CookieMissing),
            templates,
        }
    }

    /// Puts an own page in place of a built-in one.
    ///
    /// # Errors
    /// [`TemplateError`] for a template that could not be shown.
    pub fn replace(&mut self, kind: PageKind, text: &str) -> Result<(), TemplateError> {
        let policy = add(&mut self.templates, kind, kind.file(), text)?;
        let choice = match kind {
            PageKind::SignIn => &mut self.sign_in,
            PageKind::Account => &mut self.account,
            PageKind::CookieMissing => &mut self.cookie_missing,
        };
        choice.own = Some(policy);
        Ok(())
    }

    /// The form.
    pub fn sign_in(&self, with: &SignInPage<'_>) -> RenderedPage {
        let values = [with.action, with.next, with.user, with.error, with.notice];
        self.show(PageKind::SignIn, &self.sign_in, &values)
    }

    /// Who is signed in, and a way out.
    pub fn account(&self, with: &AccountPage<'_>) -> RenderedPage {
        let values = [with.action, with.next, with.user, with.name];
        self.show(PageKind::Account, &self.account, &values)
    }

    /// Which cookie did not come back.
    pub fn cookie_missing(&self, with: &CookieMissing<'_>) -> RenderedPage {
        let values = [with.action, with.cookie, with.reason];
        self.show(PageKind::CookieMissing, &self.cookie_missing, &values)
    }

    /// Renders the own page, or the built-in one where that fails. `values` follow the title in the order of the names.
    fn show(&self, kind: PageKind, choice: &Choice, values: &[&str]) -> RenderedPage {
        let texts = [self.title.as_str()];
        let texts = texts.iter().chain(values).copied();
        let values: Vec<_> = kind.names().iter().copied().zip(texts).collect();
        if let Some(policy) = &choice.own {
            match render(&self.templates, kind.file(), &values) {
                Ok(html) => return RenderedPage::new(html, policy),
                // its words could hold values
                Err(error) => tracing::error!(
                    template = kind.file(),
                    line = error.line(),
                    error = %error.kind(),
                    "a page cannot be rendered; the built-in one is shown"
                ),
            }
        }
        let html = render(&self.templates, kind.built_in(), &values);
        RenderedPage::new(html.unwrap_or_default(), &choice.built_in)
    }
}

impl RenderedPage {
    fn new(html: String, policy: &HeaderValue) -> Self {
        Self {
            html,
            policy: policy.clone(),
        }
    }
}

/// No templates, filters, tests or functions; every value is escaped, and none may be missing.
fn environment() -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
    environment.set_syntax(syntax.expect("the delimiters are the usual ones"));
    environment
}

/// Adds a template that can be shown; gives its policy.
fn add(
    templates: &mut Environment<'static>,
    kind: PageKind,
    name: &'static str,
    text: &str,
) -> Result<HeaderValue, TemplateError> {
    // browsers end lines in one way before they look at a style's digest
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let source = TemplateSource::read(&text)?;
    templates.add_template_owned(name, text)?;
    let used = templates.get_template(name)?.undeclared_variables(false);
    let unknown = used.iter().filter(|name| !kind.names().contains(&&***name));
    if let Some((line, name)) = unknown.map(|name| (source.line_of(name), name)).min() {
        let fault = Fault::Unknown(name.clone(), kind.names());
        return Err(TemplateError { line, fault });
    }
    render_samples(templates, kind, name)?;
    Ok(policy(&source.styles))
}

/// Renders a page with and without each value that is empty at times, and looks for those that it must show.
fn render_samples(
    templates: &Environment<'_>,
    kind: PageKind,
    name: &str,
) -> Result<(), TemplateError> {
    let (optional, mut missing) = (kind.optional(), kind.required().to_vec());
    let sample = |name: &str| format!("sample-{name}");
    for filled in 0..1_usize << optional.len() {
        let is_empty = |name: &str| {
            let at = optional.iter().position(|optional| *optional == name);
            at.is_some_and(|at| filled >> at & 1 == 0)
        };
        let samples = kind.names().iter().filter(|name| !is_empty(name));
        let samples: BTreeMap<_, _> = samples.map(|name| (*name, sample(name))).collect();
        let value = |name: &&'static str| (*name, samples.get(name).map_or("", String::as_str));
        let values: Vec<_> = kind.names().iter().map(value).collect();
        let html = render(templates, name, &values)?;
        missing.retain(|name| !html.contains(&sample(name)));
    }
    match missing.first() {
        Some(name) => Err(TemplateError {
            line: 0,
            fault: Fault::Missing(name),
        }),
        None => Ok(()),
    }
}

fn render(
    templates: &Environment<'_>,
    name: &str,
    values: &[(&'static str, &str)],
) -> Result<String, minijinja::Error> {
    let values = values
        .iter()
        .map(|(name, value)| (*name, minijinja::Value::from(*value)));
    let values: BTreeMap<_, _> = values.collect();
    templates.get_template(name)?.render(values)
}

fn policy(styles: &[String]) -> HeaderValue {
    let hash = |style: &String| format!(" 'sha256-{}'", STANDARD.encode(Sha256::digest(style)));
    let styles: String = if styles.is_empty() {
        " 'none'".to_owned()
    } else {
        styles.iter().map(hash).collect()
    };
    HeaderValue::try_from(format!("{POLICY}{styles}{REST_OF_POLICY}"))
        .expect("base64 is visible ASCII")
}

impl fmt::Debug for Theme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Theme")
            .field("title", &self.title)
            .finish_non_exhaustive()
    }
}
