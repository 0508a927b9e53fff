//! Caches in front: an answer to one caller is not handed to others (RFC 9111).

use sha2::{Digest, Sha256};

use crate::support::{Gateway, Upstream, gateway, hash, send, sign_in};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /open/**, allow: anyone }
      - { path: /known/**, allow: authenticated }
      - { path: /near/**, allow: { networks: [127.0.0.0/8] } }
      - { path: /trial/**, allow: nobody, mode: report }
  passing:
    path: /passing
    upstream: http://UPSTREAM
    cache: pass
    rules: [ { path: /passing/**, allow: authenticated } ]
  own:
    path: /own
    upstream: http://UPSTREAM
    response_headers: { Cache-Control: 'max-age=5' }
    rules: [ { path: /own/**, allow: authenticated } ]
";

/// Answers with the status and the `Cache-Control` lines that stand in the request's `X-Say`: `304|max-age=1|public`.
fn echo() -> Upstream {
    Upstream::new(|request| {
        let say = request
            .fields("x-say")
            .first()
            .copied()
            .unwrap_or("200")
            .to_owned();
        let mut parts = say.split('|');
        let status = parts.next().unwrap();
        let lines: String = parts
            .map(|line| format!("Cache-Control: {line}\r\n"))
            .collect();
        format!("HTTP/1.1 {status} X\r\nVary: Accept\r\n{lines}Content-Length: 0\r\n\r\n")
            .into_bytes()
    })
}

fn key() -> (String, String) {
    let key = format!("glk_{}A", "k".repeat(42));
    let hex: String = Sha256::digest(&key)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let users = format!(
        "users:\n  rita: {{ password: \"{}\", roles: [recruiter], api_keys: [{{ name: k, hash: \"sha256:{hex}\" }}] }}\n",
        hash()
    );
    (key, users)
}

fn cache_control(gateway: &Gateway, path: &str, caller: &str, say: &str) -> Vec<String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nX-Say: {say}\r\n{caller}\r\n");
    let answer = send(gateway.address, request);
    let expected = say.split('|').next().unwrap();
    assert_eq!(
        answer.status.to_string(),
        expected,
        "{path} {caller}: {answer:?}"
    );
    assert_eq!(answer.headers("vary"), ["Accept"]);
    answer
        .headers("cache-control")
        .into_iter()
        .map(str::to_owned)
        .collect()
}

#[test]
fn what_one_caller_was_allowed_is_private() {
    let app = echo();
    let (key, users) = key();
    let gateway = gateway(SERVICES)
        .upstream(app.address)
        .users(&users)
        .start();
    let cookie = sign_in(&gateway, "rita");
    let bearer = gateway.bearer("rita");
    let key_field = format!("X-Api-Key: {key}\r\n");
    let key_bearer = format!("Authorization: Bearer {key}\r\n");
    let both = format!("Authorization: Basic b3duOm93bg==\r\n{cookie}");
    for (path, caller, say, expected) in [
        ("/known/x", &cookie, "200", &["private"][..]),
        ("/known/x", &key_field, "200", &["private"]),
        ("/known/x", &both, "200", &["private"]),
        ("/near/x", &String::new(), "200", &["private"]),
        ("/trial/x", &String::new(), "200", &["private"]),
        (
            "/known/x",
            &cookie,
            "200|max-age=60",
            &["private, max-age=60"],
        ),
        (
            "/known/x",
            &cookie,
            "200|max-age=60|s-maxage=9",
            &["private, max-age=60, s-maxage=9"],
        ),
        ("/known/x", &cookie, "404", &["private"]),
        ("/known/x", &cookie, "301", &["private"]),
        (
            "/known/x",
            &cookie,
            "304|max-age=60",
            &["private, max-age=60"],
        ),
        ("/known/x", &cookie, "304", &["private"]),
        (
            "/known/x",
            &cookie,
            "200|public, max-age=60",
            &["public, max-age=60"],
        ),
        (
            "/known/x",
            &cookie,
            "200|max-age=60|public",
            &["max-age=60", "public"],
        ),
        ("/known/x", &cookie, "200|private", &["private"]),
        ("/known/x", &cookie, "200|no-store", &["no-store"]),
        // caches keep out by themselves (RFC 9111, section 3.5)
        ("/known/x", &bearer, "200", &[]),
        ("/known/x", &key_bearer, "200|max-age=60", &["max-age=60"]),
        ("/near/x", &bearer, "200", &[]),
        // unless the service invites them
        (
            "/known/x",
            &bearer,
            "200|max-age=60, must-revalidate",
            &["private, max-age=60, must-revalidate"],
        ),
        (
            "/known/x",
            &bearer,
            "200|s-maxage=60",
            &["private, s-maxage=60"],
        ),
        (
            "/known/x",
            &bearer,
            "200|public, s-maxage=60",
            &["public, s-maxage=60"],
        ),
        // open to anyone, whoever asks
        ("/open/x", &cookie, "200", &[]),
        ("/open/x", &key_field, "200|max-age=60", &["max-age=60"]),
        ("/passing/x", &cookie, "200", &[]),
        ("/passing/x", &cookie, "200|max-age=60", &["max-age=60"]),
        // the operator has the last word
        ("/own/x", &cookie, "200", &["max-age=5"]),
    ] {
        assert_eq!(
            cache_control(&gateway, path, caller, say),
            expected,
            "{path} {caller} {say}"
        );
    }
    // what caches of one kind are told in place of `Cache-Control` (RFC 9213)
    let targeted = Upstream::new(|_| {
        b"HTTP/1.1 200 OK\r\nCDN-Cache-Control: max-age=60\r\nSurrogate-Control: max-age=60\r\nContent-Length: 0\r\n\r\n".to_vec()
    });
    let told = crate::support::gateway(SERVICES)
        .upstream(targeted.address)
        .users(&users)
        .start();
    for (path, cdn, surrogate) in [
        ("/known/x", "private, max-age=60", "no-store, max-age=60"),
        ("/open/x", "max-age=60", "max-age=60"),
        ("/passing/x", "max-age=60", "max-age=60"),
    ] {
        let answer = told.get(path, &key_field);
        assert_eq!(answer.headers("cdn-cache-control"), [cdn], "{answer:?}");
        assert_eq!(
            answer.headers("surrogate-control"),
            [surrogate],
            "{answer:?}"
        );
    }
    // what the service's `Connection` takes away is said all the same
    let nominated = Upstream::new(|_| {
        b"HTTP/1.1 200 OK\r\nConnection: cache-control\r\nCache-Control: no-store\r\nContent-Length: 0\r\n\r\n".to_vec()
    });
    let gateway = crate::support::gateway(SERVICES)
        .upstream(nominated.address)
        .users(&users)
        .start();
    let answer = gateway.get("/known/x", &key_field);
    assert_eq!(answer.headers("cache-control"), ["private"], "{answer:?}");
}
