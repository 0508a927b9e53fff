//! `gatelatch audit` and `gatelatch import`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::commands::{folder, gatelatch, json, text};
use crate::support::{Upstream, ok, output, python};

const LIBRARY: &str = include_str!("../apis/library.swagger.yaml");
const GARAGE: &str = include_str!("../apis/garage.openapi.json");

const LIBRARY_RULES: &str = r#"auth: { token: { secret: 0123456789abcdef0123456789abcdef } }
services:
  library:
    upstream: http://127.0.0.1:9
    rules:
      - { path: /v1/books/**, methods: [GET], allow: anyone }
      - { path: /v1/books, methods: [POST], allow: { roles: [librarian] } }
      - { path: /v1/books/featured, methods: [GET, DELETE], allow: { roles: [librarian] } }
      - { path: /v1/loans, methods: [GET], allow: { networks: [10.0.0.0/8] } }
      - { path: /v1/loans, methods: [POST], allow: nobody }
      - { path: /favicon.ico, allow: anyone }
"#;

/// Findings by operation.
fn findings(output: &Output) -> BTreeMap<String, String> {
    let answer = json(output);
    let operations = answer["operations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|operation| {
            let text = |key: &str| operation[key].as_str().unwrap_or("").to_owned();
            let findings = operation["findings"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one.as_str().unwrap());
            (
                format!("{} {}", text("method"), text("path")),
                findings.collect::<Vec<_>>().join(" "),
            )
        });
    operations.collect()
}

fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn a_swagger_2_document_is_held_against_the_rules() {
    let folder = folder(&[("gateway.yaml", LIBRARY_RULES), ("api.yaml", LIBRARY)]);
    let audit = gatelatch(
        folder.path(),
        &["audit", "--openapi", "api.yaml", "--format", "json"],
    );
    assert_eq!(
        findings(&audit),
        map([
            ("GET /v1/books", "open"),
            ("POST /v1/books", ""),
            ("GET /v1/books/{isbn}", "open"),
            ("DELETE /v1/books/{isbn}", "uncovered"),
            ("GET /v1/books/{isbn}/cover.{format}", "open"),
            ("GET /v1/loans", "open looser"),
            ("POST /v1/loans", ""),
            ("GET /v1/members/{member}/loans", "uncovered"),
        ])
    );
    let answer = json(&audit);
    assert_eq!(answer["title"], "Town Library");
    // a more specific rule decides over some paths of an operation
    let others = |name: &str| {
        let operations = answer["operations"].as_array().unwrap().iter();
        operations
            .filter(|one| one["name"] == name)
            .map(|one| one["others"][0].clone())
            .next()
            .unwrap()
    };
    assert_eq!(others("readBook")["path"], "/v1/books/featured");
    assert_eq!(others("removeBook")["allow"], "role librarian");
    let unused: Vec<_> = answer["unused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| &rule["path"])
        .collect();
    assert_eq!(unused, ["/favicon.ico"]);
    assert!(
        answer["odd"][0]
            .as_str()
            .unwrap()
            .contains("`cover.{format}`"),
        "{answer:#}"
    );
}

#[test]
fn people_read_the_report() {
    let folder = folder(&[("gateway.yaml", LIBRARY_RULES), ("api.yaml", LIBRARY)]);
    let printed = text(&gatelatch(folder.path(), &["audit", "--openapi", "api.yaml"]).stdout);
    for line in [
        "8 operations of Town Library at the service `library`\n",
        "POST    /v1/books                        role librarian (gateway.yaml:7:9)\n",
        "DELETE  /v1/books/{isbn}                 no rule: refused  uncovered\n",
        "          but /v1/books/featured: role librarian (gateway.yaml:8:9)\n",
        "GET     /v1/loans                        from 10.0.0.0/8 (gateway.yaml:9:9)  open looser\n",
        "          the document asks for members (loans:read)\n",
        "\n    4  open: callers who are not known are let in\n",
        "\nrules that cover no operation:\n  * /favicon.ico: anyone (gateway.yaml:11:9)\n",
        "\nodd in the document:\n",
    ] {
        assert!(printed.contains(line), "`{line}` is missing in\n{printed}");
    }
    assert!(!printed.contains('\x1b'), "no colours in a pipe");
}

#[test]
fn a_pipeline_says_what_it_does_not_want() {
    let folder = folder(&[("gateway.yaml", LIBRARY_RULES), ("api.yaml", LIBRARY)]);
    for (deny, code) in [
        ("open", 1),
        ("uncovered", 1),
        ("looser", 1),
        ("stricter", 0),
        ("unused", 1),
        ("odd", 1),
        ("stricter,open", 1),
    ] {
        let audit = gatelatch(
            folder.path(),
            &["audit", "--openapi", "api.yaml", "--deny", deny],
        );
        assert_eq!(audit.status.code(), Some(code), "{deny}");
    }
}

#[test]
fn a_3_1_document_is_read_whole_and_what_is_odd_is_said() {
    let rules = r#"auth: { path: /login, token: { secret: 0123456789abcdef0123456789abcdef } }
services:
  garage:
    upstream: http://127.0.0.1:9
    rules:
      - { path: "/api/v2/**", allow: authenticated }
      - { path: "/api/v2/cars/{plate}", methods: [GET], allow: anyone }
  other: { path: /ping, upstream: "http://127.0.0.1:8", rules: [{ path: /ping, allow: anyone }] }
"#;
    let folder = folder(&[("gateway.yaml", rules), ("api.json", GARAGE)]);
    let several = gatelatch(folder.path(), &["audit", "--openapi", "api.json"]);
    assert!(
        text(&several.stderr).contains("say with `--service` which one"),
        "{}",
        text(&several.stderr)
    );
    let audit = gatelatch(
        folder.path(),
        &[
            "audit",
            "--openapi",
            "api.json",
            "--service",
            "garage",
            "--format",
            "json",
        ],
    );
    assert_eq!(
        findings(&audit),
        map([
            ("GET /api/v2/cars", ""),
            ("POST /api/v2/cars", ""),
            ("GET /api/v2/cars/{plate}", "open looser"),
            ("TRACE /api/v2/cars/{plate}", "uncovered"),
            ("GET /api/v2/cars/{number}", "open looser"),
            ("GET /api/v2/invoices/{invoice-id}/pdf", ""),
            ("GET /api/v2/auth/callback", "stricter"),
            ("GET /ping", "uncovered stricter"),
        ])
    );
    let answer = json(&audit);
    let mut odd: Vec<&str> = answer["odd"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap())
        .collect();
    odd.sort_unstable();
    assert_eq!(
        odd,
        [
            "`/ping`: `query` is no method that can be read, and is left out",
            "`/reports/{year}` refers to \"https://elsewhere.example/items.json#/report\", which cannot be followed, and is left out",
        ]
    );
    assert_eq!(answer["operations"][7]["refused"], "service other");
}

#[test]
fn mounts_and_prefixes_are_where_clients_see_them() {
    let api = r#"{ "openapi": "3.0.3", "paths": { "/logos/{name}": { "get": {} } } }"#;
    let rules = |strip: &str| {
        format!(
            "auth: {{ token: {{ secret: 0123456789abcdef0123456789abcdef }} }}
services:
  files:
    hosts: [files.test]
    path: /files
    strip_path: {strip}
    upstream: http://127.0.0.1:9
    rules: [{{ path: \"/files/logos/*\", allow: anyone }}]
"
        )
    };
    for (strip, arguments, path, found) in [
        ("true", vec![], "GET /files/logos/{name}", "open"),
        ("false", vec![], "GET /logos/{name}", "uncovered"),
        (
            "false",
            vec!["--prefix", "/files"],
            "GET /files/logos/{name}",
            "open",
        ),
        (
            "true",
            vec!["--prefix", "/files/", "--host", "files.test"],
            "GET /files/logos/{name}",
            "open",
        ),
        (
            "true",
            vec!["--host", "elsewhere.test"],
            "GET /files/logos/{name}",
            "uncovered",
        ),
    ] {
        let folder = folder(&[("gateway.yaml", &rules(strip)), ("api.json", api)]);
        let audit = [
            &["audit", "--openapi", "api.json", "--format", "json"],
            &arguments[..],
        ]
        .concat();
        assert_eq!(
            findings(&gatelatch(folder.path(), &audit)),
            map([(path, found)]),
            "{strip} {arguments:?}"
        );
    }
}

#[test]
fn what_is_no_document_is_said() {
    for (file, said) in [
        ("hello", "it is no OpenAPI document"),
        ("{}", "it is no OpenAPI document"),
        ("{ \"openapi\": \"4.0\" }", "version `4.0` cannot be read"),
        ("swagger: 1.2", "version `1.2` cannot be read"),
        ("{ \"openapi\": \"3.0.0\" }", "it has no map of `paths`"),
        ("{ \"openapi\": ", "it is not JSON"),
        ("a: [", "it is neither JSON nor YAML"),
    ] {
        let folder = folder(&[("gateway.yaml", LIBRARY_RULES), ("api", file)]);
        for command in ["audit", "import"] {
            let failed = gatelatch(folder.path(), &[command, "--openapi", "api"]);
            let message = text(&failed.stderr);
            assert!(
                message.starts_with("error: cannot read `api`: ") && message.contains(said),
                "{message}"
            );
            assert_eq!(failed.status.code(), Some(1));
        }
    }
}

#[test]
fn a_document_comes_from_a_url() {
    let upstream = Upstream::new(|_| ok(GARAGE));
    let folder = folder(&[("gateway.yaml", LIBRARY_RULES)]);
    let url = format!("http://{}/openapi.json", upstream.address);
    let audit = gatelatch(
        folder.path(),
        &["audit", "--openapi", &url, "--format", "json"],
    );
    assert_eq!(
        json(&audit)["operations"].as_array().unwrap().len(),
        8,
        "{}",
        text(&audit.stderr)
    );
    let asked = upstream.only();
    assert!(
        asked.head.starts_with("GET /openapi.json HTTP/1.1\r\n"),
        "{}",
        asked.head
    );
    let import = text(&gatelatch(folder.path(), &["import", "--openapi", &url]).stdout);
    assert!(
        import.contains(&format!("upstream: \"http://{}\"", upstream.address)),
        "{import}"
    );
    for line in [
        "    openapi: { path: \"/openapi.json\" }\n",
        "{ path: \"/openapi.json\", methods: [GET], allow: anyone }",
        "{ path: \"/docs\", methods: [GET], allow: anyone }",
    ] {
        assert!(import.contains(line), "`{line}` is missing in\n{import}");
    }
    // the proposal is held against the document that it comes from
    let secret = "GATELATCH_SECRET=0123456789abcdef0123456789abcdef\n";
    std::fs::write(folder.path().join(".env"), secret).unwrap();
    let import = text(&gatelatch(folder.path(), &["import", "--openapi", &url]).stdout);
    assert!(
        import.contains("  token: { secret: \"${GATELATCH_SECRET}\" }\n"),
        "{import}"
    );
    std::fs::write(folder.path().join("imported.yaml"), &import).unwrap();
    let arguments = [
        "audit",
        "--openapi",
        &url,
        "--deny",
        "unused",
        "--config",
        "imported.yaml",
    ];
    let audit = gatelatch(folder.path(), &arguments);
    assert!(
        audit.status.success(),
        "{}{}",
        text(&audit.stdout),
        text(&audit.stderr)
    );
    let secure = gatelatch(
        folder.path(),
        &["audit", "--openapi", &url.replace("http:", "https:")],
    );
    assert!(
        text(&secure.stderr).contains("no TLS connection: "),
        "{}",
        text(&secure.stderr)
    );
    let secret = gatelatch(
        folder.path(),
        &["audit", "--openapi", "http://me:secret@127.0.0.1/"],
    );
    let message = text(&secret.stderr);
    assert!(
        message.starts_with("error: a URL with a name or a password")
            && !message.contains("secret@"),
        "{message}"
    );
    let moved = Upstream::new(|_| {
        b"HTTP/1.1 302 Found\r\nLocation: /v3\r\nContent-Length: 0\r\n\r\n".to_vec()
    });
    let url = format!("http://{}/openapi.json", moved.address);
    let failed = gatelatch(folder.path(), &["audit", "--openapi", &url]);
    assert!(
        text(&failed.stderr).contains("it is elsewhere (302 Found): try `/v3`"),
        "{}",
        text(&failed.stderr)
    );
}

/// The imported configuration is checked, and then audited against the document it came from.
fn import(document: &str, arguments: &[&str]) -> (String, Value) {
    let folder = folder(&[("api", document)]);
    let import = gatelatch(
        folder.path(),
        &[&["import", "--openapi", "api"], arguments].concat(),
    );
    assert!(import.status.success(), "{}", text(&import.stderr));
    std::fs::write(folder.path().join("gateway.yaml"), &import.stdout).unwrap();
    std::fs::write(folder.path().join("users.yaml"), "users: {}\n").unwrap();
    let check = gatelatch(folder.path(), &["check"]);
    assert!(
        check.status.success(),
        "{}\n{}",
        text(&import.stdout),
        text(&check.stderr)
    );
    let audit = gatelatch(
        folder.path(),
        &[
            &["audit", "--openapi", "api", "--format", "json"],
            arguments,
        ]
        .concat(),
    );
    (text(&import.stdout), json(&audit))
}

#[test]
fn an_imported_skeleton_loads_and_covers_the_document() {
    let (skeleton, audit) = import(LIBRARY, &[]);
    for line in [
        "  town-library:\n    upstream: \"http://127.0.0.1:9000\"\n",
        "      # catalogue\n",
        "      - { path: \"/v1/books\", methods: [GET], allow: anyone }  # Books by title\n",
        "      - { path: \"/v1/books\", methods: [POST], allow: { roles: [\"books:write\"] } }  # addBook\n",
        "      - { path: \"/v1/books/{isbn}\", methods: [DELETE], allow: authenticated }  # removeBook\n",
        "      - { path: \"/v1/books/{isbn}/*\", methods: [GET], allow: anyone }  # readCover\n",
        "allow: { all_roles: [\"loans:read\", \"loans:write\"] } }  # lend\n",
        "      - { path: \"/v1/members/{member}/loans\", methods: [GET], allow: authenticated }  # listOwnLoans\n",
    ] {
        assert!(
            skeleton.contains(line),
            "`{line}` is missing in\n{skeleton}"
        );
    }
    assert_eq!(audit["unused"], serde_json::json!([]));
    for operation in audit["operations"].as_array().unwrap() {
        let findings = operation["findings"].to_string();
        assert!(
            !findings.contains("uncovered") && !findings.contains("looser"),
            "{operation:#}"
        );
    }
}

#[test]
fn what_cannot_be_a_rule_is_a_comment() {
    let (skeleton, _) = import(GARAGE, &["--service", "garage"]);
    for line in [
        "# Rules for Garage $HOME, from api.\n",
        "allow: [{ roles: [\"cars.read\"] }, { roles: [\"admin\"] }] }  # listCars\n",
        "allow: { roles: [\"cars.write\"] } }  # addCar\n",
        "allow: nobody }  # readInvoice; the scope {tenant} cannot be a role: write one\n",
        "# Where the identity provider sends browsers back to\n",
        "# - TRACE /api/v2/cars/{plate}: such requests are always refused\n",
        "{ path: \"/api/v2/cars/{plate}\", methods: [GET], allow: nobody }  # readCar; two operations, one with \
         { roles: [\"cars.read\"] } and one with authenticated: write one\n",
        "# - GET /api/v2/cars/{number}: another operation has the same path and method to a rule\n",
        "# - `/reports/{year}` refers to ",
    ] {
        assert!(
            skeleton.contains(line),
            "`{line}` is missing in\n{skeleton}"
        );
    }
    // a service that has `/auth` itself keeps it
    let (skeleton, _) = import(GARAGE, &["--service", "garage", "--prefix", "/"]);
    assert!(
        skeleton.contains("  path: /gatelatch\n") && skeleton.contains("\"/auth/callback\""),
        "{skeleton}"
    );
    let silent = r#"{ "swagger": "2.0", "info": { "title": "7 \n # x: y" }, "paths": { "/": { "get": {} }, "/a${b}": { "get": {} } } }"#;
    let (skeleton, _) = import(silent, &[]);
    assert!(
        skeleton.contains("{ path: \"/\", methods: [GET], allow: authenticated }"),
        "{skeleton}"
    );
    let nothing = r#"{ "openapi": "3.1.0", "webhooks": {} }"#;
    assert!(import(nothing, &[]).0.contains("  app:\n"));
}

#[test]
fn fastapis_own_document_is_audited_and_imported() {
    let Some(python) = python() else { return };
    let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps");
    let script = "import json, jobs; print(json.dumps(jobs.app.openapi()))";
    let document = output(
        Command::new(python)
            .args(["-c", script])
            .current_dir(app)
            .env("PYTHONDONTWRITEBYTECODE", "1"),
    );
    let (skeleton, audit) = import(&document, &["--service", "jobs"]);
    for line in [
        "The document says nothing about security",
        "  \"jobs\":\n",
        "{ path: \"/jobs\", methods: [POST], allow: authenticated }",
        "{ path: \"/public/hello\", methods: [GET], allow: authenticated }",
        "  # Post Job\n",
        "# auth: { token: { secret: \"${GATELATCH_SECRET}\" } }\n\nservices:",
    ] {
        assert!(
            skeleton.contains(line),
            "`{line}` is missing in\n{skeleton}"
        );
    }
    let findings: Vec<_> = audit["operations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["findings"])
        .collect();
    assert_eq!(findings, vec![&serde_json::json!([]); 4], "{audit:#}");
}
