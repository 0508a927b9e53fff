//! `gatelatch explain`: what becomes of a request, and why.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::commands::{gatelatch, text};
use crate::support::commands::gatelatch_with;
use crate::support::{Upstream, gateway};

const CONFIG: &str = r#"auth: { users_file: users.yaml, token: { secret: 0123456789abcdef0123456789abcdef } }
services:
  jobs:
    upstream: http://127.0.0.1:9
    rules:
      - { path: /jobs, methods: [GET], allow: authenticated }
      - { path: /jobs, methods: [POST], allow: { roles: [recruiter] } }
      - { path: "/users/{id}/**", allow: [ { roles: [admin], networks: [10.0.0.0/8] }, { user: "{id}" } ] }
      - { path: /users/**, allow: nobody }
      - { path: /metrics, allow: { networks: [10.0.0.0/8] } }
      - { path: /trial, allow: { roles: [admin] }, mode: report }
      - { path: "/tenants/{tenant}", allow: { claims: { tenant: "{tenant}", level: 3 } } }
  files:
    hosts: [files.example.com]
    mode: report
    upstream: http://127.0.0.1:9
    paths: { allow_semicolon: true }
    rules: [{ path: /public/**, allow: anyone }]
"#;

const USERS: &str = "users:
  carl: { roles: [candidate], claims: { tenant: acme, level: 3 } }
  gone: { disabled: true }
";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("gateway.yaml"), CONFIG).unwrap();
    fs::write(folder.path().join("users.yaml"), USERS).unwrap();
    folder
}

fn explain(folder: &Path, arguments: &[&str]) -> Output {
    gatelatch(folder, &[&["explain"], arguments].concat())
}

fn explain_lines(folder: &Path, arguments: &[&str], lines: &str) -> Output {
    gatelatch_with(folder, &[&["explain", "-"], arguments].concat(), lines)
}

/// Whole reports: arguments, exit code, and everything that is printed.
#[test]
fn a_report_says_what_decides_and_why() {
    let folder = folder();
    let cases: &[(&[&str], i32, &str)] = &[
        (
            &["GET", "/jobs"],
            3,
            "GET /jobs to service `jobs`, asked by an anonymous caller

unauthenticated (401): Not authenticated
  by `GET /jobs` (gateway.yaml:6:9)
    allow: authenticated
  not asked: `POST /jobs` (gateway.yaml:7:9) covers the path, but not GET
  to be allowed it takes a caller who is signed in
",
        ),
        (
            &["POST", "/j%6Fbs?q=1", "--as", "carl"],
            4,
            "POST /jobs to service `jobs`, asked by user `carl` with the role candidate
  `/j%6Fbs` is read as `/jobs`

forbidden (403): Access denied. Requires role: recruiter
  by `POST /jobs` (gateway.yaml:7:9)
    role `recruiter` fails: the caller has role `candidate`
  not asked: `GET /jobs` (gateway.yaml:6:9) covers the path, but not POST
  to be allowed it takes role `recruiter`
",
        ),
        (
            &["GET", "/users/eve/cv", "--as", "carl", "--address", "192.0.2.1"],
            4,
            "GET /users/eve/cv to service `jobs`, asked by user `carl` with the role candidate from 192.0.2.1

forbidden (403): Access denied
  by `* /users/{id}/**` (gateway.yaml:8:9)
    role `admin` fails: the caller has role `candidate`
    and address in `10.0.0.0/8` fails: the caller has `192.0.2.1`
    or user = `{id}` (`eve`) fails: the caller has `carl`
  beats `* /users/**` (gateway.yaml:9:9): at segment 2 the winner has the parameter `{id}`, this rule `**`
  to be allowed it takes role `admin`, and address in `10.0.0.0/8`
    or user = `{id}` (`eve`)
",
        ),
        (
            &["DELETE", "/jobs", "--as", "carl"],
            4,
            "DELETE /jobs to service `jobs`, asked by user `carl` with the role candidate

forbidden (403): Access denied
  no rule covers the request
  not asked: `GET /jobs` (gateway.yaml:6:9) covers the path, but not DELETE
  not asked: `POST /jobs` (gateway.yaml:7:9) covers the path, but not DELETE
  to be allowed it takes `DELETE` in the `methods` of `GET /jobs`
    or `DELETE` in the `methods` of `POST /jobs`
    or a rule that covers it, such as `{ path: /jobs, methods: [DELETE], allow: authenticated }`
",
        ),
        (
            &["GET", "/a;b"],
            5,
            "GET /a;b, asked by an anonymous caller

refused with 400: the path holds a semicolon `;`
  `paths: { allow_semicolon: true }` of the service `jobs` accepts it; `check` says what that costs
",
        ),
        (
            &["GET", "/jobs/../admin"],
            5,
            "GET /jobs/../admin, asked by an anonymous caller

refused with 400: the path holds a dot segment `.` or `..`
  no setting accepts it: two servers could read it as two paths
",
        ),
        (
            &["GET", "/auth/login"],
            0,
            "GET /auth/login, asked by an anonymous caller

`/auth/login` is the gateway's own: no rule is asked, nothing is forwarded
",
        ),
    ];
    for (arguments, code, expected) in cases {
        let output = explain(folder.path(), arguments);
        assert_eq!(
            text(&output.stdout),
            *expected,
            "{arguments:?}: {}",
            text(&output.stderr)
        );
        assert_eq!(output.status.code(), Some(*code), "{arguments:?}");
    }
}

#[test]
fn callers_are_described_in_several_ways() {
    let folder = folder();
    let cases: &[(&[&str], i32, &str)] = &[
        (
            &["POST", "/jobs", "--roles", "recruiter, x"],
            0,
            "\nallowed\n  by `POST /jobs` (gateway.yaml:7:9)\n",
        ),
        (
            &["GET", "/users/carl/cv", "--as", "carl"],
            0,
            "or user = `{id}` (`carl`) holds: the caller has `carl`",
        ),
        (
            &["GET", "/metrics", "--address", "10.1.2.3"],
            0,
            "allowed, without an identity",
        ),
        (
            &["GET", "/metrics", "--address", "192.0.2.1"],
            4,
            "fails: the caller has `192.0.2.1`",
        ),
        (
            &["GET", "/tenants/acme", "--as", "carl"],
            0,
            "claim `level` = 3 holds: the caller has 3",
        ),
        (
            &[
                "GET",
                "/tenants/acme",
                "--as",
                "carl",
                "--claims",
                "tenant=acme,level=4",
            ],
            4,
            "fails: the caller has 4",
        ),
        (
            &[
                "GET",
                "/tenants/x",
                "--claims",
                "tenant=x",
                "--claims",
                "level=3",
            ],
            0,
            "asked by somebody with no roles",
        ),
        (
            &["GET", "/jobs", "--token", "x.y.z"],
            3,
            "unauthenticated (401): Invalid or expired token",
        ),
        (
            &["GET", "/jobs", "--as", "gone"],
            3,
            "asked by user `gone`, who is disabled\n",
        ),
        (
            &["GET", "/jobs/7", "--as", "carl"],
            4,
            "nearest: `GET /jobs` (gateway.yaml:6:9) does not cover the path",
        ),
        (
            &["GET", "/trial", "--as", "carl"],
            4,
            "and forwarded all the same: `mode: report` only reports a denial",
        ),
        (
            &["GET", "http://files.example.com/x"],
            4,
            "and forwarded all the same: `mode: report`",
        ),
        (
            &["GET", "http://files.example.com/public/a;b"],
            0,
            "`* /public/**`",
        ),
        (
            &["GET", "/public/x#b"],
            5,
            "refused with 400: the request target holds a `#`",
        ),
        (
            &["GET", "/public/x?a=<b>"],
            5,
            "refused with 400: the request target holds a character that must be escaped",
        ),
        (
            &["OPTIONS", "*"],
            5,
            "the path does not start with `/`\n  no rule covers `*`, which means the server as a whole",
        ),
        (
            &["get", "/jobs"],
            5,
            "refused with 400: methods are case-sensitive; did you mean `GET`?",
        ),
        (
            &["TRACE", "/jobs"],
            5,
            "refused with 405: the method is not allowed",
        ),
    ];
    for (arguments, code, said) in cases {
        let output = explain(folder.path(), arguments);
        let printed = text(&output.stdout);
        assert!(
            printed.contains(said),
            "{arguments:?}: {printed}{}",
            text(&output.stderr)
        );
        assert_eq!(
            output.status.code(),
            Some(*code),
            "{arguments:?}: {printed}"
        );
    }
}

#[test]
fn without_a_service_those_that_there_are_are_listed() {
    let folder = folder();
    let config = CONFIG.replace("  jobs:\n", "  jobs:\n    hosts: [jobs.example.com]\n");
    fs::write(folder.path().join("gateway.yaml"), config).unwrap();
    let output = explain(folder.path(), &["GET", "http://elsewhere.example.com/jobs"]);
    assert_eq!(
        text(&output.stdout),
        "GET http://elsewhere.example.com/jobs, asked by an anonymous caller

refused with 404: no service for the host `elsewhere.example.com` and the path `/jobs`
  `jobs` answers for `jobs.example.com` at `/`
  `files` answers for `files.example.com` at `/`
",
        "{}",
        text(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(5));
    let output = explain(folder.path(), &["GET", "/jobs"]);
    assert!(
        text(&output.stdout).contains("every service has `hosts`: give a whole URL"),
        "{}",
        text(&output.stdout)
    );
    assert_eq!(output.status.code(), Some(5));
}

#[test]
fn what_cannot_be_made_out_is_named() {
    let folder = folder();
    for (arguments, code, said) in [
        (
            &["GET", "/jobs", "--as", "nobody"][..],
            1,
            "error: there is no user `nobody`",
        ),
        (
            &["GET", "http://a b/"],
            1,
            "error: `http://a b/` is no path and no URL",
        ),
        (&["GET", "jobs"], 1, "error: `jobs` is no path and no URL"),
        (&["GET"], 2, "error: a method and a URL are needed"),
        (&["-", "/jobs"], 2, "error: a method and a URL are needed"),
        (
            &["GET", "/jobs", "--as", "carl", "--roles", "a"],
            2,
            "error: the argument '--as <USER>' cannot be used with",
        ),
        (
            &["GET", "/jobs", "--claims", "a"],
            2,
            "error: invalid value 'a' for '--claims <NAME=VALUE>'",
        ),
    ] {
        let output = explain(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(
            text(&output.stderr).starts_with(said),
            "{}",
            text(&output.stderr)
        );
    }
}

#[test]
fn programs_get_json() {
    let folder = folder();
    let output = explain(
        folder.path(),
        &["POST", "/j%6Fbs", "--as", "carl", "--format", "json"],
    );
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = serde_json::json!({
        "request": "POST /j%6Fbs",
        "caller": "user `carl` with the role candidate",
        "service": "jobs",
        "host": "localhost",
        "path": "/jobs",
        "verdict": "forbidden",
        "status": 403,
        "reason": "Access denied. Requires role: recruiter",
        "mode": "enforce",
        "rule": { "name": "POST /jobs", "file": "gateway.yaml", "line": 7, "column": 9 },
        "allow": "conditions",
        "conditions": [[{ "asked": "role `recruiter`", "has": "role `candidate`", "holds": false }]],
        "rates": [],
        "beats": [],
        "not_asked": [{ "name": "GET /jobs", "file": "gateway.yaml", "line": 6, "column": 9 }],
        "nearest": null,
        "to_be_allowed": ["role `recruiter`"],
            "destination": null,
    });
    assert_eq!(report, expected);
}

#[test]
fn many_requests_are_explained_one_a_line() {
    let folder = folder();
    let lines = "# what candidates may do\n\nGET /jobs --as carl\n  POST /jobs --as carl\nGET /metrics --address 10.0.0.1\n";
    let output = explain_lines(folder.path(), &[], lines);
    let printed = text(&output.stdout);
    let verdicts: Vec<_> = printed
        .lines()
        .filter(|line| line.starts_with(['a', 'f', 'u']))
        .collect();
    assert_eq!(
        verdicts,
        [
            "allowed",
            "forbidden (403): Access denied. Requires role: recruiter",
            "allowed, without an identity"
        ]
    );
    assert_eq!(output.status.code(), Some(4), "that of the worst");

    let output = explain_lines(folder.path(), &["--format", "json", "--as", "carl"], lines);
    let objects: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let verdicts: Vec<_> = objects
        .iter()
        .map(|object| object["verdict"].as_str().unwrap())
        .collect();
    assert_eq!(verdicts, ["allowed", "forbidden", "allowed"]);
    let output = explain_lines(folder.path(), &["--as", "carl"], "GET /jobs\nGET /a;b\n");
    assert_eq!(output.status.code(), Some(5));
    assert!(
        text(&output.stdout).starts_with("GET /jobs to service `jobs`, asked by user `carl`"),
        "the caller of all"
    );
    assert_eq!(explain_lines(folder.path(), &[], "").status.code(), Some(0));
}

#[test]
fn a_line_that_cannot_be_made_out_does_not_end_the_others() {
    let folder = folder();
    let lines = "GET\nGET /jobs --as nobody\nGET /jobs --as carl\n";
    let output = explain_lines(folder.path(), &[], lines);
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    assert!(
        errors.contains("error: line 1: ")
            && errors.contains("error: line 2: there is no user `nobody`"),
        "{errors}"
    );
    assert!(
        text(&output.stdout).contains("\nallowed\n"),
        "{}",
        text(&output.stdout)
    );
    let output = explain_lines(folder.path(), &["--format", "json"], lines);
    let objects: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (&objects[0]["line"], &objects[1]["line"]),
        (&1.into(), &2.into()),
        "{objects:?}"
    );
    assert_eq!(objects[2]["verdict"], "allowed");
}

/// What is foretold is what happens.
#[test]
fn a_running_gateway_answers_what_is_explained() {
    let upstream = Upstream::saying("hi");
    let services = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /open/**, allow: anyone }
      - { path: /jobs, allow: { roles: [recruiter] } }
      - { path: \"/users/{id}\", allow: { user: \"{id}\" } }
";
    let gateway = gateway(services).upstream(upstream.address).start();
    let (rita, carl) = (gateway.bearer("rita"), gateway.bearer("carl"));
    for (path, user, status) in [
        ("/open/a%2Cb", None, 200),
        ("/open//x", None, 400),
        ("/open/%2e%2e/jobs", None, 400),
        ("/jobs", None, 401),
        ("/jobs/", Some("rita"), 200),
        ("/jobs", Some("carl"), 403),
        ("/users/c%61rl", Some("carl"), 200),
        ("/users/rita", Some("carl"), 403),
        ("/users/Carl", Some("carl"), 403),
        ("/nowhere", Some("rita"), 403),
    ] {
        let bearer = match user {
            Some("rita") => rita.as_str(),
            Some(_) => carl.as_str(),
            None => "",
        };
        assert_eq!(gateway.get(path, bearer).status, status, "{path} {user:?}");
        let mut arguments = vec!["GET", path];
        arguments.extend(user.iter().flat_map(|user| ["--as", user]));
        let code = explain(gateway.folder(), &arguments).status.code();
        let expected = match status {
            200 => 0,
            401 => 3,
            403 => 4,
            _ => 5,
        };
        assert_eq!(code, Some(expected), "{path} {user:?}");
    }
}

/// Every printable byte, in a path and in a query.
#[test]
fn a_running_gateway_takes_the_targets_that_explain_takes() {
    let upstream = Upstream::saying("hi");
    let services = "
  app: { upstream: http://UPSTREAM, rules: [{ path: /**, allow: anyone }] }
";
    let gateway = gateway(services).upstream(upstream.address).start();
    let bytes = (b'!'..=b'~').map(char::from);
    let targets: Vec<String> = bytes
        .flat_map(|byte| [format!("/a{byte}b"), format!("/a?{byte}b")])
        .collect();
    let lines: String = targets.iter().map(|at| format!("GET {at}\n")).collect();
    let output = explain_lines(gateway.folder(), &["--format", "json"], &lines);
    let printed = text(&output.stdout);
    let reports: Vec<Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(reports.len(), targets.len(), "{printed}");
    for (target, report) in targets.iter().zip(reports) {
        let answered = gateway.get(target, "").status;
        let explained = report["status"].as_u64().unwrap_or(200);
        assert_eq!(u64::from(answered), explained, "{target}: {report}");
    }
}

/// `--live` asks the running gateway what the rule has decided so far.
#[test]
fn a_running_gateway_says_what_a_rule_has_decided() {
    let upstream = crate::support::Upstream::saying("hi");
    let services = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /jobs, allow: { roles: [recruiter] }, name: jobs }
      - { path: /trial, allow: nobody, mode: report, name: trial }
";
    let gateway = crate::support::gateway(services)
        .upstream(upstream.address)
        .start();
    let rita = gateway.bearer("rita");
    for (path, fields) in [
        ("/jobs", rita.as_str()),
        ("/jobs", rita.as_str()),
        ("/jobs", ""),
        ("/trial", ""),
    ] {
        gateway.get(path, fields);
        gateway.line(path);
    }
    // the configuration names port 0: the file that is asked names the port that was given
    let config = gateway.read("gateway.yaml");
    let config = config.replacen(
        "admin: { listen: \"127.0.0.1:0\" }",
        &format!("admin: {{ listen: \"{}\" }}", gateway.admin),
        1,
    );
    std::fs::write(gateway.path("live.yaml"), config).unwrap();
    let ask = |path: &str, more: &[&str]| {
        let arguments = [
            &["explain", "GET", path, "--live", "--config", "live.yaml"],
            more,
        ]
        .concat();
        let output = crate::support::commands::gatelatch(gateway.folder(), &arguments);
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    };
    let said = ask("/jobs", &[]);
    assert!(
        said.contains("`jobs` was asked 3 times since the start: 2 allowed, 1 unauthenticated"),
        "{said}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&ask("/trial", &["--format", "json"])).unwrap();
    assert_eq!(json["live"], serde_json::json!({ "reported": 1 }));
    assert!(ask("/none", &[]).contains("what no rule covers was asked 0 times"));
    drop(upstream);
    let folder = gateway.folder().to_owned();
    let kept = tempfile::tempdir().unwrap();
    for file in ["live.yaml", "users.yaml"] {
        std::fs::copy(folder.join(file), kept.path().join(file)).unwrap();
    }
    drop(gateway);
    let arguments = ["explain", "GET", "/jobs", "--live", "--config", "live.yaml"];
    let output = crate::support::commands::gatelatch(kept.path(), &arguments);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("no running gateway answers"),
        "{output:?}"
    );
    let decided = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        decided.contains("`jobs`"),
        "the files decide all the same: {decided}"
    );
}

/// What the session of somebody would be who signs in with a provider now.
#[test]
fn somebody_of_a_provider_is_simulated() {
    let folder = folder();
    let providers = "providers: [
      { name: corp, issuer: \"https://idp.example.com\", client_id: a, client_secret: a-secret-of-a-client, roles: { idp-staff: [recruiter] }, allow: { groups: [idp-staff] } },
      { name: own, issuer: \"https://own.example.com\", client_id: a, client_secret: a-secret-of-a-client, users: listed } ], users_file";
    let config = CONFIG.replacen("users_file", providers, 1);
    fs::write(folder.path().join("gateway.yaml"), config).unwrap();
    for (arguments, code, asked_by) in [
        (
            &[
                "POST",
                "/jobs",
                "--as",
                "ann",
                "--provider",
                "corp",
                "--groups",
                "idp-staff,other",
            ][..],
            0,
            "`ann` of `corp` with the role recruiter",
        ),
        (
            &["POST", "/jobs", "--as", "ann", "--provider", "corp"],
            4,
            "`ann` of `corp` with no roles",
        ),
        // a parameter is compared with the subject, whoever vouches for it
        (
            &["GET", "/users/ann/cv", "--as", "ann", "--provider", "corp"],
            0,
            "`ann` of `corp` with no roles",
        ),
        (
            &["GET", "/users/bea/cv", "--as", "ann", "--provider", "corp"],
            4,
            "`ann` of `corp` with no roles",
        ),
        (
            &[
                "GET",
                "/users/carl/cv",
                "--as",
                "carl",
                "--provider",
                "corp",
            ],
            3,
            "`carl` of `corp`, who is refused: a user of the list has the name of its subject",
        ),
        (
            &["GET", "/jobs", "--as", "Carl", "--provider", "corp"],
            3,
            "`Carl` of `corp`, who is refused: a user of the list has the name of its subject in other case",
        ),
        (
            &["GET", "/jobs", "--as", "carl", "--provider", "own"],
            0,
            "`carl` of `own` with the role candidate",
        ),
        (
            &["GET", "/jobs", "--as", "gone", "--provider", "own"],
            3,
            "`gone` of `own`, who is refused: the user is disabled",
        ),
        (
            &["GET", "/jobs", "--as", "ann", "--provider", "own"],
            3,
            "`ann` of `own`, who is refused: nobody of this name is on the user list",
        ),
    ] {
        let report = explain(folder.path(), arguments);
        let printed = text(&report.stdout);
        assert_eq!(
            report.status.code(),
            Some(code),
            "{arguments:?}: {printed}{}",
            text(&report.stderr)
        );
        assert!(
            printed.contains(&format!("asked by {asked_by}\n")),
            "{arguments:?}: {printed}"
        );
    }
    let unknown = explain(
        folder.path(),
        &["GET", "/jobs", "--as", "ann", "--provider", "other"],
    );
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&unknown.stderr).contains("`auth.providers` has no provider `other`"));
}
