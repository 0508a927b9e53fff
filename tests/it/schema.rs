//! `gatelatch schema`.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::support::commands::{folder, gatelatch, json, text};

const SECRET: &str = "auth: { token: { secret: 0123456789abcdef0123456789abcdef } }";

#[test]
fn the_schemas_that_ship_are_those_of_the_binary() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (arguments, file) in [
        (vec!["schema"], "config/gateway.schema.json"),
        (vec!["schema", "config"], "config/gateway.schema.json"),
        (vec!["schema", "users"], "config/users.schema.json"),
    ] {
        let printed = text(&gatelatch(root, &arguments).stdout);
        assert_eq!(printed, std::fs::read_to_string(root.join(file)).unwrap());
        let schema: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(
            schema["$schema"],
            "https://json-schema.org/draft/2020-12/schema"
        );
        described(&schema["properties"], file);
        schema["$defs"]
            .as_object()
            .unwrap()
            .values()
            .for_each(|one| described(&one["properties"], file));
    }
}

/// Each key says what it means, or refers to what does.
fn described(properties: &Value, file: &str) {
    for (key, value) in properties.as_object().into_iter().flatten() {
        let says = value
            .get("description")
            .or(value.get("$ref"))
            .or(value.get("items"));
        assert!(
            says.is_some(),
            "`{key}` in {file} does not say what it means"
        );
        described(&value["properties"], file);
    }
}

/// What the loader knows at a place, by asking it: an unknown key is answered with the known ones.
fn known(gateway: &str, users: &str) -> BTreeSet<String> {
    let folder = folder(&[("gateway.yaml", gateway), ("users.yaml", users)]);
    let answer = json(&gatelatch(folder.path(), &["check", "--format", "json"]));
    let problems = answer["problems"].as_array().unwrap();
    let unknown = problems
        .iter()
        .find(|problem| problem["code"] == "unknown-key")
        .unwrap_or_else(|| panic!("{answer:#}"));
    let help = unknown["help"]
        .as_str()
        .unwrap()
        .strip_prefix("known here: ")
        .unwrap()
        .to_owned();
    help.split(", ")
        .map(|key| key.trim_matches('`').to_owned())
        .collect()
}

#[test]
fn every_key_that_the_loader_knows_is_in_the_schema() {
    let app = |inside: &str| {
        format!(
            "{SECRET}\nservices: {{ app: {{ upstream: \"http://a\", rules: [], {inside} }} }}\n"
        )
    };
    let rule = |inside: &str| {
        format!("{SECRET}\nservices: {{ app: {{ upstream: \"http://a\", rules: [{inside}] }} }}\n")
    };
    let upstream = |inside: &str| {
        format!(
            "{SECRET}\nservices: {{ app: {{ rules: [], upstream: {{ servers: [\"http://a\"], {inside} }} }} }}\n"
        )
    };
    let top = |inside: &str| {
        format!("{inside}\nservices: {{ app: {{ upstream: \"http://a\", rules: [] }} }}\n")
    };
    let unknown = "zzzzzzzz: 1";
    for (pointer, config) in [
        ("", top(unknown)),
        ("/$defs/server", top(&format!("server: {{ {unknown} }}"))),
        (
            "/$defs/server/properties/timeouts",
            top(&format!("server: {{ timeouts: {{ {unknown} }} }}")),
        ),
        (
            "/$defs/server/properties/limits",
            top(&format!("server: {{ limits: {{ {unknown} }} }}")),
        ),
        ("/properties/admin", top(&format!("admin: {{ {unknown} }}"))),
        ("/properties/log", top(&format!("log: {{ {unknown} }}"))),
        ("/$defs/auth", top(&format!("auth: {{ {unknown} }}"))),
        (
            "/$defs/auth/properties/token",
            top(&format!("auth: {{ token: {{ {unknown} }} }}")),
        ),
        ("/$defs/service", app(unknown)),
        (
            "/$defs/service/properties/paths",
            app(&format!("paths: {{ {unknown} }}")),
        ),
        (
            "/$defs/service/properties/identity",
            app(&format!("identity: {{ {unknown} }}")),
        ),
        (
            "/$defs/service/properties/limits",
            app(&format!("limits: {{ {unknown} }}")),
        ),
        ("/$defs/upstream/anyOf/1", upstream(unknown)),
        (
            "/$defs/upstream/anyOf/1/properties/timeouts",
            upstream(&format!("timeouts: {{ {unknown} }}")),
        ),
        (
            "/$defs/rule",
            rule(&format!("{{ path: /a, allow: anyone, {unknown} }}")),
        ),
        (
            "/$defs/condition",
            rule(&format!(
                "{{ path: /a, allow: {{ roles: [a], {unknown} }} }}"
            )),
        ),
    ] {
        compare("gateway", pointer, &known(&config, "users: {}"));
    }
    let smallest = top(SECRET);
    compare("users", "", &known(&smallest, "users: {}\nzzzzzzzz: 1\n"));
    compare(
        "users",
        "/$defs/user",
        &known(&smallest, "users: { alice: { zzzzzzzz: 1 } }\n"),
    );
}

fn compare(name: &str, pointer: &str, known: &BTreeSet<String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let schema = std::fs::read_to_string(root.join(format!("config/{name}.schema.json"))).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let properties = schema.pointer(pointer).unwrap()["properties"]
        .as_object()
        .unwrap();
    let missing: Vec<_> = known
        .iter()
        .filter(|key| !properties.contains_key(key.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "config/{name}.schema.json lacks {missing:?} at `{pointer}`"
    );
}

#[test]
fn init_writes_the_schemas_that_its_files_name() {
    let folder = folder(&[]);
    assert!(gatelatch(folder.path(), &["init"]).status.success());
    for (file, schema, name) in [
        ("gateway.yaml", "gateway.schema.json", "config"),
        ("users.yaml", "users.schema.json", "users"),
    ] {
        let written = std::fs::read_to_string(folder.path().join(file)).unwrap();
        assert!(
            written.starts_with(&format!("# yaml-language-server: $schema={schema}\n")),
            "{written}"
        );
        let written = std::fs::read_to_string(folder.path().join(schema)).unwrap();
        assert_eq!(
            written,
            text(&gatelatch(folder.path(), &["schema", name]).stdout)
        );
    }
}
