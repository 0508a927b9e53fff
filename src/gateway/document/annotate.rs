//! What the rules ask, written into an OpenAPI document operation by operation.

use bytes::Bytes;
use http::Method;
use serde_json::{Map, Value, json};

use super::super::snapshot::ServiceSnapshot;
use crate::access::{Condition, MissingRoles, Mount, RequestPath, Requirement, RoleMatch};

/// The name of the gateway's security scheme.
const SCHEME: &str = "gatelatch";

/// The version of a document, as far as it matters here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    /// Swagger 2.0.
    Two,
    /// OpenAPI 3.
    Three,
}

/// What an operation asks.
enum Asks {
    /// Nothing.
    Nothing,
    /// To be signed in.
    SignIn,
    /// More than that; in words.
    More(String),
    /// What nobody can fulfil.
    Closed,
}

/// The document with the gateway's additions; `None` where it is none that is understood. `login` is the path of the
/// token endpoint.
pub(super) fn annotate(document: &[u8], service: &ServiceSnapshot, login: &str) -> Option<Bytes> {
    let mut document: Map<String, Value> = serde_json::from_slice(document).ok()?;
    let version = version_of(&document)?;
    let base = base_of(&mut document, version, service);
    let shared = document.get("security").cloned();
    let paths = document.get_mut("paths")?.as_object_mut()?;
    for (path, item) in paths.iter_mut() {
        let Some(item) = item.as_object_mut() else {
            continue;
        };
        let sample = sample(&format!("{base}{path}"), service);
        for (name, operation) in item.iter_mut() {
            let method = Method::from_bytes(name.to_ascii_uppercase().as_bytes())
                .ok()
                .filter(|_| is_method(name));
            if let (Some(method), Some(operation)) = (method, operation.as_object_mut()) {
                mark(
                    operation,
                    &asks(service, &method, sample.as_ref()),
                    shared.as_ref(),
                );
            }
        }
    }
    add_scheme(&mut document, version, login)?;
    serde_json::to_vec(&document).ok().map(Bytes::from)
}

fn version_of(document: &Map<String, Value>) -> Option<Version> {
    match (
        document.get("openapi").and_then(Value::as_str),
        document.get("swagger").and_then(Value::as_str),
    ) {
        (Some(version), None) if version.starts_with("3.") => Some(Version::Three),
        (None, Some("2.0")) => Some(Version::Two),
        (Some(_) | None, _) => None,
    }
}

fn is_method(name: &str) -> bool {
    [
        "get", "put", "post", "delete", "options", "head", "patch", "trace",
    ]
    .contains(&name)
}

/// What stands before the document's paths when a client asks: what the document says itself, else the mount that the
/// gateway takes away, which is then added to the document.
fn base_of(
    document: &mut Map<String, Value>,
    version: Version,
    service: &ServiceSnapshot,
) -> String {
    let own = match version {
        Version::Three => document
            .get("servers")
            .and_then(|servers| servers.get(0)?.get("url")),
        Version::Two => document.get("basePath"),
    };
    if let Some(own) = own.and_then(Value::as_str) {
        return path_of(own).trim_end_matches('/').to_owned();
    }
    let stripped = service
        .forwarding
        .strip
        .as_ref()
        .map(Mount::source)
        .unwrap_or_default()
        .trim_end_matches('/');
    if !stripped.is_empty() {
        let (name, value) = match version {
            Version::Three => ("servers", json!([{ "url": stripped }])),
            Version::Two => ("basePath", json!(stripped)),
        };
        document.insert(name.to_owned(), value);
    }
    stripped.to_owned()
}

/// The path of `https://host/path` and of `/path`.
fn path_of(url: &str) -> &str {
    let behind_scheme = url
        .split_once("//")
        .map_or(url, |(_, rest)| rest.find('/').map_or("", |at| &rest[at..]));
    if behind_scheme.starts_with('/') {
        behind_scheme
    } else {
        ""
    }
}

/// A path that the template stands for, and hardly any rule names.
fn sample(template: &str, service: &ServiceSnapshot) -> Option<RequestPath> {
    let segment = |text: &str| {
        if text.contains('{') {
            "~any~".to_owned()
        } else {
            text.to_owned()
        }
    };
    let path = template
        .split('/')
        .map(segment)
        .collect::<Vec<_>>()
        .join("/");
    RequestPath::parse(&path, service.forwarding.paths).ok()
}

fn asks(service: &ServiceSnapshot, method: &Method, path: Option<&RequestPath>) -> Asks {
    let Some(rule) = path.and_then(|path| service.policy.find(method, path)) else {
        return Asks::Closed;
    };
    match &service.policy.rule(rule).requirement {
        Requirement::Anyone => Asks::Nothing,
        Requirement::Authenticated => Asks::SignIn,
        Requirement::Nobody => Asks::Closed,
        Requirement::AnyOf(conditions) => Asks::More(describe(conditions)),
    }
}

/// Roles by their names, as refusals name them; of everything else only that it is there.
fn describe(conditions: &[Condition]) -> String {
    let mut alternatives: Vec<String> = Vec::new();
    for condition in conditions {
        let mut parts: Vec<String> = condition.roles.iter().map(name_roles).collect();
        let Condition {
            user,
            networks,
            claims,
            sign_in,
            ..
        } = condition;
        if user.is_some() || !networks.is_empty() || !claims.is_empty() {
            parts.push(
                if parts.is_empty() {
                    "A condition of its own"
                } else {
                    "a further condition"
                }
                .to_owned(),
            );
        }
        if !sign_in.is_empty() {
            parts.push(format!("Requires {sign_in}"));
        }
        let alternative = parts.join(", and ");
        if !alternatives.contains(&alternative) {
            alternatives.push(alternative);
        }
    }
    alternatives.join(". Or: ")
}

fn name_roles(demand: &RoleMatch) -> String {
    let missing = match demand {
        RoleMatch::OneOf(roles) => MissingRoles::OneOf(roles.clone()),
        RoleMatch::All(roles) => MissingRoles::All(roles.clone()),
    };
    missing.to_string()
}

/// `shared` is what the document asks where an operation says nothing of its own.
fn mark(operation: &mut Map<String, Value>, asks: &Asks, shared: Option<&Value>) {
    let told = match asks {
        Asks::Nothing => return,
        Asks::SignIn => "Requires a sign-in.".to_owned(),
        Asks::More(what) => format!("{what}."),
        Asks::Closed => "Nobody has access from outside.".to_owned(),
    };
    let before = operation
        .get("description")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let gap = if before.is_empty() { "" } else { "\n\n" };
    operation.insert(
        "description".to_owned(),
        format!("{before}{gap}**Access:** {told}").into(),
    );
    if !matches!(asks, Asks::Closed) {
        require_scheme(operation, shared);
        answer(operation, "401", "Not authenticated");
    }
    if !matches!(asks, Asks::SignIn) {
        answer(operation, "403", "Access denied");
    }
}

/// Beside whatever the service asks for itself, in each of its alternatives.
fn require_scheme(operation: &mut Map<String, Value>, shared: Option<&Value>) {
    let own = operation
        .entry("security")
        .or_insert_with(|| shared.cloned().unwrap_or_else(|| json!([])));
    let Some(alternatives) = own.as_array_mut() else {
        return;
    };
    if alternatives.is_empty() {
        alternatives.push(json!({}));
    }
    for alternative in alternatives.iter_mut().filter_map(Value::as_object_mut) {
        alternative.insert(SCHEME.to_owned(), json!([]));
    }
}

fn answer(operation: &mut Map<String, Value>, status: &str, description: &str) {
    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    if let Some(responses) = responses.as_object_mut() {
        responses
            .entry(status)
            .or_insert_with(|| json!({ "description": description }));
    }
}

/// `None` where the document has something else in the place of its security schemes.
fn add_scheme(document: &mut Map<String, Value>, version: Version, login: &str) -> Option<()> {
    let (schemes, scheme) = match version {
        Version::Three => {
            let components = document
                .entry("components")
                .or_insert_with(|| json!({}))
                .as_object_mut()?;
            let flow = json!({ "type": "oauth2", "flows": { "password": { "tokenUrl": login, "scopes": {} } } });
            (components.entry("securitySchemes"), flow)
        }
        Version::Two => {
            let flow =
                json!({ "type": "oauth2", "flow": "password", "tokenUrl": login, "scopes": {} });
            (document.entry("securityDefinitions"), flow)
        }
    };
    schemes
        .or_insert_with(|| json!({}))
        .as_object_mut()?
        .insert(SCHEME.to_owned(), scheme);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_server_is_what_comes_before_the_paths() {
        for (url, expected) in [
            ("/", "/"),
            ("/api/v1", "/api/v1"),
            ("https://a.test/api", "/api"),
            ("https://a.test", ""),
            ("//a.test/x", "/x"),
            ("{scheme}://a/x", "/x"),
            ("relative", ""),
        ] {
            assert_eq!(path_of(url), expected, "{url}");
        }
    }
}
