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

fn gatelatch(folder: &Path, arguments: &[&str]) -> Output {
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

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn explain_says_what_becomes_of_a_request_and_why() {
    let folder = folder();
    let cases: &[(&[&str], i32, &str)] = &[
        (
            &["GET", "/jobs"],
            3,
            "GET /jobs to service `jobs`, asked by nobody who is known

unauthenticated (401): Not authenticated
  by `GET /jobs` (gateway.yaml:6:9)
    allow: authenticated
  not asked: `POST /jobs` (gateway.yaml:7:9) covers the path, but not GET
",
        ),
        (
            &["POST", "/jobs", "--as", "carl"],
            4,
            "POST /jobs to service `jobs`, asked by user `carl` with roles candidate

forbidden (403): Access denied. Requires role: recruiter
  by `POST /jobs` (gateway.yaml:7:9)
    role `recruiter` fails
  not asked: `GET /jobs` (gateway.yaml:6:9) covers the path, but not POST
",
        ),
        (&["POST", "/jobs", "--roles", "recruiter,x"], 0, "allowed\n  by `POST /jobs` (gateway.yaml:7:9)\n"),
        (
            &["GET", "/users/carl/cv", "--as", "carl"],
            0,
            "allowed
  by `* /users/{id}/**` (gateway.yaml:8:9)
    role `admin` fails
    or user = `{id}` (`carl`) holds
  beats `* /users/**` (gateway.yaml:9:9): ",
        ),
        (&["GET", "/metrics", "--address", "10.1.2.3"], 0, "allowed, without an identity"),
        (&["GET", "/metrics", "--address", "192.0.2.1"], 4, "forbidden (403): Access denied"),
        (&["GET", "/jobs", "--token", "x.y.z"], 3, "unauthenticated (401): Invalid or expired token"),
        (&["GET", "/elsewhere", "--as", "carl"], 4, "no rule covers the request"),
        (&["GET", "/jobs/../admin"], 5, "refused with 400: "),
        (&["GET", "/auth/login"], 0, "`/auth` is the gateway's own"),
    ];
    for (arguments, code, said) in cases {
        let output = gatelatch(folder.path(), &[&["explain"], *arguments].concat());
        let printed = text(&output.stdout);
        assert!(printed.contains(said), "{arguments:?}: {printed}{}", text(&output.stderr));
        assert_eq!(output.status.code(), Some(*code), "{arguments:?}: {printed}");
    }
}

#[test]
fn explain_names_what_it_cannot_resolve() {
    let folder = folder();
    for (arguments, said) in [
        (["GET", "/jobs", "--as", "nobody"], "error: there is no user `nobody`"),
        (["GET", "/jobs", "--as", "gone"], "error: user `gone` is disabled"),
        (["GET", "http://a b/", "--as", "carl"], "error: `http://a b/` is no path and no URL"),
    ] {
        let output = gatelatch(folder.path(), &[&["explain"], &arguments[..]].concat());
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).starts_with(said), "{}", text(&output.stderr));
    }
}

#[test]
fn init_check_and_explain_work_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let init = gatelatch(folder.path(), &["init"]);
    assert!(init.status.success(), "{}", text(&init.stderr));
    let check = gatelatch(folder.path(), &["check", "--deny", "warnings"]);
    assert!(check.status.success(), "{}", text(&check.stderr));
    assert_eq!(text(&check.stdout), "gateway.yaml is valid: 1 service, 3 rules, 1 user\n");
    let explain = gatelatch(folder.path(), &["explain", "GET", "/admin/x", "--as", "admin"]);
    assert!(explain.status.success(), "{}", text(&explain.stderr));
    let again = gatelatch(folder.path(), &["init"]);
    assert_eq!(again.status.code(), Some(1), "nothing is overwritten");
}

#[test]
fn a_broken_configuration_is_shown_with_its_place_and_runs_nothing() {
    let folder = folder();
    fs::write(folder.path().join("gateway.yaml"), CONFIG.replace("roles: [recruiter]", "rolse: [recruiter]")).unwrap();
    for command in ["run", "check"] {
        let output = gatelatch(folder.path(), &[command]);
        let printed = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{printed}");
        for part in ["error[unknown-key]", "gateway.yaml:7:", "did you mean `roles`?"] {
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
        assert!(output.status.success(), "{config}: {}", text(&output.stderr));
        assert_eq!(text(&output.stderr), "", "{config} has warnings");
    }
}

#[test]
fn the_configuration_in_the_readme_is_valid() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let block = readme.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("gateway.yaml"), block).unwrap();
    fs::write(folder.path().join("users.yaml"), USERS).unwrap();
    fs::write(folder.path().join(".env"), "GATELATCH_SECRET=0123456789abcdef0123456789ABCDEF\n").unwrap();
    let check = gatelatch(folder.path(), &["check"]);
    assert_eq!(text(&check.stdout), "gateway.yaml is valid: 1 service, 4 rules, 2 users\n", "{}", text(&check.stderr));
}
