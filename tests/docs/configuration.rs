//! docs/reference/configuration.md, from the JSON Schemas.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::{assert_generated, read};

const HEAD: &str = "# Configuration

<!-- generated from config/gateway.schema.json and config/users.schema.json: UPDATE_EXPECT=1 cargo test --test docs -->

Every key of `gateway.yaml` and of the users file. `gatelatch schema` prints the same as JSON Schema, with which editors
complete and check what is written; `gatelatch check` has the last word.

Only `services` is required. Unknown keys, duplicate keys and wrong types are errors. Relative paths are relative to the
file that names them.

| written as | means |
|---|---|
| `${VAR}`, `${VAR:-default}` | the value of an environment variable, or of a `.env` beside the file; the environment wins. `$$` is a literal `$` |
| a duration | a whole number and one unit: `500ms`, `10s`, `15m`, `8h`, `7d` |
| a size | bytes, or a whole number and one unit: `16KiB`, `10MiB`, `1GiB` |
| a file | a path; a secret may stand in the file that the same key with `_file` names |

`gateway.yaml` is read from `--config`, else from `GATELATCH_CONFIG`, else from the current folder. It and every file that
it names are watched, and read again when they change. `server.listen`, `server.workers`, `admin.listen`, `log.format`,
`log.audit`, `state` and whether there is a `server.tls` take effect at the next start; everything else does with the next request.
";

/// Where a resolved schema keeps the name of the definition that it comes from.
const KIND: &str = "definition";

/// A section of the page: the keys of one map.
struct Section<'a> {
    path: String,
    schema: &'a Map<String, Value>,
}

struct Book<'a> {
    root: &'a Value,
    text: String,
}

#[test]
fn the_reference_of_keys_is_up_to_date() {
    let mut text = HEAD.to_owned();
    for (file, title) in [("gateway", "gateway.yaml"), ("users", "users.yaml")] {
        let schema: Value =
            serde_json::from_str(&read(&format!("config/{file}.schema.json"))).unwrap();
        write!(
            text,
            "\n## {title}\n\n{}\n",
            schema["description"].as_str().unwrap()
        )
        .unwrap();
        let mut book = Book {
            root: &schema,
            text: String::new(),
        };
        book.section(&Section {
            path: String::new(),
            schema: schema.as_object().unwrap(),
        });
        text.push_str(&book.text);
    }
    assert_generated("docs/reference/configuration.md", &text);
}

impl Book<'_> {
    fn section(&mut self, section: &Section<'_>) {
        let required = section
            .schema
            .get("required")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let properties = section.schema["properties"].as_object().unwrap();
        self.text
            .push_str("\n| key | type | default | meaning |\n|---|---|---|---|\n");
        let mut inner = Vec::new();
        for (key, schema) in properties {
            let resolved = resolved(self.root, schema);
            let path = if section.path.is_empty() {
                key.clone()
            } else {
                format!("{}.{key}", section.path)
            };
            let below = maps(self.root, &resolved, &path);
            let default = match (
                resolved.get("default"),
                required.contains(&Value::from(key.as_str())),
            ) {
                (_, true) => "required".to_owned(),
                (Some(value), _) => code(value),
                (None, _) => String::new(),
            };
            let kind = kind(self.root, &resolved);
            let mut meaning = resolved
                .get("description")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned();
            for (index, example) in resolved
                .get("examples")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .enumerate()
            {
                write!(
                    meaning,
                    "{} {}",
                    if index == 0 { " Example:" } else { "," },
                    code(example)
                )
                .unwrap();
            }
            assert!(
                !meaning.is_empty(),
                "the schema does not say what `{path}` means"
            );
            let links = below
                .iter()
                .map(|(path, _)| format!(" See [{path}](#{}).", anchor(path)));
            meaning.extend(links);
            writeln!(
                self.text,
                "| `{key}` | {kind} | {default} | {} |",
                cell(&meaning)
            )
            .unwrap();
            inner.extend(below);
        }
        for (path, schema) in inner {
            let description = schema.get("description").and_then(Value::as_str);
            let description =
                description.unwrap_or_else(|| panic!("the schema does not say what `{path}` is"));
            write!(self.text, "\n### {path}\n\n{description}\n").unwrap();
            self.section(&Section {
                path,
                schema: &schema,
            });
        }
    }
}

/// A schema with what it refers to; what stands beside the reference wins.
fn resolved(root: &Value, schema: &Value) -> Map<String, Value> {
    let own = schema.as_object().unwrap().clone();
    let Some(reference) = own.get("$ref").and_then(Value::as_str) else {
        return own;
    };
    let mut found = resolved(
        root,
        root.pointer(reference.trim_start_matches('#')).unwrap(),
    );
    found
        .entry(KIND)
        .or_insert_with(|| reference.rsplit('/').next().into());
    found.extend(own.into_iter().filter(|(key, _)| key != "$ref"));
    found
}

/// The maps with keys of their own that a value may be, or hold.
fn maps(
    root: &Value,
    schema: &Map<String, Value>,
    path: &str,
) -> Vec<(String, Map<String, Value>)> {
    let below = |value: &Value, path: &str| maps(root, &resolved(root, value), path);
    if schema.contains_key("properties") {
        return vec![(path.to_owned(), schema.clone())];
    }
    if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
        let mut found: Vec<(String, Map<String, Value>)> = Vec::new();
        for (path, map) in choices.iter().flat_map(|choice| below(choice, path)) {
            if !found.iter().any(|(_, known)| *known == map) {
                found.push((path, map));
            }
        }
        found.truncate(1);
        return found;
    }
    if let Some(items) = schema.get("items") {
        return below(items, &format!("{path}[]"));
    }
    match schema.get("additionalProperties") {
        Some(values @ Value::Object(_)) => below(values, &format!("{path}.NAME")),
        Some(_) | None => Vec::new(),
    }
}

/// What may be written, in words.
fn kind(root: &Value, schema: &Map<String, Value>) -> String {
    if let Some(name) = named(schema) {
        return name.to_owned();
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values.iter().map(code).collect::<Vec<_>>().join(", ");
    }
    if let Some(value) = schema.get("const") {
        return code(value);
    }
    if let Some(choices) = schema
        .get("anyOf")
        .and_then(Value::as_array)
        .filter(|_| !schema.contains_key("type"))
    {
        let mut kinds: Vec<String> = Vec::new();
        for kind in choices
            .iter()
            .map(|choice| kind(root, &resolved(root, choice)))
        {
            if !kind.is_empty() && !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        return kinds.join(", or ");
    }
    let types = schema.get("type").map(|kind| {
        kind.as_array()
            .cloned()
            .unwrap_or_else(|| vec![kind.clone()])
    });
    let types = types.unwrap_or_default();
    let types = types
        .iter()
        .filter_map(Value::as_str)
        .filter(|kind| *kind != "null");
    let kinds: Vec<String> = types
        .map(|kind| match kind {
            "object" => "map".to_owned(),
            "array" => list_of(root, schema),
            "integer" => range(schema),
            other => other.to_owned(),
        })
        .collect();
    kinds.join(", or ")
}

fn list_of(root: &Value, schema: &Map<String, Value>) -> String {
    let items = schema
        .get("items")
        .map(|items| kind(root, &resolved(root, items)))
        .unwrap_or_default();
    if items.is_empty() {
        "list".to_owned()
    } else {
        format!("list of {items}")
    }
}

fn range(schema: &Map<String, Value>) -> String {
    match (schema.get("minimum"), schema.get("maximum")) {
        (Some(low), Some(high)) => format!("integer, {low} to {high}"),
        (Some(_), None) | (None, Some(_)) | (None, None) => "integer".to_owned(),
    }
}

/// Kinds of values that have a name: that of the definition which stands for them.
fn named(schema: &Map<String, Value>) -> Option<&'static str> {
    match schema.get(KIND).and_then(Value::as_str)? {
        "variable" => Some(""),
        "path" => Some("path pattern"),
        "origin" => Some("URL"),
        "file" => Some("file"),
        "boolean" => Some("boolean"),
        "duration" => Some("duration"),
        "size" => Some("size"),
        "network" => Some("network"),
        _ => None,
    }
}

fn code(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{text}`"),
        Value::Null => "none".to_owned(),
        Value::Object(entries) if !entries.is_empty() => {
            let entries = entries.iter().map(|(key, value)| {
                format!(
                    "{key}: {}",
                    code(value).trim_matches('`').replace("none", "null")
                )
            });
            format!("`{{ {} }}`", entries.collect::<Vec<_>>().join(", "))
        }
        Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            format!("`{}`", value.to_string().replace("\",\"", "\", \""))
        }
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
        .collect()
}
