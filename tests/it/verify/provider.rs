//! Signing in with an OpenID provider behind other proxies, with the configurations that are handed out.

use serde_json::json;

use super::fronts::{Front, Proxy};
use crate::providers::{browse, corp, register, serve};
use crate::support::{OpenIdProvider, Upstream, gateway, program};

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
