//! Swagger UI from the binary, and the OpenAPI documents of services with what the rules ask.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::support::{Answer, Upstream, gateway, get, send};

const SERVICES: &str = "
  jobs:
    upstream: http://UPSTREAM
    openapi: { path: /openapi.json }
    rules:
      - { path: /openapi.json, allow: anyone }
      - { path: /public/**, allow: anyone }
      - { path: /jobs, methods: [GET], allow: authenticated }
      - { path: /jobs, methods: [POST], allow: { roles: [recruiter, admin] } }
      - { path: \"/jobs/{id}\", allow: [ { all_roles: [a, b] }, { user: rita }, { roles: [c], networks: [10.0.0.0/8] } ] }
      - { path: /closed, allow: nobody }
  files:
    path: /files
    strip_path: true
    upstream: http://UPSTREAM
    openapi: { path: /files/swagger.json }
    rules: [ { path: /files/**, allow: anyone }, { path: /files/secret, allow: authenticated } ]
";

/// Members in an order that no sorting gives, and members that nobody here knows.
const DOCUMENT: &str = r#"{"openapi":"3.1.0","x-first":[1],"info":{"title":"Jobs","version":"1"},"paths":{
 "/jobs":{"parameters":[],"get":{"summary":"List","responses":{"200":{"description":"ok"}}},
  "post":{"description":"Adds one.","security":[{"own":[]}],"responses":{"403":{"description":"own"}}}},
 "/jobs/{job_id}":{"delete":{}},"/public/x":{"get":{"responses":{}}},"/closed":{"get":{}},"/nowhere":{"get":{}}},
 "components":{"securitySchemes":{"own":{"type":"http","scheme":"basic"}},"schemas":{"A":{}}},"a-last":null}"#;

fn answer(kind: &str, body: &str, fields: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{fields}\r\n{body}"
    )
    .into_bytes()
}

/// The directives of all `Cache-Control` lines, in order.
fn directives(answer: &Answer) -> Vec<String> {
    answer
        .headers("cache-control")
        .iter()
        .flat_map(|line| line.split(','))
        .map(|directive| directive.trim().to_owned())
        .collect()
}

#[test]
fn what_a_service_says_about_caches_stays_beside_no_cache() {
    for (said, expected) in [
        ("", vec!["no-cache"]),
        (
            "Cache-Control: private, no-store\r\n",
            vec!["private", "no-store", "no-cache"],
        ),
        (
            "Cache-Control: public\r\nCache-Control: max-age=3600\r\n",
            vec!["public", "max-age=3600", "no-cache"],
        ),
    ] {
        let upstream = Upstream::new(move |_| answer("application/json", DOCUMENT, said));
        let gateway = gateway(SERVICES).upstream(upstream.address).start();
        let document = gateway.get("/openapi.json", "");
        assert!(document.body.contains("gatelatch"), "{document:?}");
        assert_eq!(directives(&document), expected, "{said:?}");
    }
}

#[test]
fn a_services_document_says_what_the_rules_ask() {
    let upstream =
        Upstream::new(|_| answer("application/json", DOCUMENT, "ETag: \"1\"\r\nX-Kept: 1\r\n"));
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let sent = "Accept-Encoding: gzip\r\nIf-None-Match: \"1\"\r\nRange: bytes=0-9\r\n";
    let document = gateway.get("/openapi.json", sent);
    assert_eq!(
        (
            document.status,
            document.header("x-kept"),
            document.header("etag")
        ),
        (200, "1", "")
    );
    assert_eq!(document.header("cache-control"), "no-cache");
    let asked = upstream.only();
    assert_eq!(asked.fields("accept-encoding"), ["identity"]);
    assert!(
        asked.fields("if-none-match").is_empty() && asked.fields("range").is_empty(),
        "{}",
        asked.head
    );
    let members: Vec<usize> = [
        "x-first",
        "\"info\"",
        "\"paths\"",
        "\"components\"",
        "a-last",
    ]
    .map(|name| document.body.find(name).unwrap())
    .into();
    assert!(
        members.is_sorted(),
        "the order of the members stays: {}",
        document.body
    );
    let document = document.json();
    let scheme = json!({ "type": "oauth2", "flows": { "password": { "tokenUrl": "/auth/login", "scopes": {} } } });
    assert_eq!(
        document["components"]["securitySchemes"]["gatelatch"],
        scheme
    );
    assert_eq!(
        document["components"]["securitySchemes"]["own"]["type"],
        "http"
    );
    let operation = |path: &str, method: &str| document["paths"][path][method].clone();
    assert_eq!(
        operation("/jobs", "get"),
        json!({
            "summary": "List",
            "responses": { "200": { "description": "ok" }, "401": { "description": "Not authenticated" } },
            "description": "**Access:** Requires a sign-in.",
            "security": [{ "gatelatch": [] }]
        })
    );
    assert_eq!(
        operation("/jobs", "post"),
        json!({
            "description": "Adds one.\n\n**Access:** Requires role: recruiter or admin.",
            "security": [{ "own": [], "gatelatch": [] }],
            "responses": { "403": { "description": "own" }, "401": { "description": "Not authenticated" } }
        })
    );
    assert_eq!(
        operation("/jobs/{job_id}", "delete")["description"],
        "**Access:** Requires roles: a and b. Or: A condition of its own. Or: Requires role: c, and a further condition."
    );
    assert_eq!(operation("/public/x", "get"), json!({ "responses": {} }));
    for path in ["/closed", "/nowhere"] {
        let closed = operation(path, "get");
        assert_eq!(
            closed["description"], "**Access:** Nobody has access from outside.",
            "{path}"
        );
        assert_eq!(
            (&closed["security"], closed["responses"]["403"].is_object()),
            (&Value::Null, true)
        );
    }
}

/// An operation without `security` has that of the document, which one of its own would replace.
#[test]
fn what_a_document_asks_as_a_whole_is_asked_beside_the_gateway() {
    let upstream = Upstream::new(|_| {
        let document = r#"{"openapi":"3.1.0","security":[{"apiKey":[]},{"own":["a"]}],"paths":{
            "/jobs":{"get":{},"post":{"security":[]}},"/public/x":{"get":{}},"/closed":{"get":{}}}}"#;
        answer("application/json", document, "")
    });
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let document = gateway.get("/openapi.json", "").json();
    let shared = json!([{ "apiKey": [] }, { "own": ["a"] }]);
    assert_eq!(document["security"], shared);
    let security = |path: &str, method: &str| &document["paths"][path][method]["security"];
    assert_eq!(
        security("/jobs", "get"),
        &json!([{ "apiKey": [], "gatelatch": [] }, { "own": ["a"], "gatelatch": [] }])
    );
    assert_eq!(
        security("/jobs", "post"),
        &json!([{ "gatelatch": [] }]),
        "its own list is empty: the service asks for nothing"
    );
    for path in ["/public/x", "/closed"] {
        assert_eq!(security(path, "get"), &Value::Null, "{path}");
    }
}

/// RFC 9110, section 9.3.2: fields that only the content tells may be left out, others are those of GET.
#[test]
fn head_of_a_document_says_nothing_that_get_does_not_say() {
    let upstream = Upstream::new(|asked| {
        let fields = "ETag: \"1\"\r\nLast-Modified: Mon, 30 Nov 2026 00:00:00 GMT\r\nAccept-Ranges: bytes\r\n";
        let mut said = answer("application/json", DOCUMENT, fields);
        if !asked.fields("if-none-match").is_empty() {
            return b"HTTP/1.1 304 Not Modified\r\n\r\n".to_vec();
        }
        if asked.line().starts_with("HEAD ") {
            said.truncate(said.len() - DOCUMENT.len());
        }
        said
    });
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let got = gateway.get("/openapi.json", "If-None-Match: \"1\"\r\n");
    let mut connection = crate::support::Connection::open(gateway.address);
    for _ in 0..2 {
        connection.write("HEAD /openapi.json HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"1\"\r\n\r\n");
        let head = Answer {
            status: 200,
            head: connection.read_head().unwrap(),
            body: String::new(),
        };
        assert!(head.head.starts_with("HTTP/1.1 200 "), "{head:?}");
        for name in [
            "content-type",
            "cache-control",
            "etag",
            "last-modified",
            "accept-ranges",
        ] {
            assert_eq!(head.headers(name), got.headers(name), "{name}");
        }
        assert_eq!(head.header("content-length"), "", "{head:?}");
    }
}

#[test]
fn a_stripped_mount_is_added_and_swagger_2_is_read_too() {
    let upstream = Upstream::new(|_| {
        let document =
            r#"{"swagger":"2.0","info":{},"paths":{"/secret":{"get":{}},"/open":{"get":{}}}}"#;
        answer("application/json; charset=utf-8", document, "")
    });
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let document = gateway.get("/files/swagger.json", "").json();
    assert_eq!(document["basePath"], "/files");
    assert_eq!(
        document["securityDefinitions"]["gatelatch"]["tokenUrl"],
        "/auth/login"
    );
    assert_eq!(
        document["paths"]["/secret"]["get"]["security"],
        json!([{ "gatelatch": [] }])
    );
    assert_eq!(document["paths"]["/open"]["get"], json!({}));
}

/// What is no document comes through byte for byte, however long it is.
#[test]
fn everything_else_is_passed_on_untouched() {
    let long = format!(
        "{{\"openapi\":\"3.1.0\",\"paths\":{{}},\"x\":\"{}\"}}",
        "x".repeat(3 * 1024 * 1024)
    );
    let bodies = [
        ("application/json", "{\"openapi\":\"3.1.0\",".to_owned()),
        ("application/json", "[1, 2]".to_owned()),
        ("application/json", String::new()),
        (
            "application/json",
            "{\"openapi\": \"4.0\", \"paths\": {}}".to_owned(),
        ),
        (
            "application/json",
            "{\"openapi\": \"3.1.0\", \"paths\": []}".to_owned(),
        ),
        (
            "application/json",
            "{\"openapi\": \"3.1.0\", \"paths\": {}, \"components\": 7}".to_owned(),
        ),
        ("text/yaml", "openapi: 3.1.0".to_owned()),
        ("application/json", long),
    ];
    for (kind, body) in bodies {
        let sent = body.clone();
        let upstream = Upstream::new(move |_| answer(kind, &sent, "ETag: \"1\"\r\n"));
        let gateway = gateway(SERVICES).upstream(upstream.address).start();
        let passed = gateway.get("/openapi.json", "");
        assert_eq!((passed.status, passed.header("etag")), (200, "\"1\""));
        assert!(
            passed.body == body,
            "{} bytes came instead of {}",
            passed.body.len(),
            body.len()
        );
    }
}

#[test]
fn only_that_path_is_looked_into_and_its_rule_comes_first() {
    let upstream = Upstream::new(|_| answer("application/json", DOCUMENT, ""));
    let services = SERVICES.replace(
        "{ path: /openapi.json, allow: anyone }",
        "{ path: /openapi.json, allow: authenticated }",
    );
    let gateway = gateway(&services).upstream(upstream.address).start();
    assert_eq!(gateway.get("/openapi.json", "").status, 401);
    assert!(upstream.received().is_empty());
    assert!(
        gateway
            .get("/openapi.json", &gateway.bearer("carl"))
            .body
            .contains("gatelatch")
    );
    assert_eq!(gateway.get("/public/openapi.json", "").body, DOCUMENT);
}

#[test]
fn a_document_that_breaks_off_is_no_answer() {
    let upstream = Upstream::with_stream(|_, stream| {
        let head =
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{";
        stream.write_all(head).unwrap();
        false
    });
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    assert_eq!(gateway.get("/openapi.json", "").status, 502);
}

#[test]
fn swagger_ui_comes_from_the_binary() {
    let gateway = gateway(SERVICES).start();
    let page = gateway.get("/auth/docs", "");
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    let policy = page.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self';"),
        "{policy}"
    );
    assert!(
        !page.body.contains("//"),
        "nothing comes from elsewhere: {}",
        page.body
    );
    let document = gateway.get("/auth/openapi.json", "");
    assert_eq!(document.header("content-type"), "application/json");
    for path in [
        "/auth/login",
        "/auth/token",
        "/auth/refresh",
        "/auth/me",
        "/auth/logout",
    ] {
        assert!(document.json()["paths"][path].is_object(), "{path}");
    }
    let start = gateway.get("/auth/docs/start.js", "");
    assert_eq!(
        (start.status, start.header("content-type")),
        (200, "text/javascript; charset=utf-8")
    );
    assert_eq!(
        start.header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    for (name, kind) in [
        ("swagger-ui.css", "text/css"),
        ("swagger-ui-bundle.js", "text/javascript"),
    ] {
        let path = format!("/auth/docs/{name}");
        let head = head_of(gateway.address, &path);
        assert_eq!(
            head.header("content-type"),
            format!("{kind}; charset=utf-8")
        );
        assert_eq!(head.header("content-encoding"), "gzip");
        assert!(head.header("content-length").parse::<usize>().unwrap() > 20_000);
        assert_eq!(
            get(gateway.address, &path, "Accept-Encoding: identity\r\n").status,
            406
        );
    }
    assert_eq!(gateway.get("/auth/docs/other.js", "").status, 404);
    let post = send(
        gateway.address,
        "POST /auth/docs HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    );
    assert_eq!((post.status, post.header("allow")), (405, "GET, HEAD"));
}

fn head_of(address: std::net::SocketAddr, path: &str) -> Answer {
    let mut connection = crate::support::Connection::open(address);
    connection.write(format!(
        "HEAD {path} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n"
    ));
    let head = connection.read_head().unwrap();
    Answer {
        status: 200,
        head,
        body: String::new(),
    }
}
