//! The session cookie: what it opens, what it does not, and who gets to see it.

use std::time::Duration;

use crate::support::{
    Connection, NAVIGATION, PASSWORD, Upstream, cookie_of, gateway, ok, send, sign_in, submit,
};
use crate::tokens::sign;

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /public/**, allow: anyone }
      - { path: /jobs, methods: [GET], allow: authenticated }
      - { path: /jobs, methods: [POST], allow: { roles: [recruiter] } }
      - { path: /ws, allow: authenticated }
";

fn post(path: &str, fields: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: gateway.test\r\n{fields}Content-Length: 2\r\n\r\n{{}}")
}

#[test]
fn a_session_is_a_caller_like_any_other() {
    let upstream = Upstream::saying("jobs");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let session = sign_in(&gateway, "rita");
    assert_eq!(gateway.get("/jobs", "").status, 401);
    assert_eq!(gateway.get("/jobs", &session).status, 200);
    let same_origin = format!("{session}Sec-Fetch-Site: same-origin\r\n");
    assert_eq!(
        send(gateway.address, post("/jobs", &same_origin)).status,
        200
    );
    let received = upstream.received();
    for request in &received {
        assert_eq!(request.fields("remote-user"), ["rita"]);
        assert_eq!(request.fields("remote-groups"), ["recruiter"]);
        assert!(
            !request.head.to_ascii_lowercase().contains("cookie"),
            "{}",
            request.head
        );
    }
    assert_eq!(received.len(), 2);
    assert_eq!(gateway.get("/auth/me", &session).json()["sub"], "rita");
    let carl = sign_in(&gateway, "carl") + "Sec-Fetch-Site: same-origin\r\n";
    assert_eq!(send(gateway.address, post("/jobs", &carl)).status, 403);
    for secret in [session.split('=').nth(1).unwrap().trim(), PASSWORD] {
        assert!(!gateway.printed().contains(secret));
    }
}

/// A proxy in front takes TLS off, and says so in its own way: of a WebSocket too.
#[test]
fn a_session_over_tls_holds_however_the_proxy_spells_it() {
    let upstream = Upstream::saying("x");
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .server("trusted_proxies: [127.0.0.1]")
        .start();
    let session = sign_in(&gateway, "rita").replace("gatelatch=", "__Host-gatelatch=");
    let two = "X-Forwarded-For: 192.0.2.7, 127.0.0.1\r\n";
    for (proto, scheme) in [
        ("X-Forwarded-Proto: https\r\n", "https"),
        ("X-Forwarded-Proto: HTTPS\r\n", "https"),
        ("X-Forwarded-Proto: wss\r\n", "https"),
        ("X-Forwarded-Proto: https,http\r\n", "https"),
        (
            "X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\n",
            "https",
        ),
        (
            "Forwarded: for=192.0.2.7;proto=WSS, for=127.0.0.1;proto=http\r\n",
            "https",
        ),
        ("X-Forwarded-Proto: ws\r\n", "http"),
        ("X-Forwarded-Proto: https, http, http\r\n", "http"),
        ("X-Forwarded-Proto: gopher\r\n", "http"),
        ("X-Forwarded-Proto: https:\r\n", "http"),
    ] {
        let chain = if proto.starts_with("Forwarded") {
            ""
        } else {
            two
        };
        let before = upstream.received().len();
        let answer = gateway.get("/public/x", &format!("{chain}{proto}{session}"));
        assert_eq!(answer.status, 200, "{proto}: {answer:?}");
        let received = upstream.received()[before].clone();
        assert_eq!(received.fields("x-forwarded-proto"), [scheme], "{proto}");
        let user = if scheme == "https" {
            &["rita"][..]
        } else {
            &[]
        };
        assert_eq!(received.fields("remote-user"), user, "{proto}");
    }
    assert_eq!(
        gateway.named_event("forwarded_scheme_unreadable")["proxy"],
        "127.0.0.1"
    );
    let lines = gateway.printed();
    let warnings = lines.matches("forwarded_scheme_unreadable").count();
    assert_eq!(warnings, 1, "{lines}");
}

#[test]
fn a_session_is_no_bearer_token_and_a_token_no_session() {
    let upstream = Upstream::saying("x");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let session = sign_in(&gateway, "rita");
    let value = session.trim().split_once("gatelatch=").unwrap().1;
    let token = gateway.token("rita");
    for _ in 0..2 {
        // twice each: what is remembered as one is not found as the other
        assert_eq!(gateway.get("/jobs", &session).status, 200);
        assert_eq!(
            gateway
                .get("/jobs", &format!("Authorization: Bearer {token}\r\n"))
                .status,
            200
        );
        let as_bearer = gateway.get("/jobs", &format!("Authorization: Bearer {value}\r\n"));
        assert_eq!(
            (as_bearer.status, as_bearer.json()["detail"].as_str()),
            (401, Some("Invalid or expired token"))
        );
        assert_eq!(
            gateway
                .get("/jobs", &format!("Cookie: gatelatch={token}\r\n"))
                .status,
            401
        );
    }
}

#[test]
fn the_bearer_token_counts_first_and_other_schemes_are_the_upstreams() {
    let upstream = Upstream::saying("x");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let session = sign_in(&gateway, "rita");
    let unsigned = format!("{}x", gateway.bearer("rita").trim_end());
    assert_eq!(
        gateway
            .get("/jobs", &format!("{unsigned}\r\n{session}"))
            .status,
        401
    );
    let carl = gateway.bearer("carl");
    assert_eq!(
        gateway.get("/jobs", &format!("{carl}{session}")).status,
        200
    );
    let basic = "Authorization: Basic b3duOnVzZXI=\r\n";
    assert_eq!(
        gateway.get("/jobs", &format!("{basic}{session}")).status,
        200
    );
    let received = upstream.received();
    assert_eq!(received[0].fields("remote-user"), ["carl"]);
    assert_eq!(received[1].fields("remote-user"), ["rita"]);
    assert_eq!(received[1].fields("authorization"), ["Basic b3duOnVzZXI="]);
    assert_eq!(
        gateway
            .get("/jobs", &format!("{basic}{basic}{session}"))
            .status,
        400
    );
}

#[test]
fn other_cookies_pass_byte_for_byte() {
    let upstream = Upstream::saying("x");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let session = sign_in(&gateway, "rita");
    let crumb = session.trim().strip_prefix("Cookie: ").unwrap();
    let lines = format!(
        "Cookie: a=1;  b=\"x; {crumb}; __Host-gatelatch=y;c; gatelatchx=1\r\nCookie: d=4\r\n"
    );
    assert_eq!(gateway.get("/jobs", &lines).status, 200);
    let passed = upstream.received()[0].clone();
    assert_eq!(
        passed.fields("cookie"),
        ["a=1;  b=\"x;c; gatelatchx=1", "d=4"]
    );
    assert_eq!(
        gateway
            .get("/public/x", "Cookie: gatelatch=broken; a=1\r\n")
            .status,
        200,
        "a bad one counts as none"
    );
    assert_eq!(upstream.received()[1].fields("cookie"), ["a=1"]);
    assert_eq!(
        gateway
            .get("/jobs", &format!("Cookie: {crumb}; {crumb}\r\n"))
            .status,
        401,
        "which of the two?"
    );
}

#[test]
fn the_upstream_cannot_set_the_session() {
    let upstream = Upstream::new(|_| {
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: gatelatch=evil\r\nSet-Cookie: __Host-gatelatch=evil\r\n\
          Set-Cookie: =gatelatch=evil\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n"
            .to_vec()
    });
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    assert_eq!(
        gateway.get("/public/x", "").headers("set-cookie"),
        ["a=1; Path=/", "b=2"]
    );
}

#[test]
fn other_sites_cannot_act_in_a_session() {
    let upstream = Upstream::saying("done");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let session = sign_in(&gateway, "rita");
    for (fields, expected) in [
        ("Sec-Fetch-Site: same-origin\r\n", 200),
        ("Origin: http://gateway.test\r\n", 200),
        ("", 403),
        ("Sec-Fetch-Site: cross-site\r\n", 403),
        ("Sec-Fetch-Site: same-site\r\n", 403),
        ("Origin: null\r\n", 403),
        ("Origin: https://gateway.test\r\n", 403),
        ("Origin: http://evil.test\r\n", 403),
        (
            "Sec-Fetch-Site: cross-site\r\nOrigin: http://gateway.test\r\n",
            403,
        ),
    ] {
        let answer = send(
            gateway.address,
            post("/jobs", &format!("{session}{fields}")),
        );
        assert_eq!(answer.status, expected, "{fields}: {answer:?}");
        let public = send(
            gateway.address,
            post("/public/x", &format!("{session}{fields}")),
        );
        assert_eq!(public.status, expected, "{fields}");
    }
    let foreign = send(
        gateway.address,
        post("/jobs", &format!("{session}Sec-Fetch-Site: cross-site\r\n")),
    );
    assert_eq!(
        foreign.json()["detail"],
        "The request comes from another site"
    );
    let read = gateway.get("/jobs", &format!("{session}Sec-Fetch-Site: cross-site\r\n"));
    assert_eq!(read.status, 200, "reading changes nothing");
    let bearer = gateway.bearer("rita") + "Sec-Fetch-Site: cross-site\r\n";
    assert_eq!(
        send(gateway.address, post("/jobs", &bearer)).status,
        200,
        "no browser adds a bearer token by itself"
    );
    let upgrade = "Connection: upgrade\r\nUpgrade: websocket\r\n";
    let open = |fields: &str| {
        gateway
            .get("/ws", &format!("{session}{upgrade}{fields}"))
            .status
    };
    assert_eq!(open("Origin: http://evil.test\r\n"), 403);
    assert_eq!(open("Origin: http://gateway.test\r\n"), 200);
}

#[test]
fn over_tls_the_cookie_is_for_this_host_and_tls_only() {
    let upstream = Upstream::saying("x");
    let server = "trusted_proxies: [127.0.0.1]";
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .server(server)
        .start();
    let form = format!("username=rita&password={}", PASSWORD.replace(' ', "+"));
    let tls = "X-Forwarded-Proto: https\r\nX-Forwarded-Host: app.test\r\n";
    let answer = submit(
        gateway.address,
        "/auth/login",
        &form,
        &format!("{tls}Origin: https://app.test\r\n"),
    );
    let line = answer.headers("set-cookie")[0].to_owned();
    assert!(line.starts_with("__Host-gatelatch=ey"), "{line}");
    assert!(
        line.ends_with("; Path=/; Max-Age=1800; HttpOnly; SameSite=Lax; Secure"),
        "{line}"
    );
    let crumb = cookie_of(&answer, "__Host-gatelatch");
    assert_eq!(
        gateway
            .get("/jobs", &format!("{tls}Cookie: {crumb}\r\n"))
            .status,
        200
    );
    assert_eq!(
        gateway.get("/jobs", &format!("Cookie: {crumb}\r\n")).status,
        401,
        "in the clear it is another name"
    );
    let plain = crumb.replace("__Host-", "");
    assert_eq!(
        gateway
            .get("/jobs", &format!("{tls}Cookie: {plain}\r\n"))
            .status,
        401,
        "anybody could have set it"
    );
}

#[test]
fn who_is_not_trusted_cannot_say_https() {
    let gateway = gateway(SERVICES).start();
    let form = format!("username=rita&password={}", PASSWORD.replace(' ', "+"));
    let fields = "X-Forwarded-Proto: https\r\nSec-Fetch-Site: same-origin\r\n";
    let answer = submit(gateway.address, "/auth/login", &form, fields);
    let line = answer.headers("set-cookie")[0];
    assert!(
        line.ends_with("; Path=/; Max-Age=1800; HttpOnly; SameSite=Lax"),
        "{line}"
    );
    assert!(line.starts_with("gatelatch="), "{line}");
}

#[test]
fn the_cookie_is_as_configured() {
    let session = "session: { cookie: sid, same_site: strict, domain: example.com, secure: true, max_age: 10m }";
    let gateway = gateway(SERVICES).auth(session).start();
    let form = format!("username=rita&password={}", PASSWORD.replace(' ', "+"));
    let answer = submit(
        gateway.address,
        "/auth/login",
        &form,
        "Sec-Fetch-Site: same-origin\r\n",
    );
    let line = answer.headers("set-cookie")[0];
    assert!(line.starts_with("sid="), "{line}");
    let expected = "; Path=/; Max-Age=600; HttpOnly; SameSite=Strict; Secure; Domain=example.com";
    assert!(line.ends_with(expected), "{line}");
}

fn made(subject: &str, issued_at: i64, expires_at: i64, signed_in_at: i64) -> String {
    made_with("s", subject, issued_at, expires_at, signed_in_at)
}

/// A session of this `sid` signed with the secret of the test, of any age.
pub fn made_with(
    sid: &str,
    subject: &str,
    issued_at: i64,
    expires_at: i64,
    signed_in_at: i64,
) -> String {
    let now = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_secs() as i64;
    let claims = serde_json::json!({
        "iss": "gatelatch", "aud": "gatelatch:session", "sub": subject, "sid": sid,
        "iat": now + issued_at, "exp": now + expires_at, "auth_time": now + signed_in_at
    });
    let token = sign(r#"{"alg":"HS256","typ":"JWT"}"#, &claims.to_string());
    format!("Cookie: gatelatch={token}\r\n")
}

#[test]
fn a_session_is_renewed_in_passing() {
    let upstream = Upstream::new(|request| match request.line().split(' ').nth(1) {
        Some("/public/cached") => {
            b"HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60\r\nContent-Length: 0\r\n\r\n"
                .to_vec()
        }
        _ => ok("x"),
    });
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let young = gateway.get("/jobs", &made("rita", -60, 1740, -60));
    assert_eq!((young.status, young.headers("set-cookie").len()), (200, 0));
    let old = made("rita", -1000, 800, -9000);
    let renewed = gateway.get("/jobs", &old);
    assert_eq!(renewed.header("cache-control"), "private");
    let line = renewed.headers("set-cookie")[0];
    assert!(
        line.contains("; Max-Age=1800; HttpOnly; SameSite=Lax"),
        "{line}"
    );
    let crumb = cookie_of(&renewed, "gatelatch");
    assert_eq!(
        gateway.get("/jobs", &format!("Cookie: {crumb}\r\n")).status,
        200
    );
    assert_eq!(
        gateway.get("/auth/me", &old).headers("set-cookie").len(),
        1,
        "the gateway's own answers renew too"
    );
    let cached = gateway.get("/public/cached", &old);
    assert_eq!(
        (cached.status, cached.headers("set-cookie").len()),
        (200, 0),
        "a shared cache would keep it"
    );
    let last_hour = gateway.get("/jobs", &made("rita", -1000, 800, 1000 - 12 * 3600));
    assert!(
        last_hour.headers("set-cookie")[0].contains("; Max-Age=1000;"),
        "{last_hour:?}"
    );
    let at_its_end = gateway.get("/jobs", &made("rita", -1000, 800, 800 - 12 * 3600));
    assert_eq!(
        (at_its_end.status, at_its_end.headers("set-cookie").len()),
        (200, 0)
    );
    assert_eq!(
        gateway
            .get("/jobs", &made("rita", -1000, 800, -12 * 3600 - 1))
            .status,
        401,
        "beyond `max_age`"
    );
    assert_eq!(
        gateway
            .get("/jobs", &made("rita", -4000, -100, -4000))
            .status,
        401
    );
}

#[test]
fn the_user_list_is_the_truth_for_sessions_too() {
    let upstream = Upstream::saying("x");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let session = sign_in(&gateway, "rita");
    for user in ["gone", "nobody"] {
        assert_eq!(
            gateway.get("/jobs", &made(user, -60, 1740, -60)).status,
            401,
            "{user}"
        );
    }
    assert_eq!(gateway.get("/jobs", &session).status, 200);
    let users = gateway.read("users.yaml");
    // the sign-in counts, not the last renewal
    let now = std::time::SystemTime::now() - Duration::from_secs(60);
    let date = humantime::format_rfc3339_seconds(now).to_string();
    let marked = users.replace(
        "roles: [recruiter], name",
        &format!("tokens_valid_after: {date}, roles: [recruiter], name"),
    );
    gateway.replace("users.yaml", &marked);
    gateway.event("configuration reloaded");
    assert_eq!(
        gateway.get("/jobs", &made("rita", -10, 1740, -100)).status,
        401
    );
    assert_eq!(gateway.get("/jobs", &session).status, 200);
}

#[test]
fn cookies_of_one_connection_do_not_mix() {
    let upstream = Upstream::saying("x");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let (rita, carl) = (sign_in(&gateway, "rita"), sign_in(&gateway, "carl"));
    let mut connection = Connection::open(gateway.address);
    for (cookie, status) in [
        (rita.as_str(), 200),
        ("", 401),
        (carl.as_str(), 200),
        (NAVIGATION, 303),
    ] {
        connection.write(format!(
            "GET /jobs HTTP/1.1\r\nHost: gateway.test\r\n{cookie}\r\n"
        ));
        assert_eq!(connection.read().status, status);
    }
    let users: Vec<_> = upstream
        .received()
        .iter()
        .map(|request| request.fields("remote-user").concat())
        .collect();
    assert_eq!(users, ["rita", "carl"]);
}
