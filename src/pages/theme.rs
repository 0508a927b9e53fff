//! The pages of one configuration, rendered under the policy of each.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use sha2::{Digest, Sha256};

use super::error::{Fault, TemplateError};
use super::kind::{PICTURE, PageKind};
use super::source::TemplateSource;
use super::values::{PageItem, PageValue, PageValues};

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
    /// Of each page, in the order of [`PageKind::ALL`].
    choices: [Choice; PageKind::ALL.len()],
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
    /// Whether it asks for keys (WebAuthn).
    pub asks_for_keys: bool,
}

/// The built-in pages, without a title: they are the same in every configuration, so they are read once. Tests try them.
static BUILT_IN: LazyLock<Theme> = LazyLock::new(|| {
    let mut templates = environment();
    let choices = PageKind::ALL.map(|kind| {
        let (name, text) = (kind.spec().built_in, kind.spec().built_in_text());
        let source = add(&mut templates, name, &text).expect("the built-in pages are tested");
        Choice {
            built_in: policy(&source.styles),
            own: None,
        }
    });
    Theme {
        title: String::new(),
        templates,
        choices,
    }
});

impl Theme {
    /// The built-in pages under this title.
    pub fn builtin(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            ..BUILT_IN.clone()
        }
    }

    /// Puts an own page in place of a built-in one.
    ///
    /// # Errors
    /// [`TemplateError`] for a template that could not be shown.
    pub fn replace(&mut self, kind: PageKind, text: &str) -> Result<(), TemplateError> {
        let source = add(&mut self.templates, kind.file(), text)?;
        try_out(&self.templates, kind, &source)?;
        self.choices[kind as usize].own = Some(policy(&source.styles));
        Ok(())
    }

    /// A page with its values.
    pub fn show<P: PageValues>(&self, page: &P) -> RenderedPage {
        self.show_values(P::KIND, &page.values())
    }

    /// Renders the own page, or the built-in one where that fails. `values` follow the title in the order of the names.
    fn show_values(&self, kind: PageKind, values: &[PageValue<'_>]) -> RenderedPage {
        let (choice, spec) = (&self.choices[kind as usize], kind.spec());
        let title = [PageValue::Text(&self.title)];
        let all = title.iter().chain(values).copied();
        let values: Vec<_> = spec.names.iter().copied().zip(all).collect();
        if let Some(policy) = &choice.own {
            match render(&self.templates, spec.file, &values) {
                Ok(html) => return RenderedPage::new(html, policy),
                // its words could hold values
                Err(error) => tracing::error!(
                    template = spec.file,
                    line = error.line(),
                    error = %error.kind(),
                    "a page cannot be rendered; the built-in one is shown"
                ),
            }
        }
        let html = render(&self.templates, spec.built_in, &values);
        RenderedPage::new(html.unwrap_or_default(), &choice.built_in)
    }
}

impl RenderedPage {
    fn new(html: String, policy: &HeaderValue) -> Self {
        Self {
            html,
            policy: policy.clone(),
            asks_for_keys: false,
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

/// Adds a template under this name.
fn add(
    templates: &mut Environment<'static>,
    name: &'static str,
    text: &str,
) -> Result<TemplateSource, TemplateError> {
    // browsers end lines in one way before they look at a style's digest
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let source = TemplateSource::read(&text)?;
    templates.add_template_owned(name, text)?;
    Ok(source)
}

/// Whether an own page can be shown.
fn try_out(
    templates: &Environment<'_>,
    kind: PageKind,
    source: &TemplateSource,
) -> Result<(), TemplateError> {
    let name = kind.file();
    let used = templates.get_template(name)?.undeclared_variables(false);
    let names = kind.spec().names;
    let unknown = used.iter().filter(|name| !names.contains(&&***name));
    if let Some((line, name)) = unknown.map(|name| (source.line_of(name), name)).min() {
        let fault = Fault::Unknown(name.clone(), names);
        return Err(TemplateError { line, fault });
    }
    render_samples(templates, kind, name)
}

/// The most values of a page of which every combination is tried.
const TRIED_TOGETHER: usize = 7;

/// Which of so many values are filled, as bits: every combination, or, where those would be too many, all, none, each
/// alone, and all but each.
fn fillings(values: usize) -> Vec<usize> {
    let all = (1_usize << values) - 1;
    if values <= TRIED_TOGETHER {
        return (0..=all).collect();
    }
    let alone = (0..values).map(|at| 1 << at);
    let but = alone.clone().map(|one| all ^ one);
    [0, all].into_iter().chain(alone).chain(but).collect()
}

/// Renders a page with and without each value that is empty at times, and looks for those that it must show.
fn render_samples(
    templates: &Environment<'_>,
    kind: PageKind,
    name: &str,
) -> Result<(), TemplateError> {
    let spec = kind.spec();
    let (optional, mut missing) = (spec.optional, spec.required.to_vec());
    let sample = |name: &str| format!("sample-{name}");
    for filled in fillings(optional.len()) {
        let is_empty = |name: &str| {
            let at = optional.iter().position(|optional| *optional == name);
            at.is_some_and(|at| filled >> at & 1 == 0)
        };
        let samples = spec.names.iter().filter(|name| !is_empty(name));
        let samples: BTreeMap<_, _> = samples.map(|name| (*name, sample(name))).collect();
        let items = spec.lists.iter().map(|(list, parts)| {
            let parts = parts.iter().map(|part| (*part, format!("sample-{part}")));
            (*list, PageItem::new(parts))
        });
        let items: Vec<_> = items.collect();
        let value = |name: &&'static str| {
            let text = samples.get(name).map_or("", String::as_str);
            let item = items.iter().find(|(list, _)| list == name);
            let value = match item {
                Some((_, item)) if !text.is_empty() => PageValue::Items(std::slice::from_ref(item)),
                Some(_) => PageValue::Items(&[]),
                None if *name == PICTURE => PageValue::Picture(text),
                None => PageValue::Text(text),
            };
            (*name, value)
        };
        let values: Vec<_> = spec.names.iter().map(value).collect();
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
    values: &[(&'static str, PageValue<'_>)],
) -> Result<String, minijinja::Error> {
    let values = values.iter().map(|(name, value)| (*name, engine(*value)));
    let values: BTreeMap<_, _> = values.collect();
    templates.get_template(name)?.render(values)
}

/// A value as the engine takes it.
fn engine(value: PageValue<'_>) -> minijinja::Value {
    match value {
        PageValue::Text(text) => text.into(),
        PageValue::Picture(svg) => minijinja::Value::from_safe_string(svg.to_owned()),
        PageValue::Items(items) => items
            .iter()
            .map(|one| minijinja::Value::from_object(one.clone()))
            .collect(),
    }
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
