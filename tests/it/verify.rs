//! Forward-auth: other proxies ask, as they really do.

use crate::support::{Answer, Connection, Gateway, NAVIGATION, gateway, send, sign_in};

mod fronts;
mod provider;
mod proxies;

const SERVICES: &str = "
  app:
    hosts: [app.test]
    upstream: http://127.0.0.1:9
    rules:
      - { path: /public/**, allow: anyone }
      - { path: /jobs, methods: [GET], allow: authenticated }
      - { path: /jobs, methods: [POST], allow: { roles: [recruiter] } }
      - { path: /inside, allow: { networks: [127.0.0.0/8, 10.0.0.0/8] } }
  api:
    hosts: [api.test]
    upstream: http://127.0.0.1:9
    login_redirect: false
    rules: [ { path: /**, allow: authenticated } ]
";

fn trusting() -> Gateway {
    gateway(SERVICES)
        .server("trusted_proxies: [127.0.0.1]")
        .start()
}

fn ask(gateway: &Gateway, fields: &str) -> Answer {
    gateway.get("/auth/verify", fields)
}

/// As Traefik and Caddy ask.
fn forwarded(method: &str, url: &str, fields: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (host, uri) = rest.split_at(rest.find('/').unwrap());
    format!(
        "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Method: {method}\r\nX-Forwarded-Proto: {scheme}\r\n\
         X-Forwarded-Host: {host}\r\nX-Forwarded-Uri: {uri}\r\n{fields}"
    )
}

/// As nginx asks.
fn original(method: &str, url: &str, fields: &str) -> String {
    format!(
        "X-Forwarded-For: 192.0.2.7\r\nX-Original-Method: {method}\r\nX-Original-URL: {url}\r\n{fields}"
    )
}

/// Proxies in a row each add what they saw; the outermost trusted one counts, as for the address.
#[test]
fn the_scheme_is_read_as_for_any_request() {
    let gateway = trusting();
    let session = sign_in(&gateway, "rita").replace("gatelatch=", "__Host-gatelatch=");
    for (proto, expected) in [
        ("X-Forwarded-Proto: https", 200),
        ("X-Forwarded-Proto: WSS", 200),
        ("X-Forwarded-Proto: https, http", 200),
        ("X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http", 200),
        ("X-Forwarded-Proto: http, https, http", 200),
        ("X-Forwarded-Proto: https, http, http", 401),
        ("X-Forwarded-Proto: ws", 401),
        ("X-Forwarded-Proto: gopher", 400),
    ] {
        let fields = forwarded("GET", "http://app.test/jobs", &session)
            .replace("X-Forwarded-Proto: http\r\n", &format!("{proto}\r\n"))
            .replace("192.0.2.7", "192.0.2.7, 127.0.0.1");
        let answer = ask(&gateway, &fields);
        assert_eq!(answer.status, expected, "{proto}: {answer:?}");
    }
}

#[test]
fn the_same_rules_decide_whoever_asks() {
    let gateway = trusting();
    let (rita, carl) = (gateway.bearer("rita"), gateway.bearer("carl"));
    for (method, url, credential, expected) in [
        ("GET", "http://app.test/public/x", "", 200),
        ("GET", "http://app.test/jobs", "", 401),
        ("GET", "http://app.test/jobs?next=/public/x", "", 401),
        ("GET", "http://app.test/jobs", carl.as_str(), 200),
        ("HEAD", "http://app.test:8080/jobs/", &carl, 200),
        ("POST", "https://app.test/jobs", &carl, 403),
        ("POST", "https://APP.test/jobs", &rita, 200),
        ("DELETE", "http://app.test/jobs", &rita, 403),
        ("GET", "http://app.test/other", &rita, 403),
        ("GET", "http://elsewhere.test/jobs", &rita, 403),
        (
            "GET",
            "http://app.test/jobs",
            "Authorization: Bearer wrong\r\n",
            401,
        ),
    ] {
        for fields in [
            forwarded(method, url, credential),
            original(method, url, credential),
        ] {
            let answer = ask(&gateway, &fields);
            assert_eq!(answer.status, expected, "{method} {url}: {answer:?}");
            assert_eq!(
                (answer.header("location"), answer.header("cache-control")),
                ("", "no-store"),
                "{answer:?}"
            );
        }
    }
    let answer = ask(&gateway, &forwarded("POST", "http://app.test/jobs", &rita));
    let told: Vec<_> = ["user", "groups", "name", "email"]
        .map(|name| answer.header(&format!("remote-{name}")))
        .into();
    assert_eq!(
        told,
        ["rita", "recruiter", "Rita Recruiter", "rita@example.com"]
    );
    let public = ask(
        &gateway,
        &forwarded("GET", "http://app.test/public/x", "Remote-User: admin\r\n"),
    );
    assert_eq!((public.status, public.header("remote-user")), (200, ""));
    for method in ["POST", "PUT", "OPTIONS", "HEAD"] {
        let fields = forwarded("GET", "http://app.test/jobs", &carl);
        let length = if method == "HEAD" {
            ""
        } else {
            "Content-Length: 0\r\n"
        };
        let request = format!("{method} /auth/verify HTTP/1.1\r\nHost: a\r\n{length}{fields}\r\n");
        let head = Connection::open(gateway.address).write(request).read_head();
        assert!(head.unwrap().starts_with("HTTP/1.1 200 "), "{method}");
    }
    let line = gateway.line("/jobs");
    assert_eq!(
        (&line["service"], &line["host"]),
        (&"app".into(), &"app.test".into()),
        "{line}"
    );
}

#[test]
fn only_trusted_proxies_are_believed() {
    let gateway = gateway(SERVICES).start();
    for fields in [
        forwarded("GET", "http://app.test/public/x", ""),
        original("GET", "http://app.test/public/x", ""),
    ] {
        let answer = ask(&gateway, &fields);
        assert_eq!(
            (answer.status, answer.json()["detail"].as_str()),
            (403, Some("Only a trusted proxy may ask"))
        );
    }
    assert_eq!(gateway.get("/auth/verify/public/x", "").status, 403);
}

#[test]
fn what_is_asked_must_be_clear() {
    let gateway = trusting();
    let public = forwarded("GET", "http://app.test/public/x", "");
    let without = |name: &str| {
        let lines = public
            .split_inclusive("\r\n")
            .filter(|line| !line.starts_with(name));
        lines.collect::<String>()
    };
    for (fields, detail) in [
        (
            String::new(),
            "neither `X-Forwarded-Uri` nor `X-Original-URL` says what is asked about",
        ),
        (
            format!("{public}X-Original-URL: http://app.test/jobs\r\n"),
            "the request that is asked about is described in two ways",
        ),
        (
            format!("{public}X-Original-Method: GET\r\n"),
            "the request that is asked about is described in two ways",
        ),
        (
            without("X-Forwarded-Method"),
            "there is not exactly one `X-Forwarded-Method`",
        ),
        (
            without("X-Forwarded-Uri"),
            "there is not exactly one `X-Forwarded-Uri`",
        ),
        (
            without("X-Forwarded-Host"),
            "there is not exactly one `X-Forwarded-Host`",
        ),
        (
            without("X-Forwarded-Proto"),
            "there is not exactly one `X-Forwarded-Proto`",
        ),
        (
            format!("{public}X-Forwarded-Uri: /jobs\r\n"),
            "there is not exactly one `X-Forwarded-Uri`",
        ),
        (public.replace("GET", "get"), "the method is not allowed"),
        (public.replace("GET", "TRACE"), "the method is not allowed"),
        (public.replace("GET", "G T"), "the method is not allowed"),
        (
            public.replace("Host: app.test", "Host: app.test, b.test"),
            "`X-Forwarded-Host` is malformed",
        ),
        (
            public.replace("/public/x", "/public/../jobs"),
            "the path holds a dot segment `.` or `..`",
        ),
        (
            public.replace("/public/x", "public/x"),
            "the path does not start with `/`",
        ),
        (
            original("GET", "/public/x", ""),
            "`X-Original-URL` is malformed",
        ),
        (
            original("GET", "http://user@app.test/public/x", ""),
            "`X-Original-URL` is malformed",
        ),
        (
            original("GET", "http:///public/x", ""),
            "`X-Original-URL` is malformed",
        ),
        (
            original("GET", "http://app.test", ""),
            "`X-Original-URL` is malformed",
        ),
    ] {
        let answer = ask(&gateway, &fields);
        assert_eq!(answer.status, 400, "{fields}: {answer:?}");
        assert_eq!(answer.json()["detail"], detail, "{fields}");
    }
    for url in [
        "http://app.test/public/../jobs",
        "http://app.test/public//x",
        "http://app.test/public/%2e%2e/jobs",
    ] {
        assert_eq!(
            ask(&gateway, &original("GET", url, "")).status,
            403,
            "nginx takes 400 for a failure: {url}"
        );
    }
}

#[test]
fn one_kind_counts_where_it_is_named() {
    for (counts, expected) in [("x-forwarded", 200), ("x-original", 401)] {
        let server = "trusted_proxies: [127.0.0.1]";
        let gateway = gateway(SERVICES)
            .server(server)
            .auth(&format!("verify: {counts}"))
            .start();
        let both = forwarded("GET", "http://app.test/public/x", "")
            + &original("GET", "http://app.test/jobs", "")
                .replace("X-Forwarded-For: 192.0.2.7\r\n", "");
        assert_eq!(ask(&gateway, &both).status, expected, "{counts}");
        assert_eq!(
            gateway.get("/auth/verify/public/x", "").status,
            400,
            "{counts}"
        );
    }
}

#[test]
fn people_get_to_the_sign_in_page_of_the_host_they_asked() {
    let gateway = trusting();
    let url = "https://app.test:8443/jobs?a=1";
    let page = "https://app.test:8443/auth/login?next=/jobs%3Fa%3D1";
    let answer = ask(&gateway, &forwarded("GET", url, NAVIGATION));
    assert_eq!((answer.status, answer.header("location")), (303, page));
    let answer = ask(&gateway, &original("GET", url, NAVIGATION));
    assert_eq!(
        (answer.status, answer.header("x-gatelatch-login")),
        (401, page)
    );
    assert_eq!(
        answer.header("www-authenticate"),
        "Bearer realm=\"gatelatch\""
    );
    assert_eq!(
        ask(&gateway, &forwarded("POST", url, NAVIGATION)).status,
        401
    );
    let api = ask(&gateway, &original("GET", "https://api.test/x", NAVIGATION));
    assert_eq!((api.status, api.header("x-gatelatch-login")), (401, ""));
    assert_eq!(
        ask(
            &gateway,
            &forwarded("GET", "https://api.test/x", NAVIGATION)
        )
        .status,
        401
    );
    let foreign = "https://app.test/jobs";
    let sent = ask(
        &gateway,
        &forwarded("GET", foreign, NAVIGATION).replace("Host: app.test", "Host: evil.test"),
    );
    assert_eq!(
        (sent.status, sent.header("location")),
        (403, ""),
        "only hosts of a service are sent to"
    );
}

#[test]
fn sessions_count_and_other_sites_cannot_use_them() {
    let gateway = trusting();
    let session = sign_in(&gateway, "rita");
    let get = forwarded("GET", "http://app.test/jobs", &session);
    assert_eq!(ask(&gateway, &get).header("remote-user"), "rita");
    let tls = original("GET", "https://app.test/jobs", &session);
    assert_eq!(
        ask(&gateway, &tls).status,
        401,
        "over TLS the cookie has another name"
    );
    let tls = tls.replace("gatelatch=", "__Host-gatelatch=");
    assert_eq!(ask(&gateway, &tls).status, 200);
    for (fields, expected) in [
        ("Sec-Fetch-Site: same-origin\r\n", 200),
        ("Origin: http://app.test\r\n", 200),
        ("Origin: http://gateway.test\r\n", 403),
        ("Sec-Fetch-Site: cross-site\r\n", 403),
        ("", 403),
    ] {
        let post = forwarded(
            "POST",
            "http://app.test/jobs",
            &format!("{session}{fields}"),
        );
        assert_eq!(ask(&gateway, &post).status, expected, "{fields}");
    }
    let socket = format!("{session}Sec-WebSocket-Key: x\r\nOrigin: http://evil.test\r\n");
    assert_eq!(
        ask(&gateway, &forwarded("GET", "http://app.test/jobs", &socket)).status,
        403
    );
}

/// A proxy keeps `Upgrade` to itself; the key of a WebSocket passes.
#[test]
fn the_token_of_a_websocket_counts() {
    let gateway = trusting();
    let token = format!(
        "Sec-WebSocket-Protocol: chat, bearer, {}\r\n",
        gateway.token("rita")
    );
    let bearer = gateway.bearer("rita");
    for (fields, expected) in [
        (format!("Sec-WebSocket-Key: x\r\n{token}"), 200),
        (format!("Sec-WebSocket-Key: x\r\n{token}{bearer}"), 400),
        (format!("Sec-WebSocket-Key: x\r\n{token}{token}"), 400),
        // as Caddy asks
        (
            format!("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n{token}"),
            200,
        ),
        (token.clone(), 401),
    ] {
        let answer = ask(&gateway, &forwarded("GET", "http://app.test/jobs", &fields));
        assert_eq!(answer.status, expected, "{fields}: {answer:?}");
    }
    let fragment = forwarded("GET", "http://app.test/public/x?a#b", "");
    assert_eq!(ask(&gateway, &fragment).status, 400);
    let post = format!("Sec-WebSocket-Key: x\r\n{token}");
    let answer = ask(&gateway, &forwarded("POST", "http://app.test/jobs", &post));
    assert_eq!(answer.status, 401, "only a GET opens one: {answer:?}");
}

#[test]
fn the_address_of_a_proxy_is_nobodys() {
    let gateway = trusting();
    let inside = forwarded("GET", "http://app.test/inside", "");
    assert_eq!(ask(&gateway, &inside).status, 403);
    assert_eq!(
        ask(&gateway, &inside.replace("192.0.2.7", "10.1.2.3")).status,
        200
    );
    assert_eq!(
        ask(
            &gateway,
            &inside.replace("X-Forwarded-For: 192.0.2.7\r\n", "")
        )
        .status,
        403
    );
}

#[test]
fn envoy_asks_with_the_path_itself() {
    let gateway = trusting();
    let rita = gateway.bearer("rita");
    let ask = |method: &str, path: &str, fields: &str| {
        let length = if method == "GET" {
            ""
        } else {
            "Content-Length: 0\r\n"
        };
        let head = format!(
            "{method} /auth/verify{path} HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-Proto: https\r\n"
        );
        send(
            gateway.address,
            format!("{head}X-Forwarded-For: 192.0.2.7\r\n{length}{fields}\r\n"),
        )
    };
    assert_eq!(ask("GET", "/public/x?y=1", "").status, 200);
    assert_eq!(ask("GET", "/jobs", "").status, 401);
    assert_eq!(ask("POST", "/jobs", &rita).header("remote-user"), "rita");
    assert_eq!(ask("GET", "/", &rita).status, 403);
    assert_eq!(
        ask("GET", "ed", &rita).status,
        404,
        "`/auth/verified` is no endpoint"
    );
    let page = ask("GET", "/jobs?a=1", NAVIGATION);
    assert_eq!(
        (page.status, page.header("location")),
        (303, "https://app.test/auth/login?next=/jobs%3Fa%3D1")
    );
    assert_eq!(
        ask("GET", "/public/x", "X-Forwarded-Uri: /jobs\r\n").status,
        400,
        "Traefik with a slash too many"
    );
    assert_eq!(ask("GET", "/public/../jobs", &rita).status, 400);
}
