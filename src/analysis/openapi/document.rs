//! The operations of a document.

use std::fmt;

use http::Method;
use serde_json::{Map, Value};

use super::security::OperationSecurity;
use super::template::{PathTemplate, TemplateSegment};

/// The content of a document that matters for rules.
#[derive(Clone, Debug)]
pub struct OpenApiDocument {
    /// `info.title`.
    pub title: Option<String>,
    /// All operations, by path, then by method.
    pub operations: Vec<ApiOperation>,
    /// The names of its `tags`, in the order of the document.
    pub tags: Vec<String>,
    /// Whether it mentions security at all. Where it does, an operation without `security` is open.
    pub speaks_of_security: bool,
    /// What could not be interpreted, each with its place.
    pub odd: Vec<String>,
}

/// One operation.
#[derive(Clone, Debug)]
pub struct ApiOperation {
    /// Its method.
    pub method: Method,
    /// Its path below the server.
    pub template: PathTemplate,
    /// The paths of its servers (`servers`, or `basePath`), each once; never empty.
    pub prefixes: Vec<PathTemplate>,
    /// `operationId`, or the summary.
    pub name: Option<String>,
    /// The summary, for people; else the name.
    pub summary: Option<String>,
    /// `tags`.
    pub tags: Vec<String>,
    /// Who may call it, the document's default applied.
    pub security: OperationSecurity,
}

/// Why a value is not an OpenAPI document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenApiError {
    /// It has neither `openapi` nor `swagger`.
    Unmarked,
    /// An unsupported version, as written.
    Version(String),
    /// `paths` is missing or not a map.
    NoPaths,
}

/// The methods that a path item may have.
const METHODS: [(&str, Method); 8] = [
    ("get", Method::GET),
    ("put", Method::PUT),
    ("post", Method::POST),
    ("delete", Method::DELETE),
    ("options", Method::OPTIONS),
    ("head", Method::HEAD),
    ("patch", Method::PATCH),
    ("trace", Method::TRACE),
];

/// Other members that a path item may have.
const OTHERS: [&str; 5] = ["$ref", "summary", "description", "servers", "parameters"];

impl OpenApiDocument {
    /// Reads a document.
    ///
    /// # Errors
    /// [`OpenApiError`] where it is not an OpenAPI document, or of an unsupported version.
    pub fn read(root: &Value) -> Result<Self, OpenApiError> {
        let dialect = Dialect::of(root)?;
        // OpenAPI 3.1 may have webhooks or components instead
        let none = Map::new();
        let paths = match (root.get("paths"), dialect) {
            (Some(Value::Object(paths)), _) => paths,
            (None, Dialect::Three) if root.get("webhooks").or(root.get("components")).is_some() => {
                &none
            }
            (Some(_) | None, _) => return Err(OpenApiError::NoPaths),
        };
        let mut odd = Vec::new();
        let default = OperationSecurity::read(root.get("security"), &mut odd, "the document");
        let prefixes = dialect.prefixes(root, &mut odd);
        let mut reader = Reader {
            root,
            dialect,
            default,
            prefixes,
            operations: Vec::new(),
            odd,
        };
        paths
            .iter()
            .for_each(|(path, item)| reader.item(path, item));
        let required = reader
            .operations
            .iter()
            .any(|operation| operation.security != OperationSecurity::Unsaid);
        Ok(Self {
            title: root
                .pointer("/info/title")
                .and_then(Value::as_str)
                .map(str::to_owned),
            tags: tags(root),
            operations: reader.operations,
            speaks_of_security: required || has_schemes(root),
            odd: reader.odd,
        })
    }
}

/// Whether the document defines security schemes.
fn has_schemes(root: &Value) -> bool {
    root.pointer("/components/securitySchemes")
        .or(root.get("securityDefinitions"))
        .and_then(Value::as_object)
        .is_some_and(|schemes| !schemes.is_empty())
}

fn tags(root: &Value) -> Vec<String> {
    let tags = root
        .get("tags")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    tags.filter_map(|tag| tag.get("name")?.as_str())
        .map(str::to_owned)
        .collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Two,
    Three,
}

impl Dialect {
    fn of(root: &Value) -> Result<Self, OpenApiError> {
        let version = |key: &str| match root.get(key) {
            // YAML reads `swagger: 2.0` as a number
            Some(Value::Number(number)) => Some(number.to_string()),
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => Some("something else".to_owned()),
            None => None,
        };
        match (version("openapi"), version("swagger")) {
            (Some(text), _) if text.starts_with("3.") => Ok(Self::Three),
            (None, Some(text)) if text == "2.0" || text == "2" => Ok(Self::Two),
            (Some(text), _) | (None, Some(text)) => Err(OpenApiError::Version(text)),
            (None, None) => Err(OpenApiError::Unmarked),
        }
    }

    /// The paths of the servers that an object lists, each once; the root path where it lists none.
    fn prefixes(self, object: &Value, odd: &mut Vec<String>) -> Vec<PathTemplate> {
        let listed = match self {
            Self::Two => base_path(object, odd).into_iter().collect(),
            Self::Three => server_paths(object, odd),
        };
        let mut prefixes = Vec::new();
        for prefix in listed {
            if !prefixes.contains(&prefix) {
                prefixes.push(prefix);
            }
        }
        if prefixes.is_empty() {
            vec![PathTemplate { pieces: Vec::new() }]
        } else {
            prefixes
        }
    }
}

/// `basePath` of Swagger 2.0.
fn base_path(object: &Value, odd: &mut Vec<String>) -> Option<PathTemplate> {
    let base = object
        .get("basePath")
        .and_then(Value::as_str)
        .unwrap_or("/");
    let prefix = PathTemplate::read(base);
    if prefix.is_none() {
        odd.push(format!(
            "`basePath: {base}` does not begin with a slash and is left out"
        ));
    }
    prefix
}

/// The paths of `servers` of OpenAPI 3.
fn server_paths(object: &Value, odd: &mut Vec<String>) -> Vec<PathTemplate> {
    let servers = object
        .get("servers")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let path = |server| {
        let path = server_path(server);
        if path.is_none() {
            odd.push(format!(
                "a server without a `url` that can be read: {server}"
            ));
        }
        path
    };
    servers.filter_map(path).collect()
}

/// The path of `https://example.com/v1`, `//example.com/v1`, `/v1` or `v1`, with the defaults of its variables.
fn server_path(server: &Value) -> Option<PathTemplate> {
    let mut url = server.get("url")?.as_str()?.to_owned();
    for (name, variable) in server
        .get("variables")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        if let Some(default) = variable.get("default").and_then(Value::as_str) {
            url = url.replace(&format!("{{{name}}}"), default);
        }
    }
    let after_scheme = url.split_once("//").map(|(_, rest)| rest);
    let path = match after_scheme {
        Some(rest) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => &url,
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    PathTemplate::read(&format!("/{}", path.trim_start_matches('/')))
}

struct Reader<'a> {
    root: &'a Value,
    dialect: Dialect,
    default: OperationSecurity,
    prefixes: Vec<PathTemplate>,
    operations: Vec<ApiOperation>,
    odd: Vec<String>,
}

impl Reader<'_> {
    fn item(&mut self, path: &str, item: &Value) {
        if path.starts_with("x-") {
            return;
        }
        let Some(template) = PathTemplate::read(path) else {
            self.odd.push(format!(
                "`{path}` does not begin with a slash and is left out"
            ));
            return;
        };
        self.note_mixed(path, &template);
        let Some(item) = self.resolve(path, item) else {
            return;
        };
        let servers = self.prefixes_of(&Value::Object(item.clone()), self.prefixes.clone());
        for (name, method) in &METHODS {
            if let Some(value) = item.get(*name) {
                self.operation(method, path, &template, value, &servers);
            }
        }
        let known =
            |key: &str| METHODS.iter().any(|(name, _)| *name == key) || OTHERS.contains(&key);
        for key in item
            .keys()
            .filter(|key| !known(key) && !key.starts_with("x-"))
        {
            self.odd.push(format!(
                "`{path}`: `{key}` is no method that can be read, and is left out"
            ));
        }
    }

    fn note_mixed(&mut self, path: &str, template: &PathTemplate) {
        for piece in &template.pieces {
            if let TemplateSegment::Mixed(text) = piece {
                self.odd.push(format!(
                    "`{path}`: `{text}` is a parameter and text in one segment; a rule covers it with `*`, and other \
                     segments as well"
                ));
            }
        }
    }

    fn operation(
        &mut self,
        method: &Method,
        path: &str,
        template: &PathTemplate,
        value: &Value,
        servers: &[PathTemplate],
    ) {
        let place = format!("`{method} {path}`");
        if !value.is_object() {
            self.odd
                .push(format!("{place} is not a map and is left out"));
            return;
        }
        let security = match OperationSecurity::read(value.get("security"), &mut self.odd, &place) {
            OperationSecurity::Unsaid => self.default.clone(),
            own @ (OperationSecurity::Open
            | OperationSecurity::Optional(_)
            | OperationSecurity::Required(_)) => own,
        };
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let tags = value
            .get("tags")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let prefixes = self.prefixes_of(value, servers.to_vec());
        self.operations.push(ApiOperation {
            method: method.clone(),
            template: template.clone(),
            prefixes,
            name: text("operationId").or_else(|| text("summary")),
            summary: text("summary").or_else(|| text("operationId")),
            tags: tags.filter_map(Value::as_str).map(str::to_owned).collect(),
            security,
        });
    }

    /// The object's own servers, which replace those of the level above.
    fn prefixes_of(&mut self, object: &Value, above: Vec<PathTemplate>) -> Vec<PathTemplate> {
        let own = self.dialect == Dialect::Three && object.get("servers").is_some();
        if own {
            self.dialect.prefixes(object, &mut self.odd)
        } else {
            above
        }
    }

    /// Follows the reference of a path item within the document; members beside the reference take precedence.
    fn resolve(&mut self, path: &str, item: &Value) -> Option<Map<String, Value>> {
        let Value::Object(item) = item else {
            self.odd
                .push(format!("`{path}` is not a map and is left out"));
            return None;
        };
        let Some(reference) = item.get("$ref") else {
            return Some(item.clone());
        };
        let pointer = reference.as_str().and_then(|text| text.strip_prefix('#'));
        let target = pointer.and_then(|pointer| self.root.pointer(pointer));
        let target = target.and_then(Value::as_object);
        // following chains of references would need protection against cycles
        let Some(target) = target.filter(|target| !target.contains_key("$ref")) else {
            self.odd.push(format!(
                "`{path}` refers to {reference}, which cannot be followed, and is left out"
            ));
            return None;
        };
        let mut whole = target.clone();
        let own = item.iter().filter(|(key, _)| *key != "$ref");
        whole.extend(own.map(|(key, value)| (key.clone(), value.clone())));
        Some(whole)
    }
}

impl fmt::Display for OpenApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unmarked => {
                f.write_str("it is no OpenAPI document: neither `openapi` nor `swagger` is there")
            }
            Self::Version(text) => write!(
                f,
                "version `{text}` cannot be read; known: OpenAPI 3, Swagger 2.0"
            ),
            Self::NoPaths => f.write_str("it has no map of `paths`"),
        }
    }
}

impl std::error::Error for OpenApiError {}
