//! `tests:` of a configuration, and `gatelatch test`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::commands::{gatelatch, text};
use crate::support::{Upstream, gateway};

const CONFIG: &str = "auth: { token: { secret: \"${SECRET:-0123456789abcdef0123456789abcdef}\" } }
services:
  jobs:
    upstream: http://127.0.0.1:9
    rules:
      - { path: /public/**, allow: anyone }
      - { path: /jobs, methods: [GET], allow: authenticated }
      - { path: /jobs, methods: [POST], allow: { roles: [recruiter] } }
";

const USERS: &str = "users: { rita: { roles: [recruiter] }, carl: { roles: [candidate] } }\n";

const HOLD: &str = "tests:
  - { request: GET /jobs, expect: unauthenticated }
  - { request: POST /jobs, as: rita, expect: allowed, name: recruiters <post> }
";

fn folder(tests: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("gateway.yaml"),
        format!("{CONFIG}{tests}"),
    )
    .unwrap();
    fs::write(folder.path().join("users.yaml"), USERS).unwrap();
    folder
}

fn test(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = gatelatch(folder, &[&["test"], arguments].concat());
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn tests_that_hold_are_counted_and_rules_that_none_touches_are_listed() {
    let folder = folder(HOLD);
    let expected = "2 tests, all as expected
2 of 3 rules touched by a test
  not touched: `* /public/**` (gateway.yaml:6:9)
";
    assert_eq!(
        test(folder.path(), &[]),
        (Some(0), expected.to_owned(), String::new())
    );
    assert_eq!(test(folder.path(), &["--deny", "untouched"]).0, Some(1));
    let more = format!("{HOLD}  - {{ request: GET /public, expect: allowed }}\n");
    fs::write(folder.path().join("more.yaml"), more).unwrap();
    assert_eq!(
        test(folder.path(), &["more.yaml", "--deny", "untouched"]).0,
        Some(0)
    );
}

#[test]
fn a_test_that_fails_is_shown_with_the_rule_that_decides() {
    let folder = folder("tests:\n  - { request: POST /jobs, as: carl, expect: allowed }\n");
    let (code, out, err) = test(folder.path(), &[]);
    assert_eq!(code, Some(1));
    assert_eq!(
        err,
        "error[failed-test]: `POST /jobs` by user `carl` with the role candidate: expected `allowed`, got `forbidden` \
(Access denied. Requires role: recruiter)
  --> gateway.yaml:10:16
   |
10 |   - { request: POST /jobs, as: carl, expect: allowed }
   |                ^^^^^^^^^^
   |
   = help: to be allowed it takes role `recruiter`
note: `POST /jobs` decides: role `recruiter` fails
  --> gateway.yaml:8:9
   |
 8 |       - { path: /jobs, methods: [POST], allow: { roles: [recruiter] } }
   |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
note: `GET /jobs` covers the path, but not the method
  --> gateway.yaml:7:9
   |
 7 |       - { path: /jobs, methods: [GET], allow: authenticated }
   |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

"
    );
    assert!(
        out.starts_with("1 test, 1 not as expected\n1 of 3 rules touched by a test\n"),
        "{out}"
    );
    // what only looks at the configuration says so, and looks
    for (arguments, code, said) in [
        (&["check"][..], 1, "error[failed-test]"),
        (
            &["explain", "GET", "/jobs"],
            3,
            "note: 1 test of gateway.yaml does not hold",
        ),
    ] {
        let output = gatelatch(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(
            text(&output.stderr).contains(said),
            "{arguments:?}: {}",
            text(&output.stderr)
        );
    }
}

#[test]
fn a_file_of_tests_takes_the_place_of_the_configurations() {
    let folder = folder("tests: [{ request: GET /jobs, expect: allowed }]\n");
    for (content, code, said) in [
        (
            "[{ request: GET /jobs, as: rita, expect: allowed }]",
            0,
            "1 test, all as expected",
        ),
        (
            "tests: [{ request: GET /jobs, expect: allowed }]",
            1,
            "1 test, 1 not as expected",
        ),
        ("[]", 0, "no tests: write some under `tests`"),
    ] {
        fs::write(folder.path().join("cases.yaml"), content).unwrap();
        let (status, out, err) = test(folder.path(), &["cases.yaml"]);
        assert_eq!(status, Some(code), "{content}: {out}{err}");
        assert!(out.starts_with(said), "{content}: {out}{err}");
    }
    for (content, said) in [
        ("[{ request: GET /jobs, expect: allow }]", "cases.yaml:1:32"),
        ("test: []", "error[unknown-key]: unknown key `test`"),
        ("tests: [", "error[yaml-syntax]"),
        (
            "[{ request: GET /jobs, as: eve, expect: allowed }]",
            "error[unknown-user]: there is no user `eve`",
        ),
    ] {
        fs::write(folder.path().join("cases.yaml"), content).unwrap();
        let (status, out, err) = test(folder.path(), &["cases.yaml"]);
        assert_eq!(status, Some(1), "{content}: {out}{err}");
        assert!(err.contains(said), "{content}: {out}{err}");
    }
    let (status, _, err) = test(folder.path(), &["missing.yaml"]);
    assert_eq!(status, Some(1));
    assert!(
        err.contains("cannot read `missing.yaml`: there is no such file"),
        "{err}"
    );
}

#[test]
fn programs_get_json_and_ci_gets_junit() {
    let folder = folder(&format!(
        "{HOLD}  - {{ request: \"GET /a%20b\", expect: allowed }}\n"
    ));
    let (code, out, _) = test(
        folder.path(),
        &["--format", "json", "--junit", "report.xml"],
    );
    assert_eq!(code, Some(1));
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&report["tests"], &report["failed"]),
        (&3.into(), &1.into())
    );
    assert_eq!(
        report["results"][1],
        serde_json::json!({
            "name": "recruiters <post>",
            "file": "gateway.yaml",
            "line": 11,
            "request": "POST /jobs",
            "caller": "user `rita` with the role recruiter",
            "expected": "allowed",
            "got": "allowed",
            "rule": { "service": "jobs", "name": "POST /jobs", "file": "gateway.yaml", "line": 8, "column": 9 },
            "failure": null,
        })
    );
    assert_eq!(report["results"][2]["got"], "forbidden");
    assert_eq!(report["coverage"]["untouched"][0]["name"], "* /public/**");
    assert_eq!(report["problems"][0]["code"], "failed-test");
    let failure =
        "`GET /a%20b` by an anonymous caller: expected `allowed`, got `forbidden` (Access denied)";
    assert_eq!(
        fs::read_to_string(folder.path().join("report.xml")).unwrap(),
        format!(
            r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="gateway.yaml" tests="3" failures="1" errors="0" skipped="0" time="0">
  <testsuite name="gateway.yaml" tests="3" failures="1" errors="0" skipped="0" time="0">
    <testcase name="GET /jobs by an anonymous caller is unauthenticated" classname="jobs" file="gateway.yaml" line="10" time="0"/>
    <testcase name="recruiters &lt;post&gt;" classname="jobs" file="gateway.yaml" line="11" time="0"/>
    <testcase name="GET /a%20b by an anonymous caller is allowed" classname="gatelatch" file="gateway.yaml" line="12" time="0">
      <failure message="{failure}">{failure}</failure>
    </testcase>
  </testsuite>
</testsuites>
"#
        )
    );
}

#[test]
fn a_gateway_whose_tests_fail_does_not_start() {
    let services = "
  app: { upstream: http://127.0.0.1:9, rules: [{ path: /**, allow: anyone }] }
tests:
  - { request: GET /admin, expect: unauthenticated }
";
    let (code, printed) = gateway(services).fail();
    assert_eq!(code, Some(1), "{printed}");
    assert!(
        printed.contains("error[failed-test]: `GET /admin` by an anonymous caller: expected"),
        "{printed}"
    );
}

#[test]
fn a_reload_whose_tests_fail_is_not_applied() {
    const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /open, allow: anyone }
      - { path: /admin, allow: { roles: [recruiter] } }
tests:
  - { request: GET /admin, as: carl, expect: forbidden }
  - { request: GET /open, expect: allowed }
";
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let (config, users) = (gateway.read("gateway.yaml"), gateway.read("users.yaml"));
    let carl = gateway.bearer("carl");
    let successful = || gateway.metric("gatelatch_config_last_reload_successful");
    assert_eq!(
        (successful(), gateway.get("/admin", &carl).status),
        (1.0, 403)
    );
    // either file can break a test, and the rest of it is not applied either
    let wide = config.replace(
        "/admin, allow: { roles: [recruiter] }",
        "/admin, allow: authenticated",
    );
    let wide = wide.replace("/open, allow: anyone", "/open, allow: nobody");
    let promoted = users.replace("roles: [candidate]", "roles: [candidate, recruiter]");
    for (file, bad, good, failures) in [
        ("gateway.yaml", &wide, &config, 2),
        ("users.yaml", &promoted, &users, 1),
    ] {
        gateway.replace(file, bad);
        let problem = gateway.event("`GET /admin` by user `carl`");
        assert_eq!(
            (&problem["level"], &problem["code"]),
            (&"ERROR".into(), &"failed-test".into()),
            "{problem}"
        );
        if failures == 2 {
            gateway
                .event("`GET /open` by an anonymous caller: expected `allowed`, got `forbidden`");
        }
        gateway.event("configuration not reloaded");
        assert_eq!(successful(), 0.0);
        assert_eq!(
            (
                gateway.get("/admin", &carl).status,
                gateway.get("/open", "").status
            ),
            (403, 200),
            "{file}"
        );
        gateway.replace(file, good);
        gateway.event("configuration repaired");
        assert_eq!(successful(), 1.0);
    }
    let wide_and_said = wide.replace("as: carl, expect: forbidden", "as: carl, expect: allowed");
    gateway.replace(
        "gateway.yaml",
        &wide_and_said.replace("GET /open, expect: allowed", "GET /open, expect: forbidden"),
    );
    gateway.event("configuration reloaded");
    assert_eq!(
        (successful(), gateway.get("/admin", &carl).status),
        (1.0, 200)
    );
}
