//! `POST /auth/introspect` and `POST /auth/revoke` (RFC 7662, RFC 7009).

use serde_json::{Value, json};

use crate::api_keys::{digest, key};
use crate::client_credentials::{NAME, SERVICES, basic, bearer, form, granted, users};
use crate::support::{Answer, Gateway, Upstream, gateway, refresh, tokens};

/// A secret with everything that the two readings of Basic disagree about.
const SECRET: &str = "a+b%2Bc/of=32+bytes+or+more,+random";

const CLIENTS: &str = "clients: [{ id: api, secret_hash: \"HASH\" }, { id: other api, secret_file: other-secret }],
  trusted_issuers: [{ issuer: \"https://idp.example.com\", audience: api, algorithms: [HS256], secret: another secret of at least 32 bytes }]";

fn start(upstream: &Upstream) -> Gateway {
    gateway(SERVICES)
        .users(&users(&[('a', ", roles: [deployer]"), ('b', "")]))
        .auth(&CLIENTS.replace("HASH", &digest(SECRET)))
        .prepare(|folder| {
            std::fs::write(folder.join("other-secret"), format!("{SECRET}2\n")).unwrap();
        })
        .upstream(upstream.address)
        .start()
}

fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte.into());
        } else {
            out += &format!("%{byte:02X}");
        }
    }
    out
}

fn ask(gateway: &Gateway, fields: &str, token: &str) -> Answer {
    form(
        gateway,
        "/auth/introspect",
        fields,
        &format!("token={}", encoded(token)),
    )
}

fn found(gateway: &Gateway, token: &str) -> Value {
    let answer = ask(gateway, &basic("api", SECRET), token);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.json()
}

fn inactive() -> Value {
    json!({ "active": false })
}

#[test]
fn a_client_learns_what_a_token_is_worth_now() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    let rita = tokens(&gateway, "rita");
    let said = found(&gateway, &rita.access);
    for (name, expected) in [
        ("active", json!(true)),
        ("sub", json!("rita")),
        ("username", json!("rita")),
        ("token_type", json!("Bearer")),
        ("iss", json!("gatelatch")),
        ("aud", json!("gatelatch")),
        ("roles", json!(["recruiter"])),
        ("tenant", json!("acme")),
    ] {
        assert_eq!(said[name], expected, "{name} in {said}");
    }
    assert!(said["exp"].is_u64() && said["iat"].is_u64() && said["jti"].is_string());
    let refresh_token = found(&gateway, &rita.refresh);
    assert_eq!(refresh_token["active"], true, "{refresh_token}");
    assert_eq!(refresh_token["sid"], said["sid"]);
    assert!(refresh_token.get("token_type").is_none());
    let of_key = found(&gateway, &granted(&gateway, 'a'));
    assert_eq!(of_key["client_id"], NAME);
    assert_eq!(of_key["roles"], json!(["deployer"]));
    assert!(of_key.get("gatelatch_key").is_none());
    let api_key = found(&gateway, &key('b'));
    assert_eq!(
        (&api_key["active"], &api_key["sub"]),
        (&json!(true), &json!(NAME))
    );
    assert_eq!(api_key["roles"], json!(["recruiter"]));
    // the roles are those of the list now
    let other = users(&[('a', "")]).replace("roles: [recruiter]", "roles: [boss]");
    gateway.replace("users.yaml", &other);
    gateway.event("configuration reloaded");
    assert_eq!(found(&gateway, &rita.access)["roles"], json!(["boss"]));
    assert_eq!(found(&gateway, &key('b')), inactive());
}

#[test]
fn what_is_not_good_here_is_inactive_and_nothing_more() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    let rita = tokens(&gateway, "rita");
    let second = refresh(&gateway, &rita.refresh);
    assert_eq!(second.status, 200, "{second:?}");
    let foreign = jsonwebtoken::encode(
        &jsonwebtoken::Header::default(),
        &json!({ "iss": "https://idp.example.com", "sub": "x", "aud": "api", "exp": 4_000_000_000_u64 }),
        &jsonwebtoken::EncodingKey::from_secret(b"another secret of at least 32 bytes").unwrap(),
    );
    for token in [
        "x",
        "a.b.c",
        "glr_x",
        "glk_x",
        "é",
        "a b",
        &rita.refresh,
        &key('x'),
        &foreign.unwrap(),
        &(rita.access.clone() + "x"),
    ] {
        assert_eq!(found(&gateway, token), inactive(), "{token}");
    }
    let fresh = second.json()["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(found(&gateway, &fresh)["active"], true);
    let revoked = form(
        &gateway,
        "/auth/revoke",
        &basic("api", SECRET),
        &format!("token={fresh}"),
    );
    assert_eq!((revoked.status, &*revoked.body), (200, ""), "{revoked:?}");
    for token in [&fresh, &rita.access] {
        assert_eq!(found(&gateway, token), inactive());
    }
    assert_eq!(gateway.get("/me", &rita.bearer()).status, 401);
}

#[test]
fn a_client_shows_its_secret_and_everybody_asks_about_their_own_token() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    let rita = tokens(&gateway, "rita");
    let other = tokens(&gateway, "rita");
    let token = format!("token={}", rita.access);
    let at = |fields: &str, body: &str| form(&gateway, "/auth/introspect", fields, body);
    let body = |id: &str, secret: &str| {
        format!(
            "{token}&client_id={}&client_secret={}",
            encoded(id),
            encoded(secret)
        )
    };
    for (fields, body) in [
        (basic("api", SECRET), token.clone()),
        (basic("api", &encoded(SECRET)), token.clone()),
        (
            basic("other+api", &encoded(&format!("{SECRET}2"))),
            token.clone(),
        ),
        (String::new(), body("api", SECRET)),
        (bearer("x"), body("api", SECRET)),
        (rita.bearer(), token.clone()),
        (rita.bearer(), format!("token={}", rita.refresh)),
        (bearer(&key('a')), format!("token={}", key('a'))),
    ] {
        let answer = at(&fields, &body);
        assert_eq!(
            (answer.status, &answer.json()["active"]),
            (200, &json!(true)),
            "{fields} {body}"
        );
    }
    for body in [&other.access, &other.refresh, &key('a')] {
        let answer = at(&rita.bearer(), &format!("token={body}"));
        assert_eq!((answer.status, answer.json()), (200, inactive()), "{body}");
    }
    for (fields, body, error) in [
        (String::new(), token.clone(), "invalid_client"),
        (basic("api", "wrong"), token.clone(), "invalid_client"),
        (basic("nobody", SECRET), token.clone(), "invalid_client"),
        (basic("other api", SECRET), token.clone(), "invalid_client"),
        (
            basic("rita", "correct horse battery staple"),
            token.clone(),
            "invalid_client",
        ),
        (String::new(), body("api", "wrong"), "invalid_client"),
        (rita.bearer(), body("api", "wrong"), "invalid_client"),
        (basic("api", SECRET), body("api", SECRET), "invalid_request"),
        (basic("api", SECRET), String::new(), "invalid_request"),
        (
            basic("api", SECRET),
            format!("{token}&{token}"),
            "invalid_request",
        ),
    ] {
        let answer = at(&fields, &body);
        let status = if error == "invalid_client" { 401 } else { 400 };
        assert_eq!(
            (answer.status, &answer.json()["error"]),
            (status, &json!(error)),
            "{fields} {body}"
        );
        assert_eq!(answer.header("www-authenticate").is_empty(), status == 400);
    }
    // with a name and an API key, about one's own tokens
    let own = basic(NAME, &key('a'));
    let granted = form(
        &gateway,
        "/auth/token",
        &own,
        "grant_type=client_credentials",
    )
    .json();
    let granted = granted["access_token"].as_str().unwrap();
    for (asked, is_own) in [
        (granted, true),
        (&*key('b'), true),
        (&*rita.access, false),
        (&*rita.refresh, false),
        ("a.b.c", false),
    ] {
        let answer = at(&own, &format!("token={asked}"));
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["active"], is_own, "{asked}");
    }
    let wrong = at(&basic("rita", &key('a')), &token);
    assert_eq!(wrong.status, 401, "the key of somebody else");
    let expired = at(&bearer("a.b.c"), "token=a.b.c");
    assert_eq!(expired.status, 401);
    assert!(expired.header("www-authenticate").starts_with("Bearer "));
    let get = gateway.get("/auth/introspect", &basic("api", SECRET));
    assert_eq!((get.status, get.header("allow")), (405, "POST"));
    assert!(!gateway.printed().contains(SECRET));
}

#[test]
fn whoever_has_a_token_may_end_it() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    let revoke = |fields: &str, token: &str| {
        form(&gateway, "/auth/revoke", fields, &format!("token={token}"))
    };
    let lives = |token: &str| gateway.get("/me", &bearer(token)).status == 200;
    let rita = tokens(&gateway, "rita");
    assert_eq!(revoke(&basic("api", "wrong"), &rita.access).status, 401);
    assert!(lives(&rita.access));
    assert_eq!(revoke("", &rita.access).status, 200);
    assert!(!lives(&rita.access));
    assert_eq!(refresh(&gateway, &rita.refresh).status, 401);
    let (first, second) = (granted(&gateway, 'a'), granted(&gateway, 'a'));
    assert_eq!(revoke(&basic("api", SECRET), &first).status, 200);
    assert_eq!((lives(&first), lives(&second)), (false, true));
    for unknown in ["x", "glr_x", "a.b.c", &rita.refresh, &first] {
        let answer = revoke("", unknown);
        assert_eq!((answer.status, &*answer.body), (200, ""), "{unknown}");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    let of_key = revoke("", &key('a'));
    assert_eq!(
        (of_key.status, &of_key.json()["error"]),
        (400, &json!("unsupported_token_type"))
    );
    assert!(lives(&key('a')));
}
