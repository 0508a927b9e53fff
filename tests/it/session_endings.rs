//! Where a browser's session ends: at a sign-in over it, at a logout, and in front of a late answer.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::cookies::made_with;
use crate::support::{
    Answer, Connection, Gateway, PASSWORD, Upstream, gateway, ok, send, sign_in, submit, tokens,
};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /me, allow: authenticated }
      - { path: /slow, allow: authenticated }
";

const SAME: &str = "Sec-Fetch-Site: same-origin\r\n";

/// A session of this `sid` of which half the time is over.
fn due(sid: &str) -> String {
    made_with(sid, "rita", -1000, 800, -9000)
}

/// `name=value` of a `Cookie` line.
fn pair(session: &str) -> &str {
    session.trim().strip_prefix("Cookie: ").unwrap()
}

/// Signs a user in with a browser that sends these fields.
fn sign_in_over(gateway: &Gateway, user: &str, password: &str, fields: &str) -> Answer {
    let form = format!("username={user}&password={}", password.replace(' ', "+"));
    submit(
        gateway.address,
        "/auth/login",
        &form,
        &format!("{fields}{SAME}"),
    )
}

/// A logout as people send it.
fn page_logout(gateway: &Gateway, fields: &str) -> Answer {
    submit(
        gateway.address,
        "/auth/logout",
        "",
        &format!("{fields}{SAME}"),
    )
}

/// A logout as programs send it.
fn program_logout(gateway: &Gateway, fields: &str) -> Answer {
    send(
        gateway.address,
        format!(
            "POST /auth/logout HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 0\r\n{fields}{SAME}\r\n"
        ),
    )
}

type Logout = fn(&Gateway, &str) -> Answer;

/// Both, with a name.
const LOGOUTS: [(&str, Logout); 2] = [("page", page_logout), ("program", program_logout)];

fn me(gateway: &Gateway, session: &str) -> u16 {
    gateway.get("/me", session).status
}

/// A service whose answers at `/slow` begin when the test lets them.
struct Slow {
    upstream: Upstream,
    arrived: Receiver<()>,
    release: Sender<()>,
}

impl Slow {
    fn new() -> Self {
        let (arrives, arrived) = channel();
        let (release, released) = channel::<()>();
        let (arrives, released) = (Mutex::new(arrives), Mutex::new(released));
        let upstream = Upstream::new(move |request| {
            if request.line().starts_with("GET /slow ") {
                arrives.lock().unwrap().send(()).unwrap();
                let _ = released.lock().unwrap().recv();
            }
            ok("x")
        });
        Self {
            upstream,
            arrived,
            release,
        }
    }

    /// The answer to a request with this session, where `meanwhile` happens before it begins.
    fn answer(&self, gateway: &Gateway, session: &str, meanwhile: impl FnOnce()) -> Answer {
        let mut client = Connection::open(gateway.address);
        client.write(format!(
            "GET /slow HTTP/1.1\r\nHost: gateway.test\r\n{session}\r\n"
        ));
        self.arrived.recv().unwrap();
        meanwhile();
        self.release.send(()).unwrap();
        client.read()
    }
}

#[test]
fn a_late_answer_renews_only_a_session_that_has_not_ended() {
    let slow = Slow::new();
    let gateway = gateway(SERVICES).upstream(slow.upstream.address).start();
    let renewed = |answer: Answer| (answer.status, answer.headers("set-cookie").len());
    let rita = due("one");
    let undisturbed = slow.answer(&gateway, &rita, || {});
    assert_eq!(renewed(undisturbed), (200, 1));

    let mut carl = String::new();
    let late = slow.answer(&gateway, &rita, || {
        let signed_in = sign_in_over(&gateway, "carl", PASSWORD, &rita);
        assert_eq!(signed_in.status, 303, "{signed_in:?}");
        carl = crate::support::cookie_of(&signed_in, "gatelatch");
    });
    assert_eq!(renewed(late), (200, 0), "carl has signed in meanwhile");
    let carl = format!("Cookie: {carl}\r\n");
    assert_eq!((me(&gateway, &rita), me(&gateway, &carl)), (401, 200));

    for (sid, logout) in LOGOUTS {
        let session = due(sid);
        let late = slow.answer(&gateway, &session, || {
            assert!(logout(&gateway, &session).status < 400);
        });
        assert_eq!(renewed(late), (200, 0), "signed out meanwhile: {sid}");
    }
}

#[test]
fn a_late_answer_renews_nothing_by_a_former_configuration() {
    let slow = Slow::new();
    let gateway = gateway(SERVICES).upstream(slow.upstream.address).start();
    let session = due("one");
    let late = slow.answer(&gateway, &session, || {
        let users = gateway.read("users.yaml");
        gateway.replace(
            "users.yaml",
            &users.replace("roles: [recruiter], name", "disabled: true, name"),
        );
        gateway.event("configuration reloaded");
    });
    assert_eq!((late.status, late.headers("set-cookie").len()), (200, 0));
    assert_eq!(me(&gateway, &session), 401);
}

#[test]
fn a_sign_in_ends_the_sessions_that_the_browser_brings() {
    let upstream = Upstream::saying("x");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let (rita, other) = (sign_in(&gateway, "rita"), sign_in(&gateway, "rita"));
    let failed = sign_in_over(&gateway, "carl", "wrong", &rita);
    assert_eq!((failed.status, me(&gateway, &rita)), (401, 200));
    let carl = sign_in_over(&gateway, "carl", PASSWORD, &rita);
    assert_eq!((carl.status, me(&gateway, &rita)), (303, 401));
    assert_eq!(me(&gateway, &other), 200, "a session of another browser");

    let (one, two) = (sign_in(&gateway, "rita"), sign_in(&gateway, "carl"));
    let both = format!("Cookie: {}; {}; gatelatch=junk\r\n", pair(&one), pair(&two));
    assert_eq!(sign_in_over(&gateway, "rita", PASSWORD, &both).status, 303);
    assert_eq!((me(&gateway, &one), me(&gateway, &two)), (401, 401));
    let login = gateway.login("rita", PASSWORD);
    assert_eq!((login.status, me(&gateway, &other)), (200, 200));
}

#[test]
fn a_logout_ends_the_session_of_every_cookie_that_it_is_shown() {
    let upstream = Upstream::saying("x");
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .server("trusted_proxies: [127.0.0.1]")
        .start();
    let tls = "X-Forwarded-Proto: https\r\nX-Forwarded-Host: gateway.test\r\n";
    let spellings = ["gatelatch", "__Host-gatelatch"];
    for (_, logout) in LOGOUTS {
        for (lines, fields) in [
            ("Cookie: ONE\r\n", ""),
            ("Cookie: gatelatch=junk; ONE\r\n", ""),
            ("Cookie: ONE; gatelatch=\r\n", ""),
            ("Cookie: ONE; TWO\r\n", ""),
            ("Cookie: ONE; ONE; TWO; gatelatch=a.b.c\r\n", ""),
            ("Cookie: ONE\r\nCookie: TWO\r\n", ""),
            ("Cookie: ONE; TWO\r\n", tls),
            ("Cookie: ONE; TWO\r\n", "Authorization: Bearer a.b.c\r\n"),
        ] {
            for (first, second) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let sessions = [sign_in(&gateway, "rita"), sign_in(&gateway, "carl")];
                let spelled = |session: &str, name: usize| {
                    pair(session).replace("gatelatch", spellings[name])
                };
                let cookies = lines
                    .replace("ONE", &spelled(&sessions[0], first))
                    .replace("TWO", &spelled(&sessions[1], second));
                let shown = if lines.contains("TWO") { 2 } else { 1 };
                let answer = logout(&gateway, &format!("{cookies}{fields}"));
                let context = format!("{cookies}{fields}: {answer:?}");
                assert!(matches!(answer.status, 204 | 303), "{context}");
                let cleared = answer.headers("set-cookie");
                assert!(
                    cleared.iter().any(|line| line.contains("Max-Age=0")),
                    "{context}"
                );
                for session in &sessions[..shown] {
                    assert_eq!(me(&gateway, session), 401, "{context}");
                }
            }
        }
    }
}

#[test]
fn a_logout_ends_every_credential_of_a_request_and_says_which_it_cannot() {
    let upstream = Upstream::saying("x");
    let key = format!("glk_{}A", "a".repeat(42));
    let digest: String = <sha2::Sha256 as sha2::Digest>::digest(&key)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let hash = crate::support::hash();
    let users = format!(
        "users:
  rita: {{ password: \"{hash}\", roles: [x], api_keys: [ {{ name: k, hash: \"sha256:{digest}\" }} ] }}
"
    );
    let gateway = gateway(SERVICES)
        .users(&users)
        .upstream(upstream.address)
        .start();
    let (session, bearer) = (sign_in(&gateway, "rita"), tokens(&gateway, "rita"));
    let answer = program_logout(&gateway, &format!("{}{session}", bearer.bearer()));
    assert_eq!(
        (answer.status, answer.headers("set-cookie").len()),
        (204, 2),
        "{answer:?}"
    );
    assert_eq!(
        (me(&gateway, &session), me(&gateway, &bearer.bearer())),
        (401, 401)
    );

    let session = sign_in(&gateway, "rita");
    let answer = program_logout(&gateway, &format!("X-Api-Key: {key}\r\n{session}"));
    assert_eq!(
        (answer.status, answer.headers("set-cookie").len()),
        (400, 2),
        "{answer:?}"
    );
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("the session of the cookie has ended"),
        "{detail}"
    );
    assert_eq!(me(&gateway, &session), 401);

    // a user who is disabled may be enabled again
    let session = sign_in(&gateway, "rita");
    gateway.replace(
        "users.yaml",
        &users.replace("roles: [x]", "roles: [x], disabled: true"),
    );
    gateway.event("configuration reloaded");
    assert_eq!(program_logout(&gateway, &session).status, 204);
    gateway.replace("users.yaml", &users);
    gateway.event("configuration reloaded");
    assert_eq!(me(&gateway, &session), 401);
}

#[test]
fn a_logout_by_a_form_ends_the_refresh_token_that_it_shows() {
    let upstream = Upstream::saying("x");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let shown = tokens(&gateway, "rita");
    let body = format!("refresh_token={}", shown.refresh);
    let answer = submit(gateway.address, "/auth/logout", &body, SAME);
    assert_eq!(answer.status, 303, "{answer:?}");
    assert_eq!(me(&gateway, &shown.bearer()), 401);
}

#[test]
fn a_logout_with_more_cookies_than_are_read_is_no_success() {
    let upstream = Upstream::saying("x");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    for (name, logout) in LOGOUTS {
        let session = sign_in(&gateway, "rita");
        let cookies = format!(
            "Cookie: {}{}\r\n",
            pair(&session),
            "; gatelatch=x".repeat(40)
        );
        let answer = logout(&gateway, &cookies);
        assert_eq!(answer.status, 400, "{name}: {answer:?}");
        assert!(answer.body.contains("too many cookies"), "{answer:?}");
        assert_eq!(me(&gateway, &session), 401, "what is read is ended");
    }
}

#[test]
fn a_logout_of_any_cookie_comes_from_the_same_origin() {
    let upstream = Upstream::saying("x");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let session = sign_in(&gateway, "rita");
    for name in ["gatelatch", "__Host-gatelatch"] {
        let cookie = session.replace("gatelatch", name);
        let answer = send(
            gateway.address,
            format!(
                "POST /auth/logout HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 0\r\n{cookie}\r\n"
            ),
        );
        assert_eq!(
            (answer.status, me(&gateway, &session)),
            (403, 200),
            "{name}"
        );
    }
}

#[test]
fn a_request_that_is_refused_as_another_sites_renews_nothing() {
    let upstream = Upstream::saying("x");
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .server("trusted_proxies: [127.0.0.1]")
        .start();
    let session = due("one");
    let post = |site: &str| {
        format!(
            "POST /me HTTP/1.1\r\nHost: gateway.test\r\n{session}Sec-Fetch-Site: {site}\r\nContent-Length: 0\r\n\r\n"
        )
    };
    let verify = |site: &str| {
        format!(
            "GET /auth/verify HTTP/1.1\r\nHost: gateway.test\r\n{session}Sec-Fetch-Site: {site}\r\n\
             X-Forwarded-Method: POST\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: gateway.test\r\n\
             X-Forwarded-Uri: /me\r\n\r\n"
        )
    };
    for request in [&post as &dyn Fn(&str) -> String, &verify] {
        for (site, expected) in [("same-origin", (200, 1)), ("cross-site", (403, 0))] {
            let answer = send(gateway.address, request(site));
            let renewed = answer.headers("set-cookie").len();
            assert_eq!((answer.status, renewed), expected, "{answer:?}");
        }
    }
}
