//! The schema of the audit stream, and its page, know every event and every reason that the code has.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use regex::Regex;
use serde_json::Value;

use super::{read, repository};

const PAGE: &str = "docs/reference/audit-log.md";

/// Words that become a member of a record: the file and the type whose `label` gives them, and the definition and the member
/// of the schema.
const LABELS: &str = "
    portal/denial.rs LoginDenial login reason
    portal/denial.rs RefreshDenial refresh reason
    portal/at_provider/mod.rs ProviderDenial login reason
    portal/shown_factor.rs ShownFactor login second_factor
    portal/account/event.rs AccountChange account event
    portal/account/factors.rs FactorFailure account reason
    users/new_password.rs PasswordChangeError account reason
";

/// Files with a function that makes records of the event that it is told: `record("…")`, or `of(record, "…")`.
const MAKERS: [&str; 3] = [
    "gateway/audited.rs",
    "gateway/changes.rs",
    "server/sinks.rs",
];

fn schema() -> Value {
    serde_json::from_str(&read("config/audit.schema.json")).unwrap()
}

/// What `enum` or `const` allows.
fn allowed(member: &Value) -> BTreeSet<String> {
    let listed = member["enum"].as_array().into_iter().flatten();
    let words = listed.chain(member.get("const")).filter_map(Value::as_str);
    words.map(str::to_owned).collect()
}

fn found(pattern: &str, text: &str) -> Vec<String> {
    let pattern = Regex::new(pattern).unwrap();
    let captures = pattern.captures_iter(text);
    captures.map(|found| found[1].to_owned()).collect()
}

/// What `label` of a type gives.
fn labels(file: &str, name: &str) -> Vec<String> {
    let code = read(&format!("src/{file}"));
    let blocks = found(&format!(r"(?s)\nimpl {name} \{{(.*?)\n\}}\n"), &code);
    let body = blocks
        .iter()
        .flat_map(|block| found(r"(?s)fn label\(&?self\)[^{]*\{(.*?)\n    \}", block))
        .next()
        .unwrap_or_else(|| panic!("{name} of {file} has no label"));
    found(r#"=> "([a-z_]+)""#, &body)
}

/// The rows of an event; those that begin with an empty cell go on with the row before.
fn rows(page: &str, event: &str) -> String {
    let mut rows = String::new();
    let mut is_meant = false;
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let first = line.split('|').nth(1).unwrap().trim();
        is_meant = is_meant && first.is_empty() || first.contains(&format!("`{event}`"));
        if is_meant {
            rows += line;
        }
    }
    rows
}

/// The code of a file in one line.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Adds the events that the code below a folder records. The stream itself knows none.
fn events(folder: &Path, all: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("telemetry/audit") {
                events(&path, all);
            }
            continue;
        }
        let code = code(&path);
        let is_maker = MAKERS.iter().any(|maker| path.ends_with(maker));
        for event in found(r"AuditRecord::new\( ?[a-z_:()]+, ([^,]+),", &code) {
            match event.strip_prefix('"') {
                Some(name) => all.extend([name.trim_end_matches('"').to_owned()]),
                None => assert!(is_maker, "{}: no word but `{event}`", path.display()),
            }
        }
        if is_maker {
            all.extend(found(r#"(?:record\(|of\(record, )"([a-z_]+)""#, &code));
        }
    }
}

#[test]
fn the_schema_of_the_audit_stream_has_every_event() {
    let mut written = BTreeSet::new();
    events(&repository().join("src"), &mut written);
    written.extend(labels("portal/account/event.rs", "AccountChange"));
    let (schema, page) = (schema(), read(PAGE));
    let definitions = schema["$defs"].as_object().unwrap().values();
    let defined: BTreeSet<String> = definitions
        .flat_map(|definition| allowed(&definition["properties"]["event"]))
        .collect();
    assert_eq!(defined, written, "the definitions");
    let listed = allowed(&schema["properties"]["event"]);
    assert_eq!(listed, written, "the list of events");
    for event in written {
        assert!(!rows(&page, &event).is_empty(), "{PAGE} has no `{event}`");
    }
}

#[test]
fn the_schema_of_the_audit_stream_has_every_reason() {
    let (schema, page) = (schema(), read(PAGE));
    for line in LABELS.trim().lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [file, name, definition, member] = words[..] else {
            panic!("{line}");
        };
        let properties = &schema["$defs"][definition]["properties"];
        let known = allowed(&properties[member]);
        let written = labels(file, name);
        assert!(written.len() > 3, "{name}: {written:?}");
        let told: String = allowed(&properties["event"])
            .iter()
            .map(|event| rows(&page, event))
            .collect();
        for label in written {
            assert!(
                known.contains(&label),
                "{name}: no `{label}` in {definition}"
            );
            assert!(
                told.contains(&format!("`{label}`")),
                "{name}: no `{label}` in {PAGE}"
            );
        }
    }
}
