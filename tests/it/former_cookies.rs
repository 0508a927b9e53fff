//! `auth.session.former_cookies`: names that the session cookie once had.

use crate::support::commands::{folder, gatelatch, text};
use crate::support::{PASSWORD, Upstream, cookie_of, gateway, send, sign_in, submit};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /open, allow: anyone }
      - { path: /me, allow: authenticated }
";

const SAME: &str = "Sec-Fetch-Site: same-origin\r\n";

const FORMER: &str = "session: { cookie: sid, former_cookies: [gatelatch, old] }";

#[test]
fn a_former_cookie_identifies_nobody_and_no_service_sees_or_sets_it() {
    let upstream = Upstream::new(|_| {
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: gatelatch=x\r\nSet-Cookie: __Host-old=x\r\n\
          Set-Cookie: old-signin=x\r\nSet-Cookie: sid=x\r\nContent-Length: 0\r\n\r\n"
            .to_vec()
    });
    let gateway = gateway(SERVICES)
        .auth(FORMER)
        .upstream(upstream.address)
        .start();
    let form = format!("username=rita&password={}", PASSWORD.replace(' ', "+"));
    let answer = submit(gateway.address, "/auth/login", &form, SAME);
    let session = cookie_of(&answer, "sid");
    for former in [
        "gatelatch",
        "__Host-gatelatch",
        "__Secure-gatelatch",
        "old",
        "__host-old",
        "old-signin",
    ] {
        let cookies = format!("Cookie: a=1; {}; b=2\r\n", session.replace("sid", former));
        let open = gateway.get("/open", &cookies);
        assert_eq!(open.headers("set-cookie"), ["a=1"], "{former}");
        let seen = upstream.received().pop().unwrap();
        assert_eq!(seen.fields("cookie"), ["a=1; b=2"], "{former}");
        assert_eq!(seen.fields("remote-user"), [""; 0], "{former}");
        assert_eq!(gateway.get("/me", &cookies).status, 401, "{former}");
    }
    assert_eq!(
        gateway
            .get("/me", &format!("Cookie: {session}; old=x\r\n"))
            .status,
        200,
        "a former one beside the present one takes nothing away from it"
    );
}

#[test]
fn a_former_cookie_ends_with_the_next_sign_in_or_logout() {
    let upstream = Upstream::saying("x");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let (replaced, left) = (sign_in(&gateway, "rita"), sign_in(&gateway, "rita"));
    let config = gateway.read("gateway.yaml");
    let rename = |session: &str| {
        gateway.replace(
            "gateway.yaml",
            &config.replace("auth: {", &format!("auth: {{ {session},")),
        );
        gateway.event("configuration reloaded");
    };
    rename(FORMER);
    let form = format!("username=carl&password={}", PASSWORD.replace(' ', "+"));
    let signed_in = submit(
        gateway.address,
        "/auth/login",
        &form,
        &format!("{replaced}{SAME}"),
    );
    assert_eq!(signed_in.status, 303);
    assert!(cookie_of(&signed_in, "sid").starts_with("sid=ey"));
    let cleared = |name: &str, lines: &[&str]| {
        let gone = format!("{name}=; Path=/; Max-Age=0; ");
        lines.iter().any(|line| line.starts_with(&gone))
    };
    assert!(
        cleared("gatelatch", &signed_in.headers("set-cookie")),
        "{signed_in:?}"
    );
    assert!(
        !cleared("old", &signed_in.headers("set-cookie")),
        "it was not brought"
    );
    let foreign = send(
        gateway.address,
        format!(
            "POST /auth/logout HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 0\r\n{left}\r\n"
        ),
    );
    assert_eq!(foreign.status, 403);
    let signed_out = submit(
        gateway.address,
        "/auth/logout",
        "",
        &format!("{left}{SAME}"),
    );
    assert_eq!(signed_out.status, 303);
    assert!(
        cleared("gatelatch", &signed_out.headers("set-cookie")),
        "{signed_out:?}"
    );
    gateway.replace("gateway.yaml", &config);
    gateway.event("configuration reloaded");
    for session in [&replaced, &left] {
        assert_eq!(gateway.get("/me", session).status, 401);
    }
}

#[test]
fn diff_says_when_a_former_name_is_forgotten() {
    let config = |session: &str| {
        format!(
            "auth: {{ token: {{ secret: 0123456789abcdef0123456789abcdef }}, session: {{ {session} }} }}
services: {{ app: {{ upstream: \"http://127.0.0.1:9\", rules: [ {{ path: /**, allow: authenticated }} ] }} }}
"
        )
    };
    let say = "services get the sessions that browsers keep under `gatelatch`";
    for (new, said) in [
        ("cookie: gatelatch", false),
        ("cookie: sid, former_cookies: [gatelatch]", false),
        ("cookie: sid", true),
        ("cookie: sid, former_cookies: [other]", true),
    ] {
        let (old, new) = (config("cookie: gatelatch"), config(new));
        let files = [
            ("old/gateway.yaml", old.as_str()),
            ("old/users.yaml", "users: {}\n"),
            ("new/gateway.yaml", new.as_str()),
            ("new/users.yaml", "users: {}\n"),
        ];
        let folder = folder(&files);
        let output = gatelatch(
            folder.path(),
            &["diff", "old/gateway.yaml", "new/gateway.yaml"],
        );
        let printed = text(&output.stdout);
        assert_eq!(printed.contains(say), said, "{new}: {output:?}");
    }
}
