//! docs/reference/errors.md, from the codes of problems and the messages that are pinned under `tests/config`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use gatelatch::config::LINTS;

use super::{assert_generated, read, repository};

const HEAD: &str = "# Errors and lints

<!-- generated from src/config/code.rs and tests/config: UPDATE_EXPECT=1 cargo test --test docs -->

`gatelatch check` shows every problem of the configuration at once: file, line, column, and what to write instead. The code
in brackets is stable: scripts may compare it, and `--format json` has it as `code`.

- An **error** means that the configuration is not used: the gateway does not start with it, and a reload keeps the former.
- A **lint** is legal and looks wrong. It is a warning, and an error with `--deny warnings`. `allow_lints: [NAME]` on a
  rule, on a service or at the top level silences it there.
";

/// Every code with what it means, as the source has it.
fn codes() -> Vec<(String, String)> {
    let source = read("src/config/code.rs");
    let body = source
        .split("\ncodes! {\n")
        .nth(1)
        .unwrap()
        .split("\n}")
        .next()
        .unwrap()
        .to_owned();
    let (mut codes, mut meaning) = (Vec::new(), String::new());
    for line in body.lines().map(str::trim) {
        match line.strip_prefix("/// ") {
            Some(text) if meaning.is_empty() => meaning = text.to_owned(),
            Some(text) => meaning.extend([" ", text]),
            None => {
                let name = line.split('"').nth(1).unwrap();
                codes.push((name.to_owned(), std::mem::take(&mut meaning)));
            }
        }
    }
    codes
}

/// The shortest pinned message of each code.
fn examples() -> BTreeMap<String, String> {
    let mut examples: BTreeMap<String, String> = BTreeMap::new();
    for folder in ["broken", "warned"] {
        let directory = std::fs::read_dir(repository().join("tests/config").join(folder)).unwrap();
        let mut paths: Vec<_> = directory.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            let text = std::fs::read_to_string(path).unwrap();
            let messages = text.split("=== messages\n").nth(1).unwrap();
            for message in messages.split("\n\n").map(str::trim_end) {
                let Some(code) = message
                    .split('[')
                    .nth(1)
                    .and_then(|rest| rest.split(']').next())
                else {
                    continue;
                };
                if examples
                    .get(code)
                    .is_none_or(|known| rank(message) < rank(known))
                {
                    examples.insert(code.to_owned(), message.to_owned());
                }
            }
        }
    }
    examples
}

/// An example shows its place, what is wrong there, and what to write instead; that of a lint is a warning. Then the
/// shortest is the best.
fn rank(message: &str) -> impl Ord {
    let lacks = |part: &str| !message.contains(part);
    (
        lacks("-->"),
        message.starts_with("error"),
        !lacks("[redacted]"),
        lacks("= help"),
        message.len(),
    )
}

fn describe(text: &mut String, code: &str, meaning: &str, examples: &BTreeMap<String, String>) {
    write!(text, "\n### {code}\n\n{meaning}\n").unwrap();
    if let Some(example) = examples.get(code) {
        write!(text, "\n```text\n{example}\n```\n").unwrap();
    }
}

#[test]
fn the_reference_of_errors_is_up_to_date() {
    let (codes, examples) = (codes(), examples());
    assert!(codes.len() > 50, "{codes:?}");
    let lints: BTreeMap<&str, &str> = LINTS
        .iter()
        .map(|(code, reason)| (code.as_str(), *reason))
        .collect();
    assert!(
        lints
            .keys()
            .all(|lint| codes.iter().any(|(code, _)| code == lint)),
        "a code is not found in the source"
    );
    let mut text = HEAD.to_owned();
    text.push_str("\n## Errors\n");
    for (code, meaning) in codes
        .iter()
        .filter(|(code, _)| !lints.contains_key(code.as_str()))
    {
        describe(&mut text, code, meaning, &examples);
    }
    text.push_str("\n## Lints\n");
    for (code, meaning) in &codes {
        let Some(reason) = lints.get(code.as_str()) else {
            continue;
        };
        describe(
            &mut text,
            code,
            &format!("{meaning} Why: {reason}."),
            &examples,
        );
    }
    assert_generated("docs/reference/errors.md", &text);
}
