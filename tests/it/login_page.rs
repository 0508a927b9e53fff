//! Signing in and out with a browser, without a browser.

use std::fs;
use std::path::Path;

use crate::support::{
    Answer, Connection, NAVIGATION, PASSWORD, Upstream, cookie_of, curl, gateway, send, sign_in,
    submit,
};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /public/**, allow: anyone }
      - { path: /jobs, allow: authenticated }
      - { path: /closed, allow: nobody }
  api:
    path: /api
    upstream: http://UPSTREAM
    login_redirect: false
    rules: [ { path: /api/**, allow: authenticated } ]
";

const SAME: &str = "Sec-Fetch-Site: same-origin\r\n";

fn form(user: &str, password: &str, next: &str) -> String {
    format!(
        "username={user}&password={}&next={next}",
        password.replace(' ', "+")
    )
}

#[test]
fn people_are_sent_to_the_sign_in_page_and_programs_are_not() {
    let upstream = Upstream::saying("x");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let sent = gateway.get("/jobs?a=1&to=//x", NAVIGATION);
    assert_eq!(sent.status, 303);
    assert_eq!(
        sent.header("location"),
        "/auth/login?next=/jobs%3Fa%3D1%26to%3D%252F%252Fx"
    );
    assert_eq!(
        (sent.header("cache-control"), sent.body.as_str()),
        ("no-store", "")
    );
    let bad = gateway.get(
        "/jobs",
        &format!("{NAVIGATION}Cookie: gatelatch=broken\r\n"),
    );
    assert_eq!(
        (bad.status, bad.header("location")),
        (303, "/auth/login?next=/jobs")
    );
    for (fields, path, expected) in [
        ("", "/jobs", 401),
        ("Accept: application/json\r\n", "/jobs", 401),
        ("Accept: */*\r\n", "/jobs", 401),
        ("Accept: text/html\r\n", "/jobs", 303),
        (
            "Accept: text/html\r\nSec-Fetch-Mode: cors\r\n",
            "/jobs",
            401,
        ),
        (NAVIGATION, "/api/x", 401),
        (NAVIGATION, "/closed", 403),
        (NAVIGATION, "/nowhere", 403),
        (NAVIGATION, "/public/x", 200),
        (NAVIGATION, "/auth/me", 401),
    ] {
        assert_eq!(
            gateway.get(path, fields).status,
            expected,
            "{path} {fields}"
        );
    }
    let post = format!("POST /jobs HTTP/1.1\r\nHost: a\r\n{NAVIGATION}Content-Length: 0\r\n\r\n");
    assert_eq!(send(gateway.address, post).status, 401);
    // the lines of two workers come in any order
    let mut lines = std::iter::repeat_with(|| gateway.line("/jobs"));
    let line = lines.find(|line| line["status"] == 303).unwrap();
    assert_eq!(line["decision"], "unauthenticated", "{line}");
}

#[test]
fn the_page_is_safe_to_show() {
    let gateway = gateway(SERVICES)
        .auth("login: { title: \"<Jobs> & more\" }")
        .start();
    let page = gateway.get("/auth/login?next=/jobs%3Fa%3D1%26b", NAVIGATION);
    assert_eq!(page.status, 200);
    for (name, expected) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
    ] {
        assert_eq!(page.header(name), expected, "{name}");
    }
    let policy = page.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; style-src 'sha256-"),
        "{policy}"
    );
    assert!(
        policy.ends_with("; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"),
        "{policy}"
    );
    for expected in [
        "<title>&lt;Jobs&gt; &amp; more</title>",
        "<form method=\"post\" action=\"&#x2f;auth&#x2f;login\">",
        "name=\"next\" value=\"&#x2f;jobs?a=1&amp;b\"",
        "autocomplete=\"username\"",
        "autocomplete=\"current-password\"",
    ] {
        assert!(page.body.contains(expected), "{expected}: {}", page.body);
    }
    for absent in ["<script", "//", "role=\"alert\"", "role=\"status\""] {
        assert!(!page.body.contains(absent), "{absent}");
    }
    let mut connection = Connection::open(gateway.address);
    let head = connection
        .write("HEAD /auth/login HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .read_to_end();
    assert!(
        head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
}

#[test]
fn next_leads_nowhere_else() {
    let gateway = gateway(SERVICES).start();
    for next in [
        "https://evil.test/",
        "//evil.test",
        "/%5Cevil.test",
        "/\\evil.test",
        "%2F%2Fevil.test",
        "/%252F%252Fevil.test",
        "/%09/evil.test",
        "/..//evil.test",
        "/jobs%0d%0aSet-Cookie:%20a=b",
        "javascript:alert(1)",
        "/r?url=//evil.test",
        "%00",
        "",
    ] {
        let page = gateway.get(
            &format!("/auth/login?next={}", next.replace('\\', "%5C")),
            NAVIGATION,
        );
        assert!(
            page.body.contains("name=\"next\" value=\"\""),
            "{next}: {}",
            page.body
        );
        let answer = submit(
            gateway.address,
            "/auth/login",
            &form("rita", PASSWORD, next),
            SAME,
        );
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, "/auth/account"),
            "{next}"
        );
    }
    let answer = submit(
        gateway.address,
        "/auth/login",
        &form("rita", PASSWORD, "%2Fjobs%3Fa%3D1"),
        SAME,
    );
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/jobs?a=1")
    );
}

#[test]
fn signing_in_fails_with_the_same_page_for_everybody() {
    let gateway = gateway(SERVICES).start();
    let page = |user: &str, password: &str| {
        let answer = submit(
            gateway.address,
            "/auth/login",
            &form(user, password, "/jobs"),
            SAME,
        );
        assert_eq!(answer.status, 401);
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        assert!(answer.headers("set-cookie").is_empty());
        answer.head.to_owned()
            + &answer
                .body
                .replace(&format!("value=\"{user}\""), "value=\"USER\"")
    };
    let wrong = page("rita", "wrong");
    assert!(wrong.contains(
        "<p class=\"error\" role=\"alert\" id=\"error\">The user name or the password is wrong.</p>"
    ));
    assert!(
        wrong.contains("value=\"USER\"") && wrong.contains("value=\"&#x2f;jobs\""),
        "{wrong}"
    );
    assert!(
        !wrong.contains("value=\"wrong\""),
        "the password is not shown again"
    );
    let without_length = |page: &str| {
        let lines = page
            .lines()
            .filter(|line| !line.starts_with("content-length") && !line.starts_with("date"));
        lines.collect::<Vec<_>>().join("\n")
    };
    for (user, password) in [
        ("gone", PASSWORD),
        ("nobody", PASSWORD),
        ("nobody", "wrong"),
    ] {
        assert_eq!(
            without_length(&page(user, password)),
            without_length(&wrong),
            "{user}"
        );
    }
    assert_eq!(gateway.named_event("login_failed")["user"], "rita");
    let markup = submit(
        gateway.address,
        "/auth/login",
        &form("%22%3E%3Cscript%3E", "x", "/"),
        SAME,
    );
    assert!(
        markup.body.contains("value=\"&quot;&gt;&lt;script&gt;\""),
        "{}",
        markup.body
    );
    let empty = submit(gateway.address, "/auth/login", &form("rita", "", "/"), SAME);
    assert_eq!(empty.status, 422);
    assert!(
        empty.body.contains("Please fill in both fields."),
        "{}",
        empty.body
    );
    let large = submit(
        gateway.address,
        "/auth/login",
        &form("rita", &"x".repeat(70_000), "/"),
        SAME,
    );
    assert_eq!(large.status, 413);
    assert_eq!(
        gateway.metric("gatelatch_logins_total{outcome=\"invalid\"}"),
        5.0
    );
}

#[test]
fn a_form_of_another_site_signs_nobody_in() {
    let gateway = gateway(SERVICES).start();
    for fields in [
        "",
        "Sec-Fetch-Site: cross-site\r\n",
        "Origin: null\r\n",
        "Origin: http://evil.test\r\n",
    ] {
        let answer = submit(
            gateway.address,
            "/auth/login",
            &form("rita", PASSWORD, "/"),
            fields,
        );
        assert_eq!(answer.status, 403, "{fields}");
        assert!(answer.headers("set-cookie").is_empty());
        assert!(answer.body.contains("role=\"alert\""));
    }
    let answer = submit(
        gateway.address,
        "/auth/login",
        &form("rita", PASSWORD, "/"),
        "Origin: https://gateway.test\r\n",
    );
    for says in [
        "the request has `Origin: https:&#x2f;&#x2f;gateway.test`, and this site is `http:&#x2f;&#x2f;gateway.test`",
        "`X-Forwarded-Host` and `X-Forwarded-Proto`",
    ] {
        assert!(answer.body.contains(says), "{}", answer.body);
    }
    let reason =
        "the request has `Origin: https://gateway.test`, and this site is `http://gateway.test`";
    let mut events = std::iter::repeat_with(|| gateway.named_event("form_refused"));
    let expected = format!("cross-origin: {reason}");
    assert!(events.any(|event| event["reason"] == expected.as_str()));
    let mut lines = std::iter::repeat_with(|| gateway.line("/auth/login"));
    assert!(lines.any(|line| line["reason"] == expected.as_str()));
    let own = submit(
        gateway.address,
        "/auth/login",
        &form("rita", PASSWORD, "/"),
        "Origin: http://gateway.test\r\n",
    );
    assert_eq!(own.status, 303);
    assert_eq!(
        gateway.login("rita", PASSWORD).status,
        200,
        "programs need no origin"
    );
}

#[test]
fn who_is_signed_in_can_sign_out() {
    let upstream = Upstream::saying("x");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let session = sign_in(&gateway, "rita");
    let page = gateway.get("/auth/login?next=/jobs", &format!("{NAVIGATION}{session}"));
    assert_eq!(page.status, 200);
    for expected in [
        "Rita Recruiter",
        "rita",
        "action=\"&#x2f;auth&#x2f;logout\"",
        "href=\"&#x2f;jobs\"",
    ] {
        assert!(page.body.contains(expected), "{expected}: {}", page.body);
    }
    let foreign = submit(
        gateway.address,
        "/auth/logout",
        "",
        &format!("{session}Sec-Fetch-Site: cross-site\r\n"),
    );
    assert_eq!(
        (foreign.status, foreign.headers("set-cookie").len()),
        (403, 0)
    );
    let out = submit(
        gateway.address,
        "/auth/logout",
        "",
        &format!("{session}{SAME}"),
    );
    assert_eq!(
        (out.status, out.header("location")),
        (303, "/auth/login?signed-out")
    );
    assert_eq!(
        out.headers("set-cookie")[0],
        "gatelatch=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
    );
    let page = gateway.get("/auth/login?signed-out", NAVIGATION);
    assert!(
        page.body
            .contains("<p class=\"notice\" role=\"status\">You are signed out.</p>"),
        "{}",
        page.body
    );
    let program = "POST /auth/logout HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 0\r\n";
    let program = send(gateway.address, format!("{program}{session}{SAME}\r\n"));
    assert_eq!(
        (program.status, program.headers("set-cookie").len()),
        (204, 2)
    );
}

#[test]
fn a_sign_in_leads_to_what_its_user_may_see() {
    let upstream = Upstream::saying("x");
    let services = "
  app:
    upstream: http://UPSTREAM
    paths: { allow_encoded_slash: true, allow_semicolon: true }
    rules: [ { path: /, allow: { roles: [recruiter] } }, { path: /**, allow: authenticated } ]
";
    let gateway = gateway(services).upstream(upstream.address).start();
    let landing = |user: &str, next: &str| {
        let answer = submit(
            gateway.address,
            "/auth/login",
            &format!(
                "username={user}&password={}{next}",
                PASSWORD.replace(' ', "+")
            ),
            SAME,
        );
        assert_eq!(answer.status, 303);
        answer.header("location").to_owned()
    };
    for next in ["", "&next=", "&next=https://evil.test"] {
        assert_eq!(landing("rita", next), "/", "{next}");
        assert_eq!(landing("carl", next), "/auth/account", "{next}");
    }
    assert_eq!(landing("carl", "&next=/"), "/", "who asks for it gets it");
    for path in [
        "/@rita",
        "/.well-known/x",
        "/v1:batch",
        "/a%2Fb",
        "/a;b?c=1",
    ] {
        let sent = gateway.get(path, NAVIGATION);
        let next = sent
            .header("location")
            .split_once('?')
            .unwrap()
            .1
            .to_owned();
        let form = gateway.get(&format!("/auth/login?{next}"), NAVIGATION);
        let kept = path.replace('/', "&#x2f;");
        assert!(
            form.body
                .contains(&format!("name=\"next\" value=\"{kept}\"")),
            "{path}: {}",
            form.body
        );
        assert_eq!(landing("carl", &format!("&{next}")), path);
    }
    assert!(upstream.received().is_empty(), "nothing was forwarded");
    for (user, leads_on) in [("rita", true), ("carl", false)] {
        let session = sign_in(&gateway, user);
        for path in ["/auth/login", "/auth/account"] {
            let page = gateway.get(path, &format!("{NAVIGATION}{session}"));
            assert_eq!(
                page.body.contains("href=\"&#x2f;\">Continue"),
                leads_on,
                "{user} {path}: {}",
                page.body
            );
            assert_eq!(page.body.contains("Continue"), leads_on, "{user} {path}");
        }
    }
}

#[test]
fn the_account_page_says_who_is_signed_in_how_and_until_when() {
    let gateway = gateway(SERVICES).auth("session: { max_age: 8h }").start();
    let session = sign_in(&gateway, "rita");
    let page = gateway.get("/auth/account", &format!("{NAVIGATION}{session}"));
    assert_eq!(
        (page.status, page.header("cache-control")),
        (200, "no-store")
    );
    for expected in [
        "<h1>Your account</h1>",
        "Signed in as Rita Recruiter (rita)",
        "<dd>a password, in this browser</dd>",
        " UTC, a moment ago</dd>",
        " UTC, in 8 hours at the latest</dd>",
        "<dd>recruiter</dd>",
        "action=\"&#x2f;auth&#x2f;logout\"",
        "href=\"&#x2f;auth&#x2f;login?switch\"",
    ] {
        assert!(page.body.contains(expected), "{expected}: {}", page.body);
    }
    let token = gateway.get(
        "/auth/account",
        &format!("{NAVIGATION}{}", gateway.bearer("carl")),
    );
    assert!(token.body.contains("<dd>a token</dd>"), "{}", token.body);
    let sent = gateway.get("/auth/account", NAVIGATION);
    assert_eq!(
        (sent.status, sent.header("location")),
        (303, "/auth/login?next=/auth/account")
    );
    let program = gateway.get("/auth/account", "");
    assert_eq!(
        (program.status, program.header("www-authenticate")),
        (401, "Bearer realm=\"gatelatch\"")
    );
    let post = "POST /auth/account HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    let post = send(gateway.address, post);
    assert_eq!(post.status, 415, "{post:?}");
}

#[test]
fn a_link_leads_to_the_page_to_sign_out() {
    let gateway = gateway(SERVICES).start();
    let session = sign_in(&gateway, "rita");
    let page = gateway.get("/auth/logout", &format!("{NAVIGATION}{session}"));
    assert_eq!(page.status, 200);
    for expected in [
        "<h1>Sign out?</h1>",
        "<form method=\"post\" action=\"&#x2f;auth&#x2f;logout\">",
        "(rita)",
    ] {
        assert!(page.body.contains(expected), "{expected}: {}", page.body);
    }
    assert_eq!(
        gateway.get("/auth/me", &session).status,
        200,
        "a link changes nothing"
    );
    let gone = gateway.get("/auth/logout", NAVIGATION);
    assert_eq!(
        (gone.status, gone.header("location")),
        (303, "/auth/login?signed-out")
    );
    let program = gateway.get("/auth/logout", &session);
    assert_eq!(
        (program.status, program.header("allow")),
        (405, "POST"),
        "no program takes it for a logout"
    );
}

#[test]
fn a_lockout_says_how_long_it_lasts() {
    let gateway = gateway(SERVICES)
        .auth("login: { attempts: 1, lockout: 3m }")
        .start();
    let mut page = String::new();
    for _ in 0..2 {
        page = submit(
            gateway.address,
            "/auth/login",
            &form("rita", "wrong", "/"),
            SAME,
        )
        .body;
    }
    assert!(
        page.contains("Too many attempts have failed. Please try again in 3 minutes."),
        "{page}"
    );
}

#[test]
fn sessions_that_cannot_be_ended_keep_somebody_from_signing_in() {
    let gateway = gateway(SERVICES).start();
    let session = sign_in(&gateway, "rita");
    let mut cookies = session.trim_end().to_owned();
    for _ in 0..16 {
        cookies = cookies.replace("Cookie: ", "Cookie: gatelatch=x; ");
    }
    let cookies = format!("{SAME}{cookies}\r\n");
    let answer = submit(
        gateway.address,
        "/auth/login",
        &form("rita", PASSWORD, "/jobs"),
        &cookies,
    );
    assert_eq!(
        (answer.status, answer.headers("set-cookie").len()),
        (400, 0),
        "{answer:?}"
    );
    assert!(answer.body.contains("too many cookies"), "{}", answer.body);
    let one_less = cookies.replacen("gatelatch=x; ", "", 1);
    let answer = submit(
        gateway.address,
        "/auth/login",
        &form("rita", PASSWORD, "/jobs"),
        &one_less,
    );
    assert_eq!(answer.status, 303);
    assert_eq!(
        gateway.get("/auth/me", &session).status,
        401,
        "what is replaced has ended"
    );
}

#[test]
fn a_form_of_a_page_may_come_in_parts() {
    let gateway = gateway(SERVICES).auth("token_paths: [/token]").start();
    let part = |name: &str, value: &str| {
        format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let form = part("username", "rita")
        + &part("password", PASSWORD)
        + &part("next", "/jobs")
        + "--x--\r\n";
    let post = |path: &str, fields: &str| {
        let length = form.len();
        send(
            gateway.address,
            format!(
                "POST {path} HTTP/1.1\r\nHost: gateway.test\r\n{fields}\
                 Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {length}\r\n\r\n{form}"
            ),
        )
    };
    for path in ["/auth/login", "/token"] {
        assert!(post(path, "").json()["access_token"].is_string());
    }
    let page = post("/auth/login", &format!("{NAVIGATION}{SAME}"));
    assert_eq!((page.status, page.header("location")), (303, "/jobs"));
    assert_eq!(
        post("/auth/login", NAVIGATION).status,
        403,
        "as every form of another site"
    );
    assert_eq!(post("/auth/token", "").status, 400);
    let url = format!("http://{}/token", gateway.address);
    let password = format!("password={PASSWORD}");
    let Some(answer) = curl(&["-F", "username=rita", "-F", &password, &url]) else {
        return;
    };
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// One browser: it keeps the marker, and loses the session.
fn forgetful(answer: &Answer) -> String {
    format!("Cookie: {}\r\n", cookie_of(answer, "gatelatch-signin"))
}

#[test]
fn a_browser_that_loses_its_session_is_told_so_and_not_sent_round_for_ever() {
    let gateway = gateway(SERVICES).start();
    assert!(
        gateway
            .get("/jobs", NAVIGATION)
            .headers("set-cookie")
            .is_empty(),
        "only a sign-in is counted"
    );
    let mut marker = String::new();
    for _ in 0..2 {
        let form = form("rita", PASSWORD, "/jobs");
        let signed_in = submit(
            gateway.address,
            "/auth/login",
            &form,
            &format!("{SAME}{marker}"),
        );
        assert_eq!(signed_in.status, 303);
        marker = forgetful(&signed_in);
        let back = gateway.get("/jobs", &format!("{NAVIGATION}{marker}"));
        assert_eq!(
            (back.status, back.header("location")),
            (303, "/auth/login?next=/jobs")
        );
        marker = forgetful(&back);
    }
    let lost = gateway.get("/jobs", &format!("{NAVIGATION}{marker}"));
    assert_eq!(
        (lost.status, lost.header("cache-control")),
        (401, "no-store")
    );
    assert!(
        lost.body.contains("<code>gatelatch</code>"),
        "{}",
        lost.body
    );
    assert!(lost.body.contains("did not send it back"), "{}", lost.body);
    assert!(
        lost.body
            .contains("href=\"&#x2f;auth&#x2f;login?next=&#x2f;jobs\""),
        "{}",
        lost.body
    );
    assert_eq!(
        lost.headers("set-cookie"),
        ["gatelatch-signin=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"]
    );
    let refused = marker.replace("\r\n", "; gatelatch=of-another-gateway\r\n");
    let lost = gateway.get("/jobs", &format!("{NAVIGATION}{refused}"));
    assert!(lost.body.contains("it was not accepted"), "{}", lost.body);
}

#[test]
fn without_a_page_browsers_are_programs() {
    let gateway = gateway(SERVICES).auth("login: { page: false }").start();
    let page = gateway.get("/auth/login", NAVIGATION);
    assert_eq!(
        (page.status, page.json()["detail"].as_str()),
        (404, Some("No such endpoint"))
    );
    assert_eq!(gateway.get("/jobs", NAVIGATION).status, 401);
    let answer = submit(
        gateway.address,
        "/auth/login",
        &form("rita", PASSWORD, "/"),
        SAME,
    );
    assert!(answer.json()["access_token"].is_string(), "{answer:?}");
}

#[test]
fn a_company_has_its_own_look() {
    let handed_out = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/sign-in/sign_in.html");
    let own = fs::read_to_string(handed_out)
        .unwrap()
        .replace("<button>Sign in", "<button>Go");
    let first = own.clone();
    let gateway = gateway(SERVICES)
        .auth("login: { templates: look }")
        .prepare(move |folder| {
            fs::create_dir(folder.join("look")).unwrap();
            fs::write(folder.join("look/sign_in.html"), first).unwrap();
        })
        .start();
    let page = gateway.get("/auth/login", NAVIGATION);
    assert!(page.body.contains("<button>Go</button>"), "{}", page.body);
    assert!(
        page.header("content-security-policy")
            .contains("style-src 'sha256-")
    );
    let account = gateway.get(
        "/auth/login",
        &format!("{NAVIGATION}{}", sign_in(&gateway, "rita")),
    );
    assert!(
        account.body.contains("You are signed in"),
        "the other pages stay as they are"
    );
    gateway.replace("look/sign_in.html", &own.replace("Go<", "Enter {{naem}}<"));
    let event = gateway.event("is no template").to_string();
    assert!(event.contains("naem"), "{event}");
    gateway.replace("look/sign_in.html", &own.replace("Go<", "Enter<"));
    gateway.event("configuration reloaded");
    assert!(
        gateway
            .get("/auth/login", NAVIGATION)
            .body
            .contains("<button>Enter</button>")
    );
}
