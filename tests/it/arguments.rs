//! What is wrong with an argument is said of the argument.

use std::fs;
use std::path::Path;

use crate::commands::text;
use crate::support::commands::gatelatch_with;

const CONFIG: &str = r#"auth: { users_file: users.yaml, token: { secret: 0123456789abcdef0123456789abcdef } }
admin: { listen: "127.0.0.1:9" }
services:
  jobs: { upstream: http://127.0.0.1:9, rules: [{ path: /jobs, allow: authenticated }] }
"#;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("gateway.yaml"), CONFIG).unwrap();
    let users = "users: { carl: { roles: [a] } }\n";
    fs::write(folder.path().join("users.yaml"), users).unwrap();
    folder
}

/// The exit code and standard error; standard input is empty.
fn said(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = gatelatch_with(folder, arguments, "");
    (output.status.code().unwrap(), text(&output.stderr))
}

#[test]
fn durations_are_those_of_the_configuration() {
    let folder = folder();
    for arguments in [
        &["check", "--timeout"][..],
        &["healthcheck", "--timeout"],
        &["explain", "GET", "/jobs", "--as", "carl", "--age"],
        &["key", "rotate", "--dry-run", "--timeout"],
        &["token", "issue", "--user", "carl", "--ttl"],
    ] {
        for written in ["1day", "2sec", "1M", "1h 5m", "90"] {
            let (code, said) = said(folder.path(), &[arguments, &[written]].concat());
            assert_eq!(code, 2, "{arguments:?} {written}: {said}");
            assert!(said.contains("write a duration such as `"), "{said}");
        }
    }
    let arguments = ["explain", "GET", "/jobs", "--as", "carl", "--age", "1d"];
    assert_eq!(said(folder.path(), &arguments).0, 0);
    let output = gatelatch_with(folder.path(), &["key", "rotate", "--dry-run"], "");
    let steps = text(&output.stdout);
    let waits = steps.split("4. after ").nth(1).unwrap();
    let waits = waits.split(',').next().unwrap();
    assert!(
        waits.ends_with('h') || waits.ends_with('d'),
        "one number with one unit: {steps}"
    );
}

#[test]
fn what_is_wrong_is_said_of_the_argument() {
    let folder = folder();
    for (arguments, code, expected) in [
        (
            &["user", "add", "a b"][..],
            2,
            "invalid value 'a b' for '<USER>': a user name has no spaces",
        ),
        (
            &["user", "add", "zoe", "--no-password", "--roles", ""],
            2,
            "invalid value '' for '--roles <ROLES>': a role has a name; leave `--roles` away for none",
        ),
        (
            &["user", "add", "zoe", "--no-password", "--roles", "a, a"],
            1,
            "error: `--roles` has `a` twice; write it once",
        ),
        (
            &[
                "user",
                "add-key",
                "carl",
                "--name",
                "k",
                "--expires",
                "2020-01-01",
            ],
            2,
            "the key would be refused from now on",
        ),
        (
            &[
                "user",
                "add-key",
                "carl",
                "--name",
                "k",
                "--expires",
                "tomorrow",
            ],
            2,
            "write a date such as `2027-01-01`, or a time such as",
        ),
        (
            &["import", "--openapi", "-", "--service", "bad name"],
            1,
            "error: `bad name` is not the name of a service; write up to 64 letters",
        ),
        (
            &["audit", "--openapi", "-"],
            1,
            "error: cannot read standard input: ",
        ),
        (
            &["init", "gateway.yaml"],
            1,
            "error: `gateway.yaml` is a file, and a folder is asked for",
        ),
        (
            &["man", "gateway.yaml"],
            1,
            "error: `gateway.yaml` is a file, and a folder is asked for",
        ),
        (
            &["token", "inspect"],
            1,
            "error: standard input is empty: write a token to it",
        ),
        (
            &["diff", "a.yaml", "gateway.yaml"],
            2,
            "error: cannot read `a.yaml`: No such file",
        ),
        (
            &["demo", "--listen", "8080"],
            2,
            "for '--listen <ADDR>': write `127.0.0.1:8080`",
        ),
    ] {
        let (found, said) = said(folder.path(), arguments);
        assert_eq!(found, code, "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
        assert!(!said.contains("--config"), "{arguments:?}: {said}");
    }
}

#[test]
fn a_mistake_in_a_file_of_tests_is_one_of_that_file() {
    let folder = folder();
    fs::write(
        folder.path().join("t.yaml"),
        "- { request: GET /jobs, expct: allowed }\n",
    )
    .unwrap();
    let (code, said) = said(folder.path(), &["test", "t.yaml"]);
    assert_eq!(code, 1);
    assert!(said.starts_with("error: `t.yaml` has "), "{said}");
}

#[test]
fn where_no_gateway_answers_the_next_step_is_said() {
    let folder = folder();
    let (code, listed) = said(folder.path(), &["session", "list"]);
    assert_eq!(code, 1);
    assert!(listed.contains("start it with `gatelatch run`"), "{listed}");
    assert_eq!(listed.matches("127.0.0.1:9").count(), 1, "{listed}");
    let (code, rotated) = said(folder.path(), &["key", "rotate", "--timeout", "10ms"]);
    assert_eq!(code, 1, "{rotated}");
    let waiting = rotated.find("waiting until 127.0.0.1:9 confirms");
    let (waiting, failed) = (waiting.unwrap(), rotated.find("error: ").unwrap());
    let offline = rotated.find("`--offline`").unwrap();
    assert!(waiting < offline && offline < failed, "{rotated}");
}
