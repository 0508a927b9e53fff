//! The own password of somebody who has a second factor.

use std::time::Duration;

use gatelatch::ambient;
use gatelatch::token::{
    AuthenticationMethod, AuthenticationMethods, CookieSessions, Key, SessionId, SessionSettings,
    SignIn,
};

use crate::support::{
    Answer, Gateway, PASSWORD, SECRET, Upstream, cookie_of, gateway, hash, submit,
};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /fresh, allow: { second_factor: true, max_age: 1m } }
      - { path: /me, allow: authenticated }
";

const NEW: &str = "anothergoodone";

/// `rita` has an app, `carl` has none.
fn start(upstream: &Upstream, setting: &str) -> Gateway {
    let [rita, carl] = std::array::from_fn(|_| hash());
    gateway(SERVICES)
        .upstream(upstream.address)
        .auth(&format!("login: {{ change_password: true{setting} }}"))
        .more("state: \"file:state.redb\"")
        .users(&format!(
            "users:\n  rita: {{ password: \"{rita}\", totp: GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ }}\n  carl: {{ password: \"{carl}\" }}\n"
        ))
        .start()
}

/// A session of somebody who signed in `age` seconds ago.
pub(crate) fn session(user: &str, methods: AuthenticationMethods, age: u64) -> String {
    let settings = SessionSettings {
        issuer: "gatelatch".to_owned(),
        ttl: Duration::from_secs(1800),
        max_age: Duration::from_secs(12 * 3600),
        max_lifetime: Duration::from_secs(24 * 3600),
        leeway: Duration::from_secs(30),
    };
    let key = Key::hs256(SECRET.as_bytes()).unwrap();
    let sessions = CookieSessions::new(key.clone(), key, settings);
    let id = SessionId::from_bytes(ambient::random_bytes());
    let at = ambient::unix_seconds() - age;
    let begun = sessions.begin(user, id, SignIn::new(at, methods), at);
    format!("Cookie: gatelatch={}\r\n", begun.unwrap().value)
}

pub(crate) fn with_code() -> AuthenticationMethods {
    AuthenticationMethods::PASSWORD
        .with(AuthenticationMethod::OneTimePassword)
        .with(AuthenticationMethod::MultipleFactors)
}

fn change(gateway: &Gateway, cookie: &str) -> Answer {
    let current = PASSWORD.replace(' ', "+");
    let form = format!("change=password&current={current}&new={NEW}&again={NEW}");
    let fields = format!("Sec-Fetch-Site: same-origin\r\n{cookie}");
    submit(gateway.address, "/auth/account", &form, &fields)
}

fn cookie(answer: &Answer) -> String {
    format!("Cookie: {}\r\n", cookie_of(answer, "gatelatch"))
}

#[test]
fn who_has_a_factor_shows_it_before_the_password_is_changed() {
    let upstream = Upstream::saying("x");
    let gateway = start(&upstream, "");
    let list = gateway.read("users.yaml");
    // begun before there was an app, or by somebody who has the password alone
    let weak = session("rita", AuthenticationMethods::PASSWORD, 10);
    let answer = change(&gateway, &weak);
    assert_eq!(answer.status, 303, "{answer:?}");
    let location = answer.header("location");
    assert!(
        location.starts_with("/auth/login?next=/auth/account"),
        "{location}"
    );
    assert!(answer.headers("set-cookie").is_empty(), "{answer:?}");
    assert_eq!(gateway.read("users.yaml"), list);
    // who has none, and who has shown it
    for (user, methods) in [
        ("carl", AuthenticationMethods::PASSWORD),
        ("rita", with_code()),
    ] {
        let answer = change(&gateway, &session(user, methods, 10));
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, "/auth/account?done=password"),
            "{user}: {answer:?}"
        );
        assert_eq!(gateway.get("/me", &cookie(&answer)).status, 200);
    }
    // where nobody is asked for one, nobody could show it
    let off = start(&upstream, ", second_factor: off");
    let answer = change(&off, &session("rita", AuthenticationMethods::PASSWORD, 10));
    assert_eq!(answer.header("location"), "/auth/account?done=password");
}

#[test]
fn a_new_password_makes_no_factor_new() {
    let upstream = Upstream::saying("x");
    let gateway = start(&upstream, "");
    let strong = session("rita", with_code(), 200);
    let fresh = session("rita", with_code(), 0);
    assert_eq!(gateway.get("/fresh", &fresh).status, 200);
    assert_ne!(gateway.get("/fresh", &strong).status, 200);
    let changed = change(&gateway, &strong);
    assert_eq!(
        changed.header("location"),
        "/auth/account?done=password",
        "{changed:?}"
    );
    let here = cookie(&changed);
    assert_eq!(gateway.get("/me", &here).status, 200);
    assert_ne!(gateway.get("/fresh", &here).status, 200, "of 200 s ago");
}
