//! The JSON Schemas (2020-12) of both files, from their blocks.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::kinds::VARIABLE;
use super::server::GATEWAY;
use super::users::USERS;
use super::{Block, Key, Kind, List, Map, Named, Rule, Shown};

type Json = serde_json::Map<String, Value>;

/// The JSON Schema of `gateway.yaml`.
#[must_use]
pub fn gateway_schema() -> String {
    schema(&GATEWAY)
}

/// The JSON Schema of the users file.
#[must_use]
pub fn users_schema() -> String {
    schema(&USERS)
}

fn schema(root: &'static Block) -> String {
    let file = root.name;
    let mut definitions = Definitions::default();
    let mut schema = Json::new();
    schema.insert(
        "$schema".to_owned(),
        "https://json-schema.org/draft/2020-12/schema".into(),
    );
    schema.insert("$id".to_owned(), format!("urn:gatelatch:{file}").into());
    schema.insert("title".to_owned(), format!("Gatelatch: {file}").into());
    schema.extend(definitions.block(root));
    schema.insert("$defs".to_owned(), definitions.0.into());
    let mut text = String::new();
    write_value(&mut text, &schema.into(), 0, true);
    text.push('\n');
    text
}

/// What is referred to, in the order of first use.
#[derive(Default)]
struct Definitions(Json);

impl Definitions {
    fn refer(&mut self, name: &str, define: impl FnOnce(&mut Self) -> Json) -> Json {
        if let Some(known) = self.0.get(name).cloned() {
            let same = || known == Value::from(define(self));
            debug_assert!(same(), "two definitions are called `{name}`");
        } else {
            // keeps the place before what it refers to itself
            self.0.insert(name.to_owned(), Value::Null);
            let definition = define(self);
            self.0.insert(name.to_owned(), definition.into());
        }
        object(json!({ "$ref": format!("#/$defs/{name}") }))
    }

    fn block(&mut self, block: &Block) -> Json {
        let mut schema = object(
            json!({ "description": block.meaning, "type": types("object", block.nullable) }),
        );
        let required = block.keys.iter().filter(|key| key.required);
        let required: Vec<Value> = required.map(|key| key.name.into()).collect();
        if !required.is_empty() {
            schema.insert("required".to_owned(), required.into());
        }
        schema.insert("additionalProperties".to_owned(), false.into());
        let rules: Vec<_> = block.rules.iter().map(rule).collect();
        let several = rules.iter().filter(|rule| rule.contains_key("not")).count() > 1;
        if several {
            schema.insert("allOf".to_owned(), rules.into());
        } else {
            schema.extend(rules.into_iter().flatten());
        }
        let properties = block.keys.iter();
        let properties: Json = properties
            .map(|key| (key.name.to_owned(), self.key(key).into()))
            .collect();
        schema.insert("properties".to_owned(), properties.into());
        schema
    }

    fn key(&mut self, key: &Key) -> Json {
        let mut schema = Json::new();
        describe(&mut schema, key.meaning);
        schema.extend(self.kind(&key.kind));
        if let Some(default) = &key.default {
            schema.insert("default".to_owned(), shown(default));
        }
        exemplify(&mut schema, key.examples);
        schema
    }

    fn named(&mut self, named: &Named) -> Json {
        let mut schema = Json::new();
        describe(&mut schema, named.meaning);
        schema.extend(self.kind(&named.kind));
        exemplify(&mut schema, named.examples);
        schema
    }

    fn kind(&mut self, kind: &Kind) -> Json {
        match kind {
            Kind::Any => Json::new(),
            Kind::Scalar([one]) => object(json!({ "type": one })),
            Kind::Scalar(several) => object(json!({ "type": several })),
            Kind::Filled => object(json!({ "type": "string", "minLength": 1 })),
            Kind::Short => object(json!({ "type": "string", "minLength": 1, "maxLength": 255 })),
            Kind::Pattern(pattern) => object(json!({ "type": "string", "pattern": pattern })),
            Kind::Only(value) => object(json!({ "const": shown(value) })),
            Kind::Natural => object(json!({ "type": "integer", "minimum": 0 })),
            Kind::Share => {
                let share = json!({ "type": "number", "minimum": 0, "maximum": 1 });
                object(json!({ "anyOf": [share, self.kind(&VARIABLE)] }))
            }
            Kind::Integer(low, high) => {
                let integer = json!({ "type": "integer", "minimum": low, "maximum": high });
                object(json!({ "anyOf": [integer, self.kind(&VARIABLE)] }))
            }
            Kind::Choice(words) => {
                object(json!({ "anyOf": [{ "enum": words() }, self.kind(&VARIABLE)] }))
            }
            Kind::Either(kinds) => {
                let kinds: Vec<_> = kinds.iter().map(|kind| self.kind(kind)).collect();
                object(json!({ "anyOf": kinds }))
            }
            Kind::List(list) => self.list(list),
            Kind::Map(map) => self.map(map),
            Kind::Block(block) => self.refer(block.name, |all| all.block(block)),
            Kind::Named(named) => self.refer(named.name, |all| all.named(named)),
        }
    }

    fn list(&mut self, list: &List) -> Json {
        let items = self.kind(list.of);
        let mut schema = object(json!({ "type": types("array", list.nullable), "items": items }));
        if list.filled {
            schema.insert("minItems".to_owned(), 1.into());
        }
        if let Some(most) = list.most {
            schema.insert("maxItems".to_owned(), most.into());
        }
        if list.distinct {
            schema.insert("uniqueItems".to_owned(), true.into());
        }
        schema
    }

    fn map(&mut self, map: &Map) -> Json {
        let mut schema = object(json!({ "type": types("object", map.nullable) }));
        if map.filled {
            schema.insert("minProperties".to_owned(), 1.into());
        }
        if let Some(names) = map.names {
            schema.insert("propertyNames".to_owned(), json!({ "pattern": names }));
        }
        if !matches!(map.of, Kind::Any) {
            let of = self.kind(map.of);
            schema.insert("additionalProperties".to_owned(), of.into());
        }
        schema
    }
}

fn describe(schema: &mut Json, meaning: &str) {
    if !meaning.is_empty() {
        schema.insert("description".to_owned(), meaning.into());
    }
}

fn exemplify(schema: &mut Json, examples: &[Shown]) {
    if !examples.is_empty() {
        let examples: Vec<Value> = examples.iter().map(shown).collect();
        schema.insert("examples".to_owned(), examples.into());
    }
}

fn rule(rule: &Rule) -> Json {
    object(match rule {
        Rule::NotBoth(one, other) => {
            json!({ "not": { "type": "object", "required": [one, other] } })
        }
        Rule::Together(one, other) => {
            json!({ "dependentRequired": { *one: [other], *other: [one] } })
        }
        Rule::WithOneOf(key, others) => {
            let dependent = |other: &&str| ((*other).to_owned(), json!([key]));
            let dependents: Json = others.iter().map(dependent).collect();
            json!({
                "dependentRequired": dependents,
                "if": { "type": "object", "required": [key] },
                "then": { "anyOf": required(others) },
            })
        }
        Rule::NotEmpty => json!({ "minProperties": 1 }),
        Rule::OneOf(keys) => json!({ "anyOf": required(keys) }),
        Rule::Needs {
            key,
            values,
            one_of,
        } => json!({
            "if": { "type": "object", "properties": { *key: { "enum": values() } }, "required": [key] },
            "then": { "anyOf": required(one_of) },
        }),
    })
}

/// An alternative for each key: it must be given.
fn required(keys: &[&str]) -> Vec<Json> {
    let keys = keys.iter();
    keys.map(|key| object(json!({ "required": [key] })))
        .collect()
}

fn types(name: &str, nullable: bool) -> Value {
    if nullable {
        json!([name, "null"])
    } else {
        name.into()
    }
}

fn shown(value: &Shown) -> Value {
    match value {
        Shown::Nothing => Value::Null,
        Shown::Flag(value) => (*value).into(),
        Shown::Number(value) => (*value).into(),
        Shown::Text(value) => (*value).into(),
        Shown::List(values) => json!(values),
        Shown::Map(entries) => {
            let entries = entries.iter();
            Value::Object(
                entries
                    .map(|(key, value)| ((*key).to_owned(), json!(value)))
                    .collect(),
            )
        }
    }
}

fn object(value: Value) -> Json {
    match value {
        Value::Object(members) => members,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Json::new()
        }
    }
}

/// Writes blocks over several lines, and everything else in one: a line a key.
fn write_value(text: &mut String, value: &Value, depth: usize, broken: bool) {
    match value {
        Value::Object(members) => {
            let (open, between) = if broken {
                let indent = "  ".repeat(depth + 1);
                (format!("\n{indent}"), format!(",\n{indent}"))
            } else {
                (" ".to_owned(), ", ".to_owned())
            };
            text.push('{');
            for (index, (key, value)) in members.iter().enumerate() {
                text.push_str(if index == 0 { &open } else { &between });
                write!(text, "{}: ", Value::from(key.as_str())).unwrap_or_default();
                let broken = broken
                    && (key == "$defs" || key == "properties" || value.get("properties").is_some());
                write_value(text, value, depth + 1, broken);
            }
            let close = if broken {
                format!("\n{}", "  ".repeat(depth))
            } else {
                " ".to_owned()
            };
            text.push_str(&close);
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { ", " });
                write_value(text, item, depth, false);
            }
            text.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            write!(text, "{value}").unwrap_or_default();
        }
    }
}
