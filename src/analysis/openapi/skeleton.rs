//! A first configuration from a document, which loads as it is.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;

use super::document::{ApiOperation, OpenApiDocument};
use super::security::{OperationSecurity, SecurityAlternative};
use super::template::{PathTemplate, TemplateSegment};
use crate::access::Pattern;

/// The parts of the configuration that are not rules.
#[derive(Clone, Debug)]
pub struct SkeletonSettings<'a> {
    /// The source of the document, for the comment.
    pub source: &'a str,
    /// The name of the service; by default from the title.
    pub service: Option<&'a str>,
    /// The address of the service.
    pub upstream: &'a str,
    /// Where the service itself has the document, where that is known. FastAPI has its pages beside it.
    pub document: Option<&'a PathTemplate>,
    /// Whether `GATELATCH_SECRET` is there to be used.
    pub secret: bool,
    /// Where the document's paths are mounted, instead of at its servers' paths.
    pub prefix: Option<&'a PathTemplate>,
}

/// The configuration as YAML, with a comment for whatever could not be written as a rule.
pub fn skeleton(document: &OpenApiDocument, settings: &SkeletonSettings<'_>) -> String {
    let rules = Rules::of(document, settings);
    let mut text = format!(
        "# Rules for {}, from {}.\n\
         # A proposal to read line by line, not a decision: an OpenAPI document says what a service expects, seldom who\n\
         # may use it. Roles below are the document's scopes. Then: `gatelatch check`, `gatelatch audit`.\n\n",
        comment(document.title.as_deref().unwrap_or("a service")),
        comment(settings.source),
    );
    text += &auth(&rules.own_path, settings.secret);
    text += &format!(
        "services:\n  {}:\n    upstream: {}\n",
        service_name(document, settings),
        quoted(settings.upstream)
    );
    if !document.speaks_of_security {
        text += "    # The document says nothing about security: everybody who is signed in is let in, to begin with.\n";
    }
    if let Some(document) = settings.document {
        text += "    # the document is served with what the rules ask, and the pages that read it are open\n";
        text += &format!(
            "    openapi: {{ path: {} }}\n",
            quoted(&document.to_string())
        );
    }
    if rules.entries.is_empty() && settings.document.is_none() {
        return text + "    rules: []\n" + &rules.notes(document);
    }
    text +=
        "    # The order of the rules never matters. What no rule covers is refused.\n    rules:\n";
    text += &rules.pages(settings.document);
    text += &rules.lines();
    text + &rules.notes(document)
}

/// What the block says that is not the default.
fn auth(own_path: &str, secret: bool) -> String {
    let path = match own_path {
        "/auth" => String::new(),
        path => format!("  # the service has paths of its own under /auth\n  path: {path}\n"),
    };
    let token = "token: { secret: \"${GATELATCH_SECRET}\" }";
    if secret {
        return format!("auth:\n{path}  {token}\n\n");
    }
    let note = "# without a secret, tokens end with the process: make one with `openssl rand -base64 48`\n";
    if path.is_empty() {
        format!("{note}# auth: {{ {token} }}\n\n")
    } else {
        format!("auth:\n{path}  {note}  # {token}\n\n")
    }
}

struct Rules<'d> {
    entries: Vec<Entry<'d>>,
    odd: Vec<String>,
    own_path: String,
}

/// One rule to write.
struct Entry<'d> {
    operation: &'d ApiOperation,
    pattern: String,
    allow: String,
    remark: Option<String>,
}

impl<'d> Rules<'d> {
    fn of(document: &'d OpenApiDocument, settings: &SkeletonSettings<'_>) -> Self {
        let mut rules = Self {
            entries: Vec::new(),
            odd: Vec::new(),
            own_path: own_path(document, settings),
        };
        let mut taken = BTreeMap::new();
        for operation in by_tag(document) {
            for path in paths(operation, settings.prefix) {
                rules.add(operation, &path, document, &mut taken);
            }
        }
        rules
    }

    /// `taken` has the index of each entry by method and shape.
    fn add(
        &mut self,
        operation: &'d ApiOperation,
        path: &PathTemplate,
        document: &OpenApiDocument,
        taken: &mut BTreeMap<(String, String), usize>,
    ) {
        let place = format!("{} {path}", operation.method);
        if operation.method == Method::TRACE {
            return self
                .odd
                .push(format!("{place}: such requests are always refused"));
        }
        let pattern = pattern(path);
        if let Err(error) = Pattern::parse(&pattern) {
            return self.odd.push(format!("{place}: {error}"));
        }
        let (allow, remark) = allow(&operation.security, document);
        let key = (operation.method.as_str().to_owned(), shape(path));
        if let Some(same) = taken.get(&key) {
            self.odd.push(format!(
                "{place}: another operation has the same path and method to a rule"
            ));
            return self.entries[*same].reconcile(allow);
        }
        taken.insert(key, self.entries.len());
        self.entries.push(Entry {
            operation,
            pattern,
            allow,
            remark,
        });
    }

    /// Rules for the document and the pages that read it, unless operations have their paths.
    fn pages(&self, document: Option<&PathTemplate>) -> String {
        let pages = document.into_iter().flat_map(PathTemplate::pages);
        let free = pages.filter(|page| {
            let shape = shape(page);
            !self.entries.iter().any(|entry| entry.pattern == shape)
        });
        let rule = |page: PathTemplate| {
            let path = quoted(&pattern(&page));
            format!("      - {{ path: {path}, methods: [GET], allow: anyone }}\n")
        };
        free.map(rule).collect()
    }

    fn lines(&self) -> String {
        let mut lines = String::new();
        let mut tag = None;
        for entry in &self.entries {
            let own = entry.operation.tags.first();
            if let Some(own) = own.filter(|_| own != tag) {
                lines += &format!("      # {}\n", comment(own));
            }
            tag = own;
            lines += &entry.line();
        }
        lines
    }

    /// What could not be written as a rule, as comments at the end.
    fn notes(&self, document: &OpenApiDocument) -> String {
        let all: Vec<&String> = self.odd.iter().chain(&document.odd).collect();
        if all.is_empty() {
            return String::new();
        }
        let lines = all.iter().map(|line| format!("# - {}\n", comment(line)));
        format!(
            "\n# Not written as it stands in the document:\n{}",
            lines.collect::<String>()
        )
    }
}

impl Entry<'_> {
    /// Merges the requirements of two operations with one rule: where they differ, neither is a safe guess.
    fn reconcile(&mut self, other: String) {
        if self.allow != other {
            self.remark = Some(format!(
                "two operations, one with {} and one with {other}: write one",
                self.allow
            ));
            "nobody".clone_into(&mut self.allow);
        }
    }

    fn line(&self) -> String {
        let Self {
            operation,
            pattern,
            allow,
            remark,
        } = self;
        let said = operation
            .summary
            .iter()
            .chain(remark)
            .map(|text| comment(text))
            .collect::<Vec<_>>()
            .join("; ");
        let said = if said.is_empty() {
            said
        } else {
            format!("  # {said}")
        };
        let (pattern, method) = (quoted(pattern), &operation.method);
        format!("      - {{ path: {pattern}, methods: [{method}], allow: {allow} }}{said}\n")
    }
}

/// The operations by their first tag, in the order of the document's tags; those without one come first.
fn by_tag(document: &OpenApiDocument) -> Vec<&ApiOperation> {
    let mut operations: Vec<_> = document
        .operations
        .iter()
        .map(|one| (rank(one, document), one))
        .collect();
    operations.sort_by_key(|(rank, _)| *rank);
    operations
        .into_iter()
        .map(|(_, operation)| operation)
        .collect()
}

fn rank<'o>(operation: &'o ApiOperation, document: &OpenApiDocument) -> Option<(usize, &'o str)> {
    let tag = operation.tags.first()?;
    let listed = document.tags.iter().position(|one| one == tag);
    Some((listed.unwrap_or(usize::MAX), tag))
}

fn paths(
    operation: &ApiOperation,
    prefix: Option<&PathTemplate>,
) -> impl Iterator<Item = PathTemplate> {
    let prefixes = match prefix {
        Some(prefix) => vec![prefix.clone()],
        None => operation.prefixes.clone(),
    };
    prefixes
        .into_iter()
        .map(|prefix| operation.template.below(&prefix))
}

/// A rule's pattern; a segment of parameters and text becomes `*`, and so does a parameter whose name is not valid.
fn pattern(path: &PathTemplate) -> String {
    let mut names = BTreeSet::new();
    let pieces = path.pieces.iter().map(|piece| match piece {
        TemplateSegment::Literal(text) => format!("/{text}"),
        TemplateSegment::Parameter(name)
            if Pattern::parse(&format!("/{{{name}}}")).is_ok() && names.insert(name) =>
        {
            format!("/{{{name}}}")
        }
        TemplateSegment::Parameter(_) | TemplateSegment::Mixed(_) => "/*".to_owned(),
    });
    let pattern: String = pieces.collect();
    if pattern.is_empty() {
        "/".to_owned()
    } else {
        pattern
    }
}

/// The part of a path that rules distinguish; parameters are equal.
fn shape(path: &PathTemplate) -> String {
    let pieces = path.pieces.iter().map(|piece| match piece {
        TemplateSegment::Literal(text) => format!("/{text}"),
        TemplateSegment::Parameter(_) | TemplateSegment::Mixed(_) => "/*".to_owned(),
    });
    pieces.collect()
}

/// The `allow` of a rule, and a remark about it.
fn allow(security: &OperationSecurity, document: &OpenApiDocument) -> (String, Option<String>) {
    match security {
        OperationSecurity::Required(alternatives) => required(alternatives),
        OperationSecurity::Optional(_) => {
            ("anyone".to_owned(), Some("a token is optional".to_owned()))
        }
        OperationSecurity::Open => ("anyone".to_owned(), None),
        OperationSecurity::Unsaid if document.speaks_of_security => ("anyone".to_owned(), None),
        OperationSecurity::Unsaid => ("authenticated".to_owned(), None),
    }
}

fn required(alternatives: &[SecurityAlternative]) -> (String, Option<String>) {
    let mut conditions = Vec::new();
    for alternative in alternatives {
        let scopes = alternative.scopes();
        if scopes.is_empty() {
            // an alternative without scopes admits every authenticated caller
            return ("authenticated".to_owned(), None);
        }
        if let Some(scope) = scopes.iter().find(|scope| !is_role(scope)) {
            return (
                "nobody".to_owned(),
                Some(format!("the scope {scope} cannot be a role: write one")),
            );
        }
        let list = scopes
            .iter()
            .map(|scope| quoted(scope))
            .collect::<Vec<_>>()
            .join(", ");
        let key = if scopes.len() == 1 {
            "roles"
        } else {
            "all_roles"
        };
        let condition = format!("{{ {key}: [{list}] }}");
        if !conditions.contains(&condition) {
            conditions.push(condition);
        }
    }
    match conditions.as_slice() {
        [one] => (one.clone(), None),
        many => (format!("[{}]", many.join(", ")), None),
    }
}

/// Whether the configuration accepts it as a role.
fn is_role(text: &str) -> bool {
    let plain = !text
        .chars()
        .any(|c| c.is_control() || matches!(c, '{' | '}'));
    plain && !text.is_empty() && text.trim() == text && text.len() <= 255
}

/// `/auth`, unless the service has such paths itself.
fn own_path(document: &OpenApiDocument, settings: &SkeletonSettings<'_>) -> String {
    let is_taken = |own: &str| {
        let mut all = document
            .operations
            .iter()
            .flat_map(|operation| paths(operation, settings.prefix));
        all.any(|path| matches!(path.pieces.first(), Some(TemplateSegment::Literal(text)) if text.eq_ignore_ascii_case(own)))
    };
    let name = ["auth", "gatelatch"].into_iter().find(|own| !is_taken(own));
    format!("/{}", name.unwrap_or("gatelatch-auth"))
}

/// The name of a service: letters, digits and `-`.
fn service_name(document: &OpenApiDocument, settings: &SkeletonSettings<'_>) -> String {
    if let Some(name) = settings.service {
        return quoted(name);
    }
    let title = document
        .title
        .as_deref()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let words = title
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    let mut name = words.collect::<Vec<_>>().join("-");
    name.truncate(64);
    let name = name.trim_matches('-');
    // YAML reads a name of digits as a number
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        name.to_owned()
    } else {
        "app".to_owned()
    }
}

/// A quoted text, which YAML and the configuration read unchanged: JSON is YAML, and a dollar could begin a variable.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text.replace('$', "$$")).to_string()
}

/// A text on one line.
fn comment(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}') {
                ' '
            } else {
                c
            }
        })
        .collect()
}
