//! HTTP Basic at the gateway's own endpoints that say who the caller is.

use crate::support::{Gateway, NAVIGATION, PASSWORD, Upstream, gateway, sign_in};

const SERVICES: &str = "
  app: { upstream: http://UPSTREAM, rules: [ { path: /**, allow: authenticated } ] }
  files:
    path: /files
    upstream: http://UPSTREAM
    credentials: [bearer, basic]
    rules: [ { path: /files/**, allow: authenticated } ]
";

fn start(services: &str, auth: &str) -> Gateway {
    let upstream = Upstream::saying("hi");
    gateway(services)
        .upstream(upstream.address)
        .auth(auth)
        .start()
}

fn basic(user: &str, password: &str) -> String {
    use base64::Engine as _;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!("Authorization: Basic {pair}\r\n")
}

const BASIC: &str = "Basic realm=\"gatelatch\", charset=\"UTF-8\"";
const BEARER: &str = "Bearer realm=\"gatelatch\"";

#[test]
fn a_password_says_who_the_caller_is_where_some_service_accepts_it() {
    let gateway = start(SERVICES, "login: { attempts: 2 }");
    for _ in 0..2 {
        let me = gateway.get("/auth/me", &basic("rita", PASSWORD));
        assert_eq!(me.status, 200, "{me:?}");
        assert_eq!(me.json()["sub"], "rita");
    }
    let logins = gateway.metric(r#"gatelatch_logins_total{outcome="success"}"#);
    assert_eq!(logins, 1.0, "the pair is remembered");
    let page = gateway.get("/auth/account", &(basic("rita", PASSWORD) + NAVIGATION));
    assert_eq!(page.status, 200, "{page:?}");
    assert!(
        page.body
            .contains("a user name and password with each request"),
        "{}",
        page.body
    );
    let anonymous = gateway.get("/auth/me", "");
    assert_eq!(anonymous.status, 401);
    assert_eq!(anonymous.headers("www-authenticate"), [BASIC, BEARER]);
    let wrong = gateway.get("/auth/me", &basic("rita", "wrong"));
    assert_eq!(
        (wrong.status, wrong.json()["detail"].clone()),
        (401, "Invalid credentials".into())
    );
    assert_eq!(wrong.headers("www-authenticate"), [BASIC, BEARER]);
    // the same lockout as everywhere
    assert_eq!(gateway.get("/auth/me", &basic("rita", "no")).status, 401);
    let held = gateway.get("/auth/me", &basic("rita", "guess"));
    assert_eq!(held.status, 429, "{held:?}");
    assert!(!held.header("retry-after").is_empty());
    assert_eq!(
        gateway.get("/auth/me", &basic("gone", PASSWORD)).status,
        401,
        "disabled"
    );
}

#[test]
fn a_session_or_a_token_counts_before_a_password() {
    let gateway = start(SERVICES, "");
    let session = sign_in(&gateway, "carl");
    // a browser may know a password for a service of this host
    let both = gateway.get("/auth/me", &(session + &basic("rita", "of the service")));
    assert_eq!(
        (both.status, both.json()["sub"].clone()),
        (200, "carl".into())
    );
    // a page's script is refused without a dialog
    for quiet in [
        "Sec-Fetch-Mode: cors\r\n",
        "X-Requested-With: XMLHttpRequest\r\n",
    ] {
        let answer = gateway.get("/auth/me", quiet);
        assert_eq!(answer.headers("www-authenticate"), [BEARER], "{quiet}");
    }
    let people = gateway.get("/auth/account", NAVIGATION);
    assert_eq!(people.status, 303, "people get the sign-in page");
}

#[test]
fn where_no_service_accepts_it_it_says_nothing() {
    let services =
        "  app: { upstream: http://UPSTREAM, rules: [ { path: /**, allow: authenticated } ] }";
    let gateway = start(services, "");
    let answer = gateway.get("/auth/me", &basic("rita", PASSWORD));
    assert_eq!(answer.status, 401);
    assert_eq!(answer.headers("www-authenticate"), [BEARER]);
    assert_eq!(
        gateway.metric(r#"gatelatch_logins_total{outcome="success"}"#),
        0.0
    );
}
