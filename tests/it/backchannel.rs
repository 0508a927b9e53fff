//! A provider ends its sessions (OpenID Connect Back-Channel Logout 1.0), at one of two replicas over a real Redis. The provider
//! is the test's own: a good one never sends half of this.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatelatch::ambient;
use gatelatch::session::{BrowserSession, ProviderSession, Sessions, StateSettings, Times};
use gatelatch::telemetry::metrics::Metrics;
use gatelatch::token::{Algorithm, Key, KeySet, SessionId};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

use crate::support::{Answer, Gateway, Redis, Upstream, gateway, ok, send, sign_in, until};
use crate::upgrades::{echoing, open};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /known, allow: authenticated }
";

const ISSUER: &str = "http://127.0.0.1:9/corp";
const FORM: &str = "application/x-www-form-urlencoded";
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

fn pem(name: &str) -> String {
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys");
    std::fs::read_to_string(keys.join(name)).unwrap()
}

/// Serves the key of the provider.
fn keys() -> Upstream {
    let key = Key::from_pem(Algorithm::Rs256, &pem("rsa.pem"), Some("one")).unwrap();
    let keys = KeySet::from(key).to_jwks().to_string();
    Upstream::new(move |_| ok(&keys))
}

fn replica(keys: &Upstream, upstream: std::net::SocketAddr, state: &str) -> Gateway {
    let at = |path: &str| format!("http://{}/{path}", keys.address);
    let provider = format!(
        "providers: [{{ name: corp, issuer: \"{ISSUER}\", client_id: gateway, algorithms: [RS256],
           endpoints: {{ authorization: \"{}\", token: \"{}\", jwks: \"{}\" }} }}]",
        at("authorization"),
        at("token"),
        at("keys")
    );
    let replica = gateway(SERVICES).upstream(upstream).auth(&provider);
    let replica = replica.more(&format!("state: {state}")).start();
    until("the keys of the provider", || {
        replica.printed().contains("jwks_fetched")
    });
    replica
}

/// A logout token; `changes` replace its claims, `null` takes one away.
fn token(changes: &Value) -> String {
    let now = ambient::unix_seconds();
    let name = ambient::random_bytes::<8>().map(|byte| byte.to_string());
    let mut claims = json!({
        "iss": ISSUER, "aud": "gateway", "iat": now, "exp": now + 120, "jti": name.concat(),
        "sub": "1", "events": { EVENT: {} },
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
        .as_object_mut()
        .unwrap()
        .retain(|_, value| !value.is_null());
    let header = Header {
        kid: Some("one".to_owned()),
        typ: Some("logout+jwt".to_owned()),
        ..Header::new(jsonwebtoken::Algorithm::RS256)
    };
    let key = EncodingKey::from_rsa_pem(pem("rsa.pem").as_bytes()).unwrap();
    jsonwebtoken::encode(&header, &claims, &key).unwrap()
}

fn post(gateway: &Gateway, path: &str, content_type: &str, body: &str) -> Answer {
    send(
        gateway.address,
        format!(
            "POST /auth/backchannel/{path} HTTP/1.1\r\nHost: a\r\nOrigin: https://elsewhere.example\r\n\
             Sec-Fetch-Site: cross-site\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    )
}

fn log_out(gateway: &Gateway, token: &str) -> Answer {
    post(gateway, "corp", FORM, &format!("logout_token={token}"))
}

/// What a refusal says.
fn refused(answer: &Answer) -> String {
    assert_eq!(answer.status, 400, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("content-type"), "application/json");
    let body = answer.json();
    assert_eq!(body["error"], "invalid_request");
    body["error_description"].as_str().unwrap().to_owned()
}

/// The session of a cookie.
fn session_of(cookie: &str) -> SessionId {
    let payload = cookie.split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    SessionId::parse(claims["sid"].as_str().unwrap()).unwrap()
}

/// Signs somebody in, and records the session as one of the provider.
fn sign_in_at(store: &Sessions, gateway: &Gateway, sub: &str, sid: Option<&str>) -> String {
    let (cookie, now) = (sign_in(gateway, "rita"), ambient::unix_seconds());
    let provider = ProviderSession {
        name: "corp".into(),
        fingerprint: "f00d".into(),
        sub: sub.into(),
        sid: sid.map(Into::into),
        auth_time: None,
        refresh_token: None,
        id_token: None,
        roles: Vec::new(),
        display_name: None,
        email: None,
        checked_at: now,
        turn: 0,
    };
    let record = BrowserSession::begun("rita", now, now + 3600).at_provider(provider);
    let times = Times {
        now,
        ttl: 3600,
        last_token: now + 3600,
    };
    run(store.begin_browser(session_of(&cookie), record, times)).unwrap();
    cookie
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

fn open_store(redis: &Redis) -> Sessions {
    let state = StateSettings::parse(&redis.url(), "/".as_ref()).unwrap();
    let store = Sessions::start(&state, Metrics::new(), ambient::hash_state()).unwrap();
    run(store.ready()).unwrap();
    store
}

#[test]
fn a_provider_ends_its_sessions_at_all_replicas_and_their_tunnels() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let (keys, echo) = (keys(), echoing());
    let start = || replica(&keys, echo.address, &redis.url());
    let (one, other) = (start(), start());
    let store = open_store(&redis);
    let sign_in = |sub: &str, sid: Option<&str>| sign_in_at(&store, &one, sub, sid);
    let (first, second) = (sign_in("1", Some("a")), sign_in("1", Some("b")));
    let (without, stranger) = (sign_in("1", None), sign_in("2", Some("c")));
    let is_out = |cookie: &str| {
        let me = |gateway: &Gateway| gateway.get("/auth/me", cookie).status;
        (me(&one), me(&other)) == (401, 401)
    };
    let same = format!("{first}Sec-Fetch-Site: same-origin\r\n");
    let mut tunnel = open(&other, "/known", &same);

    // one session of the provider, and what it has not named
    let by_sid = token(&json!({ "sid": "a" }));
    let answer = log_out(&one, &by_sid);
    assert_eq!(
        (answer.status, answer.header("cache-control")),
        (200, "no-store")
    );
    until("the session to be over", || {
        is_out(&first) && is_out(&without)
    });
    assert_eq!(
        tunnel.read_to_end(),
        "",
        "the other replica closes its tunnel"
    );
    assert!(!is_out(&second) && !is_out(&stranger));
    assert_eq!(one.named_event("backchannel_logout")["ended"], 2);
    // it is good once, wherever it comes
    assert_eq!(
        refused(&log_out(&other, &by_sid)),
        "the logout token was used before"
    );
    // all of a user
    assert_eq!(log_out(&other, &token(&json!({}))).status, 200);
    until("the user to be out", || is_out(&second));
    assert!(!is_out(&stranger));
    // what has ended already is no error
    assert_eq!(log_out(&one, &token(&json!({ "sid": "a" }))).status, 200);
}

#[test]
fn what_no_provider_has_signed_ends_nothing() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let (keys, upstream) = (keys(), Upstream::saying("hi"));
    let gateway = replica(&keys, upstream.address, &redis.url());
    let store = open_store(&redis);
    let cookie = sign_in_at(&store, &gateway, "1", Some("a"));
    let now = ambient::unix_seconds();
    for (changes, why) in [
        (
            json!({ "iss": "http://127.0.0.1:9/other" }),
            "another issuer",
        ),
        (json!({ "iss": null }), "lacks `iss`"),
        (json!({ "aud": "another client" }), "another audience"),
        (json!({ "aud": null }), "lacks `aud`"),
        (json!({ "iat": now - 3600, "exp": now - 3000 }), "expired"),
        (json!({ "iat": now - 3600 }), "issued too long ago"),
        (json!({ "iat": now + 3600 }), "in the future"),
        (json!({ "iat": null }), "lacks `iat`"),
        (json!({ "exp": null }), "lacks `exp`"),
        (json!({ "jti": null }), "lacks `jti`"),
        (json!({ "sub": null }), "neither `sid` nor `sub`"),
        (json!({ "sub": 1 }), "malformed"),
        (json!({ "events": null }), "not about a logout"),
        (
            json!({ "events": { "http://schemas.openid.net/event/other": {} } }),
            "not about a logout",
        ),
        (json!({ "nonce": "n" }), "has a `nonce`"),
    ] {
        let said = refused(&log_out(&gateway, &token(&changes)));
        assert!(said.contains(why), "{changes}: {said}");
    }
    let good = token(&json!({}));
    let (signed, _) = good.rsplit_once('.').unwrap();
    let (head, claims) = (
        signed.split('.').next().unwrap(),
        signed.split('.').nth(1).unwrap(),
    );
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"logout+jwt"}"#);
    for forged in [
        format!("{signed}."),
        format!("{none}.{claims}."),
        format!("{head}.{claims}.AAAA"),
        "x".to_owned(),
    ] {
        refused(&log_out(&gateway, &forged));
    }
    for (content_type, body) in [
        (FORM, String::new()),
        (FORM, "logout_token=".to_owned()),
        (FORM, format!("logout_token={good}&logout_token={good}")),
        (FORM, format!("token={good}")),
        (FORM, "logout_token=%zz".to_owned()),
        (FORM, format!("logout_token={}", "x".repeat(70_000))),
        (
            "application/json",
            format!("{{\"logout_token\":\"{good}\"}}"),
        ),
    ] {
        let said = refused(&post(&gateway, "corp", content_type, &body));
        assert!(said.contains("one `logout_token`"), "{said}");
    }
    let body = format!("logout_token={good}");
    assert_eq!(post(&gateway, "other", FORM, &body).status, 404);
    assert_eq!(gateway.get("/auth/backchannel/corp", "").status, 405);
    assert_eq!(gateway.get("/auth/me", &cookie).status, 200);
    assert!(!gateway.printed().contains(&good), "no token is printed");
}

#[test]
fn without_the_store_a_logout_has_failed_and_says_so() {
    let Some(mut redis) = Redis::start(&[]) else {
        return;
    };
    let (keys, upstream) = (keys(), Upstream::saying("hi"));
    let gateway = replica(&keys, upstream.address, &redis.url());
    let store = open_store(&redis);
    let cookie = sign_in_at(&store, &gateway, "1", Some("a"));
    redis.kill();
    let good = token(&json!({}));
    let answer = log_out(&gateway, &good);
    assert_eq!(
        (answer.status, &answer.json()["error"]),
        (400, &json!("temporarily_unavailable"))
    );
    redis.restart();
    // the provider sends it again
    until("the logout", || log_out(&gateway, &good).status == 200);
    assert_eq!(gateway.get("/auth/me", &cookie).status, 401);
}
