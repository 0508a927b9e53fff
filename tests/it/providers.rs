//! Signing in with a real OpenID provider, npm's `oidc-provider`, through a real browser.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{
    Gateway, GatewayBuilder, OpenIdProvider, Received, Upstream, gateway, ok, output, program,
    python,
};

pub const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /jobs, allow: authenticated }
      - { path: /admin/**, allow: { roles: [admin] } }
      - { path: /favicon.ico, allow: anyone }
";

pub const SECRET: &str = "the secret of the gateway as a client of the provider";

/// Runs a part of the script with a browser; `None` where there is none. `GATELATCH_TEST_PICTURES` names a folder for
/// pictures.
pub fn browse(address: &str, part: &str) -> Option<Value> {
    let (python, chromium) = (python()?, program("chromium")?);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/provider.py");
    let mut command = Command::new(python);
    command.arg(script).arg(address).arg(chromium).arg(part);
    command.args(std::env::var_os("GATELATCH_TEST_PICTURES"));
    Some(serde_json::from_str(&output(&mut command)).unwrap())
}

/// The provider in `auth`; `more` are further keys of it.
pub fn corp(provider: &OpenIdProvider, more: &str) -> String {
    format!(
        "providers: [{{ name: corp, title: Corporate account, issuer: \"{}\", client_id: gateway, client_secret: \"{SECRET}\",
           scopes: [openid, profile, email, groups], subject: email,
           roles: {{ staff: [recruiter], admin: [admin] }}, allow: {{ groups: [staff, admin] }}{more} }}]",
        provider.issuer
    )
}

/// The gateway as a client of the provider, at this origin.
pub fn register(provider: &mut OpenIdProvider, origin: &str, grants: &[&str]) {
    provider.register(&json!({
        "client_id": "gateway",
        "client_secret": SECRET,
        "grant_types": grants,
        "response_types": ["code"],
        "redirect_uris": [format!("{origin}/auth/callback/corp")],
        "post_logout_redirect_uris": [format!("{origin}/auth/logout")],
        "backchannel_logout_uri": format!("{origin}/auth/backchannel/corp"),
        "backchannel_logout_session_required": true,
    }));
}

/// An application that says whom it serves.
pub fn serve(request: &Received) -> Vec<u8> {
    let told = |name: &str| request.fields(name).concat();
    ok(&format!(
        "{} with {}",
        told("remote-user"),
        told("remote-groups")
    ))
}

fn signing_in(provider: &OpenIdProvider, more: &str) -> GatewayBuilder {
    gateway(SERVICES)
        .upstream(Upstream::new(serve).address)
        .auth(&corp(provider, more))
}

/// The real parts: a provider, a gateway that is registered there, and what the browser found.
fn run(
    part: &str,
    grants: &[&str],
    build: impl FnOnce(&OpenIdProvider) -> GatewayBuilder,
) -> Option<(Gateway, Value)> {
    program("chromium")?;
    let mut provider = OpenIdProvider::start()?;
    let gateway = build(&provider).start();
    let origin = format!("http://{}", gateway.address);
    register(&mut provider, &origin, grants);
    let found = browse(&origin, part)?;
    Some((gateway, found))
}

const CODE: [&str; 1] = ["authorization_code"];
const CODE_AND_REFRESH: [&str; 2] = ["authorization_code", "refresh_token"];

#[test]
fn people_sign_in_with_a_real_provider() {
    let Some((gateway, found)) = run("whole", &CODE_AND_REFRESH, |provider| {
        signing_in(provider, "")
    }) else {
        return;
    };
    for look in found["looks"].as_array().unwrap() {
        assert_eq!(look["overflow"], false, "{look}");
        assert!(
            look["tall"].as_f64().unwrap() >= 44.0,
            "a thumb finds it: {look}"
        );
        let text = look["text"].as_str().unwrap();
        for part in ["Corporate account", "or with a password", "User name"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
    assert_eq!(found["sent_to"], "/auth/login?next=/jobs%3Fpage%3D2");
    assert_eq!(found["pending"], json!([[true, "Lax"]]));
    assert_eq!(
        found["refused"],
        json!([
            "/auth/callback/corp",
            "You were not signed in with Corporate account. Please try again if you want to.",
            0
        ])
    );
    assert_eq!(
        found["second"],
        json!(["/jobs?page=3", "ann@example.com with recruiter"])
    );
    assert_eq!(
        found["first"],
        json!(["/jobs?page=2", "ann@example.com with recruiter"])
    );
    assert_eq!(found["cookies"], json!(["gatelatch", "gatelatch-signin"]));
    assert_eq!(
        (&found["replayed"], &found["anew"]),
        (&json!("/auth/account"), &json!("/auth/account"))
    );
    let account = found["account"].as_str().unwrap();
    for part in [
        "ann of the provider (ann@example.com)",
        "Corporate account, in this browser",
        "recruiter",
    ] {
        assert!(account.contains(part), "{part}: {account}");
    }
    assert_eq!(
        found["switched"],
        json!(["/admin/users", "bea@example.com with admin"])
    );
    assert_eq!(
        found["out"],
        json!(["/auth/login?signed-out", "You are signed out."])
    );
    assert_eq!(
        found["in_again"], "/auth/account",
        "the provider asks nothing"
    );
    assert_eq!(
        found["ended"], "/auth/login?next=/jobs",
        "the provider has said so"
    );
    let refused = found["not_allowed"].as_str().unwrap();
    assert!(refused.contains("may not sign in here"), "{refused}");
    let line = gateway.line("/admin/users");
    assert_eq!(
        (&line["user"], &line["provider"]),
        (&json!("ann@example.com"), &json!("corp"))
    );
    for (outcome, least) in [("success", 4.0), ("denied", 5.0)] {
        let series =
            format!("gatelatch_provider_logins_total{{provider=\"corp\",outcome=\"{outcome}\"}}");
        assert!(gateway.metric(&series) >= least, "{series}");
    }
}

#[test]
fn where_there_is_one_provider_alone_browsers_go_straight_on_and_sign_out_there_too() {
    let nobody = "users:\n  robot: { roles: [recruiter] }\n";
    let build =
        |provider: &OpenIdProvider| signing_in(provider, ", logout: provider").users(nobody);
    let Some((_gateway, found)) = run("alone", &CODE_AND_REFRESH, build) else {
        return;
    };
    assert_eq!(found["straight_on"], true);
    assert_eq!(
        found["landed"],
        json!(["/jobs?page=2", "ann@example.com with recruiter"])
    );
    assert_eq!(
        found["out"],
        json!(["/auth/login?signed-out", "You are signed out."])
    );
    assert_eq!(
        (&found["asked_again"], &found["local"]),
        (&json!(1), &json!(1))
    );
}

#[test]
fn a_session_without_a_refresh_token_is_renewed_without_a_question() {
    let build = |provider: &OpenIdProvider| signing_in(provider, ", refresh: 2s");
    let Some((_gateway, found)) = run("renewal", &CODE, build) else {
        return;
    };
    assert_eq!(found["renewed"], true, "{found}");
    assert_eq!(found["places"], json!(["/jobs?page=2"]), "nobody is asked");
    assert_eq!(found["told"], "ann@example.com with recruiter");
    assert_eq!(found["callbacks"], 2, "the browser passes the provider");
}

#[test]
fn a_session_with_a_refresh_token_is_confirmed_beside_requests() {
    let build = |provider: &OpenIdProvider| signing_in(provider, ", refresh: 3s");
    let Some((_gateway, found)) = run("renewal", &CODE_AND_REFRESH, build) else {
        return;
    };
    assert_eq!(found["renewed"], true, "{found}");
    assert_eq!(found["told"], "ann@example.com with recruiter");
    assert_eq!(found["callbacks"], 1, "the browser stays");
}
