//! The whole way of a sign-in, with a provider that does what a test says: also what no good one does.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::support::{
    Answer, Gateway, GatewayBuilder, NAVIGATION, Script, ScriptedProvider, ScriptedSigner,
    Upstream, cookie_of, gateway, get, ok, submit, until,
};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /jobs, allow: authenticated }
      - { path: /admin, allow: { roles: [admin] } }
      - { path: '/of/{id}', allow: { user: '{id}' } }
      - { path: /named, allow: { user: walter-1 } }
";

/// Long enough for a key of HS256.
const SECRET: &str = "the secret of the gateway as a client";

pub fn with(provider: &ScriptedProvider, more: &str) -> GatewayBuilder {
    with_auth(provider, more, "")
}

/// The same with further keys of `auth`.
pub fn with_auth(provider: &ScriptedProvider, more: &str, auth: &str) -> GatewayBuilder {
    let upstream = Upstream::new(|request| {
        let told = |name: &str| request.fields(name).concat();
        ok(&format!(
            "{}/{}/{}",
            told("remote-user"),
            told("remote-groups"),
            told("remote-name")
        ))
    });
    gateway(SERVICES).upstream(upstream.address).auth(&format!(
        "providers: [{{ name: corp, title: Corp, issuer: \"{}\", client_id: gateway, client_secret: \"{SECRET}\",
           scopes: [openid]{more} }}]{auth}",
        provider.issuer
    ))
}

pub fn open(gateway: &Gateway, path: &str, fields: &str) -> Answer {
    get(gateway.address, path, &format!("{NAVIGATION}{fields}"))
}

/// A browser at the provider.
pub struct Visit {
    /// Where the provider sends it back to.
    callback: String,
    /// What it brings.
    cookie: String,
}

impl Visit {
    /// The path and the `Cookie` line with which the browser comes back.
    pub fn brought(&self) -> (&str, &str) {
        (&self.callback, &self.cookie)
    }
}

fn location(answer: &Answer) -> String {
    answer.headers("location").concat()
}

/// The `Cookie` line with all that an answer sets.
fn cookies(answer: &Answer) -> String {
    let set = answer.headers("set-cookie");
    let pairs = set.iter().map(|line| line.split(';').next().unwrap());
    format!("Cookie: {}\r\n", pairs.collect::<Vec<_>>().join("; "))
}

pub fn visit(gateway: &Gateway, provider: &ScriptedProvider, next: &str) -> Visit {
    visit_through(gateway.address, provider, next)
}

/// The same with another program in front.
pub fn visit_through(front: SocketAddr, provider: &ScriptedProvider, next: &str) -> Visit {
    let mut begun = None;
    until("the provider is known", || {
        let answer = get(front, &format!("/auth/login/corp{next}"), NAVIGATION);
        let is_known = answer.status == 303;
        begun = Some(answer);
        is_known
    });
    let begun = begun.unwrap();
    let to = location(&begun);
    let back = get(
        provider.address(),
        to.strip_prefix(&provider.issuer).unwrap(),
        "",
    );
    let back = location(&back);
    Visit {
        callback: back.strip_prefix("http://gateway.test").unwrap().to_owned(),
        cookie: cookies(&begun),
    }
}

pub fn come_back(gateway: &Gateway, visit: &Visit) -> Answer {
    come_back_through(gateway.address, visit)
}

pub fn come_back_through(front: SocketAddr, visit: &Visit) -> Answer {
    get(
        front,
        &visit.callback,
        &format!("{NAVIGATION}{}", visit.cookie),
    )
}

/// The next event of a sign-in that has failed, once the provider is known.
pub fn login_failed(gateway: &Gateway) -> Value {
    let mut failures = std::iter::repeat_with(|| gateway.named_event("login_failed"));
    let is_known = |event: &Value| !event.to_string().contains("metadata are not known yet");
    failures.find(is_known).unwrap()
}

pub fn session(answer: &Answer) -> String {
    format!("Cookie: {}\r\n", cookie_of(answer, "gatelatch"))
}

#[test]
fn an_answer_makes_a_session_once() {
    let provider = ScriptedProvider::start();
    let gateway = with(&provider, "").start();
    let visit = visit(&gateway, &provider, "?next=/jobs");
    let answer = come_back(&gateway, &visit);
    assert_eq!(
        (answer.status, &*location(&answer)),
        (303, "/jobs"),
        "{answer:?}"
    );
    let session = session(&answer);
    let jobs = open(&gateway, "/jobs", &session);
    assert_eq!((jobs.status, &*jobs.body), (200, "walter-1/staff/Walter"));
    let me = open(&gateway, "/auth/me", &session).json();
    assert_eq!(
        (&me["sub"], &me["email"]),
        (&json!("walter-1"), &json!("walter@example.com"))
    );
    // once more, by somebody who has seen it, and by the browser itself
    let stolen = open(&gateway, &visit.callback, "");
    assert_eq!(stolen.status, 303);
    assert!(
        location(&stolen).starts_with(&provider.issuer),
        "begun anew: {stolen:?}"
    );
    let again = come_back(&gateway, &visit);
    assert!(location(&again).starts_with(&provider.issuer), "{again:?}");
    let signed_in = format!(
        "{}; {}",
        visit.cookie.trim(),
        session.trim_start_matches("Cookie: ")
    );
    let reloaded = open(&gateway, &visit.callback, &signed_in);
    assert_eq!(location(&reloaded), "/jobs", "{reloaded:?}");
    assert_eq!(
        provider.received("/token").len(),
        1,
        "the code was sent once"
    );
    let event = gateway.named_event("login");
    assert_eq!(
        (&event["user"], &event["provider"]),
        (&json!("walter-1"), &json!("corp"))
    );
}

/// What the script is changed to, and what is said of it.
type Case = (&'static str, fn(&mut Script), &'static str);

#[test]
fn what_no_good_provider_sends_makes_no_session() {
    let provider = ScriptedProvider::start();
    let gateway = with(&provider, "").start();
    let cases: [Case; 14] = [
        (
            "nonce",
            |script| script.claims = json!({ "nonce": "other" }),
            "provider_invalid",
        ),
        (
            "no nonce",
            |script| script.claims = json!({ "nonce": null }),
            "provider_invalid",
        ),
        (
            "audience",
            |script| script.claims = json!({ "aud": "another client" }),
            "provider_invalid",
        ),
        (
            "a token of another client",
            |script| script.claims = json!({ "aud": ["gateway", "other"], "azp": "other" }),
            "provider_invalid",
        ),
        (
            "issuer",
            |script| script.claims = json!({ "iss": "http://elsewhere.test" }),
            "provider_invalid",
        ),
        (
            "expired",
            |script| script.claims = json!({ "exp": 1_700_000_000 }),
            "provider_invalid",
        ),
        (
            "access token of another",
            |script| script.claims = json!({ "at_hash": "AAAAAAAAAAAAAAAAAAAAAA" }),
            "provider_invalid",
        ),
        (
            "alg none",
            |script| script.signer = ScriptedSigner::Nobody,
            "provider_invalid",
        ),
        (
            "HS256 with the client secret",
            |script| {
                let key = gatelatch::token::Key::hs256(SECRET.as_bytes()).unwrap();
                script.signer = ScriptedSigner::Key(key);
            },
            "provider_invalid",
        ),
        (
            "mix-up",
            |script| script.callback = json!({ "iss": "http://elsewhere.test" }),
            "provider_invalid",
        ),
        (
            "no iss",
            |script| script.callback = json!({ "iss": null }),
            "provider_invalid",
        ),
        (
            "no ID token",
            |script| script.tokens = json!({ "id_token": null }),
            "provider_invalid",
        ),
        (
            "denied",
            |script| script.callback = json!({ "code": null, "error": "access_denied" }),
            "denied",
        ),
        (
            "garbage",
            |script| {
                let answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{]".to_vec();
                script.answers.insert("/token".to_owned(), answer);
            },
            "provider_away",
        ),
    ];
    for (name, change, reason) in cases {
        {
            let mut script = provider.script();
            script.signer = ScriptedSigner::Key(script.published[0].clone());
            (script.claims, script.callback, script.tokens) = (json!({}), json!({}), json!({}));
            script.answers.clear();
        }
        change(&mut provider.script());
        let visit = visit(&gateway, &provider, "?next=/jobs");
        let answer = come_back(&gateway, &visit);
        assert!(answer.status >= 400, "{name}: {answer:?}");
        let set = answer.headers("set-cookie").concat();
        assert!(!set.contains("gatelatch=ey"), "{name}: {set}");
        let event = login_failed(&gateway);
        assert_eq!(event["reason"], reason, "{name}: {event}");
        assert!(!event.to_string().contains(SECRET), "{name}");
    }
}

#[test]
fn a_person_of_the_list_signs_in_with_the_roles_of_the_list() {
    let provider = ScriptedProvider::start();
    provider.script().claims = json!({ "preferred_username": "rita" });
    let listed = ", subject: preferred_username, users: listed";
    let gateway = with(&provider, listed).start();
    let answer = come_back(&gateway, &visit(&gateway, &provider, "?next=/jobs"));
    let session = session(&answer);
    let jobs = open(&gateway, "/jobs", &session);
    assert_eq!(jobs.body, "rita/recruiter/Rita Recruiter");
    for (name, why) in [
        ("gone", "disabled"),
        ("walter", "nobody of this name"),
        ("Rita", "nobody of this name"),
    ] {
        provider.script().claims = json!({ "preferred_username": name });
        let answer = come_back(&gateway, &visit(&gateway, &provider, ""));
        assert_eq!(answer.status, 403, "{name}");
        assert!(
            answer.body.contains("may not sign in here") && answer.body.contains("?switch"),
            "{}",
            answer.body
        );
        let event = login_failed(&gateway);
        assert!(event["detail"].as_str().unwrap().contains(why), "{event}");
    }
    // the list is the truth at every request
    let users = gateway
        .read("users.yaml")
        .replace("roles: [recruiter], name", "roles: [admin], name");
    gateway.replace("users.yaml", &users);
    until("the list counts", || {
        open(&gateway, "/admin", &session).status == 200
    });
}

#[test]
fn nobody_of_a_provider_signs_in_under_a_name_of_the_list() {
    let provider = ScriptedProvider::start();
    let gateway = with(&provider, ", subject: preferred_username").start();
    for name in ["rita", "Rita", "gone"] {
        provider.script().claims = json!({ "preferred_username": name });
        let answer = come_back(&gateway, &visit(&gateway, &provider, ""));
        assert_eq!(answer.status, 403, "{name}");
        assert_eq!(login_failed(&gateway)["reason"], "not_allowed");
    }
}

/// A browser that follows every redirect, and a provider that asks nothing: neither would stop by itself.
#[test]
fn a_provider_that_answers_with_another_state_is_left_after_a_few_attempts() {
    let provider = ScriptedProvider::start();
    let gateway = with(&provider, "").start();
    provider.script().callback = json!({ "state": "abcdefghijklmnopqrstuv" });
    let mut visit = visit(&gateway, &provider, "?next=/jobs");
    let mut jar: BTreeMap<String, String> = BTreeMap::new();
    let keep = |jar: &mut BTreeMap<String, String>, line: &str| {
        let pairs = line.trim().trim_start_matches("Cookie: ").split("; ");
        let pairs = pairs.filter_map(|pair| pair.split_once('='));
        jar.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    };
    keep(&mut jar, &visit.cookie);
    for status in [303, 303, 502] {
        let pairs = jar.iter().map(|(name, value)| format!("{name}={value}"));
        visit.cookie = format!("Cookie: {}\r\n", pairs.collect::<Vec<_>>().join("; "));
        let answer = come_back(&gateway, &visit);
        assert_eq!(answer.status, status, "{answer:?}");
        if status == 502 {
            let event = login_failed(&gateway);
            assert_eq!(event["reason"], "provider_invalid", "{event}");
            assert!(event.to_string().contains("`state`"), "{event}");
            break;
        }
        keep(&mut jar, &cookies(&answer));
        let to = location(&answer);
        let to = to.strip_prefix(&provider.issuer).unwrap();
        let back = location(&get(provider.address(), to, ""));
        visit.callback = back.strip_prefix("http://gateway.test").unwrap().to_owned();
    }
    assert_eq!(provider.received("/authorize").len(), 3);
}

#[test]
fn rules_about_a_user_are_about_people_of_a_provider_until_the_list_has_the_name() {
    let provider = ScriptedProvider::start();
    let gateway = with(&provider, "").start();
    let session = session(&come_back(&gateway, &visit(&gateway, &provider, "")));
    for (path, status) in [
        ("/of/walter-1", 200),
        ("/named", 200),
        ("/of/rita", 403),
        ("/of/Walter-1", 403),
    ] {
        assert_eq!(open(&gateway, path, &session).status, status, "{path}");
    }
    let users = gateway.read("users.yaml");
    for name in ["walter-1", "Walter-1"] {
        let listed = format!("{users}\n  {name}: {{ roles: [admin] }}\n");
        gateway.replace("users.yaml", &listed);
        until("the session is refused", || {
            open(&gateway, "/of/walter-1", &session).status == 303
        });
        gateway.replace("users.yaml", &users);
        until("it counts again", || {
            open(&gateway, "/of/walter-1", &session).status == 200
        });
    }
}

#[test]
fn of_many_groups_those_fit_that_rules_name() {
    let provider = ScriptedProvider::start();
    let gateway = with(&provider, "").start();
    let mut groups: Vec<String> = (0..300).map(|n| format!("department-number-{n}")).collect();
    groups.push("admin".to_owned());
    provider.script().claims = json!({ "groups": groups });
    let answer = come_back(&gateway, &visit(&gateway, &provider, ""));
    let session = session(&answer);
    assert!(session.len() < 4096, "{}", session.len());
    let left_out = gateway.named_event("roles_left_out");
    assert_eq!(
        (
            &left_out["user"],
            &left_out["provider"],
            &left_out["left_out"]
        ),
        (&json!("walter-1"), &json!("corp"), &json!(300))
    );
    assert_eq!(
        open(&gateway, "/admin", &session).body,
        "walter-1/admin/Walter"
    );
}

#[test]
fn a_session_ends_with_its_provider_in_the_configuration() {
    let provider = ScriptedProvider::start();
    let gateway = with(&provider, "").start();
    let session = session(&come_back(&gateway, &visit(&gateway, &provider, "")));
    assert_eq!(open(&gateway, "/jobs", &session).status, 200);
    let config = gateway.read("gateway.yaml");
    gateway.replace(
        "gateway.yaml",
        &config.replace("client_id: gateway", "client_id: another"),
    );
    until("the session counts for nothing", || {
        open(&gateway, "/jobs", &session).status == 303
    });
    gateway.replace("gateway.yaml", &config);
    until("it counts again", || {
        open(&gateway, "/jobs", &session).status == 200
    });
}

#[test]
fn a_strict_cookie_comes_back_from_a_page_of_this_site() {
    let provider = ScriptedProvider::start();
    let gateway = with_auth(&provider, "", ", session: { same_site: strict }").start();
    let answer = come_back(&gateway, &visit(&gateway, &provider, "?next=/jobs%3Fa%3D1"));
    let told = (answer.status, answer.headers("refresh").concat());
    assert_eq!(told, (200, "0; url=/jobs?a=1".to_owned()), "{answer:?}");
    assert!(
        answer.body.contains("href=\"&#x2f;jobs?a=1\""),
        "{}",
        answer.body
    );
    assert!(
        answer
            .headers("set-cookie")
            .concat()
            .contains("SameSite=Strict")
    );
}

#[test]
fn signing_out_ends_the_session_here_first_and_leads_on_to_the_provider() {
    let provider = ScriptedProvider::start();
    let gateway = with(&provider, ", logout: provider").start();
    let answer = come_back(&gateway, &visit(&gateway, &provider, ""));
    let session = session(&answer);
    let out = submit(
        gateway.address,
        "/auth/logout",
        "",
        &format!("{session}Sec-Fetch-Site: same-origin\r\n"),
    );
    assert_eq!(out.status, 200, "{out:?}");
    let refresh = out.headers("refresh").concat();
    let begin = format!(
        "0; url={}/logout?client_id=gateway&post_logout_redirect_uri=http%3A%2F%2Fgateway.test%2Fauth%2Flogout&state=",
        provider.issuer
    );
    assert!(
        refresh.starts_with(&begin) && refresh.contains("&id_token_hint=ey"),
        "{refresh}"
    );
    assert_eq!(
        open(&gateway, "/jobs", &session).status,
        303,
        "it has ended whatever the provider does"
    );
    let back = open(&gateway, "/auth/logout?state=x", "");
    assert_eq!(location(&back), "/auth/login?signed-out");
    assert_eq!(gateway.named_event("logout")["event"], "logout");
}
