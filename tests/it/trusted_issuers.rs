//! Tokens of other issuers: whose keys count, who their bearers are, and what happens when the keys change or cannot be had.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use gatelatch::token::{
    Algorithm, ClaimPath, Holder, IssuerSettings, Key, KeySet, SignIn, TokenIssuer,
};
use serde_json::{Map, Value, json};

use crate::support::{
    Authority, Certified, Gateway, GatewayBuilder, Upstream, gateway, hash, ok, until,
};
use crate::upgrades::{echoing, open};

mod claims;
mod discovery;
mod provider;
mod rotation;
mod users;

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    identity: { headers: { Remote-User: sub, Remote-Groups: roles, Remote-Email: email, X-Issuer: iss, X-Tenant: tenant } }
    rules:
      - { path: /me, allow: authenticated }
      - { path: /public, allow: anyone }
      - { path: /jobs, allow: { roles: [recruiter] } }
      - { path: \"/users/{id}\", allow: { user: \"{id}\" } }
      - { path: /acme, allow: { claims: { tenant: acme, iss: \"https://idp.example.com/\" } } }
";

const ISSUER: &str = "https://idp.example.com/";

fn file(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/keys")
        .join(name)
        .to_str()
        .unwrap()
        .to_owned()
}

fn key(algorithm: Algorithm, name: &str, kid: &str) -> Key {
    Key::from_pem(
        algorithm,
        &std::fs::read_to_string(file(name)).unwrap(),
        Some(kid),
    )
    .unwrap()
}

fn rsa(kid: &str) -> Key {
    key(Algorithm::Rs256, "rsa.pem", kid)
}

fn now() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// A token of another issuer; `changes` replace its claims.
fn token(key: &Key, issuer: &str, changes: Value) -> String {
    let settings = IssuerSettings {
        issuer: issuer.to_owned(),
        audience: changes
            .get("aud")
            .and_then(Value::as_str)
            .unwrap_or("api")
            .to_owned(),
        access_ttl: std::time::Duration::from_secs(600),
        roles_claim: ClaimPath::of("unused"),
        longest_token: usize::MAX,
    };
    let mut claims: Map<String, Value> = changes.as_object().unwrap().clone();
    let subject = claims
        .remove("sub")
        .map_or("walter".to_owned(), |sub| sub.as_str().unwrap().to_owned());
    let holder = Holder {
        subject: &subject,
        roles: &[],
        name: None,
        email: None,
        claims: Some(&claims),
        session: None,
        sign_in: SignIn::default(),
    };
    TokenIssuer::new(key.clone(), settings)
        .issue(&holder, [0; 16], now())
        .unwrap()
        .token
}

fn jwks(keys: &[&Key]) -> String {
    KeySet::new(keys.iter().map(|key| key.verifying().clone()).collect())
        .to_jwks()
        .to_string()
}

fn trusting(upstream: &Upstream, issuers: &str) -> GatewayBuilder {
    gateway(SERVICES)
        .upstream(upstream.address)
        .auth(&format!("trusted_issuers: [ {issuers} ]"))
}

fn entry(keys: &str, more: &str) -> String {
    format!(
        "{{ issuer: \"{ISSUER}\", {keys}, audience: [api], algorithms: [RS256], roles_claim: realm_access.roles{more} }}"
    )
}

/// Status, and the `error_description` of the challenge.
fn ask(gateway: &Gateway, path: &str, token: &str) -> (u16, String) {
    let answer = gateway.get(path, &format!("Authorization: Bearer {token}\r\n"));
    let said = answer
        .header("www-authenticate")
        .split_once("error_description=\"");
    (
        answer.status,
        said.map(|(_, said)| said.trim_end_matches('"').to_owned())
            .unwrap_or_default(),
    )
}

fn status(gateway: &Gateway, path: &str, token: &str) -> u16 {
    ask(gateway, path, token).0
}

/// What an identity provider publishes; it can be changed, and nothing at all answers 503.
struct Provider {
    server: Upstream,
    published: Arc<Mutex<Option<String>>>,
}

impl Provider {
    fn new(document: String) -> Self {
        let published = Arc::new(Mutex::new(Some(document)));
        let shown = Arc::clone(&published);
        let server = Upstream::new(move |_| {
            match &*shown.lock().unwrap() {
            Some(document) => format!(
                "HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\nContent-Length: {}\r\n\r\n{document}",
                document.len()
            )
            .into_bytes(),
            None => b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".to_vec(),
        }
        });
        Self { server, published }
    }

    fn publish(&self, document: Option<String>) {
        *self.published.lock().unwrap() = document;
    }

    fn entry(&self, more: &str) -> String {
        entry(
            &format!("jwks: \"http://{}/keys\"", self.server.address),
            more,
        )
    }

    fn asked(&self) -> usize {
        self.server.received().len()
    }
}

fn fetches(gateway: &Gateway, outcome: &str) -> f64 {
    gateway.metric(&format!(
        "gatelatch_jwks_fetches_total{{issuer=\"{ISSUER}\",outcome=\"{outcome}\"}}"
    ))
}

#[test]
fn a_foreign_bearer_has_the_roles_and_facts_of_the_token() {
    let upstream = Upstream::saying("hi");
    let gateway = trusting(
        &upstream,
        &entry(&format!("public_key_file: \"{}\"", file("rsa.pub.pem")), ""),
    )
    .start();
    let facts = json!({
        "realm_access": { "roles": ["recruiter", "x"] }, "tenant": "acme", "email": "w@example.com", "roles": ["admin"]
    });
    let bearer = token(&rsa("whatever"), ISSUER, facts);
    for path in ["/me", "/jobs", "/acme"] {
        assert_eq!(ask(&gateway, path, &bearer), (200, String::new()), "{path}");
    }
    let told = &upstream.received()[0];
    for (name, expected) in [
        ("remote-user", "walter"),
        ("remote-groups", "recruiter,x"),
        ("remote-email", "w@example.com"),
        ("x-issuer", ISSUER),
        ("x-tenant", "acme"),
    ] {
        assert_eq!(told.fields(name), [expected]);
    }
    let me = gateway
        .get("/auth/me", &format!("Authorization: Bearer {bearer}\r\n"))
        .json();
    assert_eq!(
        (me["sub"].as_str(), me["claims"]["iss"].as_str()),
        (Some("walter"), Some(ISSUER))
    );
    let unchecked = token(
        &rsa("a"),
        ISSUER,
        json!({ "email": "rita@example.com", "email_verified": false }),
    );
    assert_eq!(status(&gateway, "/jobs", &unchecked), 403);
    assert_eq!(status(&gateway, "/me", &unchecked), 200);
    assert_eq!(
        upstream.received().last().unwrap().fields("remote-email"),
        [""; 0]
    );
    assert_eq!(
        status(&gateway, "/jobs", &gateway.token("rita")),
        200,
        "the gateway's own tokens go on"
    );
}

#[test]
fn a_token_that_is_not_exactly_for_this_is_refused() {
    let upstream = Upstream::saying("hi");
    let two = format!(
        "{}, {{ issuer: other, public_key_file: \"{}\", audience: other-api, algorithms: [ES256] }}",
        entry(
            &format!("public_key_file: \"{}\", kid: a", file("rsa.pub.pem")),
            ""
        ),
        file("p256.pub.pem")
    );
    let gateway = trusting(&upstream, &two).start();
    let (rsa, point) = (rsa("a"), key(Algorithm::Es256, "p256.pem", "b"));
    let other_algorithm = key(Algorithm::Ps256, "rsa.pem", "a");
    let secret = Key::from_secret(
        Algorithm::Hs256,
        std::fs::read(file("rsa.pub.pem")).unwrap().as_slice(),
        Some("a"),
    );
    assert_eq!(
        status(&gateway, "/me", &token(&rsa, ISSUER, json!({}))),
        200
    );
    assert_eq!(
        status(
            &gateway,
            "/me",
            &token(&point, "other", json!({ "aud": "other-api" }))
        ),
        200
    );
    for (bearer, expected) in [
        (
            token(&point, ISSUER, json!({})),
            "the token names an unknown key",
        ),
        (
            token(&key(Algorithm::Es256, "p256.pem", "a"), ISSUER, json!({})),
            "the token is signed with another algorithm",
        ),
        (
            token(&rsa, "other", json!({ "aud": "other-api" })),
            "the token is signed with another algorithm",
        ),
        (
            token(&other_algorithm, ISSUER, json!({})),
            "the token is signed with another algorithm",
        ),
        (
            token(&secret.unwrap(), ISSUER, json!({})),
            "the token is signed with another algorithm",
        ),
        (
            token(&point, "other", json!({})),
            "the token is for another audience",
        ),
        (
            token(&rsa, ISSUER, json!({ "aud": "gatelatch" })),
            "the token is for another audience",
        ),
        (
            token(&rsa, ISSUER, json!({ "sub": "a b " })),
            "the subject of the token is not acceptable",
        ),
        (
            token(&rsa, "nobody", json!({})),
            "the token is from another issuer",
        ),
        (
            token(
                &rsa,
                "gatelatch",
                json!({ "aud": "gatelatch", "sub": "rita" }),
            ),
            "the token names an unknown key",
        ),
        (
            token(&rsa, "https://idp.example.com", json!({})),
            "the token is from another issuer",
        ),
    ] {
        assert_eq!(
            ask(&gateway, "/me", &bearer),
            (401, expected.to_owned()),
            "{bearer}"
        );
    }
}

#[test]
fn a_foreign_subject_is_nobody_of_the_user_list() {
    let upstream = Upstream::saying("hi");
    let keys = format!("public_key_file: \"{}\"", file("rsa.pub.pem"));
    let strict = trusting(&upstream, &entry(&keys, "")).start();
    let bearer = |sub: &str| token(&rsa("a"), ISSUER, json!({ "sub": sub }));
    let refused = (401, "the subject of the token is not acceptable".to_owned());
    assert_eq!(
        ask(&strict, "/me", &bearer("rita")),
        refused,
        "services would take her for ours"
    );
    assert_eq!(ask(&strict, "/me", &bearer("gone")), refused);
    assert_eq!(
        status(&strict, "/users/walter", &bearer("walter")),
        403,
        "no `user` condition is about him"
    );
    let lenient = trusting(&upstream, &entry(&keys, ", users: true")).start();
    assert_eq!(status(&lenient, "/users/rita", &bearer("rita")), 200);
    assert_eq!(status(&lenient, "/users/walter", &bearer("walter")), 200);
    assert_eq!(
        status(&lenient, "/jobs", &bearer("rita")),
        403,
        "her roles here are not those of the list"
    );
    // a name that comes to be on the list
    assert_eq!(status(&strict, "/me", &bearer("walter")), 200);
    strict.replace(
        "users.yaml",
        &format!("users: {{ walter: {{ password: \"{}\" }} }}", hash()),
    );
    strict.event("configuration reloaded");
    assert_eq!(status(&strict, "/me", &bearer("walter")), 401);
}

#[test]
fn published_keys_are_fetched_rotated_and_kept_through_an_outage() {
    let upstream = Upstream::saying("hi");
    let (first, second, third) = (
        rsa("first"),
        key(Algorithm::Rs256, "rsa.pkcs1.pem", "second"),
        rsa("third"),
    );
    let provider = Provider::new(jwks(&[&first]));
    let gateway = trusting(&upstream, &provider.entry("")).start();
    assert_eq!(gateway.named_event("jwks_fetched")["keys"], 1);
    let (old, new) = (
        token(&first, ISSUER, json!({})),
        token(&second, ISSUER, json!({})),
    );
    assert_eq!(status(&gateway, "/me", &old), 200);
    provider.publish(Some(jwks(&[&first, &second])));
    assert_eq!(
        ask(&gateway, "/me", &new),
        (401, "the token names an unknown key".to_owned()),
        "nobody waits for keys"
    );
    until("the new key is fetched", || {
        status(&gateway, "/me", &new) == 200
    });
    assert_eq!((status(&gateway, "/me", &old), provider.asked()), (200, 2));
    provider.publish(None);
    // within the pause after the first unknown key
    for _ in 0..50 {
        assert_eq!(
            status(&gateway, "/me", &token(&third, ISSUER, json!({}))),
            401
        );
    }
    assert_eq!(
        (
            status(&gateway, "/me", &old),
            status(&gateway, "/me", &new),
            provider.asked()
        ),
        (200, 200, 2)
    );
    assert_eq!(
        (fetches(&gateway, "success"), fetches(&gateway, "failure")),
        (2.0, 0.0)
    );
    // a reload asks for nothing that is known
    gateway.replace("users.yaml", "users: {}");
    gateway.event("configuration reloaded");
    assert_eq!((status(&gateway, "/me", &old), provider.asked()), (200, 2));
}

#[test]
fn a_key_that_is_taken_back_ends_tokens_that_were_verified_before() {
    let upstream = Upstream::saying("hi");
    let (first, second) = (rsa("first"), rsa("second"));
    let provider = Provider::new(jwks(&[&first]));
    let gateway = trusting(&upstream, &provider.entry("")).workers(1).start();
    gateway.named_event("jwks_fetched");
    let old = token(&first, ISSUER, json!({}));
    assert_eq!(status(&gateway, "/me", &old), 200);
    provider.publish(Some(jwks(&[&second])));
    until("the next key is fetched", || {
        status(&gateway, "/me", &token(&second, ISSUER, json!({}))) == 200
    });
    assert_eq!(status(&gateway, "/me", &old), 401);
}

#[test]
fn a_tunnel_ends_when_the_key_of_its_token_is_taken_back() {
    let upstream = echoing();
    let (first, second) = (rsa("first"), rsa("second"));
    let provider = Provider::new(jwks(&[&first]));
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .auth(&format!("trusted_issuers: [ {} ]", provider.entry("")))
        .start();
    gateway.named_event("jwks_fetched");
    let bearer = |key: &Key| {
        let token = token(key, ISSUER, json!({}));
        format!("Authorization: Bearer {token}\r\n")
    };
    let mut ends = open(&gateway, "/me", &bearer(&first));
    let mut stays = open(&gateway, "/me", &gateway.bearer("rita"));
    provider.publish(Some(jwks(&[&second])));
    // a token with an unknown key has the keys fetched
    assert_eq!(gateway.get("/me", &bearer(&second)).status, 401);
    assert_eq!(ends.read_to_end(), "");
    stays.write("still");
    assert_eq!(stays.read_exact(5), "still");
}

#[test]
fn a_provider_that_is_down_at_the_start_is_asked_again() {
    let upstream = Upstream::saying("hi");
    let provider = Provider::new(String::new());
    provider.publish(None);
    let gateway = trusting(&upstream, &provider.entry("")).start();
    let event = gateway.named_event("jwks_failed");
    assert_eq!(
        (event["issuer"].as_str(), event["error"].as_str()),
        (Some(ISSUER), Some("answered 503 Service Unavailable"))
    );
    let bearer = token(&rsa("a"), ISSUER, json!({}));
    assert_eq!(status(&gateway, "/me", &bearer), 401);
    assert_eq!(
        status(&gateway, "/me", &gateway.token("rita")),
        200,
        "everybody else is served"
    );
    provider.publish(Some(jwks(&[&rsa("a")])));
    until("the keys are fetched", || {
        status(&gateway, "/me", &bearer) == 200
    });
    assert!(fetches(&gateway, "failure") >= 1.0);
}

#[test]
fn what_is_no_key_set_changes_nothing() {
    let large = format!("{{\"keys\":[],\"x\":\"{}\"}}", "y".repeat(300 * 1024));
    let moved = "HTTP/1.1 302 Found\r\nLocation: /keys\r\nContent-Length: 0\r\n\r\n";
    let answers: [(Vec<u8>, &str); 5] = [
        (ok("<html>"), "not a JSON Web Key Set"),
        (ok(&large), "more than 256 KiB"),
        (moved.as_bytes().to_vec(), "redirects are not followed"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_vec(),
            "the answer broke off",
        ),
        (b"no http at all\r\n\r\n".to_vec(), "no HTTP answer"),
    ];
    for (answer, expected) in answers {
        let published = Upstream::with_stream(move |_, stream| {
            let _ = stream.write_all(&answer);
            false
        });
        let upstream = Upstream::saying("hi");
        let source = entry(&format!("jwks: \"http://{}/keys\"", published.address), "");
        let gateway = trusting(&upstream, &source).start();
        let error = gateway.named_event("jwks_failed")["error"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(error.contains(expected), "{error}");
        assert_eq!(
            status(&gateway, "/me", &token(&rsa("a"), ISSUER, json!({}))),
            401
        );
    }
}

/// A provider that accepts connections and never says a word.
/// A set is read key by key: an issuer may publish one that is broken, or of a kind that nobody knew yet.
#[test]
fn of_a_published_set_only_the_broken_key_is_lost() {
    let upstream = Upstream::saying("hi");
    let good = rsa("good");
    let mut set: Value = serde_json::from_str(&jwks(&[&good])).unwrap();
    let keys = set["keys"].as_array_mut().unwrap();
    let mut short = keys[0].clone();
    (short["kid"], short["n"]) = (json!("short"), json!("AQAB"));
    keys.insert(0, short);
    keys.insert(
        0,
        json!({ "kty": "AKP", "alg": "ML-DSA-44", "kid": 7, "pub": "AA" }),
    );
    let provider = Provider::new(set.to_string());
    let gateway = trusting(&upstream, &provider.entry("")).start();
    assert_eq!(
        gateway.named_event("jwks_key_rejected")["reason"],
        "key 2, `short`, is not used: an RSA key of 17 bits; 2048 to 8192 are accepted"
    );
    assert_eq!(gateway.named_event("jwks_fetched")["keys"], 1);
    assert_eq!(
        status(&gateway, "/me", &token(&good, ISSUER, json!({}))),
        200
    );
}

#[test]
fn requests_do_not_wait_for_a_provider_that_hangs() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = Upstream::saying("hi");
    let source = entry(
        &format!("jwks: \"http://{}/keys\"", silent.local_addr().unwrap()),
        "",
    );
    let gateway = trusting(&upstream, &source).start();
    let _held = silent.accept().unwrap();
    assert_eq!(
        status(&gateway, "/me", &token(&rsa("a"), ISSUER, json!({}))),
        401
    );
    assert_eq!(status(&gateway, "/me", &gateway.token("rita")), 200);
    assert!(
        !gateway.printed().contains("jwks_failed"),
        "the fetch still runs: {}",
        gateway.printed()
    );
}

#[test]
fn a_file_of_keys_is_read_again_when_it_changes() {
    let upstream = Upstream::saying("hi");
    let (first, second) = (rsa("first"), rsa("second"));
    let document = jwks(&[&first]);
    let builder = trusting(&upstream, &entry("jwks: keys.json", ""));
    let gateway = builder
        .prepare(move |folder| std::fs::write(folder.join("keys.json"), document).unwrap())
        .start();
    let (old, new) = (
        token(&first, ISSUER, json!({})),
        token(&second, ISSUER, json!({})),
    );
    assert_eq!(
        (status(&gateway, "/me", &old), status(&gateway, "/me", &new)),
        (200, 401)
    );
    let inspected = Command::new(env!("CARGO_BIN_EXE_gatelatch"))
        .args(["token", "inspect", &new, "--config"])
        .arg(gateway.path("gateway.yaml"))
        .output()
        .unwrap();
    let inspected = String::from_utf8(inspected.stdout).unwrap();
    let line = "FAILED  token of a trusted issuer: the token names an unknown key\n";
    assert!(inspected.ends_with(line), "{inspected}");
    gateway.replace("keys.json", &jwks(&[&second]));
    gateway.event("configuration reloaded");
    assert_eq!(
        (status(&gateway, "/me", &old), status(&gateway, "/me", &new)),
        (401, 200)
    );
    gateway.replace("keys.json", "{}");
    gateway.event("configuration not reloaded");
    assert_eq!(status(&gateway, "/me", &new), 200);
}

#[test]
fn a_shared_secret_is_an_issuer_too() {
    let upstream = Upstream::saying("hi");
    let secret = "another secret of at least 32 bytes, for sure";
    let issuers = format!(
        "{{ issuer: legacy, secret: \"{secret}\", audience: api, algorithms: [HS256, HS512], roles_claim: \"https://ns/roles\" }}"
    );
    let gateway = trusting(&upstream, &issuers).start();
    for algorithm in [Algorithm::Hs256, Algorithm::Hs512, Algorithm::Hs384] {
        let key = Key::from_secret(algorithm, secret.as_bytes(), None).unwrap();
        let bearer = token(
            &key,
            "legacy",
            json!({ "https://ns/roles": "recruiter other" }),
        );
        let expected = if algorithm == Algorithm::Hs384 {
            401
        } else {
            200
        };
        assert_eq!(status(&gateway, "/jobs", &bearer), expected, "{algorithm}");
    }
}

/// Serves over TLS, a document for each connection by the head of its request.
pub fn serve_over_tls(
    certified: &Certified,
    document: impl Fn(SocketAddr, &str) -> String + Send + 'static,
) -> SocketAddr {
    use rustls::pki_types::pem::PemObject as _;
    let certificate =
        rustls::pki_types::CertificateDer::from_pem_slice(certified.certificate.as_bytes())
            .unwrap();
    let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(certified.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = Arc::new(
        builder
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap(),
    );
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut tls = rustls::StreamOwned::new(connection, stream.unwrap());
            // a client that does not trust the certificate ends here
            let mut head = [0; 4096];
            if let Ok(length) = tls.read(&mut head) {
                let head = String::from_utf8_lossy(&head[..length]).into_owned();
                let _ = tls.write_all(&ok(&document(address, &head)));
                tls.conn.send_close_notify();
                let _ = tls.flush();
            }
        }
    });
    address
}

#[test]
fn keys_come_over_tls_from_whom_the_system_trusts() {
    let upstream = Upstream::saying("hi");
    let authority = Authority::new("keys");
    let keys = jwks(&[&rsa("a")]);
    let certified = authority.issue(&["127.0.0.1"]);
    let address = serve_over_tls(&certified, move |_, _| keys.clone());
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, authority.certificate()).unwrap();
    let source = entry(&format!("jwks: \"https://{address}/keys\""), "");
    let gateway = trusting(&upstream, &source)
        .variable("SSL_CERT_FILE", roots.to_str().unwrap())
        .start();
    assert_eq!(gateway.named_event("jwks_fetched")["keys"], 1);
    assert_eq!(
        status(&gateway, "/me", &token(&rsa("a"), ISSUER, json!({}))),
        200
    );
    std::fs::write(&roots, Authority::new("another").certificate()).unwrap();
    let distrustful = trusting(&upstream, &source)
        .variable("SSL_CERT_FILE", roots.to_str().unwrap())
        .start();
    let error = distrustful.named_event("jwks_failed")["error"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(error.starts_with("no TLS connection: "), "{error}");
    assert_eq!(
        status(&distrustful, "/me", &token(&rsa("a"), ISSUER, json!({}))),
        401
    );
}

#[test]
fn commands_know_other_issuers() {
    let upstream = Upstream::saying("hi");
    let gateway = trusting(
        &upstream,
        &entry(&format!("public_key_file: \"{}\"", file("rsa.pub.pem")), ""),
    )
    .start();
    let run = |arguments: &[&str]| {
        let config = gateway.path("gateway.yaml");
        let output = Command::new(env!("CARGO_BIN_EXE_gatelatch"))
            .args(arguments)
            .arg("--config")
            .arg(config)
            .output();
        let output = output.unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let walter = token(
        &rsa("a"),
        ISSUER,
        json!({ "realm_access": { "roles": ["recruiter"] } }),
    );
    let (code, text) = run(&["explain", "GET", "/jobs", "--token", &walter]);
    assert!(
        code == Some(0) && text.contains("`walter` of another issuer with the role recruiter"),
        "{text}"
    );
    let (code, text) = run(&["token", "inspect", &walter]);
    assert!(
        code == Some(0) && text.ends_with("ok      token of a trusted issuer\n"),
        "{text}"
    );
    let rita = token(&rsa("a"), ISSUER, json!({ "sub": "rita" }));
    let (code, text) = run(&["explain", "GET", "/jobs", "--token", &rita]);
    assert!(
        code == Some(3) && text.contains("a user of the list has this name"),
        "{text}"
    );
    let (code, text) = run(&["token", "inspect", &rita]);
    assert!(
        code == Some(1) && text.contains("FAILED  token of a trusted issuer: a user of the list"),
        "{text}"
    );
}
