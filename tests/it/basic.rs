//! A user name and a password, or an API key, with each request (RFC 7617).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::support::checks::Check;
use crate::support::{
    Answer, Connection, Gateway, NAVIGATION, PASSWORD, Redis, Upstream, gateway, get, hash, send,
    sign_in, until,
};
use crate::upgrades::{echoing, open};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /me, allow: authenticated }
      - { path: /public, allow: anyone }
      - { path: /jobs, allow: { roles: [recruiter] } }
  keys:
    path: /keys
    upstream: http://UPSTREAM
    credentials: [basic]
    identity: { authorization: forward }
    rules: [ { path: /keys/**, allow: authenticated } ]
  own:
    path: /own
    upstream: http://UPSTREAM
    credentials: [bearer, cookie]
    rules: [ { path: /own, allow: anyone }, { path: /own/**, allow: authenticated } ]
";

const KEY: &str = "glk_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaA";

fn users() -> String {
    let digest: String = Sha256::digest(KEY)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let [rita, zoe, gone] = std::array::from_fn(|_| hash());
    format!(
        "users:
  rita: {{ password: \"{rita}\", roles: [recruiter], api_keys: [ {{ name: ci, hash: \"sha256:{digest}\" }} ] }}
  Zoë: {{ password: \"{zoe}\", roles: [candidate] }}
  gone: {{ password: \"{gone}\", disabled: true }}
"
    )
}

fn start(upstream: &Upstream) -> Gateway {
    gateway(SERVICES)
        .users(&users())
        .auth("credentials: [bearer, cookie, basic]")
        .upstream(upstream.address)
        .start()
}

fn basic(user: &str, password: &str) -> String {
    let pair = STANDARD.encode(format!("{user}:{password}"));
    format!("Authorization: Basic {pair}\r\n")
}

fn logins(gateway: &Gateway, outcome: &str) -> f64 {
    gateway.metric(&format!("gatelatch_logins_total{{outcome=\"{outcome}\"}}"))
}

#[test]
fn a_password_is_checked_once_and_identifies_with_each_request() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    for _ in 0..20 {
        assert_eq!(gateway.get("/jobs", &basic("rita", PASSWORD)).status, 200);
    }
    assert_eq!(gateway.get("/me", &basic("Zoë", PASSWORD)).status, 200);
    assert_eq!(gateway.get("/jobs", &basic("Zoë", PASSWORD)).status, 403);
    assert_eq!(logins(&gateway, "success"), 2.0, "once a user");
    let received = upstream.received();
    assert!(
        received
            .iter()
            .all(|one| one.fields("authorization").is_empty())
    );
    assert_eq!(received[0].fields("remote-user"), ["rita"]);
    assert_eq!(received[20].fields("remote-user"), ["Zo%C3%AB"]);
    assert_eq!(gateway.line("/jobs")["user"], "rita");
}

#[test]
fn an_api_key_may_stand_for_the_password_of_its_user() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    assert_eq!(gateway.get("/jobs", &basic("rita", KEY)).status, 200);
    assert_eq!(gateway.get("/keys/x", &basic("rita", KEY)).status, 200);
    for (user, key) in [("Zoë", KEY), ("", KEY), ("rita", "glk_x"), ("nobody", KEY)] {
        assert_eq!(gateway.get("/me", &basic(user, key)).status, 401, "{user}");
    }
    assert!(
        upstream
            .received()
            .iter()
            .all(|one| !one.head.contains("Basic"))
    );
    assert_eq!(logins(&gateway, "invalid"), 0.0, "no password was tried");
}

#[test]
fn a_refusal_asks_for_a_password_first_and_for_a_token_beside() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    let challenges = [
        r#"Basic realm="gatelatch", charset="UTF-8""#,
        r#"Bearer realm="gatelatch""#,
    ];
    let refused = gateway.get("/me", "");
    assert_eq!(
        (refused.status, refused.headers("www-authenticate")),
        (401, challenges.to_vec())
    );
    let wrong: Vec<Answer> = [
        basic("rita", "wrong"),
        basic("gone", PASSWORD),
        basic("nobody", PASSWORD),
        basic("", ""),
        "Authorization: Basic\r\n".to_owned(),
        "Authorization: Basic !\r\n".to_owned(),
        "Authorization: Basic cml0YQ==\r\n".to_owned(),
    ]
    .iter()
    .map(|field| gateway.get("/me", field))
    .collect();
    for answer in &wrong {
        assert_eq!(answer.status, 401);
        assert_eq!(answer.headers("www-authenticate"), challenges);
        assert_eq!(answer.json()["detail"], "Invalid credentials");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    // a service that takes tokens only does not ask for a password, and another one for nothing else
    let own = gateway.get("/own/x", "");
    assert_eq!(own.headers("www-authenticate"), [challenges[1]]);
    let token = gateway.bearer("rita");
    assert_eq!(gateway.get("/me", &token).status, 200);
    assert_eq!(
        gateway.get("/keys/x", &token).status,
        401,
        "tokens do not count there"
    );
    // people sign in on the page
    let shown = gateway.get("/me", NAVIGATION);
    assert_eq!(
        (shown.status, shown.header("location")),
        (303, "/auth/login?next=/me")
    );
    assert_eq!(
        gateway.get("/keys/x", NAVIGATION).status,
        401,
        "a session does not count there"
    );
}

#[test]
fn where_it_is_not_accepted_it_is_the_services_own() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    let session = sign_in(&gateway, "rita");
    let field = basic("theirs", "secret");
    assert_eq!(gateway.get("/own", &field).status, 200);
    assert_eq!(gateway.get("/own/x", &field).status, 401);
    let both = format!("{field}{session}");
    assert_eq!(gateway.get("/own/x", &both).status, 200);
    let received = upstream.received();
    assert!(
        received
            .iter()
            .all(|one| one.fields("authorization").len() == 1)
    );
    assert_eq!(received[1].fields("remote-user"), ["rita"]);
    // where it is accepted, it counts before the cookie, and is wrong
    assert_eq!(gateway.get("/me", &both).status, 401);
    let public = gateway.get("/public", &field);
    assert_eq!(public.status, 200);
    assert!(upstream.received()[2].fields("authorization").is_empty());
    assert!(upstream.received()[2].fields("remote-user").is_empty());
}

#[test]
fn two_credentials_are_refused() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    let pair = basic("rita", PASSWORD);
    for more in [
        format!("X-Api-Key: {KEY}\r\n"),
        gateway.bearer("rita"),
        pair.clone(),
    ] {
        assert_eq!(
            gateway.get("/me", &format!("{pair}{more}")).status,
            400,
            "{more}"
        );
    }
    let other = gateway.get("/me", &format!("{pair}X-Api-Key: of-the-service\r\n"));
    assert_eq!(other.status, 200);
}

#[test]
fn guesses_count_and_what_is_remembered_tells_no_guesser_anything() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES)
        .users(&users())
        .auth("credentials: [basic], login: { attempts: 3, lockout: 5m }")
        .server("trusted_proxies: [127.0.0.1]")
        .upstream(upstream.address)
        .start();
    let from = |address: &str, password: &str| {
        let fields = format!("X-Forwarded-For: {address}\r\n{}", basic("rita", password));
        gateway.get("/me", &fields)
    };
    assert_eq!(from("192.0.2.1", PASSWORD).status, 200);
    assert_eq!(from("192.0.2.2", PASSWORD).status, 200);
    for guess in ["1", "2", "3"] {
        assert_eq!(from("192.0.2.1", guess).status, 401);
    }
    let locked = from("192.0.2.1", "4");
    assert_eq!(
        (locked.status, &*locked.json()["detail"].to_string()),
        (429, "\"Too many failed attempts\"")
    );
    assert!(locked.header("retry-after").parse::<u64>().unwrap() > 200);
    // the right one too, though it was remembered
    assert_eq!(from("192.0.2.1", PASSWORD).status, 429);
    assert_eq!(from("192.0.2.2", PASSWORD).status, 200, "another network");
    // an open rule takes it for none
    let public = format!("X-Forwarded-For: 192.0.2.1\r\n{}", basic("rita", "5"));
    assert_eq!(gateway.get("/public", &public).status, 200);
    let failed = gateway.named_event("login_failed");
    assert_eq!(
        (&failed["user"], &failed["client_ip"]),
        (&"rita".into(), &"192.0.2.1".into())
    );
}

#[test]
fn a_reload_forgets_what_was_checked() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    assert_eq!(gateway.get("/me", &basic("rita", PASSWORD)).status, 200);
    let changed = gateway.read("users.yaml").replace("rita:", "rosa:");
    gateway.replace("users.yaml", &changed);
    gateway.event("configuration reloaded");
    assert_eq!(gateway.get("/me", &basic("rita", PASSWORD)).status, 401);
    assert_eq!(gateway.get("/me", &basic("rosa", PASSWORD)).status, 200);
}

#[test]
fn equal_pairs_at_once_are_checked_once() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    let request = format!(
        "GET /me HTTP/1.1\r\nHost: x\r\n{}Connection: close\r\n\r\n",
        basic("rita", PASSWORD)
    );
    let mut open: Vec<Connection> = (0..30).map(|_| Connection::open(gateway.address)).collect();
    for connection in &mut open {
        connection.write(&request);
    }
    for connection in &mut open {
        assert_eq!(connection.read().status, 200);
    }
    assert_eq!(logins(&gateway, "success"), 1.0);
}

#[test]
fn forward_auth_checks_passwords_too() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES)
        .users(&users())
        .auth("credentials: [bearer, cookie, basic]")
        .server("trusted_proxies: [127.0.0.1]")
        .upstream(upstream.address)
        .start();
    let ask = |field: &str| {
        let about = "X-Forwarded-Method: GET\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: x\r\nX-Forwarded-Uri: /jobs\r\nX-Forwarded-For: 192.0.2.1\r\n";
        get(gateway.address, "/auth/verify", &format!("{about}{field}"))
    };
    let allowed = ask(&basic("rita", PASSWORD));
    assert_eq!(
        (allowed.status, allowed.header("remote-user")),
        (200, "rita")
    );
    assert_eq!(ask(&basic("Zoë", PASSWORD)).status, 403);
    let refused = ask(&basic("rita", "wrong"));
    assert_eq!(
        (refused.status, refused.headers("www-authenticate").len()),
        (401, 2)
    );
}

#[test]
fn a_page_of_another_site_cannot_use_a_password_that_the_browser_knows() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    let post = |more: &str| {
        let head = format!(
            "POST /me HTTP/1.1\r\nHost: x\r\n{}{more}Content-Length: 0\r\n\r\n",
            basic("rita", PASSWORD)
        );
        send(gateway.address, head).status
    };
    assert_eq!(post(""), 200, "a program says nothing of a site");
    assert_eq!(post("Sec-Fetch-Site: same-origin\r\n"), 200);
    assert_eq!(post("Origin: http://x\r\n"), 200);
    assert_eq!(post("Sec-Fetch-Site: cross-site\r\n"), 403);
    assert_eq!(post("Origin: http://evil.test\r\n"), 403);
    assert_eq!(post("Origin: null\r\n"), 403);
}

#[test]
fn a_body_is_not_lost_while_its_password_is_checked() {
    let upstream = Upstream::new(|received| crate::support::ok(&received.body.len().to_string()));
    let gateway = start(&upstream);
    let body = "x".repeat(300_000);
    let head = format!(
        "POST /me HTTP/1.1\r\nHost: x\r\n{}Content-Length: {}\r\n\r\n{body}",
        basic("rita", PASSWORD),
        body.len()
    );
    let answer = send(gateway.address, head);
    assert_eq!((answer.status, &*answer.body), (200, "300000"));
}

#[test]
fn a_tunnel_goes_on_at_a_reload_while_its_password_is_right() {
    let upstream = echoing();
    let gateway = gateway(SERVICES)
        .users(&users())
        .auth("credentials: [bearer, cookie, basic]")
        .upstream(upstream.address)
        .start();
    let mut tunnel = open(&gateway, "/me", &basic("rita", PASSWORD));
    let same = gateway.read("users.yaml").replace("recruiter", "chief");
    gateway.replace("users.yaml", &same);
    gateway.event("configuration reloaded");
    until("it is checked again", || logins(&gateway, "success") == 2.0);
    tunnel.write("still");
    assert_eq!(tunnel.read_exact(5), "still");
    let changed = same.replacen("rita:", "rosa:", 1);
    gateway.replace("users.yaml", &changed);
    assert_eq!(tunnel.read_to_end(), "");
    assert_eq!(
        gateway.line("/me")["reason"],
        "closed: it is not allowed any more"
    );
    assert_eq!(logins(&gateway, "invalid"), 1.0);
}

/// Wrong passwords wait for the threads that check them, or are refused; nobody else waits for either.
#[test]
fn a_flood_of_wrong_passwords_holds_no_other_request_up() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES)
        .users(&users())
        .auth("credentials: [bearer, cookie, basic], login: { attempts: 1000, lockout: 1s }")
        .upstream(upstream.address)
        .start();
    let token = gateway.bearer("rita");
    assert_eq!(gateway.get("/me", &basic("rita", PASSWORD)).status, 200);
    let mut flood: Vec<Connection> = (0..400)
        .map(|_| Connection::open(gateway.address))
        .collect();
    for (number, connection) in flood.iter_mut().enumerate() {
        let field = basic("rita", &format!("guess {number}"));
        connection.write(format!("GET /me HTTP/1.1\r\nHost: x\r\n{field}\r\n"));
    }
    // tokens, and pairs that were checked before
    for _ in 0..20 {
        assert_eq!(gateway.get("/me", &token).status, 200);
        assert_eq!(gateway.get("/me", &basic("rita", PASSWORD)).status, 200);
    }
    let answers: Vec<Answer> = flood.iter_mut().map(Connection::read).collect();
    let busy = answers.iter().filter(|answer| answer.status == 503);
    assert!(busy.clone().count() > 0, "the queue has a bound");
    for answer in busy {
        assert_eq!(answer.header("retry-after"), "1");
        assert_eq!(
            answer.json()["detail"],
            "The password cannot be checked now"
        );
    }
    assert!(
        answers
            .iter()
            .all(|answer| [401, 503].contains(&answer.status))
    );
    assert_eq!(gateway.get("/me", &basic("rita", PASSWORD)).status, 200);
}

#[test]
fn over_grpc_passwords_are_checked_too() {
    let gateway = gateway(SERVICES)
        .users(&users())
        .auth("credentials: [bearer, cookie, basic]")
        .server("trusted_proxies: [127.0.0.1]")
        .start();
    let ask = |path: &str, field: &str| {
        Check::new("GET", &format!("http://x{path}"), field).ask(&gateway)
    };
    let allowed = ask("/jobs", &basic("rita", PASSWORD));
    assert_eq!((allowed.code, &allowed.denied), (0, &None), "{allowed:?}");
    assert!(allowed.removes("authorization"), "{allowed:?}");
    assert!(
        allowed
            .set
            .iter()
            .any(|one| (&*one.name, &*one.value) == ("remote-user", "rita"))
    );
    assert_eq!(ask("/jobs", &basic("Zoë", PASSWORD)).status(), 403);
    assert_eq!(ask("/jobs", &basic("rita", "wrong")).status(), 401);
    assert_eq!(ask("/public", &basic("rita", "wrong")).code, 0);
    assert!(ask("/public", &basic("rita", "wrong")).removes("authorization"));
    assert_eq!(logins(&gateway, "success"), 2.0);
}

#[test]
fn without_redis_what_was_checked_goes_on() {
    let Some(mut redis) = Redis::start(&[]) else {
        return;
    };
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES)
        .users(&users())
        .auth("credentials: [bearer, cookie, basic]")
        .more(&format!("state: {}", redis.url()))
        .upstream(upstream.address)
        .start();
    assert_eq!(gateway.get("/me", &basic("rita", PASSWORD)).status, 200);
    redis.kill();
    until("failures cannot be counted", || {
        gateway.get("/me", &basic("Zoë", PASSWORD)).status == 503
    });
    let refused = gateway.get("/me", &basic("Zoë", PASSWORD));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(gateway.get("/me", &basic("rita", PASSWORD)).status, 200);
}
