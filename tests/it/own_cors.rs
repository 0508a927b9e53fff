//! Pages of other origins at the gateway's own endpoints, and in the session of a browser.

use crate::support::{Answer, Gateway, Upstream, gateway, send, sign_in, tokens};

const SERVICES: &str = "
  app:
    hosts: [app.test]
    upstream: http://UPSTREAM
    cors: { origins: [\"https://spa.test\"], credentials: true, headers: [X-Total], methods: [PUT] }
    rules: [ { path: /**, allow: authenticated } ]
  api:
    hosts: [app.test]
    path: /api
    upstream: http://UPSTREAM
    cors: { origins: \"*\" }
    rules: [ { path: /api/**, allow: authenticated } ]
  wild:
    hosts: [\"*.test\"]
    upstream: http://UPSTREAM
    cors: { origins: [\"https://wild.test\"] }
    rules: [ { path: /**, allow: authenticated } ]
  rest:
    upstream: http://UPSTREAM
    rules: [ { path: /**, allow: authenticated } ]
";

const SPA: &str = "https://spa.test";

fn request(gateway: &Gateway, line: &str, host: &str, fields: &str, body: &str) -> Answer {
    let length = body.len();
    send(
        gateway.address,
        format!(
            "{line} HTTP/1.1\r\nHost: {host}\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
        ),
    )
}

fn preflight(gateway: &Gateway, path: &str, host: &str, origin: &str, method: &str) -> Answer {
    let fields = format!(
        "Origin: {origin}\r\nAccess-Control-Request-Method: {method}\r\nAccess-Control-Request-Headers: content-type\r\n"
    );
    request(gateway, &format!("OPTIONS {path}"), host, &fields, "")
}

/// Who may read an answer, and whether with cookies.
fn shared(answer: &Answer) -> (&str, &str) {
    let [origin, credentials] = ["origin", "credentials"]
        .map(|name| answer.header(&format!("access-control-allow-{name}")));
    (origin, credentials)
}

fn start(upstream: &Upstream, auth: &str) -> Gateway {
    gateway(SERVICES)
        .upstream(upstream.address)
        .auth(&format!("token_paths: [/token]{auth}"))
        .start()
}

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
const LOGIN: &str = "username=rita&password=correct+horse+battery+staple";

#[test]
fn a_page_that_a_service_allows_may_call_the_gateways_endpoints_on_its_host() {
    let upstream = Upstream::saying("x");
    let gateway = start(&upstream, "");
    let with = |origin: &str| format!("Origin: {origin}\r\n{FORM}");
    for (path, body, expected) in [
        ("POST /auth/login", LOGIN, 200),
        ("POST /token", LOGIN, 200),
        ("POST /auth/token", "grant_type=other", 400),
        ("POST /auth/refresh", "refresh_token=x", 401),
        ("GET /auth/me", "", 401),
        ("POST /auth/logout", "", 401),
    ] {
        let (method, target) = path.split_once(' ').unwrap();
        for (host, origin, allowed) in [
            ("app.test", SPA, (SPA, "true")),
            ("APP.test:443", SPA, (SPA, "true")),
            ("app.test", "https://evil.test", ("*", "")),
            ("other.test", SPA, ("", "")),
            ("other.test", "https://wild.test", ("https://wild.test", "")),
            ("elsewhere.example", SPA, ("", "")),
        ] {
            let answer = request(&gateway, path, host, &with(origin), body);
            let asked = format!("{path} {host} {origin}: {answer:?}");
            assert_eq!(
                (answer.status, shared(&answer)),
                (expected, allowed),
                "{asked}"
            );
            let varies = answer.headers("vary").contains(&"origin");
            assert_eq!(
                varies,
                host != "elsewhere.example" && allowed.0 != "*",
                "{asked}"
            );
            let asked_first = preflight(&gateway, target, host, origin, method);
            let answered = match (host, allowed) {
                ("elsewhere.example", _) => None,
                (_, ("", _)) => Some(403),
                _ => Some(204),
            };
            let Some(answered) = answered else {
                assert_ne!(asked_first.status, 204, "{asked_first:?}");
                continue;
            };
            assert_eq!(
                (asked_first.status, shared(&asked_first)),
                (answered, allowed),
                "{asked}"
            );
            if answered == 204 {
                let methods = asked_first.header("access-control-allow-methods");
                assert_eq!(methods, "GET, HEAD, POST", "{asked_first:?}");
                let headers = asked_first.header("access-control-allow-headers");
                assert!(headers.contains("content-type"), "{asked_first:?}");
            }
        }
    }
    assert!(upstream.received().is_empty());
}

#[test]
fn what_people_see_and_what_proxies_ask_is_nobodys_elses() {
    let upstream = Upstream::saying("x");
    let gateway = start(&upstream, "");
    let origin = format!("Origin: {SPA}\r\n");
    let html = format!("{origin}Accept: text/html\r\n");
    for (line, fields, body) in [
        ("GET /auth/login", &*origin, ""),
        ("GET /auth/login", &html, ""),
        ("GET /auth/logout", &*origin, ""),
        ("POST /auth/login", &format!("{html}{FORM}"), LOGIN),
        ("POST /auth/logout", &format!("{html}{FORM}"), ""),
        ("GET /auth/verify", &origin, ""),
        ("GET /auth/openapi.json", &origin, ""),
        ("GET /auth/else", &origin, ""),
    ] {
        let answer = request(&gateway, line, "app.test", fields, body);
        assert_eq!(shared(&answer), ("", ""), "{line}: {answer:?}");
        assert_ne!(answer.status, 303, "{line}: {answer:?}");
    }
    // the method that is announced says whose path it is
    let service = preflight(&gateway, "/token", "app.test", SPA, "PUT");
    assert_eq!(
        (
            service.status,
            service.header("access-control-allow-methods")
        ),
        (204, "PUT")
    );
    for path in ["/auth/verify", "/auth/docs", "/auth/else"] {
        let answer = preflight(&gateway, path, "app.test", SPA, "GET");
        assert_eq!(shared(&answer), ("", ""), "{path}: {answer:?}");
    }
    for two in ["Origin: https://spa.test\r\n", "Origin: null\r\n"] {
        let answer = request(
            &gateway,
            "GET /auth/me",
            "app.test",
            &format!("{origin}{two}"),
            "",
        );
        assert_eq!(shared(&answer), ("", ""), "{answer:?}");
    }
}

#[test]
fn auth_cors_counts_on_every_host() {
    let upstream = Upstream::saying("x");
    let cors = ", cors: { origins: [\"https://admin.test\", \"https://spa.test\"] }";
    let gateway = start(&upstream, cors);
    for (host, origin, allowed) in [
        (
            "elsewhere.example",
            "https://admin.test",
            ("https://admin.test", ""),
        ),
        ("app.test", SPA, (SPA, "true")),
        ("elsewhere.example", SPA, (SPA, "")),
        ("elsewhere.example", "https://evil.test", ("", "")),
    ] {
        let fields = format!("Origin: {origin}\r\n");
        let answer = request(&gateway, "GET /auth/me", host, &fields, "");
        assert_eq!(shared(&answer), allowed, "{host} {origin}: {answer:?}");
        let status = if allowed.0.is_empty() { 403 } else { 204 };
        for path in ["/auth/refresh", "/token"] {
            let answer = preflight(&gateway, path, host, origin, "POST");
            assert_eq!(
                (answer.status, shared(&answer)),
                (status, allowed),
                "{host} {origin}"
            );
        }
    }
    let bearer = tokens(&gateway, "rita").bearer();
    let fields = format!("{bearer}Origin: https://admin.test\r\n");
    let answer = request(&gateway, "GET /auth/me", "any.example", &fields, "");
    assert_eq!(answer.json()["sub"], "rita");
}

/// Where credentials are allowed, exactly the origins that are named act in a browser's session.
#[test]
fn a_page_that_may_bring_cookies_acts_by_them_and_no_other_does() {
    let upstream = Upstream::saying("done");
    let gateway = start(&upstream, "");
    let session = sign_in(&gateway, "rita");
    for (line, host, fields, expected) in [
        (
            "POST /jobs",
            "app.test",
            "Origin: https://spa.test\r\nSec-Fetch-Site: cross-site\r\n",
            200,
        ),
        (
            "POST /jobs",
            "app.test",
            "Origin: https://spa.test\r\n",
            200,
        ),
        (
            "POST /jobs",
            "app.test",
            "Sec-Fetch-Site: cross-site\r\n",
            403,
        ),
        (
            "POST /jobs",
            "app.test",
            "Origin: https://evil.test\r\n",
            403,
        ),
        ("POST /jobs", "app.test", "Origin: null\r\n", 403),
        ("POST /jobs", "app.test", "Origin: http://spa.test\r\n", 403),
        (
            "POST /jobs",
            "app.test",
            "Origin: https://spa.test\r\nOrigin: https://spa.test\r\n",
            403,
        ),
        (
            "POST /api/x",
            "app.test",
            "Origin: https://spa.test\r\n",
            403,
        ),
        (
            "POST /jobs",
            "wild.test",
            "Origin: https://wild.test\r\n",
            403,
        ),
        (
            "POST /jobs",
            "wild.test",
            "Origin: http://wild.test\r\n",
            200,
        ),
        (
            "POST /jobs",
            "elsewhere.example",
            "Origin: https://spa.test\r\n",
            403,
        ),
        (
            "POST /auth/logout",
            "wild.test",
            "Origin: https://wild.test\r\n",
            403,
        ),
        (
            "POST /auth/logout",
            "elsewhere.example",
            "Origin: https://spa.test\r\n",
            403,
        ),
        (
            "POST /auth/logout",
            "app.test",
            "Origin: https://evil.test\r\n",
            403,
        ),
    ] {
        let answer = request(&gateway, line, host, &format!("{session}{fields}"), "");
        assert_eq!(
            answer.status, expected,
            "{line} {host} {fields}: {answer:?}"
        );
    }
    let fields = format!("{session}Origin: {SPA}\r\nSec-Fetch-Site: cross-site\r\n");
    let ended = request(&gateway, "POST /auth/logout", "app.test", &fields, "");
    assert_eq!(
        (ended.status, shared(&ended)),
        (204, (SPA, "true")),
        "{ended:?}"
    );
    assert_eq!(gateway.get("/auth/me", &session).status, 401);
}

/// A proxy that asks passes on what the browser says.
#[test]
fn forward_auth_lets_the_same_pages_act() {
    let gateway = gateway(SERVICES)
        .upstream(Upstream::saying("x").address)
        .server("trusted_proxies: [127.0.0.1]")
        .start();
    let session = sign_in(&gateway, "rita");
    for (host, origin, expected) in [
        ("app.test", SPA, 200),
        ("app.test", "https://evil.test", 403),
        ("elsewhere.example", SPA, 403),
    ] {
        let fields = format!(
            "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Method: POST\r\nX-Forwarded-Proto: http\r\n\
             X-Forwarded-Host: {host}\r\nX-Forwarded-Uri: /jobs\r\n{session}Origin: {origin}\r\n"
        );
        let answer = gateway.get("/auth/verify", &fields);
        assert_eq!(
            (answer.status, shared(&answer)),
            (expected, ("", "")),
            "{host} {origin}"
        );
    }
}
