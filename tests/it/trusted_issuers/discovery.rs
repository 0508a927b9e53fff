//! Issuers whose keys are found by their metadata (OpenID Connect Discovery 1.0, RFC 8414).

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use gatelatch::token::Key;
use serde_json::{Value, json};

use super::{Command, ask, jwks, rsa, serve_over_tls, status, token, trusting};
use crate::support::{Authority, Upstream, ok};

const OPENID: &str = "/realm/.well-known/openid-configuration";
const OAUTH: &str = "/.well-known/oauth-authorization-server/realm";
const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

/// An issuer with the path `/realm` whose metadata are at one of the two places; elsewhere `otherwise` is answered.
struct Issuer {
    server: Upstream,
    name: String,
}

impl Issuer {
    fn new(place: &'static str, otherwise: Vec<u8>, change: fn(&mut Value)) -> Self {
        let name: Arc<OnceLock<String>> = Arc::default();
        let known = Arc::clone(&name);
        let keys = jwks(&[&rsa("a")]);
        let server = Upstream::new(move |request| {
            let issuer = known.get().cloned().unwrap_or_default();
            let target = request.line().split(' ').nth(1).unwrap_or_default();
            match target {
                "/keys" => ok(&keys),
                target if target == place => {
                    let origin = issuer.trim_end_matches("/realm");
                    let mut metadata = json!({ "issuer": issuer, "jwks_uri": format!("{origin}/keys"), "other": [1] });
                    change(&mut metadata);
                    ok(&metadata.to_string())
                }
                _ => otherwise.clone(),
            }
        });
        let name = name
            .get_or_init(|| format!("http://{}/realm", server.address))
            .clone();
        Self { server, name }
    }

    fn entry(&self) -> String {
        entry(&self.name, "")
    }

    fn asked(&self) -> Vec<String> {
        let received = self.server.received();
        let target = |line: &str| line.split(' ').nth(1).unwrap_or_default().to_owned();
        received
            .iter()
            .map(|request| target(request.line()))
            .collect()
    }
}

fn entry(issuer: &str, more: &str) -> String {
    format!("{{ issuer: \"{issuer}\", audience: [api], algorithms: [RS256]{more} }}")
}

#[test]
fn keys_are_found_by_the_metadata_of_the_issuer() {
    let html = ok("<html>a page for every path</html>");
    for (place, otherwise, expected) in [
        (OPENID, NOT_FOUND.as_bytes().to_vec(), vec![OPENID, "/keys"]),
        (
            OAUTH,
            NOT_FOUND.as_bytes().to_vec(),
            vec![OPENID, OAUTH, "/keys"],
        ),
        (OAUTH, html, vec![OPENID, OAUTH, "/keys"]),
    ] {
        let upstream = Upstream::saying("hi");
        let issuer = Issuer::new(place, otherwise, |_| {});
        let gateway = trusting(&upstream, &issuer.entry()).start();
        assert_eq!(gateway.named_event("jwks_fetched")["keys"], 1);
        let bearer = |key: &Key| token(key, &issuer.name, json!({}));
        assert_eq!(
            ask(&gateway, "/me", &bearer(&rsa("a"))),
            (200, String::new())
        );
        assert_eq!(issuer.asked(), expected);
        // a client has the keys requested, and no metadata
        assert_eq!(status(&gateway, "/me", &bearer(&rsa("b"))), 401);
        crate::support::until("the keys are fetched again", || {
            issuer.asked().len() == expected.len() + 1
        });
        assert_eq!(issuer.asked().last().map(String::as_str), Some("/keys"));
    }
}

#[test]
fn metadata_that_lead_elsewhere_are_refused() {
    let moved = "HTTP/1.1 302 Found\r\nLocation: /keys\r\nContent-Length: 0\r\n\r\n";
    let cases: [(&str, &'static str, fn(&mut Value), &str); 8] = [
        (
            NOT_FOUND,
            OPENID,
            |metadata| metadata["issuer"] = json!("https://evil.example.com"),
            "the metadata are those of the issuer `https://evil.example.com`",
        ),
        (
            NOT_FOUND,
            OPENID,
            |metadata| {
                let name = metadata["issuer"].as_str().unwrap().to_owned() + "/";
                metadata["issuer"] = name.into();
            },
            "the metadata are those of the issuer `http://127.0.0.1:",
        ),
        (
            NOT_FOUND,
            OPENID,
            |metadata| metadata["jwks_uri"] = json!("http://idp.example.com/keys"),
            "`jwks_uri` is not `https://`",
        ),
        (
            NOT_FOUND,
            OPENID,
            |metadata| metadata["jwks_uri"] = json!("file:///etc/passwd"),
            "`jwks_uri` is not a URL",
        ),
        (
            NOT_FOUND,
            OPENID,
            |metadata| metadata["jwks_uri"] = json!(7),
            "not metadata with `issuer` and `jwks_uri`",
        ),
        (
            NOT_FOUND,
            "/nowhere",
            |_| {},
            "/.well-known/oauth-authorization-server/realm: answered 404 Not Found",
        ),
        (moved, "/nowhere", |_| {}, "redirects are not followed"),
        (
            NOT_FOUND,
            OAUTH,
            |metadata| metadata["issuer"] = json!("x"),
            "openid-configuration: answered 404 Not Found; ",
        ),
    ];
    for (otherwise, place, change, expected) in cases {
        let upstream = Upstream::saying("hi");
        let issuer = Issuer::new(place, otherwise.as_bytes().to_vec(), change);
        let gateway = trusting(&upstream, &issuer.entry()).start();
        let event = gateway.named_event("jwks_failed");
        let error = event["error"].as_str().unwrap();
        assert!(error.contains(expected), "{error}");
        assert!(!issuer.asked().contains(&"/keys".to_owned()));
        let bearer = token(&rsa("a"), &issuer.name, json!({}));
        assert_eq!(status(&gateway, "/me", &bearer), 401);
    }
}

/// Serves the metadata and the keys of an issuer over TLS, and gives its name.
fn over_tls(authority: &Authority) -> String {
    let keys = jwks(&[&rsa("a")]);
    let address: SocketAddr =
        serve_over_tls(&authority.issue(&["127.0.0.1"]), move |address, head| {
            if head.starts_with("GET /keys ") {
                keys.clone()
            } else {
                let issuer = format!("https://{address}");
                json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/keys") }).to_string()
            }
        });
    format!("https://{address}")
}

#[test]
fn an_issuer_is_verified_by_its_own_authority() {
    let upstream = Upstream::saying("hi");
    let authority = Authority::new("internal");
    let issuer = over_tls(&authority);
    let jwks = format!(", jwks: \"{issuer}/keys\"");
    for (source, certificate, is_trusted) in [
        ("", authority.certificate(), true),
        (jwks.as_str(), authority.certificate(), true),
        ("", Authority::new("another").certificate(), false),
        (
            jwks.as_str(),
            Authority::new("another").certificate(),
            false,
        ),
    ] {
        let certificate = certificate.to_owned();
        let gateway = trusting(&upstream, &entry(&issuer, &format!("{source}, ca: ca.pem")))
            .prepare(move |folder| std::fs::write(folder.join("ca.pem"), certificate).unwrap())
            .start();
        let bearer = token(&rsa("a"), &issuer, json!({}));
        if is_trusted {
            assert_eq!(gateway.named_event("jwks_fetched")["keys"], 1);
            assert_eq!(ask(&gateway, "/me", &bearer), (200, String::new()));
        } else {
            let error = gateway.named_event("jwks_failed")["error"].to_string();
            assert!(error.contains("no TLS connection: "), "{error}");
            assert_eq!(status(&gateway, "/me", &bearer), 401);
        }
    }
}

#[test]
fn a_probe_says_whose_keys_cannot_be_had() {
    let upstream = Upstream::saying("hi");
    let good = Issuer::new(OPENID, NOT_FOUND.as_bytes().to_vec(), |_| {});
    let bad = Issuer::new("/nowhere", NOT_FOUND.as_bytes().to_vec(), |_| {});
    let none = format!(
        "{{ issuer: \"https://none.example.com\", jwks: \"http://{}/keys\", audience: api, algorithms: [ES256] }}",
        good.server.address
    );
    let issuers = format!("{}, {}, {none}", good.entry(), bad.entry());
    let gateway = trusting(&upstream, &issuers).start();
    let output = Command::new(env!("CARGO_BIN_EXE_gatelatch"))
        .args(["check", "--probe", "--timeout", "10s", "--config"])
        .arg(gateway.path("gateway.yaml"))
        .output()
        .unwrap();
    let [said, summary] =
        [output.stderr, output.stdout].map(|text| String::from_utf8(text).unwrap());
    assert!(
        summary.ends_with(", 1 of 1 server answering, 1 of 3 issuers answering\n"),
        "{summary}"
    );
    for expected in [
        format!(
            "warning[unreachable-keys]: the keys of the issuer `{}` cannot be had: ",
            bad.name
        ),
        "no key is for these `algorithms`".to_owned(),
    ] {
        assert!(said.contains(&expected), "{said}");
    }
    assert!(!said.contains(&format!("issuer `{}`", good.name)), "{said}");
}
