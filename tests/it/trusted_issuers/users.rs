//! `users: true`: what the users file says of the subjects of another issuer.

use serde_json::{Value, json};

use super::{ISSUER, SERVICES, ask, trusting};
use crate::support::{Connection, Gateway, RawUpstream, SECRET, Upstream, gateway, hash};
use crate::tokens::sign;

const ENTRY: &str = "{ issuer: \"https://idp.example.com/\", secret: \"0123456789abcdef0123456789abcdef-test-secret\", \
    audience: api, algorithms: [HS256], users: true }";

fn users() -> String {
    let [alice, bob, carol, dora] = std::array::from_fn(|_| hash());
    format!(
        "users:
  alice: {{ password: \"{alice}\", disabled: true }}
  bob: {{ password: \"{bob}\", tokens_valid_after: 2999-01-01T00:00:00Z }}
  carol: {{ password: \"{carol}\", tokens_valid_after: 2020-01-01T00:00:00Z }}
  dora: {{ password: \"{dora}\", roles: [recruiter] }}
"
    )
}

/// A token of this subject; `issued` is whether it says when it was made.
fn bearer(subject: &str, issued: bool) -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let mut claims = json!({ "iss": ISSUER, "aud": "api", "sub": subject, "exp": now + 600, "roles": ["candidate"] });
    if issued {
        claims["iat"] = Value::from(now);
    }
    sign(r#"{"alg":"HS256","typ":"JWT"}"#, &claims.to_string())
}

fn start(upstream: &Upstream) -> Gateway {
    assert!(ENTRY.contains(SECRET));
    trusting(upstream, ENTRY).users(&users()).start()
}

#[test]
fn the_user_list_applies_to_the_subjects_that_it_has() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    for (subject, issued, status, reason) in [
        ("alice", true, 401, "the user is disabled"),
        ("alice", false, 401, "the user is disabled"),
        (
            "bob",
            true,
            401,
            "the token is older than the user's `tokens_valid_after`",
        ),
        (
            "bob",
            false,
            401,
            "the token is older than the user's `tokens_valid_after`",
        ),
        ("carol", true, 200, ""),
        (
            "carol",
            false,
            401,
            "the token is older than the user's `tokens_valid_after`",
        ),
        ("dora", true, 200, ""),
        ("dora", false, 200, ""),
        ("on-no-list", true, 200, ""),
        ("on-no-list", false, 200, ""),
    ] {
        let what = format!("{subject}, issued: {issued}");
        let answer = ask(&gateway, "/me", &bearer(subject, issued));
        assert_eq!(answer.0, status, "{what}");
        let line = gateway.line("/me");
        assert!(line.to_string().contains(reason), "{what}: {line}");
        let expected = if status == 200 {
            ""
        } else {
            "the token is no longer accepted"
        };
        assert_eq!(answer.1, expected, "{what}");
    }
    assert_eq!(
        ask(&gateway, "/jobs", &bearer("dora", true)).0,
        403,
        "her roles are those of the token"
    );
}

/// `alice` is disabled, and whoever the issuer calls `Alice` would be her to a service that folds names.
#[test]
fn a_subject_that_is_a_users_name_in_other_case_is_refused() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    for subject in ["Alice", "ALICE", "Dora"] {
        assert_eq!(
            ask(&gateway, "/me", &bearer(subject, true)).0,
            401,
            "{subject}"
        );
    }
    assert_eq!(ask(&gateway, "/me", &bearer("Erna", true)).0, 200);
    assert_eq!(upstream.received().len(), 1);
}

/// A token that was verified before is remembered; what the list says now counts all the same.
#[test]
fn disabling_a_user_takes_effect_with_the_next_request_of_another_issuers_token() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    let dora = bearer("dora", true);
    assert_eq!(ask(&gateway, "/me", &dora).0, 200);
    let disabled = gateway
        .read("users.yaml")
        .replace("roles: [recruiter]", "disabled: true");
    gateway.replace("users.yaml", &disabled);
    gateway.event("configuration reloaded");
    assert_eq!(ask(&gateway, "/me", &dora).0, 401);
}

#[test]
fn a_tunnel_of_another_issuers_token_ends_when_its_user_is_disabled() {
    let upstream = RawUpstream::new(|mut wire, _| {
        wire.head();
        wire.say(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
        );
        wire.drain();
    });
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .auth(&format!("trusted_issuers: [ {ENTRY} ]"))
        .users(&users())
        .start();
    let mut client = Connection::open(gateway.address);
    client.write(format!(
        "GET /me HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\nAuthorization: Bearer {}\r\n\r\n",
        bearer("dora", true)
    ));
    let head = client.read_head().unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let disabled = gateway
        .read("users.yaml")
        .replace("roles: [recruiter]", "disabled: true");
    gateway.replace("users.yaml", &disabled);
    assert_eq!(client.read_to_end(), "");
    assert_eq!(
        gateway.line("/me")["reason"],
        "closed: it is not allowed any more"
    );
}

#[test]
fn commands_say_that_the_user_list_refuses_a_bearer() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_gatelatch"))
            .args(arguments)
            .arg("--config")
            .arg(gateway.path("gateway.yaml"))
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    for (subject, refusal) in [
        ("alice", "the user is disabled"),
        ("bob", "the token is older than `tokens_valid_after`"),
    ] {
        let token = bearer(subject, true);
        let (code, text) = run(&["explain", "GET", "/me", "--token", &token]);
        assert!(code == Some(3) && text.contains(refusal), "{text}");
        let (code, text) = run(&["token", "inspect", &token]);
        assert!(code == Some(1) && text.contains(refusal), "{text}");
    }
}
