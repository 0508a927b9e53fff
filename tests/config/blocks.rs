//! What the blocks declare is what is read, what ships and what the examples show.

use std::collections::BTreeSet;

use gatelatch::config::{Code, Loaded, Problems, gateway_schema, users_schema};
use serde_json::{Value, json};

use super::{Case, repository};

#[test]
fn the_schemas_that_ship_are_those_of_the_blocks() {
    let directory = repository().join("config");
    for (name, generated) in [("gateway", gateway_schema()), ("users", users_schema())] {
        let path = directory.join(format!("{name}.schema.json"));
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, &generated).unwrap();
        }
        let shipped = std::fs::read_to_string(&path).unwrap();
        assert!(
            shipped == generated,
            "{name}: run `UPDATE_EXPECT=1 cargo test --test config`"
        );
    }
}

/// A key of a schema.
struct Key {
    /// A pointer to where a file has it.
    place: String,
    name: String,
    default: Option<Value>,
    range: Option<(u64, u64)>,
}

/// All keys of a schema; `NAME` stands for names, and `0` for the elements of lists.
fn keys(schema: &Value) -> Vec<Key> {
    fn walk(root: &Value, schema: &Value, place: &str, keys: &mut Vec<Key>) {
        if let Some(reference) = schema["$ref"].as_str() {
            let pointer = reference.strip_prefix('#').unwrap();
            walk(root, root.pointer(pointer).unwrap(), place, keys);
        }
        for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
            let place = format!("{place}/{name}");
            keys.push(Key {
                place: place.clone(),
                name: name.clone(),
                default: schema.get("default").cloned(),
                range: range(schema),
            });
            walk(root, schema, &place, keys);
        }
        let choices = schema["anyOf"].as_array();
        choices
            .into_iter()
            .flatten()
            .for_each(|one| walk(root, one, place, keys));
        walk_inner(root, &schema["items"], &format!("{place}/0"), keys);
        let named = format!("{place}/NAME");
        walk_inner(root, &schema["additionalProperties"], &named, keys);
    }
    fn walk_inner(root: &Value, schema: &Value, place: &str, keys: &mut Vec<Key>) {
        if schema.is_object() {
            walk(root, schema, place, keys);
        }
    }
    let mut found = Vec::new();
    walk(schema, schema, "", &mut found);
    found
}

/// The range of a whole number, which may be one of several choices.
fn range(schema: &Value) -> Option<(u64, u64)> {
    let bound = |name: &str| schema[name].as_u64();
    let choices = schema["anyOf"].as_array();
    bound("minimum")
        .zip(bound("maximum"))
        .filter(|_| schema["type"] == "integer")
        .or_else(|| choices.into_iter().flatten().find_map(range))
}

fn schemas() -> [Value; 2] {
    [gateway_schema(), users_schema()].map(|schema| serde_json::from_str(&schema).unwrap())
}

/// With every block whose keys have defaults. What has a place in messages comes before what tests write.
fn smallest() -> [Value; 2] {
    let upstream = json!({ "servers": ["http://127.0.0.1:9"], "health": { "path": "/healthz" } });
    let service = json!({
        "rules": [{ "path": "/a", "allow": "anyone", "rate": { "requests": 10, "per": "1s" } }],
        "rate": { "requests": 20, "per": "1s" },
        "upstream": upstream,
        "cors": { "origins": ["https://app.example.com"] },
    });
    let issuer = json!({ "issuer": "idp", "audience": { "one_of": "api" }, "algorithms": ["HS256"], "secret": "${SECRET}" });
    let below = json!({ "base": "dc=example,dc=com" });
    let ldap = json!({ "url": "ldap://127.0.0.1", "users": below, "groups": below });
    let provider = json!({
        "name": "corp",
        "issuer": "https://idp.example.com",
        "client_id": "gatelatch",
        "endpoints": {
            "authorization": "https://idp.example.com/authorize",
            "token": "https://idp.example.com/token",
            "jwks": "https://idp.example.com/keys",
        },
        "allow": { "groups": ["staff"] },
    });
    let gateway = json!({
        "services": { "NAME": service },
        "auth": {
            "trusted_issuers": [issuer],
            "ldap": ldap,
            "providers": [provider],
            "token": {
                "secret": "${SECRET}-of-its-own",
                "previous": [{ "algorithm": "HS256", "secret": "${SECRET}-of-old" }],
            },
            "cors": { "origins": ["https://app.example.com"] },
        },
        "tracing": { "otlp": "http://127.0.0.1:4317" },
        "state": { "url": "memory" },
    });
    [gateway, json!({ "users": { "NAME": {} } })]
}

/// Writes a value, and the maps and lists around it.
fn write(file: &mut Value, place: &str, value: Value) {
    let steps = place.split('/').skip(1);
    let target = steps.fold(file, |at, step| match step.parse::<usize>() {
        Ok(index) => {
            if !at.is_array() {
                *at = json!([{}]);
            }
            &mut at[index]
        }
        Err(_) => {
            if !at.is_object() {
                *at = json!({});
            }
            &mut at[step]
        }
    });
    *target = value;
}

fn load(case: &Case, files: &[Value; 2]) -> Result<Loaded, Problems> {
    for (name, file) in ["gateway.yaml", "users.yaml"].into_iter().zip(files) {
        std::fs::write(case.directory.path().join(name), file.to_string()).unwrap();
    }
    case.load()
}

/// The configuration as it was read, in full but for the places in the file.
fn read(case: &Case, files: &[Value; 2]) -> String {
    let columns = regex::Regex::new("column: [0-9]+").unwrap();
    match load(case, files) {
        Ok(loaded) => columns
            .replace_all(&format!("{:?}", loaded.config), "")
            .into_owned(),
        Err(problems) => panic!("{}", case.rendered(problems.as_slice())),
    }
}

/// The kinds of problems where this is written.
fn refused(case: &Case, index: usize, place: &str, value: Value) -> Vec<Code> {
    let mut files = smallest();
    write(&mut files[index], place, value);
    let problems = load(case, &files).map(|loaded| loaded.warnings);
    let problems = problems.unwrap_or_else(|problems| problems.as_slice().to_vec());
    problems.iter().map(|problem| problem.code).collect()
}

/// In debug builds this also finds the keys that a block declares and nothing reads.
#[test]
fn every_block_is_read_and_refuses_other_keys() {
    let case = Case::new();
    for (index, schema) in schemas().iter().enumerate() {
        let keys = keys(schema);
        let parent = |key: &Key| key.place.rsplit_once('/').unwrap().0.to_owned();
        let blocks: BTreeSet<String> = keys.iter().map(parent).collect();
        for block in blocks {
            let codes = refused(&case, index, &format!("{block}/zzzzzzzz"), json!(1));
            assert!(codes.contains(&Code::UnknownKey), "{block}: {codes:?}");
        }
    }
}

#[test]
fn ranges_are_those_that_are_read() {
    let case = Case::new();
    let mut found = 0;
    for key in keys(&schemas()[0]) {
        let Some((low, high)) = key.range else {
            continue;
        };
        let is_outside =
            |number: u64| refused(&case, 0, &key.place, json!(number)).contains(&Code::OutOfRange);
        let inside = [low, high].map(is_outside);
        let outside = [low.checked_sub(1).unwrap_or(high + 1), high + 1].map(is_outside);
        assert_eq!((inside, outside), ([false; 2], [true; 2]), "{}", key.place);
        found += 1;
    }
    assert!(found > 6, "only {found} keys have a range");
}

#[test]
fn a_default_that_is_written_changes_nothing() {
    let case = Case::new();
    let usual = read(&case, &smallest());
    let mut written = 0;
    for (index, schema) in schemas().iter().enumerate() {
        for key in keys(schema) {
            let Some(default) = key.default else { continue };
            let mut files = smallest();
            write(&mut files[index], &key.place, default.clone());
            let read = read(&case, &files);
            assert!(read == usual, "{} is not {default}", key.place);
            written += 1;
        }
    }
    assert!(written > 60, "only {written} keys have a default");
    for (place, other) in [
        ("/server/timeouts/idle", json!("76s")),
        ("/services/NAME/upstream/health/timeout", json!("3s")),
        ("/auth/session/same_site", json!("strict")),
    ] {
        let mut files = smallest();
        write(&mut files[0], place, other);
        assert!(read(&case, &files) != usual, "{place} is not seen");
    }
}

#[test]
fn the_examples_show_every_key_and_its_default() {
    for (file, schema) in ["gateway.example.yaml", "config/users.example.yaml"]
        .into_iter()
        .zip(schemas())
    {
        let text = std::fs::read_to_string(repository().join(file)).unwrap();
        let shown: BTreeSet<&str> = text.lines().flat_map(named).collect();
        let keys = keys(&schema);
        for key in &keys {
            assert!(
                shown.contains(&*key.name),
                "{file} does not show `{}`",
                key.place
            );
        }
        for line in text.lines() {
            let Some((before, after)) = line.split_once("(default ") else {
                continue;
            };
            let (name, default) = (named(before).next().unwrap(), after.split(')').next());
            let is = |key: &&Key| {
                let default = default.map(|text| serde_yaml::from_str(text).unwrap());
                key.name == name && key.default == default
            };
            assert!(
                keys.iter().any(|key| is(&key)),
                "{file}: that is no default of `{name}`:{line}"
            );
        }
    }
}

/// What stands before a colon.
fn named(line: &str) -> impl Iterator<Item = &str> {
    let name = |c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    line.split_inclusive(':')
        .filter_map(|part| part.strip_suffix(':'))
        .filter_map(move |part| part.rsplit(name).next())
        .filter(|name| !name.is_empty())
}
