//! Every message, whole: `broken/NAME.txt` holds the files and what is said about them.
//! `UPDATE_EXPECT=1 cargo test --test config` writes what is said now.

use std::path::Path;

use gatelatch::config::{Code, Problem};

use super::{Case, repository, schema};

const MESSAGES: &str = "messages";

/// The parts of a data file: `=== NAME` and the lines below.
fn parts(text: &str) -> Vec<(&str, String)> {
    let mut parts: Vec<(&str, String)> = Vec::new();
    for line in text.split_inclusive('\n') {
        match line.strip_prefix("=== ") {
            Some(name) => parts.push((name.trim_end(), String::new())),
            None => parts.last_mut().expect("a file begins with `=== `").1.push_str(line),
        }
    }
    parts
}

/// The warning about the missing secret would stand in every file; it has one of its own.
fn is_of_interest(problem: &Problem, name: &str) -> bool {
    problem.code != Code::NoSecret || name.starts_with("no_secret")
}

fn messages(path: &Path, text: &str) -> String {
    let name = path.file_name().unwrap().to_str().unwrap();
    let mut case = Case::new().file("users.yaml", "users: {}");
    for (file, content) in parts(text).into_iter().filter(|(file, _)| *file != MESSAGES) {
        case = case.file(file, content);
    }
    let problems = case.load().expect_err(name);
    let shown: Vec<_> = problems.as_slice().iter().filter(|problem| is_of_interest(problem, name)).cloned().collect();
    let rendered = case.rendered(&shown);
    schema::refuses(&case, &rendered);
    rendered
}

#[test]
fn messages_are_as_written() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut wrong = Vec::new();
    let directory = std::fs::read_dir(repository().join("tests/config/broken")).unwrap();
    let paths: Vec<_> = directory.map(|entry| entry.unwrap().path()).collect();
    assert!(paths.len() > 30);
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let (input, expected) = text.split_once(&format!("=== {MESSAGES}\n")).unwrap();
        let said = messages(&path, &text);
        if said != expected && update {
            std::fs::write(&path, format!("{input}=== {MESSAGES}\n{said}")).unwrap();
        } else if said != expected {
            wrong.push(format!("{}\n--- expected\n{expected}--- said\n{said}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
