//! Signing in with an OpenID provider behind other proxies, with the configurations that are handed out.

use serde_json::json;

use super::fronts::{Front, Proxy};
use crate::provider_sign_in::{come_back_through, session, visit_through, with_auth};
use crate::providers::{browse, corp, register, serve};
use crate::support::{
    NAVIGATION, OpenIdProvider, ScriptedProvider, Upstream, gateway, get, ok, program, until,
};

const SERVICES: &str = "
  app:
    hosts: [app.test]
    upstream: http://UPSTREAM
    rules:
      - { path: /jobs, methods: [GET], allow: authenticated }
";

fn people_sign_in_behind(start: fn(&Front) -> Option<Proxy>) {
    let (Some(_), Some(mut provider)) = (program("chromium"), OpenIdProvider::start()) else {
        return;
    };
    let app = Upstream::new(serve);
    let gateway = gateway(SERVICES)
        .upstream(app.address)
        .server("trusted_proxies: [127.0.0.1]")
        .auth(&corp(&provider, ""))
        .start();
    let front = Front {
        gateway: gateway.address,
        app: app.address,
        folder: gateway.path("front"),
    };
    let Some(proxy) = start(&front) else {
        return;
    };
    let origin = format!("http://app.test:{}", proxy.address.port());
    register(&mut provider, &origin, &["authorization_code"]);
    let Some(found) = browse(&origin, "front") else {
        return;
    };
    let landed = json!(["/jobs?page=2", "ann@example.com with recruiter"]);
    assert_eq!(found["landed"], landed);
    assert_eq!(found["out"], "You are signed out.");
    assert_eq!(found["asked"], 1);
}

#[test]
fn people_sign_in_with_a_provider_behind_nginx() {
    people_sign_in_behind(Front::nginx);
}

#[test]
fn people_sign_in_with_a_provider_behind_caddy() {
    people_sign_in_behind(Front::caddy);
}

/// The head of an answer holds a cookie of nearly 4 KiB, and the groups once more.
#[test]
fn a_session_of_many_groups_begins_and_is_renewed_behind_nginx() {
    let provider = ScriptedProvider::start();
    let app = Upstream::new(|request| ok(&request.fields("remote-groups").concat()));
    let gateway = with_auth(&provider, "", ", verify: x-original")
        .upstream(app.address)
        .server("trusted_proxies: [127.0.0.1]")
        .auth_token("access_ttl: 3s")
        .start();
    let front = Front {
        gateway: gateway.address,
        app: app.address,
        folder: gateway.path("front"),
    };
    let Some(proxy) = front.nginx() else {
        return;
    };
    let groups: Vec<String> = (0..85)
        .map(|n| format!("department-number-{n:04}"))
        .collect();
    provider.script().claims = json!({ "groups": groups });
    let visit = visit_through(proxy.address, &provider, "?next=/jobs");
    let landed = come_back_through(proxy.address, &visit);
    assert_eq!(landed.status, 303, "{landed:?}");
    let mut session = session(&landed);
    assert!(session.len() > 3000, "{}", session.len());
    for _ in 0..2 {
        let mut renewed = None;
        until("the session is renewed", || {
            let jobs = get(proxy.address, "/jobs", &format!("{NAVIGATION}{session}"));
            assert_eq!((jobs.status, &*jobs.body), (200, &*groups.join(",")));
            renewed = jobs.headers("set-cookie").first().map(|line| {
                let pair = line.split(';').next().unwrap();
                format!("Cookie: {pair}\r\n")
            });
            renewed.is_some()
        });
        session = renewed.unwrap();
    }
}
