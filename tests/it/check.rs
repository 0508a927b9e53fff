//! `gatelatch check`: everything at once, lints, and servers that do not answer.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::commands::{gatelatch, text};

/// Without anything to say about it, but for what is put in for `RULES` and `SERVICE`.
fn folder(service: &str, rules: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "auth: {{ token: {{ secret_file: secret }} }}
services:
  app:
    upstream: http://127.0.0.1:9
{service}    rules:
      - {{ path: /admin/**, allow: {{ roles: [admin] }} }}
{rules}"
    );
    fs::write(folder.path().join("gateway.yaml"), config).unwrap();
    fs::write(
        folder.path().join("users.yaml"),
        "users: { alice: { roles: [admin] } }\n",
    )
    .unwrap();
    let own = fs::Permissions::from_mode(0o600);
    fs::set_permissions(folder.path().join("users.yaml"), own).unwrap();
    fs::write(
        folder.path().join("secret"),
        "qO2vWm1sT8rXy3uZ5kLc7bNd9fGh4jPe\n",
    )
    .unwrap();
    folder
}

#[test]
fn lints_are_warnings_that_ci_can_deny_and_the_operator_can_allow() {
    let health = "      - { path: /admin/health, allow: anyone }\n";
    let lint = "warning[public-under-protected]";
    for (service, rules, warned) in [
        ("", "", false),
        ("", health, true),
        (
            "",
            &health.replace(" }", ", allow_lints: [public-under-protected] }"),
            false,
        ),
        ("    allow_lints: [public-under-protected]\n", health, false),
    ] {
        let folder = folder(service, rules);
        let lenient = gatelatch(folder.path(), &["check"]);
        let said = text(&lenient.stderr);
        assert_eq!(
            (lenient.status.code(), said.contains(lint)),
            (Some(0), warned),
            "{said}"
        );
        let strict = gatelatch(folder.path(), &["check", "--deny", "warnings"]);
        let said = text(&strict.stderr);
        assert_eq!(strict.status.code(), Some(i32::from(warned)), "{said}");
        assert_eq!(
            said.ends_with("gateway.yaml has 1 warning; warnings are denied\n"),
            warned,
            "{said}"
        );
    }
}

#[test]
fn what_is_allowed_in_vain_is_a_warning_too() {
    let folder = folder("    allow_lints: [unused-role]\n", "");
    let output = gatelatch(folder.path(), &["check"]);
    let said = text(&output.stderr);
    assert!(
        said.contains("warning[pointless-allow]: `unused-role` has nothing to say here"),
        "{said}"
    );
}

#[test]
fn all_problems_of_both_files_are_shown_at_once() {
    let folder = folder(
        "    colour: red\n",
        "      - { path: /x, allow: anybody }\n",
    );
    fs::write(
        folder.path().join("users.yaml"),
        "users: { alice: { rolse: [admin] } }\n",
    )
    .unwrap();
    let output = gatelatch(folder.path(), &["check"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    for part in [
        "gateway.yaml:5:5",
        "gateway.yaml:8:",
        "users.yaml:1:19",
        "gateway.yaml and users.yaml are not valid: 3 errors\n",
    ] {
        assert!(said.contains(part), "`{part}` is missing in {said}");
    }
}

#[test]
fn tests_are_run_and_counted() {
    let folder = folder(
        "",
        "tests: [{ request: GET /admin, expect: unauthenticated }]\n",
    );
    let output = gatelatch(folder.path(), &["check"]);
    let expected = "gateway.yaml is valid: 1 service, 1 rule, 1 user, 1 test as expected\n";
    assert_eq!(text(&output.stdout), expected, "{}", text(&output.stderr));
    let output = gatelatch(folder.path(), &["check", "--format", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["valid"], &report["tests"], &report["rules"]),
        (&true.into(), &1.into(), &1.into())
    );
}

#[test]
fn a_probe_finds_servers_that_do_not_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let there = listener.local_addr().unwrap();
    // bound, so that nobody else gets it, and not listened at
    let closed = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    closed
        .bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    let gone = closed.local_addr().unwrap().as_socket().unwrap();
    let folder = folder(
        "",
        &format!(
            "  other: {{ path: /other, upstream: 'http://{there}', rules: [{{ path: /other, allow: authenticated }}] }}\n"
        ),
    );
    let config = fs::read_to_string(folder.path().join("gateway.yaml")).unwrap();
    fs::write(
        folder.path().join("gateway.yaml"),
        config.replace("127.0.0.1:9\n", &format!("{gone}\n")),
    )
    .unwrap();

    let quiet = gatelatch(folder.path(), &["check", "--deny", "warnings"]);
    assert_eq!(
        quiet.status.code(),
        Some(0),
        "nobody is asked without `--probe`: {}",
        text(&quiet.stderr)
    );
    let probed = gatelatch(folder.path(), &["check", "--probe", "--timeout", "10s"]);
    let said = text(&probed.stderr);
    assert_eq!(probed.status.code(), Some(0), "{said}");
    let warning = format!(
        "warning[unreachable-upstream]: the server `{gone}` of the service `app` does not answer: "
    );
    assert!(said.starts_with(&warning), "{said}");
    assert!(said.contains("--> gateway.yaml:4:15\n"), "{said}");
    let line = format!("\n4 |     upstream: http://{gone}\n");
    assert!(said.contains(&line), "{said}");
    assert!(!said.contains(&there.to_string()), "{said}");
    assert!(
        text(&probed.stdout).ends_with(", 1 of 2 servers answering\n"),
        "{}",
        text(&probed.stdout)
    );
    let denied = gatelatch(
        folder.path(),
        &["check", "--probe", "--deny", "warnings", "--format", "json"],
    );
    assert_eq!(denied.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&denied.stdout).unwrap();
    assert_eq!(
        report["probe"],
        serde_json::json!({ "servers": 2, "answering": 1, "issuers": 0, "answering_issuers": 0, "providers": 0, "answering_providers": 0, "state": null, "directory": null })
    );
}

#[test]
fn lints_are_listed_with_their_reasons() {
    let folder = tempfile::tempdir().unwrap();
    let listed = gatelatch(folder.path(), &["check", "--lints"]);
    assert!(listed.status.success(), "no configuration is needed");
    let listed = text(&listed.stdout);
    assert!(
        listed.contains("weak-hash               passwords behind a cheap hash"),
        "{listed}"
    );
    let json = gatelatch(folder.path(), &["check", "--lints", "--format", "json"]);
    let lints: Vec<Value> = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(lints.len(), listed.lines().count());
}

/// Nothing may grow with the square of the number of rules; a slip would take minutes here.
#[test]
fn many_rules_are_checked_in_no_time() {
    let folder = tempfile::tempdir().unwrap();
    let rule = |number: usize| {
        let (group, kind) = (number / 4, number % 4);
        match kind {
            0 => format!(
                "      - {{ path: /g{group}/**, allow: {{ roles: [r{}] }} }}\n",
                group % 500
            ),
            1 => format!("      - {{ path: /g{group}, methods: [GET], allow: authenticated }}\n"),
            2 => format!(
                "      - {{ path: \"/g{group}/{{id}}/x\", allow: {{ user: \"{{id}}\" }} }}\n"
            ),
            _ => format!(
                "      - {{ path: /g{group}/a/**, methods: [GET, POST], allow: {{ users: [u{group}] }} }}\n"
            ),
        }
    };
    let rules: String = (0..10_000).map(rule).collect();
    let config =
        format!("services:\n  app:\n    upstream: http://127.0.0.1:9\n    rules:\n{rules}");
    fs::write(folder.path().join("gateway.yaml"), config).unwrap();
    let user = |number: usize| format!("  u{number}: {{ roles: [r{number}] }}\n");
    let users: String = (0..2_500).map(user).collect();
    fs::write(folder.path().join("users.yaml"), format!("users:\n{users}")).unwrap();
    let output = gatelatch(folder.path(), &["check", "--format", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["valid"], &report["rules"]),
        (&true.into(), &10_000.into())
    );
}
