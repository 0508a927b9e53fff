//! The security model names the tests that show what it says: they exist.

use std::fs;
use std::path::Path;

use regex::Regex;

use super::{read, repository};

fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_threat_names_tests_that_exist() {
    let mut code = String::new();
    ["tests", "src"]
        .iter()
        .for_each(|folder| sources(&repository().join(folder), &mut code));
    let page = read("docs/security.md");
    let table = page
        .lines()
        .skip_while(|line| !line.starts_with("| threat |"))
        .skip(2);
    let rows: Vec<&str> = table.take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() >= 15, "only {} threats", rows.len());
    let name = Regex::new("`([a-z0-9_]+)`").unwrap();
    for row in rows {
        let shown = row.trim_end_matches('|').rsplit('|').next().unwrap();
        let names: Vec<&str> = name
            .captures_iter(shown)
            .map(|found| found.get(1).unwrap().as_str())
            .collect();
        assert!(!names.is_empty(), "no test shows: {row}");
        for name in names {
            let test = Regex::new(&format!(
                r"#\[(tokio::)?test\]\s+(#\[[^\n]*\]\s+)*(async )?fn {name}\("
            ))
            .unwrap();
            assert!(test.is_match(&code), "there is no test `{name}`: {row}");
        }
    }
}
