//! Rules that ask how and when somebody has signed in: `second_factor` and `max_age`, and the answers of RFC 9470.

use serde_json::{Value, json};

use crate::support::{
    Answer, Connection, Gateway, NAVIGATION, PASSWORD, RawUpstream, Tokens, Upstream, cookie_of,
    gateway, ok, post, refresh, submit, tokens, until,
};
use crate::tokens::sign;

mod browser;
mod codes;
mod factorless;
pub(crate) mod made;
mod provider;

use made::{Made, now};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /jobs, allow: authenticated }
      - { path: /vault, allow: { second_factor: true } }
      - { path: /recent, allow: { roles: [recruiter], max_age: 15m } }
      - { path: /both, allow: { second_factor: true, max_age: 15m } }
      - { path: /tried, allow: { second_factor: true }, mode: report }
      - { path: /either, allow: [ { second_factor: true }, { max_age: 5m }, { max_age: 15m } ] }
";

const INSUFFICIENT: &str =
    "Bearer realm=\"gatelatch\", error=\"insufficient_user_authentication\", error_description=";

fn start() -> (Gateway, Upstream) {
    let upstream = Upstream::new(|request| ok(&request.fields("remote-user").concat()));
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    (gateway, upstream)
}

fn open(gateway: &Gateway, path: &str, fields: &str) -> Answer {
    gateway.get(path, &format!("{NAVIGATION}{fields}"))
}

/// Status, challenge and what the body says.
fn told(answer: &Answer) -> (u16, String, String) {
    let challenge = answer.headers("www-authenticate").join(" | ");
    let detail = answer.json()["detail"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    (answer.status, challenge, detail)
}

#[test]
fn a_token_says_when_and_how_its_holder_signed_in_however_often_it_is_refreshed() {
    let (gateway, _upstream) = start();
    let before = now();
    let first = tokens(&gateway, "rita");
    let claims = |tokens: &Tokens| made::payload(&tokens.access);
    let said = claims(&first);
    let at = said["auth_time"].as_u64().unwrap();
    assert!((before..=now()).contains(&at), "{said}");
    assert_eq!(said["amr"], json!(["pwd"]));
    // a refresh is no sign-in
    until("the second is over", || now() > at);
    let second = Tokens::of(&refresh(&gateway, &first.refresh));
    let again = claims(&second);
    assert_ne!(again["iat"], said["iat"]);
    assert_eq!(
        (&again["auth_time"], &again["amr"]),
        (&said["auth_time"], &said["amr"])
    );
    let form = format!("token={}", second.access);
    let fields = format!(
        "Content-Type: application/x-www-form-urlencoded\r\n{}",
        second.bearer()
    );
    let described = post(gateway.address, "/auth/introspect", &fields, &form).json();
    assert_eq!(
        (&described["auth_time"], &described["amr"]),
        (&said["auth_time"], &said["amr"])
    );
}

#[test]
fn whoever_has_not_signed_in_so_is_told_what_is_asked_for() {
    let (gateway, _upstream) = start();
    let rita = |made: Made| made.bearer("rita");
    let fresh = rita(Made::at(now()));
    let old = rita(Made::at(now() - 1000));
    let two = rita(Made::at(now()).with(&["pwd", "otp", "mfa"]));
    let old_two = rita(Made::at(now() - 1000).with(&["mfa"]));
    let unknown = rita(Made::unknown());
    // claimed without a time, as a token of before might
    let unsure = rita(Made::unknown().with(&["mfa"]));
    let (vault, recent) = (
        "a sign-in with a second factor",
        "a sign-in within the last 15m",
    );
    let both = "a sign-in with a second factor within the last 15m";
    for (path, asks, max_age, refused, let_in) in [
        (
            "/vault",
            vault,
            "",
            vec![&fresh, &old, &unknown, &unsure],
            vec![&two, &old_two],
        ),
        (
            "/recent",
            recent,
            ", max_age=\"900\"",
            vec![&old, &old_two, &unknown, &unsure],
            vec![&fresh, &two],
        ),
        (
            "/both",
            both,
            ", max_age=\"900\"",
            vec![&fresh, &old, &old_two, &unknown, &unsure],
            vec![&two],
        ),
        (
            "/either",
            recent,
            ", max_age=\"900\"",
            vec![&old, &unknown, &unsure],
            vec![&fresh, &two, &old_two],
        ),
    ] {
        for bearer in refused {
            // twice: what is remembered of a token says the same as what is read
            for _ in 0..2 {
                let answer = gateway.get(path, bearer);
                let challenge = format!("{INSUFFICIENT}\"requires {asks}\"{max_age}");
                assert_eq!(
                    told(&answer),
                    (401, challenge, format!("Requires {asks}")),
                    "{path}"
                );
                assert_eq!(answer.header("cache-control"), "no-store");
            }
        }
        for bearer in let_in {
            let answer = gateway.get(path, bearer);
            assert_eq!((answer.status, &*answer.body), (200, "rita"), "{path}");
        }
        let nobody = gateway.get(path, "");
        assert_eq!(told(&nobody).1, "Bearer realm=\"gatelatch\"", "{path}");
    }
    assert_eq!(
        gateway
            .get("/recent", &Made::at(now()).bearer("carl"))
            .status,
        403
    );
    let line = gateway.line("/vault");
    assert_eq!(
        (&line["decision"], &line["reason"]),
        (
            &json!("unauthenticated"),
            &json!("Requires a sign-in with a second factor")
        )
    );
}

#[test]
fn a_demand_that_is_only_reported_is_logged_and_the_request_forwarded() {
    let (gateway, _upstream) = start();
    let answer = gateway.get("/tried", &Made::at(now()).bearer("rita"));
    assert_eq!((answer.status, &*answer.body), (200, "rita"));
    let line = gateway.line("/tried");
    assert_eq!(
        line["reason"],
        json!("would be 401: Requires a sign-in with a second factor"),
        "{line}"
    );
}

/// A token grows old while it is remembered.
#[test]
fn a_remembered_sign_in_grows_older() {
    let (gateway, _upstream) = start();
    for made in [Made::bearer, Made::session] {
        let credential = &made(&Made::at(now() - 895), "rita");
        assert_eq!(gateway.get("/recent", credential).status, 200);
        until("it is too old", || {
            gateway.get("/recent", credential).status == 401
        });
        assert_eq!(gateway.get("/jobs", credential).status, 200);
    }
}

/// Nobody is there who could sign in again, so it is no 401 that asks for it.
#[test]
fn an_api_key_and_a_password_with_each_request_are_no_sign_in() {
    let users = "users:
  ci:
    roles: [recruiter]
    api_keys: [{ name: ci, hash: \"sha256:2d2da19605a34e037dbe82173f98a992a530a5fdd53dad882f570d4ba204ef30\", roles: [recruiter] }]
";
    let key = made::api_key();
    let digest = made::sha256_hex(&key);
    let upstream = Upstream::new(|_| ok("x"));
    let hash = crate::support::hash();
    let users = users.replace(
        "2d2da19605a34e037dbe82173f98a992a530a5fdd53dad882f570d4ba204ef30",
        &digest,
    ) + &format!("  rita: {{ password: \"{hash}\", roles: [recruiter] }}\n");
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .users(&users)
        .auth("credentials: [bearer, cookie, basic]")
        .start();
    let basic = made::basic("rita", PASSWORD);
    let exchanged = post(
        gateway.address,
        "/auth/token",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        &format!("grant_type=client_credentials&client_id=ci&client_secret={key}"),
    );
    let exchanged = exchanged.json()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(made::payload(&exchanged)["auth_time"].is_null());
    for credential in [
        format!("Authorization: Bearer {key}\r\n"),
        format!("Authorization: Bearer {exchanged}\r\n"),
        basic,
    ] {
        assert_eq!(gateway.get("/jobs", &credential).status, 200);
        for (path, asks) in [
            ("/vault", "a sign-in with a second factor"),
            ("/recent", "a sign-in within the last 15m"),
        ] {
            let (status, challenge, detail) = told(&gateway.get(path, &credential));
            assert_eq!(
                (status, detail),
                (403, format!("Access denied. Requires {asks}"))
            );
            assert_eq!(
                challenge,
                "Bearer realm=\"gatelatch\", error=\"insufficient_scope\""
            );
        }
    }
}

/// Sessions of before the upgrade live on; nothing is known of how they began.
#[test]
fn a_session_of_an_earlier_version_is_valid_and_meets_no_demand() {
    let (gateway, _upstream) = start();
    let former = crate::cookies::made_with("s", "rita", -60, 1740, -60);
    assert_eq!(gateway.get("/jobs", &former).status, 200);
    for path in ["/vault", "/recent"] {
        assert_eq!(gateway.get(path, &former).status, 401, "{path}");
    }
    // with what a provider said, unchecked, under the name that counts now
    let unchecked = json!({ "amr": ["mfa"], "auth_time": now() });
    let unchecked = made::session_of("rita", &unchecked);
    assert_eq!(gateway.get("/jobs", &unchecked).status, 200);
    assert_eq!(gateway.get("/vault", &unchecked).status, 401);
}

#[test]
fn a_browser_signs_in_again_and_comes_back_with_a_fresh_session() {
    let (gateway, _upstream) = start();
    let old = Made::at(now() - 1000).session("rita");
    let answer = open(&gateway, "/recent?tab=2", &old);
    assert_eq!(answer.status, 303, "{answer:?}");
    let to = "/auth/login?next=/recent%3Ftab%3D2&reauth&max_age=900";
    assert_eq!(answer.header("location"), to);
    let page = open(&gateway, to, &old);
    assert_eq!(page.status, 200);
    for part in [
        "You are signed in as Rita Recruiter.",
        "please confirm that it is you",
        "name=\"username\" type=\"text\" value=\"rita\"",
        "name=\"next\" value=\"&#x2f;recent?tab=2\"",
    ] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    // a program gets what RFC 9470 says, also with a cookie
    assert_eq!(gateway.get("/recent", &old).status, 401);
    let form = format!(
        "username=rita&password={}&next=%2Frecent%3Ftab%3D2",
        PASSWORD.replace(' ', "+")
    );
    let same = format!("Sec-Fetch-Site: same-origin\r\n{old}");
    let signed_in = submit(gateway.address, "/auth/login", &form, &same);
    assert_eq!(
        signed_in.header("location"),
        "/recent?tab=2",
        "{signed_in:?}"
    );
    let fresh = format!("Cookie: {}\r\n", cookie_of(&signed_in, "gatelatch"));
    assert_eq!(open(&gateway, "/recent?tab=2", &fresh).status, 200);
    // the former one has ended
    assert_eq!(gateway.get("/jobs", &old).status, 401);
    assert_eq!(gateway.get("/vault", &fresh).status, 401);
}

#[test]
fn a_browser_without_a_second_factor_is_asked_for_one_and_never_sent_around() {
    let (gateway, _upstream) = start();
    let session = Made::at(now()).session("rita");
    let to = "/auth/login?next=/vault&reauth=second-factor";
    assert_eq!(open(&gateway, "/vault", &session).header("location"), to);
    let page = open(&gateway, to, &session);
    assert_eq!(page.status, 200);
    assert!(
        page.body.contains("asks for a second factor"),
        "{}",
        page.body
    );
    // even right after a sign-in it ends at the page, and nothing says that a cookie is lost
    for _ in 0..5 {
        let form = format!(
            "username=rita&password={}&next=%2Fvault",
            PASSWORD.replace(' ', "+")
        );
        let same = "Sec-Fetch-Site: same-origin\r\n";
        let signed_in = submit(gateway.address, "/auth/login", &form, same);
        let all = made::cookies(&signed_in);
        let vault = open(&gateway, "/vault", &all);
        assert_eq!(
            (vault.status, vault.header("location")),
            (303, to),
            "{vault:?}"
        );
        assert_eq!(open(&gateway, to, &all).status, 200);
    }
}

#[test]
fn a_form_that_needs_a_newer_sign_in_is_not_sent_on_and_the_page_says_so() {
    let upstream = Upstream::new(|_| ok("received"));
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let session = Made::at(now() - 1000).session("rita");
    let fields = format!("Sec-Fetch-Site: same-origin\r\n{session}");
    let answer = submit(gateway.address, "/recent", "amount=1", &fields);
    assert_eq!(answer.status, 401, "{answer:?}");
    let challenge = answer.header("www-authenticate");
    assert!(
        challenge.contains("insufficient_user_authentication"),
        "{challenge}"
    );
    for part in [
        "<h1>Your form was not sent on</h1>",
        "a sign-in within the last 15 minutes",
        "go back to the form and send it once more",
        "href=\"&#x2f;auth&#x2f;login?reauth&amp;max_age=900\">Sign in again</a>",
    ] {
        assert!(answer.body.contains(part), "{part}: {}", answer.body);
    }
    // of what a browser opens, where nobody is sent to the sign-in page
    let stays = SERVICES.replace("    rules:", "    login_redirect: false\n    rules:");
    let other = crate::support::gateway(&stays)
        .upstream(upstream.address)
        .start();
    let answer = open(&other, "/recent", &session);
    assert_eq!(answer.status, 401);
    for part in [
        "<h1>Please confirm that it is you</h1>",
        "href=\"&#x2f;auth&#x2f;login?next=&#x2f;recent&amp;reauth&amp;max_age=900\">",
    ] {
        assert!(answer.body.contains(part), "{part}: {}", answer.body);
    }
}

/// What Traefik and Caddy hand on, and nginx's field.
#[test]
fn forward_auth_sends_browsers_to_a_newer_sign_in() {
    let upstream = Upstream::new(|_| ok("x"));
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .server("trusted_proxies: [127.0.0.1]")
        .start();
    let session = Made::at(now() - 1000).session("rita");
    let to = "http://app.test/auth/login?next=/recent&reauth&max_age=900";
    let traefik = "X-Forwarded-Method: GET\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: app.test\r\nX-Forwarded-Uri: /recent\r\n";
    let answer = gateway.get("/auth/verify", &format!("{traefik}{NAVIGATION}{session}"));
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, to),
        "{answer:?}"
    );
    let answer = gateway.get("/auth/verify", &format!("{traefik}{session}"));
    assert_eq!(answer.status, 401);
    assert!(told(&answer).1.ends_with(", max_age=\"900\""), "{answer:?}");
    let nginx = "X-Original-Method: GET\r\nX-Original-URL: http://app.test/recent\r\n";
    let answer = gateway.get("/auth/verify", &format!("{nginx}{NAVIGATION}{session}"));
    assert_eq!(
        (answer.status, answer.header("x-gatelatch-login")),
        (401, to),
        "{answer:?}"
    );
    assert!(told(&answer).1.contains("insufficient_user_authentication"));
}

/// Nobody can sign in again on an open connection: its sign-in counts as it was when it was opened.
#[test]
fn a_tunnel_ends_where_a_rule_asks_for_more_and_not_since_time_goes_by() {
    let upstream = echo();
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let tunnel = |path: &str, credential: &str| {
        let mut client = Connection::open(gateway.address);
        client.write(format!(
            "GET {path} HTTP/1.1\r\nHost: gateway.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\
             Sec-Fetch-Site: same-origin\r\n{credential}\r\n"
        ));
        let head = client.read_head().unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        client
    };
    let signed_in = now() - 897;
    let aging = [
        Made::at(signed_in).bearer("rita"),
        Made::at(signed_in).session("rita"),
    ];
    let aging = aging.map(|credential| (tunnel("/recent", &credential), credential));
    let plain = tunnel("/jobs", &Made::at(now()).session("rita"));
    let strong = tunnel("/jobs", &Made::at(now()).with(&["mfa"]).session("rita"));
    for (_, credential) in &aging {
        until("it is too old", || {
            gateway.get("/recent", credential).status == 401
        });
    }
    // every tunnel is decided again
    let config = gateway.read("gateway.yaml");
    let config = config.replace(
        "path: /jobs, allow: authenticated",
        "path: /jobs, allow: { second_factor: true }",
    );
    gateway.replace("gateway.yaml", &config);
    gateway.event("configuration reloaded");
    let (mut plain, mut strong) = (plain, strong);
    assert_eq!(plain.read_to_end(), "");
    strong.write("x");
    assert_eq!(strong.read_exact(1), "x");
    for (mut client, _) in aging {
        client.write("y");
        assert_eq!(client.read_exact(1), "y");
    }
}

fn echo() -> RawUpstream {
    RawUpstream::new(|mut wire, _| {
        let Some(head) = wire.head() else { return };
        if !head.to_lowercase().contains("\r\nupgrade: echo\r\n") {
            wire.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            return;
        }
        wire.say(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
        );
        while let Some(byte) = wire.exact(1) {
            wire.say(byte);
        }
    })
}

#[test]
fn explain_takes_the_sign_in_of_a_token() {
    let (gateway, _upstream) = start();
    let explain = |made: Made| {
        let token = made.token("rita");
        let output = crate::support::commands::gatelatch(
            gateway.folder(),
            &[
                "explain", "GET", "/both", "--token", &token, "--format", "json",
            ],
        );
        (
            output.status.code(),
            crate::support::commands::json(&output),
        )
    };
    let (code, said) = explain(Made::at(now() - 30).with(&["mfa"]));
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = explain(Made::at(now() - 1200).with(&["mfa"]));
    assert_eq!(code, Some(3), "{said}");
    assert_eq!(
        said["reason"],
        json!("Requires a sign-in with a second factor within the last 15m")
    );
    let (code, said) = explain(Made::unknown());
    assert_eq!(code, Some(3), "{said}");
    let has = |line: &Value| line["has"].as_str().unwrap().to_owned();
    let lines: Vec<String> = said["conditions"][0]
        .as_array()
        .unwrap()
        .iter()
        .map(has)
        .collect();
    assert_eq!(lines, ["none", "one of unknown age"], "{said}");
}
