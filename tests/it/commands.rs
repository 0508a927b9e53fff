//! The commands as an operator types them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const CONFIG: &str = r#"auth: { users_file: users.yaml, token: { secret: 0123456789abcdef0123456789abcdef } }
services:
  jobs:
    upstream: http://127.0.0.1:9
    rules:
      - { path: /jobs, methods: [GET], allow: authenticated }
      - { path: /jobs, methods: [POST], allow: { roles: [recruiter] } }
      - { path: "/users/{id}/**", allow: [ { roles: [admin] }, { user: "{id}" } ] }
      - { path: /users/**, allow: nobody }
      - { path: /metrics, allow: { networks: [10.0.0.0/8] } }
"#;

const USERS: &str = "users:\n  carl: { roles: [candidate] }\n  gone: { disabled: true }\n";

pub(super) fn gatelatch(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gatelatch"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("GATELATCH_CONFIG")
        .output()
        .unwrap()
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("gateway.yaml"), CONFIG).unwrap();
    fs::write(folder.path().join("users.yaml"), USERS).unwrap();
    folder
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn init_check_and_explain_work_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let init = gatelatch(folder.path(), &["init"]);
    assert!(init.status.success(), "{}", text(&init.stderr));
    let check = gatelatch(folder.path(), &["check", "--deny", "warnings"]);
    assert!(check.status.success(), "{}", text(&check.stderr));
    assert_eq!(
        text(&check.stdout),
        "gateway.yaml is valid: 1 service, 3 rules, 1 user\n"
    );
    let explain = gatelatch(
        folder.path(),
        &["explain", "GET", "/admin/x", "--as", "admin"],
    );
    assert!(explain.status.success(), "{}", text(&explain.stderr));
    let again = gatelatch(folder.path(), &["init"]);
    assert_eq!(again.status.code(), Some(1), "nothing is overwritten");
}

#[test]
fn a_broken_configuration_is_shown_with_its_place_and_runs_nothing() {
    let folder = folder();
    fs::write(
        folder.path().join("gateway.yaml"),
        CONFIG.replace("roles: [recruiter]", "rolse: [recruiter]"),
    )
    .unwrap();
    for command in ["run", "check"] {
        let output = gatelatch(folder.path(), &[command]);
        let printed = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{printed}");
        for part in [
            "error[unknown-key]",
            "gateway.yaml:7:",
            "did you mean `roles`?",
        ] {
            assert!(printed.contains(part), "`{part}` is missing in {printed}");
        }
    }
}

#[test]
fn the_examples_that_ship_are_valid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for config in ["gateway.example.yaml", "docker/gateway.yaml"] {
        let output = Command::new(env!("CARGO_BIN_EXE_gatelatch"))
            .args(["check", "--config", config])
            .current_dir(root)
            .env("GATELATCH_SECRET", "0123456789abcdef0123456789ABCDEF")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{config}: {}",
            text(&output.stderr)
        );
        assert_eq!(text(&output.stderr), "", "{config} has warnings");
    }
}

#[test]
fn the_configuration_in_the_readme_is_valid() {
    let readme =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let block = readme
        .split("```yaml file=gateway.yaml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("gateway.yaml"), block).unwrap();
    fs::write(folder.path().join("users.yaml"), USERS).unwrap();
    fs::write(
        folder.path().join(".env"),
        "GATELATCH_SECRET=0123456789abcdef0123456789ABCDEF\n",
    )
    .unwrap();
    let check = gatelatch(folder.path(), &["check"]);
    assert_eq!(
        text(&check.stdout),
        "gateway.yaml is valid: 1 service, 5 rules, 2 users\n",
        "{}",
        text(&check.stderr)
    );
}
