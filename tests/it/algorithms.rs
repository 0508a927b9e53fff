//! Every signature algorithm, the published keys, and the change from one key to the next.

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::{GatewayBuilder, SECRET, Upstream, gateway, output, python, send, until};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /me, allow: authenticated }
      - { path: /.well-known/other, allow: anyone }
";

fn key(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/keys")
        .join(name)
}

/// The default gateway with another `auth.token`.
fn with_token(builder: GatewayBuilder, token: &str) -> GatewayBuilder {
    let config = builder
        .config()
        .replace(&format!("secret: \"{SECRET}\""), token);
    builder.whole(&config)
}

fn signed_with(algorithm: &str, file: &str) -> String {
    format!(
        "algorithm: {algorithm}, private_key_file: \"{}\"",
        key(file).display()
    )
}

fn header_of(token: &str) -> Value {
    serde_json::from_slice(
        &URL_SAFE_NO_PAD
            .decode(token.split('.').next().unwrap())
            .unwrap(),
    )
    .unwrap()
}

#[test]
fn every_algorithm_signs_and_verifies_and_shows_its_public_key() {
    for (algorithm, token, kind) in [
        (
            "HS384",
            format!("algorithm: HS384, secret: \"{SECRET}-and-so-on\""),
            None,
        ),
        (
            "HS512",
            format!("algorithm: HS512, secret: \"{SECRET}-and-so-on-and-on-and-on\""),
            None,
        ),
        ("RS256", signed_with("RS256", "rsa.pem"), Some("RSA")),
        ("RS384", signed_with("RS384", "rsa.pem"), Some("RSA")),
        ("RS512", signed_with("RS512", "rsa.pkcs1.pem"), Some("RSA")),
        ("PS256", signed_with("PS256", "rsa.pkcs1.pem"), Some("RSA")),
        ("PS384", signed_with("PS384", "rsa-pss.pem"), Some("RSA")),
        ("PS512", signed_with("PS512", "rsa.pem"), Some("RSA")),
        ("ES256", signed_with("ES256", "p256.sec1.pem"), Some("EC")),
        ("ES384", signed_with("ES384", "p384.pem"), Some("EC")),
        ("ES512", signed_with("ES512", "p521.pem"), Some("EC")),
        (
            "Ed25519",
            signed_with("Ed25519", "ed25519.pem"),
            Some("OKP"),
        ),
        ("EdDSA", signed_with("EdDSA", "ed25519.pem"), Some("OKP")),
    ] {
        let upstream = Upstream::saying("hi");
        let gateway = with_token(gateway(SERVICES).upstream(upstream.address), &token).start();
        let bearer = gateway.token("rita");
        let header = header_of(&bearer);
        assert_eq!(header["alg"], algorithm);
        // the second time it is remembered
        for _ in 0..2 {
            let answer = gateway.get("/me", &format!("Authorization: Bearer {bearer}\r\n"));
            assert_eq!(answer.status, 200, "{algorithm}: {answer:?}");
        }
        let shown = gateway.get("/.well-known/jwks.json", "");
        assert_eq!(
            (shown.status, shown.header("cache-control")),
            (200, "public, max-age=300")
        );
        let keys = shown.json()["keys"].as_array().unwrap().clone();
        assert_eq!(keys.len(), usize::from(kind.is_some()), "{algorithm}");
        for key in keys {
            assert_eq!(
                (key["kty"].as_str(), &key["kid"], &key["use"]),
                (kind, &header["kid"], &json!("sig"))
            );
            assert_eq!(key["alg"], algorithm);
            assert!(
                ["d", "p", "q", "k"]
                    .iter()
                    .all(|private| key.get(private).is_none()),
                "{key}"
            );
        }
        assert!(!gateway.printed().contains("PRIVATE KEY"));
    }
}

#[test]
fn the_published_keys_are_the_gateways_own_place() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let ask = |method: &str, path: &str| {
        send(
            gateway.address,
            format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
        )
    };
    assert_eq!(
        gateway.get("/.well-known/jwks.json", "").body,
        "{\"keys\":[]}\n"
    );
    assert_eq!(ask("POST", "/.well-known/jwks.json").status, 405);
    assert_eq!(gateway.get("/.well-known/jwks.json/x", "").status, 404);
    assert_eq!(
        gateway.get("/.well-known/other", "").body,
        "hi",
        "the rest there is the services'"
    );
    assert_eq!(upstream.received().len(), 1);
}

#[test]
fn a_new_key_signs_and_old_tokens_hold_until_the_old_key_is_taken_away() {
    let upstream = Upstream::saying("hi");
    let services = gateway(SERVICES).upstream(upstream.address);
    let gateway = with_token(services, &format!("secret: \"{SECRET}\"")).start();
    let status = |token: &str| {
        gateway
            .get("/me", &format!("Authorization: Bearer {token}\r\n"))
            .status
    };
    let config = gateway.read("gateway.yaml");
    let change = |token: String| {
        gateway.replace(
            "gateway.yaml",
            &config.replace(&format!("secret: \"{SECRET}\""), &token),
        );
        gateway.event("configuration reloaded");
    };
    let secret = gateway.token("rita");
    let previous = format!("{{ algorithm: HS256, secret: \"{SECRET}\" }}");
    change(format!(
        "{}, previous: [ {previous} ]",
        signed_with("RS256", "rsa.pem")
    ));
    let rsa = gateway.token("rita");
    assert_eq!(
        (
            header_of(&rsa)["alg"].as_str(),
            status(&rsa),
            status(&secret)
        ),
        (Some("RS256"), 200, 200)
    );
    let public = format!(
        "{{ algorithm: RS256, public_key_file: \"{}\" }}",
        key("rsa.pub.pem").display()
    );
    change(format!(
        "{}, kid: third, previous: [ {previous}, {public} ]",
        signed_with("EdDSA", "ed25519.pem")
    ));
    let third = gateway.token("rita");
    assert_eq!(header_of(&third)["kid"], "third");
    assert_eq!(
        (status(&third), status(&rsa), status(&secret)),
        (200, 200, 200)
    );
    let shown = gateway.get("/.well-known/jwks.json", "").json();
    let kids: Vec<&Value> = shown["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| &key["kid"])
        .collect();
    assert_eq!(kids, [&json!("third"), &header_of(&rsa)["kid"]]);
    change(format!(
        "{}, kid: third",
        signed_with("EdDSA", "ed25519.pem")
    ));
    assert_eq!(
        (status(&third), status(&rsa), status(&secret)),
        (200, 401, 401)
    );
}

#[test]
fn a_key_file_that_changes_is_read_again() {
    let upstream = Upstream::saying("hi");
    let builder = gateway(SERVICES).upstream(upstream.address);
    let builder = with_token(builder, "algorithm: EdDSA, private_key_file: token.pem");
    let first = std::fs::read_to_string(key("ed25519.pem")).unwrap();
    let gateway = builder
        .prepare(move |folder| std::fs::write(folder.join("token.pem"), first).unwrap())
        .start();
    let before = gateway.token("rita");
    gateway.replace("token.pem", "no key");
    gateway.event("configuration not reloaded");
    assert_eq!(
        gateway
            .get("/me", &format!("Authorization: Bearer {before}\r\n"))
            .status,
        200
    );
    let made = Command::new(env!("CARGO_BIN_EXE_gatelatch"))
        .args(["key", "generate", "--algorithm", "EdDSA"])
        .output()
        .unwrap();
    gateway.replace("token.pem", std::str::from_utf8(&made.stdout).unwrap());
    gateway.event("configuration reloaded");
    until("the old key is gone", || {
        gateway
            .get("/me", &format!("Authorization: Bearer {before}\r\n"))
            .status
            == 401
    });
    assert_eq!(gateway.get("/me", &gateway.bearer("rita")).status, 200);
}

/// The two names of Ed25519 (RFC 9864) are one key: a change of the name logs nobody out.
#[test]
fn the_name_of_ed25519_may_change_while_tokens_are_out() {
    let upstream = Upstream::saying("hi");
    let builder = gateway(SERVICES).upstream(upstream.address);
    let gateway = with_token(builder, &signed_with("EdDSA", "ed25519.pem")).start();
    let before = gateway.token("rita");
    let config = gateway.read("gateway.yaml");
    gateway.replace(
        "gateway.yaml",
        &config.replace("algorithm: EdDSA", "algorithm: Ed25519"),
    );
    gateway.event("configuration reloaded");
    let after = gateway.token("rita");
    let names = [&before, &after].map(|token| header_of(token));
    assert_eq!(
        (&names[0]["alg"], &names[1]["alg"]),
        (&json!("EdDSA"), &json!("Ed25519"))
    );
    assert_eq!(names[0]["kid"], names[1]["kid"]);
    for token in [before, after] {
        let answer = gateway.get("/me", &format!("Authorization: Bearer {token}\r\n"));
        assert_eq!(answer.status, 200);
    }
}

/// Keys and tokens of PyJWT, for each algorithm with a public key: with the name in the key, and without.
#[test]
fn tokens_that_python_signs_hold_for_every_algorithm() {
    let Some(python) = python() else { return };
    let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps/sign.py");
    let mut issuers = String::new();
    let mut files = Vec::new();
    let mut tokens = Vec::new();
    for (at, (algorithm, accepted)) in [
        ("RS256", "RS256"),
        ("RS384", "RS256, RS384"),
        ("RS512", "RS512"),
        ("PS256", "PS256"),
        ("PS384", "PS384, PS256"),
        ("PS512", "PS512"),
        ("ES256", "ES256"),
        ("ES384", "ES384"),
        ("ES512", "ES512, ES384"),
        ("EdDSA", "EdDSA"),
        ("EdDSA", "Ed25519"),
        ("Ed25519", "Ed25519"),
        ("Ed25519", "EdDSA"),
        ("Ed25519", "RS256, EdDSA, Ed25519"),
    ]
    .into_iter()
    .enumerate()
    {
        for bare in [&[][..], &["bare"]] {
            let issuer = format!("https://{at}.{}.example.com", bare.len());
            let made = output(
                Command::new(&python)
                    .arg(&app)
                    .args([&issuer, algorithm])
                    .args(bare),
            );
            let made: Value = serde_json::from_str(&made).unwrap();
            let file = format!("{at}-{}.json", bare.len());
            issuers += &format!(
                "{{ issuer: \"{issuer}\", jwks: {file}, audience: api, algorithms: [{accepted}] }}, "
            );
            files.push((file, made["jwks"].to_string()));
            tokens.push((
                algorithm,
                accepted,
                made["token"].as_str().unwrap().to_owned(),
            ));
        }
    }
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .auth(&format!("trusted_issuers: [ {issuers} ]"))
        .prepare(move |folder| {
            for (name, text) in files {
                std::fs::write(folder.join(name), text).unwrap();
            }
        })
        .start();
    for (algorithm, accepted, token) in tokens {
        let answer = gateway.get("/me", &format!("Authorization: Bearer {token}\r\n"));
        assert_eq!(
            answer.status, 200,
            "{algorithm} as [{accepted}]: {answer:?}"
        );
        // the last byte of the signature decides too
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        *signature.last_mut().unwrap() ^= 1;
        let forged = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        let answer = gateway.get("/me", &format!("Authorization: Bearer {forged}\r\n"));
        assert_eq!(
            answer.status, 401,
            "{algorithm} as [{accepted}]: {answer:?}"
        );
    }
}

#[test]
fn python_verifies_tokens_through_the_published_keys() {
    let Some(python) = python() else { return };
    let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps/verify.py");
    for (algorithm, file) in [
        ("RS256", "rsa.pem"),
        ("RS384", "rsa.pem"),
        ("RS512", "rsa.pem"),
        ("PS256", "rsa.pem"),
        ("PS384", "rsa-pss.pem"),
        ("PS512", "rsa.pem"),
        ("ES256", "p256.pem"),
        ("ES384", "p384.pem"),
        ("ES512", "p521.pem"),
        ("EdDSA", "ed25519.pem"),
        ("Ed25519", "ed25519.pem"),
    ] {
        let gateway = with_token(gateway(SERVICES), &signed_with(algorithm, file)).start();
        let keys = format!("http://{}/.well-known/jwks.json", gateway.address);
        let claims = output(Command::new(&python).arg(&app).args([
            keys.as_str(),
            &gateway.token("rita"),
            algorithm,
        ]));
        assert_eq!(
            serde_json::from_str::<Value>(&claims).unwrap()["sub"],
            "rita",
            "{algorithm}"
        );
    }
}
