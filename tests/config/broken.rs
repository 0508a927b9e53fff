//! Every message, whole: `broken/NAME.txt` holds files that do not load and what is said about them, `warned/NAME.txt`
//! files that do.
//! `UPDATE_EXPECT=1 cargo test --test config` writes what is said now.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use gatelatch::config::{Code, LINTS, Problem, examine};
use rcgen::{CertifiedKey, KeyPair};

use super::{Case, repository, schema};

const MESSAGES: &str = "messages";
/// Without this part there is a users file without users.
const WITHOUT_USERS: &str = "without users.yaml";

/// The parts of a data file: `=== NAME` and the lines below.
fn parts(text: &str) -> Vec<(&str, String)> {
    let mut parts: Vec<(&str, String)> = Vec::new();
    for line in text.split_inclusive('\n') {
        match line.strip_prefix("=== ") {
            Some(name) => parts.push((name.trim_end(), String::new())),
            None => parts
                .last_mut()
                .expect("a file begins with `=== `")
                .1
                .push_str(line),
        }
    }
    parts
}

/// The warning about the missing secret would stand in every file; it has one of its own.
fn is_of_interest(problem: &Problem, name: &str) -> bool {
    problem.code != Code::NoSecret || name.starts_with("no_secret")
}

/// Fills in certificates and keys, which are made for each run: `CERTIFICATE OF NAME` and `KEY OF NAME` belong together.
fn certified(content: &str, known: &mut BTreeMap<String, CertifiedKey<KeyPair>>) -> String {
    let words = content
        .trim_end()
        .split_once(" OF ")
        .filter(|(what, _)| matches!(*what, "CERTIFICATE" | "KEY"));
    let Some((what, name)) = words else {
        return content.to_owned();
    };
    let make = || rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let pair = known.entry(name.to_owned()).or_insert_with(make);
    if what == "KEY" {
        pair.signing_key.serialize_pem()
    } else {
        pair.cert.pem()
    }
}

fn name_of(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// The files of a data file, laid out.
fn case_of(text: &str) -> Case {
    let files = parts(text)
        .into_iter()
        .filter(|(file, _)| !matches!(*file, MESSAGES | WITHOUT_USERS));
    let case = if text.contains(WITHOUT_USERS) {
        Case::new()
    } else {
        Case::new().file("users.yaml", "users: {}")
    };
    let mut certificates = BTreeMap::new();
    files.fold(case, |case, (file, content)| {
        case.file(file, certified(&content, &mut certificates))
    })
}

fn messages(case: &Case, problems: &[Problem], name: &str) -> String {
    let shown: Vec<_> = problems
        .iter()
        .filter(|problem| is_of_interest(problem, name))
        .cloned()
        .collect();
    case.rendered(&shown)
}

fn data_files(folder: &str) -> Vec<(PathBuf, String)> {
    let directory = std::fs::read_dir(repository().join("tests/config").join(folder)).unwrap();
    let paths = directory.map(|entry| entry.unwrap().path());
    paths
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect()
}

/// Holds what is said about each file against what is written there.
fn assert_messages(files: &[(PathBuf, String)], said: impl Fn(&Case, &str) -> String) {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut wrong = Vec::new();
    for (path, text) in files {
        let (input, expected) = text.split_once(&format!("=== {MESSAGES}\n")).unwrap();
        let said = said(&case_of(text), name_of(path));
        if said != expected && update {
            std::fs::write(path, format!("{input}=== {MESSAGES}\n{said}")).unwrap();
        } else if said != expected {
            wrong.push(format!(
                "{}\n--- expected\n{expected}--- said\n{said}",
                path.display()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn messages_are_as_written() {
    let files = data_files("broken");
    assert!(files.len() > 30);
    assert_messages(&files, |case, name| {
        let rendered = messages(case, case.load().expect_err(name).as_slice(), name);
        schema::refuses(case, &rendered);
        rendered
    });
}

#[test]
fn files_that_everybody_can_read_are_named() {
    let gateway = "auth: { token: { secret: '${SECRET}' } }\nservices: { app: { upstream: 'http://127.0.0.1:9', \
        rules: [{ path: /**, allow: authenticated }] } }\n";
    let case = Case::of(gateway, "users: { alice: {} }").file(".env", "A=1\n");
    let examined = |case: &Case, mode: u32| {
        for name in ["users.yaml", ".env"] {
            let path = case.directory.path().join(name);
            std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        }
        let warnings = case.load_by(examine).unwrap().warnings;
        warnings
            .iter()
            .map(|one| case.without_directory(&one.to_string()))
            .collect::<Vec<_>>()
    };
    let said = ["users.yaml", ".env"].map(|name| {
        let belong = if name == ".env" { "secrets" } else { "password hashes" };
        format!(
            "every user of this machine can read `{name}` (mode 0644), where {belong} belong (`chmod o= {name}`)"
        )
    });
    let mut warnings = examined(&case, 0o644);
    warnings.sort_by_key(|text| text.contains(".env"));
    assert_eq!(warnings, said);
    assert!(
        case.load().unwrap().warnings.is_empty(),
        "only `check` looks"
    );
    assert!(examined(&case, 0o640).is_empty());
    let silent = case.file(
        "gateway.yaml",
        format!("allow_lints: [world-readable]\n{gateway}"),
    );
    assert!(examined(&silent, 0o644).is_empty());
    assert!(silent.load().unwrap().warnings.is_empty());
}

/// What cannot be read may set every variable.
#[test]
fn a_dotenv_that_cannot_be_read_is_the_only_error() {
    let gateway = "auth: { token: { secret: '${GATELATCH_SECRET}' } }\n\
        services: { app: { upstream: 'http://127.0.0.1:9', rules: [] } }\n";
    let case = Case::of(gateway, "users: {}").file(".env", b"GATELATCH_SECRET=\xff\n");
    let problems = case.load().expect_err("no secret");
    let errors: Vec<_> = problems
        .as_slice()
        .iter()
        .filter(|one| one.code != Code::NoRules)
        .collect();
    assert_eq!(errors.len(), 1, "{problems}");
    assert_eq!(
        errors[0].message.rsplit('/').next().unwrap(),
        ".env`: not UTF-8 (line 1)"
    );
}

#[test]
fn warnings_are_as_written() {
    let files = data_files("warned");
    assert!(files.len() > 5);
    assert_messages(&files, |case, name| match case.load() {
        Ok(loaded) => messages(case, &loaded.warnings, name),
        Err(problems) => panic!("{name}: {}", case.rendered(problems.as_slice())),
    });
}

/// Whatever can be silenced is said somewhere, and is not said any more once it is allowed.
#[test]
fn every_lint_is_pinned_and_can_be_silenced() {
    let mut said = BTreeSet::new();
    for (path, text) in data_files("warned") {
        let case = case_of(&text);
        let codes: BTreeSet<&str> = case
            .load()
            .unwrap()
            .warnings
            .iter()
            .map(|warning| warning.code.as_str())
            .collect();
        let lints: Vec<&str> = codes
            .iter()
            .filter(|code| **code != "pointless-allow")
            .copied()
            .collect();
        let gateway = std::fs::read_to_string(case.directory.path().join("gateway.yaml")).unwrap();
        let allowed = gateway.strip_prefix("allow_lints: [");
        let gateway = match allowed {
            Some(rest) => format!("allow_lints: [{}, {rest}", lints.join(", ")),
            None => format!("{gateway}\nallow_lints: [{}]\n", lints.join(", ")),
        };
        let case = case.file("gateway.yaml", gateway);
        let left = case.load().unwrap().warnings;
        assert!(
            left.iter()
                .all(|warning| warning.code == Code::PointlessAllow),
            "{}: {left:?}",
            path.display()
        );
        said.extend(codes.into_iter().map(str::to_owned));
    }
    let silent: Vec<_> = LINTS
        .iter()
        .filter(|(code, _)| !said.contains(code.as_str()))
        // of the machine's files, not of what they say
        .filter(|(code, _)| *code != Code::WorldReadable)
        .collect();
    assert!(silent.is_empty(), "never said in `warned`: {silent:?}");
}
