//! A service with bearer tokens of its own, behind the session of a browser.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::support::{
    Answer, Connection, Gateway, RawUpstream, Upstream, gateway, send, sign_in, tokens,
};
use crate::tokens::sign;

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /public/**, allow: anyone }
      - { path: /**, allow: authenticated }
";

const ISSUERS: &str = "trusted_issuers: [ { issuer: partner, secret: \"0123456789abcdef0123456789abcdef-partner\", audience: api, algorithms: [HS256] } ]";

const HS256: &str = "{\"alg\":\"HS256\"}";

fn token(payload: &str) -> String {
    sign(HS256, payload)
}

fn start(upstream: &Upstream) -> Gateway {
    gateway(SERVICES)
        .upstream(upstream.address)
        .server("trusted_proxies: [127.0.0.1]")
        .auth(ISSUERS)
        .start()
}

/// Bearer tokens that are the service's own.
fn foreign() -> Vec<String> {
    vec![
        "app-token".to_owned(),
        "a.b.c".to_owned(),
        String::new(),
        token("{\"iss\":\"app\",\"sub\":\"1\",\"exp\":9999999999}"),
        token("{\"iss\":\"gatelatch2\"}"),
        // as the tutorials of FastAPI make them, and many applications
        token("{\"sub\":\"rita\",\"exp\":9999999999}"),
        token("{\"iss\":null,\"id\":7}"),
        format!(
            "{}.k.i.x.y",
            URL_SAFE_NO_PAD.encode("{\"enc\":\"A256GCM\"}")
        ),
        "x".repeat(9000),
    ]
}

/// Bearer tokens that say that they are the gateway's, or could be, and are not good.
fn pretended(gateway: &Gateway) -> Vec<String> {
    let good = gateway.token("rita");
    let (signed, _) = good.rsplit_once('.').unwrap();
    let mut parts = signed.split('.');
    let (header, payload) = (parts.next().unwrap(), parts.next().unwrap());
    let claims = URL_SAFE_NO_PAD.decode(payload).unwrap();
    let session = sign_in(gateway, "rita");
    vec![
        format!("{signed}.AAAA"),
        format!("{good}="),
        format!("{header}.{}.AAAA", STANDARD.encode(claims)),
        token("{\"iss\":\"gatelatch\",\"aud\":\"gatelatch\",\"sub\":\"rita\",\"exp\":1}"),
        token("{\"iss\":\"app\",\"iss\":\"gatelatch\"}"),
        token("{\"iss\":\"partner\",\"sub\":\"x\",\"exp\":9999999999}"),
        token("{\"iss\":[\"app\",\"gatelatch\"]}"),
        "glk_unknown".to_owned(),
        tokens(gateway, "rita").refresh,
        session
            .trim()
            .split_once("gatelatch=")
            .unwrap()
            .1
            .to_owned(),
    ]
}

fn verify(gateway: &Gateway, path: &str, fields: &str) -> Answer {
    gateway.get(
        "/auth/verify",
        &format!(
            "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Proto: http\r\n\
             X-Forwarded-Host: gateway.test\r\nX-Forwarded-Uri: {path}\r\n{fields}"
        ),
    )
}

#[test]
fn a_bearer_of_the_service_passes_beside_a_session() {
    let upstream = Upstream::saying("x");
    let gateway = start(&upstream);
    let session = sign_in(&gateway, "rita");
    for token in foreign() {
        let bearer = format!("Authorization: Bearer {token}\r\n");
        for path in ["/jobs", "/public/x"] {
            let before = upstream.received().len();
            let answer = gateway.get(path, &format!("{bearer}{session}"));
            assert_eq!(answer.status, 200, "{path} {token}: {answer:?}");
            let received = upstream.received()[before].clone();
            assert_eq!(
                received.fields("authorization"),
                [format!("Bearer {token}").trim()]
            );
            assert_eq!(received.fields("remote-user"), ["rita"], "{path} {token}");
            assert_eq!(received.fields("cookie"), [""; 0], "{path} {token}");
            let answer = verify(&gateway, path, &format!("{bearer}{session}"));
            assert_eq!(
                (answer.status, answer.header("remote-user")),
                (200, "rita"),
                "{path} {token}: {answer:?}"
            );
        }
        for alone in ["", "Cookie: gatelatch=broken\r\n"] {
            let fields = format!("{bearer}{alone}");
            assert_eq!(gateway.get("/jobs", &fields).status, 401, "{token}");
            assert_eq!(verify(&gateway, "/jobs", &fields).status, 401, "{token}");
        }
        let me = gateway.get("/auth/me", &format!("{bearer}{session}"));
        assert_eq!(me.json()["sub"], "rita", "{token}");
    }
}

#[test]
fn a_bearer_that_claims_to_be_the_gateways_is_good_or_refused() {
    let upstream = Upstream::saying("x");
    let gateway = start(&upstream);
    let session = sign_in(&gateway, "rita");
    for token in pretended(&gateway) {
        let fields = format!("Authorization: Bearer {token}\r\n{session}");
        let answer = gateway.get("/jobs", &fields);
        assert_eq!(answer.status, 401, "{token}: {answer:?}");
        assert_eq!(verify(&gateway, "/jobs", &fields).status, 401, "{token}");
        assert_eq!(gateway.get("/auth/me", &fields).status, 401, "{token}");
    }
    assert!(upstream.received().is_empty());
    let carl = gateway.bearer("carl");
    for _ in 0..2 {
        // the second time it is remembered
        assert_eq!(
            gateway.get("/jobs", &format!("{carl}{session}")).status,
            200
        );
    }
    for received in upstream.received() {
        assert_eq!(received.fields("remote-user"), ["carl"]);
        assert_eq!(received.fields("authorization"), [""; 0]);
    }
}

#[test]
fn such_a_request_is_borne_by_its_cookie() {
    let upstream = Upstream::saying("x");
    let gateway = start(&upstream);
    let session = sign_in(&gateway, "rita");
    let post = |path: &str, site: &str| {
        let head = format!("POST {path} HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 0\r\n");
        let fields = format!("Authorization: Bearer app-token\r\n{session}");
        send(gateway.address, format!("{head}{fields}{site}\r\n")).status
    };
    let (same, cross) = (
        "Sec-Fetch-Site: same-origin\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
    );
    for (site, expected) in [(same, 200), (cross, 403), ("", 403)] {
        assert_eq!(post("/jobs", site), expected, "{site}");
    }
    assert_eq!(post("/auth/logout", cross), 403);
    assert_eq!(gateway.get("/auth/me", &session).status, 200);
    assert_eq!(post("/auth/logout", same), 204);
    assert_eq!(gateway.get("/auth/me", &session).status, 401);
}

#[test]
fn a_logout_beside_such_a_bearer_ends_every_credential() {
    let upstream = Upstream::saying("x");
    let gateway = start(&upstream);
    // once the issuer had another name: such a token could count again
    let former = sign(
        HS256,
        "{\"iss\":\"former\",\"aud\":\"gatelatch\",\"sub\":\"rita\",\"exp\":9999999999,\"sid\":\"00000000000000000000000000000007\"}",
    );
    let session = sign_in(&gateway, "rita");
    let answer = send(
        gateway.address,
        format!(
            "POST /auth/logout HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 0\r\n\
             Authorization: Bearer {former}\r\nSec-Fetch-Site: same-origin\r\n{session}\r\n"
        ),
    );
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(gateway.get("/auth/me", &session).status, 401);
    let again = send(
        gateway.address,
        format!(
            "POST /auth/logout HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 0\r\n\
             Authorization: Bearer {former}\r\n\r\n"
        ),
    );
    assert_eq!(again.status, 401, "nothing is left to end: {again:?}");
}

#[test]
fn a_tunnel_beside_such_a_bearer_ends_with_its_session() {
    let upstream = RawUpstream::new(|mut wire, _| {
        let Some(head) = wire.head() else { return };
        assert!(head.contains("Bearer app-token"), "{head}");
        wire.say(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
        );
        while let Some(byte) = wire.exact(1) {
            wire.say(byte);
        }
    });
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let session = sign_in(&gateway, "rita");
    let fields =
        format!("Authorization: Bearer app-token\r\nSec-Fetch-Site: same-origin\r\n{session}");
    let mut client = Connection::open(gateway.address);
    client.write(format!(
        "GET /ws HTTP/1.1\r\nHost: gateway.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n{fields}\r\n"
    ));
    let head = client.read_head().unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    client.write("x");
    assert_eq!(client.read_exact(1), "x");
    let ended = send(
        gateway.address,
        format!(
            "POST /auth/logout HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 0\r\n{fields}\r\n"
        ),
    );
    assert_eq!(ended.status, 204, "{ended:?}");
    assert_eq!(client.read_to_end(), "");
}
