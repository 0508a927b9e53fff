//! Two replicas over a real Redis, with a real OpenID provider, through a real browser: what happens at one counts at the other.

use serde_json::{Value, json};

use crate::providers::{SECRET, SERVICES, browse, corp, serve};
use crate::support::{Gateway, OpenIdProvider, Redis, Upstream, gateway, program};

fn replica(provider: &OpenIdProvider, redis: &Redis) -> Gateway {
    gateway(SERVICES)
        .upstream(Upstream::new(serve).address)
        .auth(&corp(provider, ", refresh: 3s, logout: provider"))
        .more(&format!("state: {}", redis.url()))
        .start()
}

/// Both addresses are the gateway's to the provider, which tells the first one what has ended.
fn register(provider: &mut OpenIdProvider, origins: [&str; 2]) {
    let at = |path: &str| origins.map(|origin| format!("{origin}{path}"));
    provider.register(&json!({
        "client_id": "gateway",
        "client_secret": SECRET,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "redirect_uris": at("/auth/callback/corp"),
        "post_logout_redirect_uris": at("/auth/logout"),
        "backchannel_logout_uri": at("/auth/backchannel/corp")[0],
        "backchannel_logout_session_required": true,
    }));
}

#[test]
fn a_browser_signs_in_at_one_replica_and_is_renewed_and_signed_out_at_both() {
    if program("chromium").is_none() {
        return;
    }
    let (Some(redis), Some(mut provider)) = (Redis::start(&[]), OpenIdProvider::start()) else {
        return;
    };
    let (one, other) = (replica(&provider, &redis), replica(&provider, &redis));
    let origins = [&one, &other].map(|gateway| format!("http://{}", gateway.address));
    register(&mut provider, [&origins[0], &origins[1]]);
    let Some(found) = browse(&origins.join(","), "replicas") else {
        return;
    };
    let told = |by_one: bool| json!([by_one, "/jobs?page=3", "ann@example.com with recruiter"]);
    assert_eq!(found["in"], json!([told(true), told(false)]), "{found}");
    let renewed: Vec<Value> = [false, true, false]
        .map(|by_one| json!([true, told(by_one), told(!by_one)]))
        .into();
    assert_eq!(found["renewals"], json!(renewed), "{found}");
    let out = json!(["/auth/login?signed-out", "You are signed out."]);
    let refused = "/auth/login?next=/jobs";
    for at in ["out_at_other", "out_at_one"] {
        assert_eq!(found[at], json!([out, refused]), "{at}: {found}");
    }
    assert_eq!(
        found["in_again"],
        json!([told(false), told(true)]),
        "{found}"
    );
    assert_eq!(
        found["in_once_more"],
        json!([told(true), told(false)]),
        "{found}"
    );
    assert_eq!(
        found["out_at_provider"],
        json!([refused, refused]),
        "{found}"
    );
    // the one was told, and the other has heard of it
    assert_eq!(one.named_event("backchannel_logout")["provider"], "corp");
}
