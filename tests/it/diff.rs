//! `gatelatch diff`.

use std::process::Output;

use serde_json::Value;

use crate::support::commands::{folder, gatelatch, json, text};

const OLD: &str = r#"auth: { token: { secret: 0123456789abcdef0123456789abcdef } }
services:
  jobs:
    upstream: http://127.0.0.1:9
    rules:
      - { path: /jobs, methods: [GET], allow: authenticated }
      - { path: /jobs, methods: [POST], allow: { roles: [recruiter] } }
      - { path: "/users/{id}/**", allow: [ { roles: [admin] }, { user: "{id}" } ] }
      - { path: /metrics, allow: { networks: [10.0.0.0/8] } }
      - { path: /internal/**, allow: nobody }
"#;

const USERS: &str = "users:
  rita: { roles: [recruiter] }
  carl: { roles: [candidate] }
  gone: { roles: [recruiter], disabled: true }
";

/// The comparison of [`OLD`] with the same after some replacements, in both files.
fn diff(config: &[(&str, &str)], users: &[(&str, &str)], arguments: &[&str]) -> Output {
    let replace = |text: &str, replacements: &[(&str, &str)]| {
        replacements
            .iter()
            .fold(text.to_owned(), |text, (from, to)| {
                assert!(text.contains(from), "`{from}` is not there");
                text.replace(from, to)
            })
    };
    let (new, new_users) = (replace(OLD, config), replace(USERS, users));
    let files = [
        ("old/gateway.yaml", OLD),
        ("old/users.yaml", USERS),
        ("new/gateway.yaml", &new),
        ("new/users.yaml", &new_users),
    ];
    gatelatch(
        folder(&files).path(),
        &[&["diff", "old/gateway.yaml", "new/gateway.yaml"], arguments].concat(),
    )
}

/// Effect, methods, paths, callers of each change, and the notices.
fn changes(config: &[(&str, &str)], users: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let output = diff(config, users, &["--format", "json"]);
    let answer = json(&output);
    assert_eq!(
        output.status.code(),
        Some(i32::from(answer["opens"] == true)),
        "{answer:#}"
    );
    let list = |value: &Value| -> String {
        value
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one.as_str().unwrap())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let change = |change: &Value| {
        let callers = change["callers"].as_array().unwrap().iter().map(|caller| {
            let from = caller["from"]
                .as_str()
                .map(|from| format!(" from {from}"))
                .unwrap_or_default();
            caller["text"].as_str().unwrap().replace(&from, "") + &from
        });
        let callers = callers.collect::<Vec<_>>().join("; ");
        let (effect, methods) = (change["effect"].as_str().unwrap(), list(&change["methods"]));
        format!(
            "{effect} {methods} {} for {callers} [{}]",
            list(&change["paths"]),
            list(&change["users"])
        )
    };
    let notice = |notice: &Value| {
        let text = |key: &str| notice[key].as_str().unwrap().to_owned();
        format!("{} {} {}", text("effect"), text("about"), text("what"))
    };
    let changes = answer["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(change)
        .collect();
    (
        changes,
        answer["notices"]
            .as_array()
            .unwrap()
            .iter()
            .map(notice)
            .collect(),
    )
}

#[test]
fn what_is_equal_is_equal() {
    let same = diff(&[], &[], &[]);
    let expected = "no request is decided differently (old/gateway.yaml -> new/gateway.yaml)\n";
    assert_eq!(
        (same.status.code(), text(&same.stdout).as_str()),
        (Some(0), expected)
    );
    // names and order of rules do not matter, nor how a parameter is called
    let (changes, notices) = changes(
        &[
            ("{id}", "{name}"),
            (
                "rules:\n",
                "rules:\n      - { path: /z, allow: nobody, name: never }\n",
            ),
        ],
        &[],
    );
    assert_eq!((changes, notices), (vec![], vec![]));
}

#[test]
fn each_changed_rule_is_one_line() {
    for (from, to, expected) in [
        (
            "roles: [recruiter]",
            "roles: [recruiter, candidate]",
            vec!["opens POST /jobs for role candidate [carl]"],
        ),
        (
            "roles: [recruiter]",
            "roles: [candidate]",
            vec![
                "opens POST /jobs for role candidate [carl]",
                "closes POST /jobs for role recruiter [rita]",
            ],
        ),
        (
            "methods: [GET], allow: authenticated",
            "methods: [GET], allow: anyone",
            vec!["opens GET HEAD /jobs for anonymous callers []"],
        ),
        (
            "/internal/**, allow: nobody",
            "/internal/**, allow: anyone",
            vec![
                "opens GET HEAD POST * /internal/** for anonymous callers; anybody who is signed in [carl rita]",
            ],
        ),
        (
            "[10.0.0.0/8]",
            "[10.0.0.0/16, 11.0.0.0/8]",
            vec![
                "opens GET HEAD POST * /metrics for anonymous callers from 11.0.0.0/8; anybody who is signed in \
                 from 11.0.0.0/8 [carl rita]",
                "closes GET HEAD POST * /metrics for anonymous callers from 10.0.0.0/8; anybody who is signed in \
                 from 10.0.0.0/8 [carl rita]",
            ],
        ),
        (
            "{ user: \"{id}\" }",
            "{ user: \"{id}\", roles: [candidate] }",
            vec!["closes GET HEAD POST * /users/{id}/** for the user that {id} names []"],
        ),
        (
            "      - { path: /internal/**, allow: nobody }\n",
            "      - { path: /**, allow: { all_roles: [a, b] } }\n",
            vec![
                "opens GET HEAD POST * /internal/** for roles a and b []",
                "opens GET HEAD POST * /** for roles a and b []",
            ],
        ),
    ] {
        assert_eq!(changes(&[(from, to)], &[]).0, expected, "{to}");
    }
}

#[test]
fn users_count() {
    let (lines, notices) = changes(
        &[],
        &[
            ("candidate]", "candidate, admin]"),
            (", disabled: true", ""),
        ],
    );
    assert_eq!(
        lines,
        [
            "opens GET HEAD POST * /users/{id}/** for user carl []",
            "opens GET HEAD /jobs for user gone []",
            "opens POST /jobs for user gone []",
            "opens GET HEAD POST * /users/{id}/** for user gone where {id} is the own name []",
        ]
    );
    assert_eq!(
        notices,
        [
            "says user `carl` has got the role `admin`",
            "says user `gone` is enabled"
        ]
    );
    let (lines, notices) = changes(
        &[],
        &[("rita: { roles: [recruiter] }", "rita: { roles: [] }")],
    );
    assert_eq!(lines, ["closes POST /jobs for user rita []"]);
    assert_eq!(notices, ["says user `rita` has lost the role `recruiter`"]);
}

#[test]
fn tokens_and_passwords_count() {
    let hash = "$2b$04$abcdefghijklmnopqrstuuJ3bSCzVQ7Wkb0Vzn4Rys1AlYtnmDzVW";
    let rita = "rita: { roles: [recruiter]";
    let given = format!("{rita}, password: {hash}, tokens_valid_after: 2026-01-01T00:00:00Z");
    let (lines, notices) = changes(&[], &[(rita, &given)]);
    assert_eq!(lines, Vec::<String>::new());
    assert_eq!(
        notices,
        [
            "opens user `rita` has a password now and can log in",
            "closes user `rita` tokens from before 2026-01-01T00:00:00Z are refused",
        ]
    );
}

#[test]
fn services_and_their_options_count() {
    let files = "  files:\n    path: /files\n    upstream: http://127.0.0.1:8\n    rules: [{ path: /files/**, allow: anyone }]\n";
    let (lines, notices) = changes(&[("services:\n", &format!("services:\n{files}"))], &[]);
    assert_eq!(
        lines,
        [
            "opens GET HEAD POST * /files/** for anonymous callers; anybody who is signed in [carl rita]"
        ]
    );
    assert_eq!(notices, ["says service `files` is new"]);
    let renamed = [("  jobs:\n", "  work:\n")];
    assert_eq!(
        changes(&renamed, &[]),
        (
            vec![],
            vec!["says service `work` was called `jobs`".to_owned()]
        )
    );
    let (lines, _) = changes(
        &[("    upstream", "    hosts: [a.test]\n    upstream")],
        &[],
    );
    assert!(
        !lines.is_empty() && lines.iter().all(|line| line.starts_with("closes ")),
        "{lines:#?}"
    );
    let (lines, _) = changes(
        &[("    upstream", "    case_insensitive: true\n    upstream")],
        &[],
    );
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("opens POST /jobs for role recruiter")),
        "{lines:#?}"
    );
    let (lines, _) = changes(
        &[(
            "    upstream",
            "    strip_path: true\n    path: /users\n    upstream",
        )],
        &[],
    );
    assert!(
        lines.iter().any(|line| line.starts_with("moves ")),
        "{lines:#?}"
    );
    let (_, notices) = changes(
        &[(
            "    upstream",
            "    paths: { allow_semicolon: true }\n    upstream",
        )],
        &[],
    );
    assert_eq!(
        notices,
        ["opens service `jobs` forwards paths that it refused before: `allow_semicolon: true`"]
    );
    let proxies = [(
        "services:",
        "server: { trusted_proxies: [192.0.2.0/24] }\nservices:",
    )];
    let expected =
        "opens `server.trusted_proxies` `192.0.2.0/24` may say now what a client's address is";
    assert_eq!(changes(&proxies, &[]), (vec![], vec![expected.to_owned()]));
    let kind = |kind: &str| {
        (
            "services:",
            format!("server: {{ trusted_proxies: [192.0.2.0/24], forwarded: {kind} }}\nservices:"),
        )
    };
    let (_, notices) = changes(&[(kind("forwarded").0, &kind("forwarded").1)], &[]);
    let expected = "opens `server.forwarded` other fields state now what a client's address is";
    assert!(notices.contains(&expected.to_owned()), "{notices:?}");
}

#[test]
fn rules_for_unusual_segments_count() {
    for (option, path, other) in [
        ("allow_semicolon", "/a%3Bb", "/a%3Bb"),
        ("allow_encoded_reserved", "/a%3Bb/{id}", "/a%3Bb/{id}"),
        ("allow_encoded_reserved", "/a%3F/**", "/a%3F/**"),
        ("allow_encoded_slash", "/a%2Fb/**", "/a%2Fb/**"),
        ("merge_slashes", "/gr%C3%BCn", "/gr%C3%BCn"),
    ] {
        let config = |allow: &str| {
            format!(
                "auth: {{ token: {{ secret: 0123456789abcdef0123456789abcdef }} }}\nservices:\n  app:\n    \
                 upstream: http://127.0.0.1:9\n    paths: {{ {option}: true }}\n    \
                 rules: [{{ path: \"{path}\", allow: {allow} }}, {{ path: /**, allow: nobody }}]\n"
            )
        };
        let files = [
            ("old.yaml", config("nobody")),
            ("new.yaml", config("anyone")),
        ];
        let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
        let output = gatelatch(
            folder(&files).path(),
            &["diff", "old.yaml", "new.yaml", "--format", "json"],
        );
        let answer = json(&output);
        assert_eq!(
            (output.status.code(), &answer["changes"][0]["paths"][0]),
            (Some(1), &Value::from(other)),
            "{answer:#}"
        );
    }
}

#[test]
fn the_gateways_own_paths_count() {
    let (lines, _) = changes(
        &[
            ("auth: {", "auth: { path: /internal,"),
            ("/internal/**, allow: nobody", "/**, allow: anyone"),
        ],
        &[],
    );
    assert!(
        lines[0].starts_with("opens GET HEAD POST * ") && !lines[0].contains("/internal"),
        "{lines:#?}"
    );
    let token = [("auth: {", "auth: { token_paths: [/jobs],")];
    assert_eq!(
        changes(&token, &[]).0,
        ["closes POST /jobs for role recruiter [rita]"]
    );
}

#[test]
fn people_read_text_and_pull_requests_get_markdown() {
    let change = [("roles: [recruiter]", "roles: [recruiter, candidate]")];
    let printed = diff(&change, &[], &[]);
    let expected = "1 opening, 0 closings (old/gateway.yaml -> new/gateway.yaml)
────────────────────────────────────────────────────────────
OPENS  jobs: POST /jobs
  for    role candidate (users: carl)
  before role recruiter (old/gateway.yaml:7:9)
  now    role recruiter or candidate (new/gateway.yaml:7:9)
";
    assert_eq!(
        (printed.status.code(), text(&printed.stdout).as_str()),
        (Some(1), expected)
    );
    let printed = text(&diff(&change, &[], &["--format", "markdown"]).stdout);
    let line = "| **opens** | jobs: POST `/jobs` | role candidate (users: carl) | role recruiter (old/gateway.yaml:7:9) |";
    assert!(printed.contains(line), "{printed}");
}

#[test]
fn what_does_not_load_is_exit_code_2() {
    for arguments in [
        vec!["diff", "old.yaml", "missing.yaml"],
        vec!["diff", "bad.yaml", "old.yaml"],
        vec!["diff", "old.yaml"],
    ] {
        let folder = folder(&[
            ("old.yaml", OLD),
            ("users.yaml", USERS),
            ("bad.yaml", "services: {}"),
        ]);
        let output = gatelatch(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            text(&output.stderr).contains("error"),
            "{}",
            text(&output.stderr)
        );
    }
}

/// Denials that are only reported keep nobody out.
/// When a test fails is when one wants to know what a change opens.
#[test]
fn tests_that_do_not_hold_are_named_and_stand_in_nobodys_way() {
    let tests = "tests: [ { request: POST /jobs, as: carl, expect: forbidden, name: candidates do not post } ]";
    let old = format!("{OLD}{tests}\n");
    let new = old.replace("[recruiter]", "[recruiter, candidate]");
    let files = [
        ("gateway.yaml", &*old),
        ("new.yaml", &new),
        ("users.yaml", USERS),
    ];
    let folder = folder(&files);
    let output = gatelatch(folder.path(), &["diff", "gateway.yaml", "new.yaml"]);
    assert_eq!(output.status.code(), Some(1), "it opens");
    assert!(
        text(&output.stdout).contains("OPENS  jobs: POST /jobs"),
        "{output:?}"
    );
    assert_eq!(
        text(&output.stderr),
        "note: 1 test of new.yaml does not hold, so that the gateway would refuse it; `gatelatch test` says why:\n  candidates do not post\n"
    );
    for command in [["routes"].as_slice(), &["explain", "POST", "/jobs"]] {
        let arguments = [command, &["--config", "new.yaml"]].concat();
        let output = gatelatch(folder.path(), &arguments);
        assert!(!output.stdout.is_empty(), "{output:?}");
        assert!(
            text(&output.stderr).contains("candidates do not post"),
            "{output:?}"
        );
    }
}

#[test]
fn a_rule_that_is_only_reported_opens() {
    let config = |rule: &str, service: &str| {
        format!(
            "services:\n  app:\n    upstream: http://127.0.0.1:1\n{service}    rules:\n      \
             - {{ path: /jobs, allow: {{ roles: [a] }}{rule} }}\n"
        )
    };
    for (rule, service) in [(", mode: report", ""), ("", "    mode: report\n")] {
        let (old, new) = (config("", ""), config(rule, service));
        let folder = folder(&[
            ("old.yaml", &old),
            ("new.yaml", &new),
            ("users.yaml", "users: {}\n"),
        ]);
        let output = gatelatch(folder.path(), &["diff", "old.yaml", "new.yaml"]);
        let said = text(&output.stdout);
        assert_eq!(
            output.status.code(),
            Some(1),
            "{said}{}",
            text(&output.stderr)
        );
        assert!(said.contains("/jobs") || said.contains("/**"), "{said}");
        let output = gatelatch(folder.path(), &["diff", "new.yaml", "old.yaml"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    }
}

#[test]
fn kinds_of_credentials_count() {
    let service = "jobs:\n";
    let with = |kinds: &str| format!("{service}    credentials: [{kinds}]\n");
    let notices = |kinds: &str| changes(&[(service, &with(kinds))], &[]).1;
    assert_eq!(
        notices("bearer, cookie, basic"),
        ["opens service `jobs` accepts user names and passwords now: `credentials` has `basic`"]
    );
    assert_eq!(
        notices("bearer"),
        [
            "closes service `jobs` accepts the session cookie no longer: `credentials` lacks `cookie`"
        ]
    );
    assert_eq!(
        notices("basic"),
        [
            "opens service `jobs` accepts user names and passwords now: `credentials` has `basic`",
            "closes service `jobs` accepts tokens and API keys no longer: `credentials` lacks `bearer`",
            "closes service `jobs` accepts the session cookie no longer: `credentials` lacks `cookie`",
        ]
    );
    assert!(notices("cookie, bearer").is_empty());
}
