//! How clients find out where to get tokens: the metadata of the gateway (RFC 8414), those of its services (RFC 9728), and
//! the challenge that names them.

use serde_json::{Value, json};

use crate::support::{Answer, Gateway, NAVIGATION, Upstream, gateway, send};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules: [ { path: /jobs, allow: authenticated }, { path: /boss, allow: { roles: [boss] } } ]
  mcp:
    path: /mcp
    upstream: http://UPSTREAM
    credentials: [bearer, basic]
    rules: [ { path: /mcp/**, allow: authenticated } ]
  other:
    hosts: [other.test]
    path: /a/b
    upstream: http://UPSTREAM
    rules: [ { path: /a/b, allow: authenticated } ]
";

fn start(auth: &str) -> Gateway {
    let upstream = Upstream::saying("hi");
    gateway(SERVICES)
        .upstream(upstream.address)
        .auth(auth)
        .server("trusted_proxies: [127.0.0.1]")
        .start()
}

fn ask(gateway: &Gateway, method: &str, path: &str, host: &str, fields: &str) -> Answer {
    send(
        gateway.address,
        format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{fields}Connection: close\r\n\r\n"),
    )
}

fn document(gateway: &Gateway, path: &str, host: &str) -> Value {
    let answer = ask(
        gateway,
        "GET",
        path,
        host,
        "Origin: https://inspector.example\r\n",
    );
    assert_eq!(answer.status, 200, "{path} {answer:?}");
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    answer.json()
}

const RESOURCE: &str = "/.well-known/oauth-protected-resource";
const SERVER: &str = "/.well-known/oauth-authorization-server";
const OF_IDP: &str = "resource_metadata: { authorization_servers: [\"https://idp.example.com\"], scopes: [\"jobs:read\"] }";

#[test]
fn the_gateway_says_what_it_is_as_an_authorization_server() {
    let gateway = start("");
    let said = document(&gateway, SERVER, "a.test:8080");
    let origin = "http://a.test:8080";
    assert_eq!(
        said,
        json!({
            "issuer": origin,
            "token_endpoint": format!("{origin}/auth/token"),
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
            "grant_types_supported": ["password", "refresh_token", "client_credentials"],
            "response_types_supported": [],
            "introspection_endpoint": format!("{origin}/auth/introspect"),
            "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "revocation_endpoint": format!("{origin}/auth/revoke"),
            "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        })
    );
    // an authorization server behind the gateway keeps what is not the gateway's
    assert_eq!(
        ask(&gateway, "GET", &format!("{SERVER}/realms/x"), "a.test", "").status,
        403
    );
    assert_eq!(ask(&gateway, "GET", RESOURCE, "a.test", "").status, 403);
    let posted = ask(&gateway, "POST", SERVER, "a.test", "Content-Length: 0\r\n");
    assert_eq!(
        (posted.status, posted.header("allow")),
        (405, "GET, HEAD, OPTIONS")
    );
    let challenge = ask(&gateway, "GET", "/jobs", "a.test", "");
    assert_eq!(
        challenge.headers("www-authenticate"),
        ["Bearer realm=\"gatelatch\""]
    );
}

#[test]
fn an_issuer_with_a_path_has_its_metadata_behind_the_well_known_one() {
    let upstream = Upstream::saying("hi");
    let issuer = "https://id.example.com/realms/main";
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .auth_token(&format!("issuer: \"{issuer}\""))
        .start();
    for path in [SERVER.to_owned(), format!("{SERVER}/realms/main")] {
        let said = document(&gateway, &path, "id.example.com");
        assert_eq!(said["issuer"], issuer);
        assert_eq!(said["token_endpoint"], "http://id.example.com/auth/token");
    }
}

#[test]
fn a_service_says_which_authorization_servers_it_trusts() {
    let gateway = start(OF_IDP);
    for (path, host, resource) in [
        (RESOURCE.to_owned(), "a.test:8080", "http://a.test:8080"),
        (format!("{RESOURCE}/jobs/7"), "a.test", "http://a.test"),
        (format!("{RESOURCE}/mcp"), "a.test", "http://a.test/mcp"),
        (format!("{RESOURCE}/mcp/x"), "a.test", "http://a.test/mcp"),
        (
            format!("{RESOURCE}/a/b"),
            "other.test",
            "http://other.test/a/b",
        ),
    ] {
        let expected = json!({
            "resource": resource,
            "authorization_servers": ["https://idp.example.com"],
            "scopes_supported": ["jobs:read"],
            "bearer_methods_supported": ["header"],
        });
        assert_eq!(document(&gateway, &path, host), expected, "{path}");
    }
    assert_eq!(
        ask(&gateway, "GET", &format!("{RESOURCE}/auth"), "a.test", "").status,
        404
    );
    let asks = "Origin: https://inspector.example\r\nAccess-Control-Request-Method: GET\r\n\
                Access-Control-Request-Headers: mcp-protocol-version\r\n";
    let preflight = ask(
        &gateway,
        "OPTIONS",
        &format!("{RESOURCE}/mcp"),
        "a.test",
        asks,
    );
    assert_eq!(preflight.status, 204);
    for (name, value) in [("origin", "*"), ("headers", "*"), ("methods", "GET, HEAD")] {
        assert_eq!(
            preflight.header(&format!("access-control-allow-{name}")),
            value
        );
    }
}

#[test]
fn without_servers_of_its_own_a_service_trusts_whom_the_gateway_trusts() {
    let of =
        |auth: &str| document(&start(auth), RESOURCE, "a.test")["authorization_servers"].clone();
    assert_eq!(of("resource_metadata: {}"), json!(["http://a.test"]));
    let secret = "secret: another secret of at least 32 bytes";
    let issuers = format!(
        "resource_metadata: {{}}, trusted_issuers: [
           {{ issuer: \"https://idp.example.com\", audience: api, algorithms: [HS256], {secret} }},
           {{ issuer: legacy, audience: api, algorithms: [HS256], secret: a third secret of at least 32 bytes }}]"
    );
    assert_eq!(of(&issuers), json!(["https://idp.example.com"]));
}

#[test]
fn every_401_names_the_metadata_of_its_service() {
    let gateway = start(OF_IDP);
    let named = |url: &str| format!("Bearer realm=\"gatelatch\", resource_metadata=\"{url}\"");
    let root = "http://a.test:81/.well-known/oauth-protected-resource";
    let challenge = |path, fields: &str| {
        let answer = ask(&gateway, "GET", path, "a.test:81", fields);
        assert_eq!(answer.status, 401, "{answer:?}");
        answer
            .headers("www-authenticate")
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(challenge("/jobs", ""), [named(root)]);
    let basic = "Basic realm=\"gatelatch\", charset=\"UTF-8\"";
    assert_eq!(
        challenge("/mcp/x", ""),
        [basic, &named(&format!("{root}/mcp"))]
    );
    let bad = challenge("/jobs", "Authorization: Bearer a.b.c\r\n");
    assert!(bad[0].contains("error=\"invalid_token\""), "{bad:?}");
    assert!(
        bad[0].ends_with(&format!("resource_metadata=\"{root}\"")),
        "{bad:?}"
    );
    let forwarded = "X-Forwarded-Proto: https\r\nX-Forwarded-Host: app.test\r\n";
    let secure = "https://app.test/.well-known/oauth-protected-resource";
    assert_eq!(challenge("/jobs", forwarded), [named(secure)]);
    for fields in [
        "X-Forwarded-Method: GET\r\nX-Forwarded-Uri: /mcp/y\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: app.test\r\n",
        "X-Original-Method: GET\r\nX-Original-URL: https://app.test/mcp/y\r\n",
    ] {
        let asked = challenge("/auth/verify", fields);
        assert_eq!(
            asked.last(),
            Some(&named(&format!("{secure}/mcp"))),
            "{fields}"
        );
    }
    // people are sent to the page as ever
    assert_eq!(
        ask(&gateway, "GET", "/jobs", "a.test", NAVIGATION).status,
        303
    );
}
