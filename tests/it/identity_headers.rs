//! What the upstream is told about the caller comes from the gateway, whatever a client writes.

use crate::support::{PASSWORD, Upstream, gateway, log_out, send, tokens};
use crate::tokens::sign;

const SERVICES: &str = "
  all:
    upstream: http://UPSTREAM
    rules:
      - { path: /**, allow: authenticated }
      - { path: /public/**, allow: anyone }
";

/// Names that some server or framework reads as an identity or as a route.
const SMUGGLED: &[&str] = &[
    "Remote-User",
    "remote_user",
    "REMOTE.USER",
    "Remote--User",
    "RemoteUser",
    "_remote_user_",
    "Remote-Groups",
    "remote_groups",
    "Remote-Name",
    "Remote-Email",
    "Remote-Anything",
    "X-Gatelatch-User",
    "x_gatelatch_roles",
    "X-Remote-User",
    "X-Forwarded-User",
    "X_Forwarded_User",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-Access-Token",
    "X-Auth-Request-User",
    "X-WEBAUTH-USER",
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-HTTP-Method-Override",
    "X-SSL-Client-CN",
    "Content_Length",
    "Transfer_Encoding",
    "X_Real_IP",
    "X-Forwarded-For.",
];

fn smuggled_fields() -> String {
    SMUGGLED
        .iter()
        .map(|name| format!("{name}: evil\r\n"))
        .collect()
}

#[test]
fn no_spelling_of_an_identity_header_passes() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let (rita, all) = (gateway.bearer("rita"), smuggled_fields());
    assert_eq!(gateway.get("/public/a", &all).status, 200);
    assert_eq!(gateway.get("/private", &(all.clone() + &rita)).status, 200);
    assert_eq!(gateway.get("/private", &all).status, 401);
    let [anonymous, known] = &upstream.received()[..] else {
        panic!("{:?}", upstream.received())
    };
    for request in [anonymous, known] {
        assert!(!request.head.contains("evil"), "{}", request.head);
    }
    for name in [
        "remote-user",
        "remote-groups",
        "remote-name",
        "remote-email",
    ] {
        assert!(
            anonymous.fields(name).is_empty(),
            "{name}: {}",
            anonymous.head
        );
    }
    assert_eq!(known.fields("remote-user"), ["rita"]);
    assert_eq!(known.fields("remote-groups"), ["recruiter"]);
    assert_eq!(known.fields("remote-name"), ["Rita Recruiter"]);
    assert_eq!(known.fields("remote-email"), ["rita@example.com"]);
}

#[test]
fn a_connection_line_cannot_remove_an_identity() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let fields = gateway.bearer("carl")
        + "Connection: Remote-User, remote-groups\r\nConnection: authorization\r\n";
    for path in ["/private", "/public/a"] {
        assert_eq!(gateway.get(path, &fields).status, 200);
        let request = upstream.received().pop().unwrap();
        assert_eq!(request.fields("remote-user"), ["carl"]);
        assert_eq!(request.fields("remote-groups"), ["candidate"]);
        assert!(
            request.fields("remote-email").is_empty(),
            "carl has none: {}",
            request.head
        );
    }
}

#[test]
fn a_trailer_is_not_a_field() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let request = "POST /public/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: Remote-User\r\n\r\n\
                   2\r\nhi\r\n0\r\nRemote-User: evil\r\n\r\n";
    let answer = send(gateway.address, request);
    assert_eq!(answer.status, 200, "{answer:?}");
    let request = upstream.only();
    assert_eq!(request.body, "hi");
    assert!(
        !request.head.to_lowercase().contains("remote-user"),
        "{}",
        request.head
    );
}

#[test]
fn any_name_and_role_arrives_as_one_value() {
    let upstream = Upstream::saying("hi");
    let hash = crate::support::hash();
    let users = format!(
        "users:\n  zoë: {{ password: \"{hash}\", roles: [\"a,b\", c d, ümläut], name: \"Zoë 100%\" }}\n"
    );
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .users(&users)
        .start();
    let body = format!("{{\"username\":\"zoë\",\"password\":\"{PASSWORD}\"}}");
    let login = format!(
        "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = send(gateway.address, login);
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(
        gateway
            .get("/private", &format!("Authorization: Bearer {token}\r\n"))
            .status,
        200
    );
    let request = upstream.only();
    assert_eq!(request.fields("remote-user"), ["zo%C3%AB"]);
    assert_eq!(
        request.fields("remote-groups"),
        ["a%2Cb,c d,%C3%BCml%C3%A4ut"]
    );
    assert_eq!(request.fields("remote-name"), ["Zo%C3%AB 100%25"]);
}

#[test]
fn a_refused_token_of_the_gateway_reaches_no_service() {
    let upstream = Upstream::saying("x");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let ended = tokens(&gateway, "rita");
    assert_eq!(log_out(&gateway, &ended).status, 204);
    let token = |issuer: &str, subject: &str, expires: u64| {
        let claims = serde_json::json!({ "iss": issuer, "aud": "gatelatch", "sub": subject, "exp": expires });
        sign(r#"{"alg":"HS256","typ":"JWT"}"#, &claims.to_string())
    };
    let now = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_secs();
    let far = now + 600;
    let forged = format!("{}x", token("gatelatch", "rita", far));
    let key = format!("glk_{}A", "a".repeat(42));
    for (own, sent) in [
        (true, ended.access),
        (true, token("gatelatch", "rita", 1)),
        (true, token("gatelatch", "nobody", far)),
        (true, token("gatelatch", "gone", far)),
        (true, forged),
        (true, key),
        (false, token("https://idp.test", "rita", far)),
        (false, "the-services-own".to_owned()),
        (false, "a.b.c".to_owned()),
    ] {
        let field = format!("Bearer {sent}");
        let answer = gateway.get("/public/x", &format!("Authorization: {field}\r\n"));
        assert_eq!(answer.status, 200, "{sent}");
        let seen = upstream.received().pop().unwrap();
        let expected: &[&str] = if own { &[] } else { &[&field] };
        assert_eq!(seen.fields("authorization"), expected, "{sent}");
        assert_eq!(seen.fields("remote-user"), [""; 0], "{sent}");
    }
}
