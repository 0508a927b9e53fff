//! `gatelatch schema`.

use std::path::Path;

use serde_json::Value;

use crate::support::commands::{folder, gatelatch, text};

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
