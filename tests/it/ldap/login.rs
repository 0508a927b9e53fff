//! Signing in at the gateway with a password of the directory.

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

use super::{GROUPS, PEOPLE, plain};
use crate::support::{
    Gateway, LDAP_PASSWORD, PASSWORD, Slapd, Tokens, Upstream, cookie_of, gateway, hash, log_out,
    post, refresh, send, submit, tokens, until,
};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /work, allow: { roles: [worker] } }
      - { path: \"/people/{id}\", allow: { user: \"{id}\" } }
      - { path: /alice, allow: { users: [alice] } }
      - { path: /, allow: authenticated }
";

const ROLES: &str = "roles: { staff: [worker], everyone: [member] }";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

/// A gateway with the default user list, and the people of a directory.
fn start(slapd: &Slapd, more: &str) -> (Upstream, Gateway) {
    let upstream = Upstream::saying("hi");
    let ldap = format!(
        "ldap: {{ {}, {PEOPLE}, {GROUPS}, {ROLES} }}{more}",
        plain(slapd)
    );
    let gateway = gateway(SERVICES).upstream(upstream.address).auth(&ldap);
    (upstream, gateway.start())
}

fn signed_in(gateway: &Gateway, user: &str) -> Tokens {
    Tokens::of(&gateway.login(user, LDAP_PASSWORD))
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[test]
fn people_of_the_directory_get_tokens_with_their_roles() {
    let Some(slapd) = Slapd::start() else { return };
    let (upstream, gateway) = start(&slapd, "");
    let alice = signed_in(&gateway, "ALICE");
    let said = claims(&alice.access);
    assert_eq!(
        (&said["sub"], &said["idp"]),
        (&"alice".into(), &"ldap".into())
    );
    assert_eq!(said["roles"], serde_json::json!(["worker", "member"]));
    assert_eq!(
        (&said["name"], &said["email"]),
        (&"Alice Doe".into(), &"alice@example.com".into())
    );
    for (path, status) in [
        ("/work", 200),
        ("/people/alice", 200),
        ("/people/bob", 403),
        ("/alice", 200),
        ("/", 200),
    ] {
        assert_eq!(gateway.get(path, &alice.bearer()).status, status, "{path}");
    }
    let received = upstream.received();
    let last = received.last().unwrap();
    assert_eq!(last.fields("remote-user"), ["alice"]);
    assert_eq!(last.fields("remote-groups"), ["worker,member"]);
    assert_eq!(last.fields("remote-email"), ["alice@example.com"]);
    // as a token endpoint of OAuth, too
    let form = format!(
        "grant_type=password&username=carol&password={}",
        LDAP_PASSWORD.replace(' ', "+")
    );
    let carol = post(gateway.address, "/auth/token", FORM, &form);
    assert_eq!(
        gateway
            .get("/people/carol", &Tokens::of(&carol).bearer())
            .status,
        200
    );
    // the users of the list are who they were
    assert_eq!(
        gateway.get("/", &tokens(&gateway, "rita").bearer()).status,
        200
    );
    let listed = send(
        gateway.admin,
        format!(
            "GET /api/sessions?provider=ldap HTTP/1.1\r\nHost: {}\r\n\r\n",
            gateway.admin
        ),
    );
    let listed = listed.json();
    let sessions = listed["sessions"].as_array().unwrap().iter();
    let mut users: Vec<_> = sessions
        .map(|one| (one["user"].as_str().unwrap(), one["kind"].as_str().unwrap()))
        .collect();
    users.sort_unstable();
    assert_eq!(users, [("alice", "tokens"), ("carol", "tokens")]);
    assert_eq!(log_out(&gateway, &alice).status, 204);
    assert_eq!(gateway.get("/", &alice.bearer()).status, 401);
}

#[test]
fn what_is_refused_looks_alike() {
    let Some(slapd) = Slapd::start() else { return };
    let (_upstream, gateway) = start(&slapd, "");
    let refused = |user: &str, password: &str| {
        let answer = gateway.login(user, password);
        (
            answer.status,
            answer.body.clone(),
            answer.header("www-authenticate").to_owned(),
        )
    };
    let expected = refused("rita", "wrong");
    assert_eq!(expected.0, 401);
    for (user, password) in [
        ("alice", "wrong"),
        ("nobody", LDAP_PASSWORD),
        ("twin", LDAP_PASSWORD),
        ("bob", LDAP_PASSWORD),
        ("gone", PASSWORD),
        ("%2A", LDAP_PASSWORD),
        ("alice%29%28uid%3D%2A", LDAP_PASSWORD),
    ] {
        assert_eq!(refused(user, password), expected, "{user}");
    }
    assert_eq!(gateway.login("alice", "").status, 422);
}

#[test]
fn names_of_the_list_come_first() {
    let Some(slapd) = Slapd::start() else { return };
    let upstream = Upstream::saying("hi");
    let users = |more: &str| {
        format!(
            "users:\n  carol: {{ password: \"{}\", roles: [worker] }}\n{more}",
            hash()
        )
    };
    let ldap = format!("ldap: {{ {}, {PEOPLE} }}", plain(&slapd));
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .auth(&ldap)
        .users(&users(""));
    let gateway = gateway.start();
    // the list has her password, whatever the directory says
    assert_eq!(gateway.login("carol", LDAP_PASSWORD).status, 401);
    let carol = Tokens::of(&gateway.login("carol", PASSWORD));
    assert_eq!(claims(&carol.access)["idp"], Value::Null);
    // nor in another spelling
    for name in ["CAROL", "+carol", "Carol"] {
        assert_eq!(gateway.login(name, LDAP_PASSWORD).status, 401, "{name}");
    }
    let alice = signed_in(&gateway, "alice");
    assert_eq!(gateway.get("/", &alice.bearer()).status, 200);
    // a user of that name is added: the token was for somebody else
    gateway.replace(
        "users.yaml",
        &users(&format!("  alice: {{ password: \"{}\" }}\n", hash())),
    );
    gateway.event("configuration reloaded");
    assert_eq!(gateway.get("/", &alice.bearer()).status, 401);
    assert_eq!(refresh(&gateway, &alice.refresh).status, 401);
    assert_eq!(gateway.login("alice", LDAP_PASSWORD).status, 401);
    assert_eq!(gateway.login("alice", PASSWORD).status, 200);
}

#[test]
fn a_refresh_asks_the_directory_again() {
    let Some(mut slapd) = Slapd::start() else {
        return;
    };
    let (_upstream, gateway) = start(&slapd, "");
    let first = signed_in(&gateway, "alice");
    let second = Tokens::of(&refresh(&gateway, &first.refresh));
    assert_eq!(
        claims(&second.access)["roles"],
        serde_json::json!(["worker", "member"])
    );
    // out of the group
    slapd.modify("dn: cn=Staff,ou=groups,dc=example,dc=com\nchangetype: modify\ndelete: member\nmember: uid=alice,ou=people,dc=example,dc=com\n-\n\n");
    assert_eq!(gateway.get("/work", &second.bearer()).status, 200);
    let third = Tokens::of(&refresh(&gateway, &second.refresh));
    assert_eq!(claims(&third.access)["roles"], serde_json::json!([]));
    assert_eq!(gateway.get("/work", &third.bearer()).status, 403);
    // away: nothing is spent
    slapd.stop();
    for _ in 0..3 {
        let away = refresh(&gateway, &third.refresh);
        assert_eq!(
            (away.status, away.header("retry-after")),
            (503, "2"),
            "{away:?}"
        );
    }
    assert_eq!(gateway.get("/", &third.bearer()).status, 200);
    slapd.restart();
    let fourth = Tokens::of(&refresh(&gateway, &third.refresh));
    // disabled, without a password being typed
    slapd.modify("dn: uid=alice,ou=people,dc=example,dc=com\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: 514\n-\n\n");
    assert_eq!(refresh(&gateway, &fourth.refresh).status, 401);
    // its session has ended
    assert_eq!(gateway.get("/", &fourth.bearer()).status, 401);
    // gone
    let carol = signed_in(&gateway, "carol");
    slapd.modify("dn: cn=Doe\\2C Carol,ou=people,dc=example,dc=com\nchangetype: delete\n\n");
    assert_eq!(refresh(&gateway, &carol.refresh).status, 401);
}

#[test]
fn a_directory_that_is_away_is_no_wrong_password() {
    let Some(mut slapd) = Slapd::start() else {
        return;
    };
    let (_upstream, gateway) = start(&slapd, ", login: { attempts: 2 }");
    let alice = signed_in(&gateway, "alice");
    slapd.stop();
    for _ in 0..4 {
        let away = gateway.login("alice", LDAP_PASSWORD);
        assert_eq!((away.status, away.header("retry-after")), (503, "2"));
        assert_eq!(away.json()["error"], "temporarily_unavailable");
    }
    let event = gateway.named_event("ldap_unavailable");
    assert!(
        event["reason"].as_str().unwrap().contains("no connection"),
        "{event}"
    );
    let metrics = gateway.metrics();
    for line in [
        "gatelatch_provider_up{provider=\"ldap\"} 0",
        "gatelatch_provider_requests_total{provider=\"ldap\",operation=\"search\",result=\"success\"} 1",
        "gatelatch_provider_requests_total{provider=\"ldap\",operation=\"bind\",result=\"success\"} 1",
        "gatelatch_provider_requests_total{provider=\"ldap\",operation=\"search\",result=\"unavailable\"} 4",
    ] {
        assert!(
            metrics.lines().any(|written| written == line),
            "{line}: {metrics}"
        );
    }
    // the list is there, and so is whoever has signed in
    assert_eq!(
        gateway.get("/", &tokens(&gateway, "rita").bearer()).status,
        200
    );
    assert_eq!(gateway.get("/work", &alice.bearer()).status, 200);
    // to people it is a page
    let form = format!(
        "username=alice&password={}&next=%2F",
        LDAP_PASSWORD.replace(' ', "+")
    );
    let page = submit(
        gateway.address,
        "/auth/login",
        &form,
        "Sec-Fetch-Site: same-origin\r\n",
    );
    assert_eq!(page.status, 503);
    assert!(
        page.body.contains("Signing in is not possible right now"),
        "{page:?}"
    );
    slapd.restart();
    assert_eq!(gateway.login("alice", LDAP_PASSWORD).status, 200);
}

#[test]
fn attempts_are_not_multiplied_by_spellings() {
    let Some(slapd) = Slapd::start() else { return };
    let (_upstream, gateway) = start(&slapd, ", login: { attempts: 5 }");
    for name in ["alice", "ALICE", "+alice", "Alice+", "%EF%BD%81lice"] {
        assert_eq!(gateway.login(name, "wrong").status, 401, "{name}");
    }
    for name in ["alice", "aLiCe", "++alice", "al%C2%ADice"] {
        let held = gateway.login(name, LDAP_PASSWORD);
        assert_eq!(held.status, 429, "{name}");
    }
    // others are not held
    assert_eq!(gateway.login("carol", LDAP_PASSWORD).status, 200);
}

#[test]
fn attempts_are_not_multiplied_by_second_names() {
    let Some(slapd) = Slapd::start() else { return };
    let people = PEOPLE.replace(" }", ", filter: \"(|(uid={username})(mail={username}))\" }");
    let upstream = Upstream::saying("hi");
    let ldap = format!(
        "ldap: {{ {}, {people} }}, login: {{ attempts: 4 }}",
        plain(&slapd)
    );
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .auth(&ldap)
        .start();
    assert_eq!(
        gateway.login("alice@example.com", LDAP_PASSWORD).status,
        200
    );
    for name in ["alice", "alice@example.com", "alice", "alice@EXAMPLE.com"] {
        assert_eq!(gateway.login(name, "wrong").status, 401, "{name}");
    }
    assert_eq!(gateway.login("alice", LDAP_PASSWORD).status, 429);
    // held as well, but 429 would tell that both are one
    assert_eq!(
        gateway.login("alice@example.com", LDAP_PASSWORD).status,
        401
    );
}

#[test]
fn people_of_the_directory_sign_in_with_a_browser() {
    let Some(slapd) = Slapd::start() else { return };
    let (_upstream, gateway) = start(&slapd, "");
    let form = format!(
        "username=Alice&password={}&next=%2Fwork",
        LDAP_PASSWORD.replace(' ', "+")
    );
    let answer = submit(
        gateway.address,
        "/auth/login",
        &form,
        "Sec-Fetch-Site: same-origin\r\n",
    );
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/work"),
        "{answer:?}"
    );
    let cookie = format!("Cookie: {}\r\n", cookie_of(&answer, "gatelatch"));
    for (path, status) in [
        ("/work", 200),
        ("/people/alice", 200),
        ("/people/carol", 403),
    ] {
        assert_eq!(gateway.get(path, &cookie).status, status, "{path}");
    }
    let wrong = form.replace("directory", "house");
    let answer = submit(
        gateway.address,
        "/auth/login",
        &wrong,
        "Sec-Fetch-Site: same-origin\r\n",
    );
    assert_eq!(answer.status, 401);
    assert!(
        answer
            .body
            .contains("The user name or the password is wrong.")
    );
}

#[test]
fn a_directory_that_is_another_one_vouches_for_nobody_of_the_former() {
    let Some(slapd) = Slapd::start() else { return };
    let (_upstream, gateway) = start(&slapd, "");
    let alice = signed_in(&gateway, "alice");
    assert_eq!(gateway.get("/", &alice.bearer()).status, 200);
    let text = gateway.read("gateway.yaml");
    gateway.replace("gateway.yaml", &text.replace("ou=people,", ""));
    gateway.event("configuration reloaded");
    assert_eq!(gateway.get("/", &alice.bearer()).status, 401);
}

#[test]
fn a_request_of_somebody_of_the_directory_is_explained() {
    let Some(mut slapd) = Slapd::start() else {
        return;
    };
    let (_upstream, gateway) = start(&slapd, "");
    let config = gateway.path("gateway.yaml");
    let explain = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatelatch"));
        command
            .args(["explain", "GET", "/work", "--provider", "ldap"])
            .args(more);
        let output = command.arg("--config").arg(&config).output().unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        (output.status.code(), said.into_owned())
    };
    for (arguments, code, word) in [
        (&["--as", "alice"][..], 0, "`alice` of `ldap`"),
        (&["--as", "nobody"], 3, "does not find them"),
        // names of the list come first: nobody of the directory has one
        (
            &["--as", "rita"],
            3,
            "`rita` of `ldap`, who is refused: a user of the list has the name of its subject",
        ),
        (&["--as", "zoe", "--groups", "staff"], 0, "`zoe` of `ldap`"),
        (&["--as", "zoe", "--groups", "other"], 4, "`zoe` of `ldap`"),
    ] {
        let (status, said) = explain(arguments);
        assert_eq!(status, Some(code), "{arguments:?}: {said}");
        assert!(said.contains(word), "{arguments:?}: {said}");
    }
    slapd.stop();
    let (status, said) = explain(&["--as", "alice"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("cannot be asked"), "{said}");
    assert_eq!(explain(&["--as", "zoe", "--groups", "staff"]).0, Some(0));
}

#[test]
fn a_browsers_session_is_looked_up_again_beside_requests() {
    let Some(mut slapd) = Slapd::start() else {
        return;
    };
    let upstream = Upstream::saying("hi");
    let ldap = format!(
        "ldap: {{ {}, {PEOPLE}, {GROUPS}, {ROLES}, refresh: 1s, timeout: 1s }}",
        plain(&slapd)
    );
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .auth(&ldap)
        .start();
    let browser = |user: &str| {
        let form = format!(
            "username={user}&password={}&next=%2F",
            LDAP_PASSWORD.replace(' ', "+")
        );
        let answer = submit(
            gateway.address,
            "/auth/login",
            &form,
            "Sec-Fetch-Site: same-origin\r\n",
        );
        assert_eq!(answer.status, 303, "{answer:?}");
        format!("Cookie: {}\r\n", cookie_of(&answer, "gatelatch"))
    };
    let (alice, carol) = (browser("alice"), browser("carol"));
    let status = |path: &str, cookie: &str| gateway.get(path, cookie).status;
    assert_eq!(
        (status("/work", &alice), status("/work", &carol)),
        (200, 200)
    );
    // the directory is away: the sessions live on
    slapd.stop();
    let is_away = "gatelatch_provider_up{provider=\"ldap\"} 0";
    until("a directory that is away", || {
        assert_eq!(status("/work", &alice), 200);
        gateway.metrics().contains(is_away)
    });
    for _ in 0..20 {
        assert_eq!(
            (status("/work", &alice), status("/work", &carol)),
            (200, 200)
        );
    }
    slapd.restart();
    // out of the group: 403 as soon as the directory has been asked
    slapd.modify("dn: cn=Staff,ou=groups,dc=example,dc=com\nchangetype: modify\ndelete: member\nmember: uid=alice,ou=people,dc=example,dc=com\n-\n\n");
    until("the roles of now", || status("/work", &alice) == 403);
    assert_eq!(status("/", &alice), 200);
    // disabled: signed out
    slapd.modify("dn: uid=alice,ou=people,dc=example,dc=com\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: 514\n-\n\n");
    until("the end of the session", || status("/", &alice) == 401);
    assert_eq!(status("/work", &carol), 200);
}

/// Under several names: a lockout of one of them forgets what was checked under it.
#[test]
fn http_basic_asks_the_directory_once_and_again_after_its_refresh() {
    let Some(slapd) = Slapd::start() else { return };
    let upstream = Upstream::saying("hi");
    let users = "users: { base: \"ou=people,dc=example,dc=com\", filter: \"(|(uid={username})(mail={username}))\" }";
    let ldap = format!(
        "ldap: {{ {}, {users}, {GROUPS}, {ROLES}, refresh: 5s }}, credentials: [basic], login: {{ attempts: 2, lockout: 5m }}",
        plain(&slapd)
    );
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .auth(&ldap)
        .start();
    let ask = |name: &str, password: &str| {
        let pair = STANDARD.encode(format!("{name}:{password}"));
        gateway
            .get("/work", &format!("Authorization: Basic {pair}\r\n"))
            .status
    };
    let logins = || gateway.metric("gatelatch_logins_total{outcome=\"success\"}");
    assert_eq!(ask("alice", LDAP_PASSWORD), 200);
    assert_eq!(ask("alice", LDAP_PASSWORD), 200);
    until("it is asked again", || {
        assert_eq!(ask("alice", LDAP_PASSWORD), 200);
        logins() >= 2.0
    });
    let mail = "alice@example.com";
    assert_eq!(ask(mail, LDAP_PASSWORD), 200);
    assert_eq!(
        upstream.received().last().unwrap().fields("remote-user"),
        ["alice"]
    );
    assert_eq!([ask(mail, "1"), ask(mail, "2")], [401, 401]);
    assert_eq!(ask(mail, "3"), 429);
    assert_eq!(ask(mail, LDAP_PASSWORD), 429, "a guesser learns nothing");
}
