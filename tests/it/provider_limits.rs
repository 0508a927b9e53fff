//! Where a sign-in with a provider ends before it is one: hosts that nobody has configured, and more than a cookie holds.

use std::process::Command;

use serde_json::json;

use crate::provider_sign_in::{come_back, login_failed, open, visit};
use crate::support::{
    Answer, Connection, Gateway, GatewayBuilder, NAVIGATION, ScriptedProvider, Upstream, gateway,
    until,
};

/// A gateway with these services, and the provider beside passwords.
fn with(provider: &ScriptedProvider, services: &str, auth: &str) -> GatewayBuilder {
    gateway(services)
        .upstream(Upstream::saying("hi").address)
        .auth(&format!(
            "providers: [{{ name: corp, title: Corp, issuer: \"{}\", client_id: gateway, client_secret: a-secret-of-a-client,
               scopes: [openid] }}]{auth}",
            provider.issuer
        ))
}

/// A page that a browser opens on this host.
fn open_at(gateway: &Gateway, host: &str, path: &str, fields: &str) -> Answer {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{NAVIGATION}{fields}\r\n");
    Connection::open(gateway.address).write(request).read()
}

/// Whoever gives this address a name of their own gets no redirect URI made of it, even where the provider would take it.
#[test]
fn a_sign_in_begins_on_hosts_of_the_configuration_alone() {
    let provider = ScriptedProvider::start();
    let services = "
  app:
    hosts: [gateway.test, \"*.apps.test\"]
    upstream: http://UPSTREAM
    rules: [ { path: /jobs, allow: authenticated } ]
";
    let gateway = with(&provider, services, ", session: { domain: example.test }").start();
    let visit = visit(&gateway, &provider, "?next=/jobs");
    for (host, status) in [
        ("gateway.test", 303),
        ("GATEWAY.test:8443", 303),
        ("a.apps.test", 303),
        // the session is of all hosts there, whether or not a service has them
        ("example.test", 303),
        ("auth.example.test", 303),
        ("apps.test", 404),
        ("evil.test", 404),
        ("gateway.test.evil.test", 404),
        ("evilexample.test", 404),
        ("127.0.0.1", 404),
    ] {
        let answer = open_at(&gateway, host, "/auth/login/corp", "");
        assert_eq!(answer.status, status, "{host}: {answer:?}");
        let names = answer
            .headers("location")
            .concat()
            .contains("redirect_uri=");
        assert_eq!(names, status == 303, "{host}: {answer:?}");
    }
    // nor does an answer that was made for another host count there
    let (path, cookie) = visit.brought();
    let elsewhere = open_at(&gateway, "evil.test", path, cookie);
    assert_eq!(elsewhere.status, 404, "{elsewhere:?}");
    assert!(provider.received("/token").is_empty());
    assert_eq!(come_back(&gateway, &visit).status, 303);
}

/// Every group is a role that a rule names: none can be left out.
#[test]
fn more_than_a_cookie_holds_is_said_on_a_page() {
    let provider = ScriptedProvider::start();
    let roles: Vec<String> = (0..300).map(|n| format!("department-number-{n}")).collect();
    let services = format!(
        "
  app:
    upstream: http://UPSTREAM
    rules: [ {{ path: /jobs, allow: {{ roles: [{}] }} }} ]
",
        roles.join(", ")
    );
    let gateway = with(&provider, &services, "").start();
    provider.script().claims = json!({ "groups": roles });
    let answer = come_back(&gateway, &visit(&gateway, &provider, "?next=/jobs"));
    assert_eq!(answer.status, 500, "{answer:?}");
    let sentence = "Corp says more about you, such as your groups, than a browser can keep. Please tell the operator of this site.";
    assert!(answer.body.contains(sentence), "{}", answer.body);
    let set = answer.headers("set-cookie").concat();
    assert!(!set.contains("gatelatch=ey"), "{set}");
    let event = login_failed(&gateway);
    assert_eq!(event["reason"], "too_large", "{event}");
    let detail = event["detail"].as_str().unwrap();
    assert!(detail.contains(" bytes, with 300 roles"), "{detail}");
    // fewer groups, and the same person is in
    provider.script().claims = json!({ "groups": roles[..20] });
    let answer = come_back(&gateway, &visit(&gateway, &provider, "?next=/jobs"));
    assert_eq!(answer.headers("location"), ["/jobs"], "{answer:?}");
    // and it was foreseen
    let mut check = Command::new(env!("CARGO_BIN_EXE_gatelatch"));
    check
        .args(["check", "--config"])
        .arg(gateway.path("gateway.yaml"));
    let said = check.output().unwrap();
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    let expected = "warning[crowded-session]: somebody of the provider `corp` with all 300 roles that rules name cannot sign in";
    assert!(said.contains(expected), "{said}");
}

/// A provider that takes its time keeps those who sign in waiting, and nobody else.
#[test]
fn a_slow_provider_is_waited_for_by_its_own_sign_ins_alone() {
    let provider = ScriptedProvider::start();
    let services = "
  app:
    upstream: http://UPSTREAM
    rules: [ { path: /jobs, allow: authenticated }, { path: /open, allow: anyone } ]
";
    let gateway = with(&provider, services, "").workers(1).start();
    let visit = visit(&gateway, &provider, "?next=/jobs");
    let hold = provider.hold("/token");
    let (path, cookie) = visit.brought();
    let request = format!("GET {path} HTTP/1.1\r\nHost: gateway.test\r\n{NAVIGATION}{cookie}\r\n");
    let mut waiting = Connection::open(gateway.address);
    waiting.write(request);
    until("the provider is asked", || {
        !provider.received("/token").is_empty()
    });
    for _ in 0..20 {
        assert_eq!(open(&gateway, "/open", "").status, 200);
        assert_eq!(open(&gateway, "/jobs", "").status, 303);
    }
    drop(hold);
    let answer = waiting.read();
    assert_eq!(answer.headers("location"), ["/jobs"], "{answer:?}");
}

/// Whoever runs the gateway reads which clock is wrong, and by how much.
#[test]
fn a_clock_that_is_wrong_is_named() {
    let provider = ScriptedProvider::start();
    let services = "
  app:
    upstream: http://UPSTREAM
    rules: [ { path: /jobs, allow: authenticated } ]
";
    let gateway = with(&provider, services, "").start();
    let now = gatelatch::ambient::unix_seconds();
    for (issued_at, said) in [
        (now + 300, "in the future: one of the clocks is wrong"),
        (now - 300, "it has expired; by this clock it was issued 30"),
    ] {
        provider.script().claims = json!({ "iat": issued_at, "exp": issued_at + 120 });
        let answer = come_back(&gateway, &visit(&gateway, &provider, ""));
        assert_eq!(answer.status, 502, "{answer:?}");
        let event = login_failed(&gateway);
        assert_eq!(event["reason"], "provider_invalid", "{event}");
        let detail = event["detail"].as_str().unwrap();
        assert!(detail.contains(said), "{detail}");
    }
    provider.script().claims = json!({});
    let answer = come_back(&gateway, &visit(&gateway, &provider, ""));
    assert_eq!(
        answer.status, 303,
        "nothing of it is remembered: {answer:?}"
    );
}
