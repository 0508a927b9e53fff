//! Logging out: from that moment on no token of the session is good.

use crate::support::{
    Connection, Gateway, Tokens, Upstream, gateway, log_out, post, refresh, tokens,
};
use crate::tokens::sign;

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /open, allow: anyone }
      - { path: /me, allow: authenticated }
";

const JSON: &str = "Content-Type: application/json\r\n";

fn start() -> (Upstream, Gateway) {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    (upstream, gateway)
}

fn me(gateway: &Gateway, tokens: &Tokens) -> u16 {
    gateway.get("/me", &tokens.bearer()).status
}

#[test]
fn after_a_logout_no_token_of_the_session_is_good() {
    let (upstream, gateway) = start();
    let (first, other) = (tokens(&gateway, "rita"), tokens(&gateway, "rita"));
    let second = Tokens::of(&refresh(&gateway, &first.refresh));
    let request =
        |tokens: &Tokens| format!("GET /me HTTP/1.1\r\nHost: a\r\n{}\r\n", tokens.bearer());
    // kept connections to every worker, whose caches know both tokens
    let mut kept: Vec<_> = (0..16).map(|_| Connection::open(gateway.address)).collect();
    for connection in &mut kept {
        assert_eq!(connection.write(request(&first)).read().status, 200);
        assert_eq!(connection.write(request(&second)).read().status, 200);
    }
    let answer = log_out(&gateway, &second);
    assert_eq!(
        (
            answer.status,
            answer.body.as_str(),
            answer.header("cache-control")
        ),
        (204, "", "no-store")
    );
    let reached = upstream.received().len();
    for connection in &mut kept {
        for tokens in [&first, &second] {
            let refused = connection.write(request(tokens)).read();
            assert_eq!(
                (refused.status, &refused.json()["detail"]),
                (401, &"Invalid or expired token".into())
            );
        }
    }
    assert_eq!(upstream.received().len(), reached);
    for tokens in [&first, &second] {
        assert_eq!(refresh(&gateway, &tokens.refresh).status, 401);
    }
    assert_eq!(
        gateway.get("/open", &first.bearer()).status,
        200,
        "as nobody"
    );
    assert_eq!(
        me(&gateway, &other),
        200,
        "another session of the same user goes on"
    );
    let event = gateway.named_event("logout");
    assert_eq!(
        (&event["client_ip"], &event["user"]),
        (&"127.0.0.1".into(), &"rita".into())
    );
}

#[test]
fn a_refresh_token_logs_out_by_itself() {
    let (_upstream, gateway) = start();
    for (fields, body) in [
        (JSON, r#"{"refresh_token":"TOKEN"}"#),
        (
            "Content-Type: application/x-www-form-urlencoded\r\n",
            "refresh_token=TOKEN",
        ),
    ] {
        let rita = tokens(&gateway, "rita");
        let spent = rita.refresh.clone();
        let rita = Tokens::of(&refresh(&gateway, &spent));
        // a spent one will do: whoever has it may at least end the session
        let answer = post(
            gateway.address,
            "/auth/logout",
            fields,
            &body.replace("TOKEN", &spent),
        );
        assert_eq!(answer.status, 204, "{answer:?}");
        assert_eq!(
            (me(&gateway, &rita), refresh(&gateway, &rita.refresh).status),
            (401, 401)
        );
        let again = post(
            gateway.address,
            "/auth/logout",
            fields,
            &body.replace("TOKEN", &spent),
        );
        assert_eq!(again.status, 204, "to log out twice is no error");
    }
}

#[test]
fn both_tokens_end_both_sessions() {
    let (_upstream, gateway) = start();
    let (one, two) = (tokens(&gateway, "rita"), tokens(&gateway, "carl"));
    let body = format!(r#"{{"refresh_token":"{}"}}"#, two.refresh);
    let answer = post(
        gateway.address,
        "/auth/logout",
        &format!("{JSON}{}", one.bearer()),
        &body,
    );
    assert_eq!(answer.status, 204);
    assert_eq!((me(&gateway, &one), me(&gateway, &two)), (401, 401));
}

#[test]
fn a_logout_of_nobody_is_said() {
    let (_upstream, gateway) = start();
    let rita = tokens(&gateway, "rita");
    for (fields, body, status) in [
        ("", "", 401),
        (JSON, "", 401),
        (JSON, "{}", 401),
        ("Authorization: Bearer a.b.c\r\n", "", 401),
        (JSON, "{", 400),
        (JSON, r#"{"refresh_token":7}"#, 422),
        ("Content-Type: text/plain\r\n", "x", 415),
        ("", "x", 415),
        (JSON, r#"{"refresh_token":"unknown"}"#, 204),
    ] {
        let answer = post(gateway.address, "/auth/logout", fields, body);
        assert_eq!(answer.status, status, "{fields}{body}: {answer:?}");
    }
    assert_eq!(me(&gateway, &rita), 200);
    assert_eq!(log_out(&gateway, &rita).status, 204);
    assert_eq!(
        log_out(&gateway, &rita).status,
        401,
        "its token is not good any more"
    );
}

#[test]
fn a_token_without_a_session_can_be_ended_too() {
    let (_upstream, gateway) = start();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let token = |expires: u64| {
        let claims = format!(
            r#"{{"iss":"gatelatch","aud":"gatelatch","sub":"rita","iat":{now},"exp":{}}}"#,
            now + expires
        );
        Tokens {
            access: sign(r#"{"alg":"HS256","typ":"JWT"}"#, &claims),
            refresh: String::new(),
        }
    };
    let (one, other) = (token(600), token(601));
    assert_eq!((me(&gateway, &one), me(&gateway, &other)), (200, 200));
    assert_eq!(log_out(&gateway, &one).status, 204);
    assert_eq!((me(&gateway, &one), me(&gateway, &other)), (401, 200));
}
