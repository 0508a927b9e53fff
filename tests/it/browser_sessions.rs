//! The session of a browser beside what else there is: logging out, tunnels, guessing, keys, API keys, forward-auth.

use crate::support::{
    Connection, Gateway, NAVIGATION, PASSWORD, RawUpstream, SECRET, Upstream, gateway, refresh,
    send, sign_in, submit, tokens,
};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /public, allow: anyone }
      - { path: /me, allow: authenticated }
";

const SAME: &str = "Sec-Fetch-Site: same-origin\r\n";

fn sign_out(gateway: &Gateway, session: &str) {
    let answer = submit(
        gateway.address,
        "/auth/logout",
        "",
        &format!("{session}{SAME}"),
    );
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/auth/login?signed-out"),
        "{answer:?}"
    );
}

#[test]
fn who_has_signed_out_is_signed_out_of_every_copy_of_the_cookie() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let (one, other) = (sign_in(&gateway, "rita"), sign_in(&gateway, "rita"));
    let bearer = tokens(&gateway, "rita");
    let request =
        |session: &str| format!("GET /me HTTP/1.1\r\nHost: gateway.test\r\n{session}\r\n");
    // kept connections to every worker, whose caches know the session
    let mut kept: Vec<_> = (0..16).map(|_| Connection::open(gateway.address)).collect();
    for connection in &mut kept {
        assert_eq!(connection.write(request(&one)).read().status, 200);
    }
    sign_out(&gateway, &one);
    for connection in &mut kept {
        assert_eq!(connection.write(request(&one)).read().status, 401);
        assert_eq!(
            connection.write(request(&other)).read().status,
            200,
            "another session of the same user goes on"
        );
    }
    assert_eq!(gateway.line("/me")["user"], "rita");
    assert_eq!(gateway.named_event("logout")["client_ip"], "127.0.0.1");
    assert_eq!(gateway.get("/me", &bearer.bearer()).status, 200);
    assert_eq!(refresh(&gateway, &bearer.refresh).status, 200);
    assert_eq!(
        gateway.get("/me", &format!("{NAVIGATION}{one}")).status,
        303,
        "people sign in again"
    );
}

#[test]
fn a_program_ends_the_session_of_its_cookie() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let session = sign_in(&gateway, "rita");
    let out = |fields: &str| {
        send(
            gateway.address,
            format!(
                "POST /auth/logout HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 0\r\n{fields}\r\n"
            ),
        )
    };
    let foreign = out(&session);
    assert_eq!(
        (foreign.status, foreign.headers("set-cookie").len()),
        (403, 0)
    );
    assert_eq!(gateway.get("/me", &session).status, 200);
    let ended = out(&format!("{session}{SAME}"));
    assert_eq!(
        (ended.status, ended.headers("set-cookie").len()),
        (204, 2),
        "{ended:?}"
    );
    assert_eq!(gateway.get("/me", &session).status, 401);
    let again = out(&format!("{session}{SAME}"));
    assert_eq!(
        (again.status, again.headers("set-cookie").len()),
        (204, 2),
        "to log out twice is no error"
    );
    let nobody = out("");
    assert_eq!(
        (nobody.status, nobody.headers("set-cookie").len()),
        (401, 0)
    );
}

#[test]
fn a_tunnel_ends_with_the_session_that_opened_it() {
    const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\
                          Set-Cookie: gatelatch=theirs\r\nSet-Cookie: own=1\r\n\r\n";
    let upstream = RawUpstream::new(|mut wire, _| {
        let head = wire.head().unwrap().to_lowercase();
        assert!(!head.contains("gatelatch="), "{head}");
        wire.say(format!("{SWITCH}hello"));
        while let Some(byte) = wire.exact(1) {
            wire.say(byte);
        }
    });
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let open = |session: &str| {
        let mut client = Connection::open(gateway.address);
        client.write(format!(
            "GET /me HTTP/1.1\r\nHost: gateway.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n{session}{SAME}\r\n"
        ));
        let head = client.read_head().unwrap().to_lowercase();
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        assert!(
            head.contains("set-cookie: own=1") && !head.contains("theirs"),
            "{head}"
        );
        assert_eq!(client.read_exact(5), "hello");
        client
    };
    let (one, other) = (sign_in(&gateway, "rita"), sign_in(&gateway, "rita"));
    let (mut ends, mut stays) = (open(&one), open(&other));
    sign_out(&gateway, &one);
    assert_eq!(ends.read_to_end(), "");
    assert_eq!(
        gateway.line("/me")["reason"],
        "closed: it is not allowed any more"
    );
    stays.write("still");
    assert_eq!(stays.read_exact(5), "still");
}

#[test]
fn guessing_at_the_page_is_held_as_everywhere() {
    let gateway = gateway(SERVICES).auth("login: { lockout: 5m }").start();
    let page = |user: &str, password: &str| {
        let form = format!("username={user}&password={}", password.replace(' ', "+"));
        let answer = submit(gateway.address, "/auth/login", &form, SAME);
        let lines = answer
            .head
            .lines()
            .filter(|line| !line.to_ascii_lowercase().starts_with("date:"));
        let shown = lines.collect::<Vec<_>>().join("\n") + &answer.body.replace(user, "USER");
        (answer.status, shown)
    };
    let of = |user: &str| {
        assert!((0..5).all(|_| page(user, "wrong").0 == 401));
        page(user, PASSWORD)
    };
    let (status, held) = of("rita");
    assert_eq!(status, 429, "right or wrong");
    assert!(
        held.contains("retry-after: 300") && held.contains("Too many attempts have failed."),
        "{held}"
    );
    assert!(!held.contains("set-cookie"));
    assert_eq!(
        of("zeno"),
        (429, held),
        "whether an account exists cannot be seen"
    );
    assert_eq!(
        gateway.login("rita", PASSWORD).status,
        429,
        "programs and people count together"
    );
    assert_eq!(
        gateway.metric(r#"gatelatch_logins_total{outcome="locked_out"}"#),
        3.0
    );
}

#[test]
fn a_session_outlives_the_key_that_signed_it() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let secret = sign_in(&gateway, "rita");
    let config = gateway.read("gateway.yaml");
    let change = |token: String| {
        gateway.replace(
            "gateway.yaml",
            &config.replace(&format!("secret: \"{SECRET}\""), &token),
        );
        gateway.event("configuration reloaded");
    };
    let key = format!("{}/tests/keys/ed25519.pem", env!("CARGO_MANIFEST_DIR"));
    let new = format!("algorithm: EdDSA, private_key_file: \"{key}\"");
    change(format!(
        "{new}, previous: [ {{ algorithm: HS256, secret: \"{SECRET}\" }} ]"
    ));
    let eddsa = sign_in(&gateway, "rita");
    assert_eq!(
        (
            gateway.get("/me", &secret).status,
            gateway.get("/me", &eddsa).status
        ),
        (200, 200)
    );
    change(new);
    assert_eq!(
        (
            gateway.get("/me", &secret).status,
            gateway.get("/me", &eddsa).status
        ),
        (401, 200)
    );
}

#[test]
fn an_api_key_is_no_session() {
    let upstream = Upstream::saying("hi");
    let key = format!("glk_{}A", "a".repeat(42));
    let digest: String = <sha2::Sha256 as sha2::Digest>::digest(&key)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let users = format!(
        "users: {{ ci: {{ roles: [x], api_keys: [ {{ name: k, hash: \"sha256:{digest}\" }} ] }} }}"
    );
    let gateway = gateway(SERVICES)
        .users(&users)
        .upstream(upstream.address)
        .start();
    assert_eq!(
        gateway.get("/me", &format!("X-Api-Key: {key}\r\n")).status,
        200
    );
    assert_eq!(
        gateway
            .get("/me", &format!("Cookie: gatelatch={key}\r\n"))
            .status,
        401
    );
    let both = format!("X-Api-Key: {key}\r\nCookie: gatelatch=x\r\nSec-Fetch-Site: cross-site\r\n");
    let post =
        format!("POST /me HTTP/1.1\r\nHost: gateway.test\r\n{both}Content-Length: 0\r\n\r\n");
    assert_eq!(
        send(gateway.address, post).status,
        200,
        "no browser adds a key by itself"
    );
    assert!(
        upstream
            .received()
            .iter()
            .all(|request| !request.head.contains("glk_"))
    );
}

#[test]
fn another_proxy_is_told_of_keys_and_of_what_is_only_reported() {
    let services = "
  app:
    upstream: http://127.0.0.1:9
    mode: report
    rules: [ { path: /me, allow: authenticated }, { path: /held, allow: nobody, mode: enforce } ]
";
    let gateway = gateway(services)
        .server("trusted_proxies: [127.0.0.1]")
        .start();
    let ask = |path: &str, fields: &str| {
        let about = format!(
            "X-Forwarded-Method: GET\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: app.test\r\n\
             X-Forwarded-Uri: {path}\r\n"
        );
        gateway.get("/auth/verify", &(about + fields))
    };
    let rita = ask("/me", &tokens(&gateway, "rita").bearer());
    assert_eq!((rita.status, rita.header("remote-user")), (200, "rita"));
    assert_eq!(ask("/me", "").status, 200);
    let mut lines = std::iter::repeat_with(|| gateway.line("/me"));
    let reported = lines.find(|line| line["user"].is_null()).unwrap();
    let expected = (
        &"reported".into(),
        &"would be 401: Not authenticated".into(),
    );
    assert_eq!(
        (&reported["decision"], &reported["reason"]),
        expected,
        "{reported}"
    );
    assert_eq!(ask("/held", &tokens(&gateway, "rita").bearer()).status, 403);
}
