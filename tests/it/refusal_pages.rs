//! What people see where their request is refused, and that programs still get a problem document.

use std::net::TcpListener;

use crate::support::{
    Answer, Connection, Gateway, NAVIGATION, PASSWORD, Upstream, curl, gateway, send, sign_in,
    submit,
};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    limits: { body: 1KiB }
    rules:
      - { path: /jobs, allow: authenticated }
      - { path: /admin/**, allow: { roles: [admin] } }
      - { path: /closed, allow: nobody }
      - { path: /upload, allow: authenticated }
      - { path: /here, allow: { networks: [192.0.2.0/24] } }
  api:
    path: /api
    upstream: http://UPSTREAM
    login_redirect: false
    rules: [ { path: /api/**, allow: authenticated } ]
  gone:
    path: /gone
    upstream: http://GONE
    rules: [ { path: /gone/**, allow: anyone } ]
  other:
    hosts: [other.test]
    path: /only
    upstream: http://UPSTREAM
";

fn start() -> (Gateway, Upstream) {
    // an address where nobody listens
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let services = SERVICES.replace("GONE", &gone.local_addr().unwrap().to_string());
    drop(gone);
    let upstream = Upstream::saying("x");
    (
        gateway(&services).upstream(upstream.address).start(),
        upstream,
    )
}

/// The fields of an answer that are not about the form of its body.
fn others(answer: &Answer) -> Vec<String> {
    const OF_THE_BODY: [&str; 8] = [
        "content-type",
        "content-length",
        "content-security-policy",
        "x-content-type-options",
        "x-frame-options",
        "referrer-policy",
        "cache-control",
        "date",
    ];
    let fields = answer.head.lines().filter(|line| {
        let name = line.split(':').next().unwrap_or_default();
        !OF_THE_BODY.contains(&name)
    });
    fields.map(str::to_owned).collect()
}

#[test]
fn a_refused_navigation_is_a_page_and_a_refused_program_gets_json() {
    let (gateway, _upstream) = start();
    let session = sign_in(&gateway, "rita");
    for (path, fields, status, says) in [
        (
            "/admin/x",
            session.as_str(),
            403,
            "Access denied. Requires role: admin.",
        ),
        ("/closed", &session, 403, "You cannot open this page"),
        ("/nowhere", &session, 403, "You cannot open this page"),
        ("/nowhere", "", 403, "You cannot open this page"),
        ("/here", "", 403, "You cannot open this page"),
        ("/api/x", "", 401, "You are not signed in"),
        (
            "/api/x",
            "Cookie: gatelatch=broken\r\n",
            401,
            "You are not signed in",
        ),
        ("/a//b", &session, 400, "This address cannot be opened"),
        ("/%2e%2e/x", &session, 400, "This address cannot be opened"),
        ("/gone/x", &session, 502, "The service does not answer"),
        (
            "/auth/refresh",
            &session,
            405,
            "This address cannot be opened",
        ),
        ("/auth/token", "", 405, "This address cannot be opened"),
        ("/auth/nothing", &session, 404, "There is nothing here"),
        ("/auth/me", "", 401, "You are not signed in"),
        ("/auth/verify", "", 403, "Only a trusted proxy may ask."),
        (
            "/jobs",
            "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n",
            400,
            "This address cannot be opened",
        ),
    ] {
        let page = gateway.get(path, &format!("{NAVIGATION}{fields}"));
        assert_eq!(page.status, status, "{path} {page:?}");
        assert_eq!(
            page.header("content-type"),
            "text/html; charset=utf-8",
            "{path} {page:?}"
        );
        assert_eq!(page.headers("cache-control"), ["no-store"], "{path}");
        assert_eq!(page.header("x-frame-options"), "DENY", "{path}");
        assert!(
            page.header("content-security-policy")
                .starts_with("default-src 'none'; style-src 'sha256-"),
            "{path}"
        );
        assert!(page.body.contains(says), "{path}: {}", page.body);
        assert!(
            page.body
                .contains(&format!("Status {status}, request <code>")),
            "{path}: {}",
            page.body
        );
        let signed_in = fields == session;
        assert_eq!(
            page.body.contains("Signed in as Rita Recruiter (rita)"),
            signed_in,
            "{path}: {}",
            page.body
        );
        assert_eq!(
            page.body.contains("Sign in as somebody else</a>"),
            signed_in,
            "{path}"
        );
        let invites = !signed_in && (status == 401 || status == 403);
        assert_eq!(page.body.contains(">Sign in</a>"), invites, "{path}");
        for program in [
            "",
            "Accept: */*\r\n",
            "Accept: application/json\r\n",
            "Accept: text/html\r\nSec-Fetch-Mode: cors\r\n",
        ] {
            let problem = gateway.get(path, &format!("{program}{fields}"));
            assert_eq!(problem.status, status, "{path}");
            assert_eq!(
                problem.header("content-type"),
                "application/problem+json",
                "{path} {program}"
            );
            assert_eq!(problem.json()["status"], status, "{path}");
            assert_eq!(others(&problem), others(&page), "{path}");
        }
    }
}

#[test]
fn a_page_names_its_request_and_leads_back() {
    let (gateway, _upstream) = start();
    let session = sign_in(&gateway, "rita");
    let page = gateway.get(
        "/admin/x?a=1&b=%3Cscript%3E",
        &format!("{NAVIGATION}{session}"),
    );
    let line = gateway.line("/admin/x");
    let id = line["request_id"].as_str().unwrap();
    assert!(
        page.body.contains(&format!("<code>{id}</code>")),
        "{}",
        page.body
    );
    assert_eq!(line["reason"], "role missing");
    let switch = "href=\"&#x2f;auth&#x2f;login?next=&#x2f;admin&#x2f;x%3Fa%3D1%26b%3D%253Cscript%253E&amp;switch\"";
    assert!(page.body.contains(switch), "{}", page.body);
    let form = gateway.get(
        "/auth/login?next=/admin/x%3Fa%3D1&switch",
        &format!("{NAVIGATION}{session}"),
    );
    assert!(
        form.body.contains("You are signed in as Rita Recruiter."),
        "{}",
        form.body
    );
    assert!(
        form.body
            .contains("name=\"next\" value=\"&#x2f;admin&#x2f;x?a=1\""),
        "{}",
        form.body
    );
    let carl = submit(
        gateway.address,
        "/auth/login",
        &format!(
            "username=carl&password={}&next=/jobs",
            PASSWORD.replace(' ', "+")
        ),
        &format!("Sec-Fetch-Site: same-origin\r\n{session}"),
    );
    assert_eq!((carl.status, carl.header("location")), (303, "/jobs"));
    assert_eq!(
        gateway.get("/jobs", &session).status,
        401,
        "the former session has ended"
    );
}

#[test]
fn nothing_that_a_client_sends_is_markup() {
    let (gateway, _upstream) = start();
    const MARKUP: &str = "\"><script>alert(1)</script>";
    for request in [
        format!("GET /x HTTP/1.1\r\nHost: a\r\n{NAVIGATION}X-Request-Id: {MARKUP}\r\n\r\n"),
        format!("GET /x HTTP/1.1\r\nHost: a\r\n{NAVIGATION}Authorization: Bearer {MARKUP}\r\n\r\n"),
        format!(
            "POST /x HTTP/1.1\r\nHost: a\r\n{NAVIGATION}Origin: {MARKUP}\r\nContent-Length: 0\r\n\r\n"
        ),
        format!("GET /auth/'onload='x HTTP/1.1\r\nHost: a\r\n{NAVIGATION}\r\n"),
        format!(
            "POST /auth/login HTTP/1.1\r\nHost: a\r\n{NAVIGATION}Origin: {MARKUP}\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 0\r\n\r\n"
        ),
        format!(
            "POST /auth/logout HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\nOrigin: {MARKUP}\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 0\r\n\r\n"
        ),
    ] {
        let page = send(gateway.address, &request);
        assert!(page.status >= 400, "{page:?}");
        assert_eq!(
            page.header("content-type"),
            "text/html; charset=utf-8",
            "{request} {page:?}"
        );
        assert!(
            !page.body.contains("<script") && !page.body.contains("'onload"),
            "{}",
            page.body
        );
    }
}

#[test]
fn what_is_sent_is_refused_with_a_page_where_a_browser_says_that_it_navigates() {
    let (gateway, _upstream) = start();
    let session = sign_in(&gateway, "rita");
    let post = |fields: &str| {
        send(
            gateway.address,
            format!(
                "POST /upload HTTP/1.1\r\nHost: gateway.test\r\n{session}{fields}Content-Length: 2000\r\n\r\n{}",
                "x".repeat(2000)
            ),
        )
    };
    let same = "Sec-Fetch-Site: same-origin\r\n";
    let page = post(&format!("{NAVIGATION}{same}"));
    assert_eq!(
        (page.status, page.header("content-type")),
        (413, "text/html; charset=utf-8")
    );
    assert!(page.body.contains("That is too large"), "{}", page.body);
    assert!(
        page.body.contains("href=\"&#x2f;auth&#x2f;login?switch\""),
        "there is no way back to a form: {}",
        page.body
    );
    let problem = post(&format!("Accept: text/html\r\n{same}"));
    assert_eq!(
        (problem.status, problem.header("content-type")),
        (413, "application/problem+json")
    );
    let foreign = post(&format!("{NAVIGATION}Origin: http://evil.test\r\n"));
    assert_eq!(foreign.status, 403);
    let why = "The request comes from another site: the request has Origin: http:&#x2f;&#x2f;evil.test, and this site is \
               http:&#x2f;&#x2f;gateway.test.";
    assert!(foreign.body.contains(why), "{}", foreign.body);
    let mut lines = std::iter::repeat_with(|| gateway.line("/upload"));
    let line = lines.find(|line| line["status"] == 403).unwrap();
    assert_eq!(
        line["reason"],
        "cross-origin: the request has `Origin: http://evil.test`, and this site is `http://gateway.test`"
    );
}

#[test]
fn head_has_the_fields_of_a_page_and_no_body() {
    let (gateway, _upstream) = start();
    for (path, status) in [
        ("/nowhere", 403),
        ("/auth/nothing", 404),
        ("/auth/refresh", 405),
    ] {
        let page = gateway.get(path, NAVIGATION);
        let request = format!(
            "HEAD {path} HTTP/1.1\r\nHost: gateway.test\r\n{NAVIGATION}Connection: close\r\n\r\n"
        );
        let head = Connection::open(gateway.address)
            .write(request)
            .read_to_end();
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
        assert!(head.ends_with("\r\n\r\n"), "{head}");
        let length = format!("content-length: {}\r\n", page.header("content-length"));
        for field in ["content-type: text/html; charset=utf-8\r\n", &length] {
            assert!(head.contains(field), "{field}: {head}");
        }
    }
    for arguments in [&["--head"][..], &[]] {
        let url = format!("http://{}/nowhere", gateway.address);
        let all = [
            arguments,
            &["--http2-prior-knowledge", "-H", "Accept: text/html", &url],
        ]
        .concat();
        let Some(answer) = curl(&all) else { return };
        assert_eq!(
            (answer.code, answer.status, answer.version.as_str()),
            (Some(0), 403, "2"),
            "{answer:?}"
        );
        assert!(
            answer.text.contains("content-type: text/html"),
            "{answer:?}"
        );
        assert_eq!(
            answer.text.contains("<h1>"),
            arguments.is_empty(),
            "{answer:?}"
        );
    }
    let many: Vec<String> = (0..120)
        .flat_map(|n| ["-H".to_owned(), format!("x-{n}: 1")])
        .collect();
    let url = format!("http://{}/nowhere", gateway.address);
    let mut all = vec!["--http2-prior-knowledge", "-H", "Accept: text/html", &url];
    all.extend(many.iter().map(String::as_str));
    let answer = curl(&all).unwrap();
    assert_eq!(answer.status, 431);
    assert!(
        answer
            .text
            .contains("Deleting the cookies of this site may help."),
        "{answer:?}"
    );
}

#[test]
fn proxies_that_ask_get_what_they_got() {
    let upstream = Upstream::saying("x");
    let gateway = gateway(SERVICES.split("  gone:").next().unwrap())
        .upstream(upstream.address)
        .server("trusted_proxies: [127.0.0.1]")
        .start();
    for uri in ["/closed", "/a//b", "/admin/x"] {
        let session = sign_in(&gateway, "rita");
        let asked = gateway.get(
            "/auth/verify",
            &format!("{NAVIGATION}{session}X-Forwarded-Method: GET\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: gateway.test\r\nX-Forwarded-Uri: {uri}\r\n"),
        );
        assert!(asked.status >= 400, "{asked:?}");
        assert_eq!(
            asked.header("content-type"),
            "application/problem+json",
            "{uri} {asked:?}"
        );
    }
}

#[test]
fn when_to_try_again_is_said_in_words() {
    let services = "
  app:
    upstream: { servers: [\"http://UPSTREAM\"], health: { path: /health, interval: 1s, unhealthy_after: 1 } }
    rules: [ { path: /**, allow: anyone } ]
";
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let gateway = gateway(services).upstream(address).start();
    gateway.named_event("server_down");
    let page = gateway.get("/x", NAVIGATION);
    assert_eq!((page.status, page.header("retry-after")), (503, "1"));
    assert!(
        page.body.contains("Please try again in 1 second."),
        "{}",
        page.body
    );
}

#[test]
fn without_a_sign_in_page_there_are_no_pages() {
    let upstream = Upstream::saying("x");
    let gateway = gateway(SERVICES.split("  gone:").next().unwrap())
        .upstream(upstream.address)
        .auth("login: { page: false }")
        .start();
    for (path, status) in [
        ("/closed", 403),
        ("/auth/account", 404),
        ("/auth/logout", 405),
        ("/jobs", 401),
    ] {
        let answer = gateway.get(path, NAVIGATION);
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (status, "application/problem+json"),
            "{path}"
        );
    }
}
